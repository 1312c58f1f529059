/**
 * Formats of training sets, as TRL, Axolotl and LLaMA-Factory read them.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import type { AnswerField } from "./conversation.ts";
import type { Example } from "./example.ts";
import type { ExportFormat } from "./mod.ts";
import { shareGptTurns, toAlpaca } from "./llama_factory.ts";
import { logprobColumns } from "./logprobs.ts";
import {
  axolotlHint,
  hubHint,
  llamaFactoryHint,
  type LoaderHint,
  type WrittenSet,
} from "./trainers.ts";
import {
  inStyle,
  type RowStyle,
  type TrainingRow,
  type Turns,
  turnsOf,
  Unrepresentable,
} from "./turns.ts";

interface FormatFacts {
  /** Optional columns, with the value for rows without them: all rows need the same columns. */
  readonly fillers: TrainingRow;
  /** Columns of messages, which may differ in their keys: only some have `tool_calls`. */
  readonly messageColumns: readonly string[];
  /** With `text`, reasoning can only be part of the answer's text. */
  readonly reasoning: "text" | "field";
  /** Decides what `TrainerNotes` warns about. */
  readonly turns: "messages" | "ShareGPT" | "other";
  /** Where `ConversationReader` finds the answer if the written file is converted. */
  readonly answerIn: AnswerField | "the last turn";
  readonly target: "file" | "folder";
  readonly hints: (written: WrittenSet) => readonly LoaderHint[];
}

export interface MadeFormat extends FormatFacts {
  readonly rows: "conversations" | "pairs";
  /** Whether conversations may end with the user, without an answer. */
  readonly takesPrompts: boolean;
  /**
   * Makes a row without tools. `answer` is undefined only with `takesPrompts`.
   *
   * @throws {Unrepresentable} If the format has no place for a part of the row.
   */
  readonly toRow: (turns: Turns & { readonly answer: Message }, style: RowStyle) => TrainingRow;
  /** Makes columns that follow the tools. @default none */
  readonly furtherColumns?: (example: Example) => TrainingRow;
}

interface SourceFormat extends FormatFacts {
  readonly rows: "as they are";
}

export type FormatDefinition = MadeFormat | SourceFormat;

/** Tools are written as the text of a JSON list: nested schemas, and nulls before the first row with
 * tools, would break datasets, polars and pyarrow. TRL and Axolotl parse the text; Axolotl fails at
 * "". */
const NO_TOOLS = { tools: "[]" };

const CONVERSATIONS = {
  rows: "conversations",
  takesPrompts: false,
  fillers: NO_TOOLS,
  messageColumns: ["messages"],
  reasoning: "field",
  turns: "messages",
  answerIn: "the last turn",
  target: "file",
  hints: () => [],
} as const satisfies Omit<MadeFormat, "toRow">;

export const FORMATS: Readonly<Record<ExportFormat, FormatDefinition>> = {
  "messages": {
    ...CONVERSATIONS,
    takesPrompts: true,
    toRow: withMessages,
    hints: (written) => [axolotlHint(written)],
  },
  "prompt-completion": {
    ...CONVERSATIONS,
    messageColumns: ["prompt", "completion"],
    answerIn: "completion",
    toRow: ({ prompt, answer }, style) => ({
      prompt: inStyle(prompt, style),
      completion: inStyle([answer], style),
    }),
  },
  "sharegpt": {
    ...CONVERSATIONS,
    takesPrompts: true,
    messageColumns: [],
    turns: "ShareGPT",
    toRow: (turns, style) => ({ conversations: shareGptTurns(conversationOf(turns), style) }),
    hints: (written) => [
      llamaFactoryHint(written, { messages: "conversations", tools: "tools" }, {
        formatting: "sharegpt",
      }),
      axolotlHint(written, [
        "field_messages: conversations",
        "message_property_mappings: { role: from, content: value }",
      ]),
    ],
  },
  "alpaca": {
    ...CONVERSATIONS,
    fillers: { system: "", history: [], ...NO_TOOLS },
    messageColumns: [],
    reasoning: "text",
    turns: "other",
    answerIn: "output",
    toRow: toAlpaca,
    hints: (written) => [
      llamaFactoryHint(written, {
        prompt: "instruction",
        query: "input",
        response: "output",
        system: "system",
        history: "history",
        tools: "tools",
      }),
    ],
  },
  "preference": {
    ...CONVERSATIONS,
    rows: "pairs",
    messageColumns: ["prompt", "completion", "chosen", "rejected"],
    answerIn: "chosen",
    toRow: (turns, style) => ({
      prompt: inStyle(turns.prompt, style),
      ...answersOf(turns, (answer) => inStyle([answer], style)),
    }),
  },
  "preference-sharegpt": {
    ...CONVERSATIONS,
    rows: "pairs",
    messageColumns: [],
    turns: "ShareGPT",
    answerIn: "chosen",
    toRow: (turns, style) => ({
      conversations: shareGptTurns(turns.prompt, style),
      ...answersOf(turns, (answer) => shareGptTurns([answer], style)[0]),
    }),
    hints: (written) => [
      llamaFactoryHint(written, {
        messages: "conversations",
        chosen: "chosen",
        rejected: "rejected",
        tools: "tools",
      }, { formatting: "sharegpt", ranking: true }),
    ],
  },
  "logprobs": {
    ...CONVERSATIONS,
    toRow: withMessages,
    furtherColumns: logprobColumns,
  },
  "raw": {
    ...CONVERSATIONS,
    rows: "as they are",
    fillers: {},
    messageColumns: ["messages", "prompt", "completion", "chosen", "rejected"],
    turns: "other",
    answerIn: "response",
  },
  "dataset": {
    ...CONVERSATIONS,
    takesPrompts: true,
    target: "folder",
    toRow: withMessages,
    furtherColumns: provenanceOf,
    hints: (written) => [hubHint(written)],
  },
};

/** @throws {Unrepresentable} If the format has no place for a part of the row. */
export function toTrainingRow(example: Example, format: MadeFormat, style: RowStyle): TrainingRow {
  const turns = turnsOf(example, style.think);
  if (turns.answer === undefined && !format.takesPrompts) {
    throw new Unrepresentable("a row without an answer");
  }
  if (
    format.rows === "pairs" && example.answer !== undefined && example.rejected === undefined
  ) {
    throw new Unrepresentable("a row without chosen and rejected answers");
  }
  const row = format.toRow(turns as Turns & { answer: Message }, style);
  if (example.tools !== undefined) row.tools = JSON.stringify(example.tools);
  return Object.assign(row, format.furtherColumns?.(example));
}

function conversationOf({ prompt, answer }: Turns): readonly Message[] {
  return answer === undefined ? prompt : [...prompt, answer];
}

function withMessages(turns: Turns, style: RowStyle): TrainingRow {
  return { messages: inStyle(conversationOf(turns), style) };
}

/** The columns of the answers. A single answer is a completion until it becomes part of a pair. */
function answersOf(
  { answer, rejected }: Turns & { readonly answer: Message },
  write: (answer: Message) => unknown,
): TrainingRow {
  return rejected === undefined
    ? { completion: write(answer) }
    : { chosen: write(answer), rejected: write(rejected) };
}

const PROVENANCE_FIELDS = [
  "model",
  "finish_reason",
  "prompt_tokens",
  "completion_tokens",
  "reasoning_tokens",
];

/** The fields that say where an answer comes from; none for a row that is not a results line. */
function provenanceOf({ result }: Example): Record<string, unknown> {
  const { uid, distill } = result;
  if (typeof uid !== "string" || !isObject(distill)) return {};
  const names = PROVENANCE_FIELDS.filter((name) => Object.hasOwn(distill, name));
  return { uid, ...Object.fromEntries(names.map((name) => [name, distill[name]])) };
}
