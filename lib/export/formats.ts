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
  /**
   * Optional columns, each with the value for rows that lack it: all rows need the same columns.
   */
  readonly fillers: TrainingRow;
  /** Columns of messages whose keys may differ, because only some messages have `tool_calls`. */
  readonly messageColumns: readonly string[];
  /** Where reasoning can be written: only in the answer's text, or also in a field of its own. */
  readonly reasoning: "text" | "field";
  /** The form of the turns, which decides what `TrainerNotes` warns about. */
  readonly turns: "messages" | "ShareGPT" | "other";
  /** Where `ConversationReader` finds the answer if the written file is converted. */
  readonly answerIn: AnswerField | "the last turn";
  readonly target: "file" | "folder";
  readonly hints: (written: WrittenSet) => readonly LoaderHint[];
}

interface ComposedFacts extends FormatFacts {
  readonly rows: "conversations" | "pairs";
  /** Makes the columns that come after `tools`. @default none */
  readonly furtherColumns?: (example: Example) => TrainingRow;
}

interface AnsweredTurns extends Turns {
  readonly answer: Message;
}

/**
 * Makes a row except for its tools, which `toTrainingRow` adds.
 *
 * @throws {Unrepresentable} If the format has no place for a part of the row.
 */
type ToRow<T extends Turns> = (turns: T, style: RowStyle) => TrainingRow;

/** With `takesPrompts`, a conversation may end with a user turn and have no answer. */
export type ComposedFormat =
  & ComposedFacts
  & (
    | { readonly takesPrompts: true; readonly toRow: ToRow<Turns> }
    | { readonly takesPrompts: false; readonly toRow: ToRow<AnsweredTurns> }
  );

interface VerbatimFormat extends FormatFacts {
  readonly rows: "as they are";
}

export type FormatDefinition = ComposedFormat | VerbatimFormat;

/** Tools are written as the text of a JSON list: nested schemas, and nulls before the first row with
 * tools, would break datasets, polars and pyarrow. TRL and Axolotl parse the text; Axolotl fails on
 * an empty string. */
const NO_TOOLS = { tools: "[]" };

const CONVERSATIONS = {
  rows: "conversations",
  fillers: NO_TOOLS,
  messageColumns: ["messages"],
  reasoning: "field",
  turns: "messages",
  answerIn: "the last turn",
  target: "file",
  hints: () => [],
} as const satisfies ComposedFacts;

export const FORMATS: Readonly<Record<ExportFormat, FormatDefinition>> = {
  "messages": {
    ...CONVERSATIONS,
    takesPrompts: true,
    toRow: withMessages,
    hints: (written) => [axolotlHint(written)],
  },
  "prompt-completion": {
    ...CONVERSATIONS,
    takesPrompts: false,
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
    takesPrompts: false,
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
    takesPrompts: false,
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
    takesPrompts: false,
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
    takesPrompts: false,
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
export function toTrainingRow(
  example: Example,
  format: ComposedFormat,
  style: RowStyle,
): TrainingRow {
  const row = rowOf(turnsOf(example, style.think), example, format, style);
  if (example.tools !== undefined) row.tools = JSON.stringify(example.tools);
  return Object.assign(row, format.furtherColumns?.(example));
}

function rowOf(
  turns: Turns,
  example: Example,
  format: ComposedFormat,
  style: RowStyle,
): TrainingRow {
  if (format.takesPrompts) return format.toRow(turns, style);
  if (!isAnswered(turns)) throw new Unrepresentable("a row without an answer");
  // `RowMaker` pairs the answers of results. A row of a converted file, which has `answer`, must
  // already be a pair.
  if (
    format.rows === "pairs" && example.answer !== undefined && example.rejected === undefined
  ) {
    throw new Unrepresentable("a row without chosen and rejected answers");
  }
  return format.toRow(turns, style);
}

function isAnswered(turns: Turns): turns is AnsweredTurns {
  return turns.answer !== undefined;
}

function conversationOf({ prompt, answer }: Turns): readonly Message[] {
  return answer === undefined ? prompt : [...prompt, answer];
}

function withMessages(turns: Turns, style: RowStyle): TrainingRow {
  return { messages: inStyle(conversationOf(turns), style) };
}

/**
 * Returns the columns of the answers. A single answer is a completion until `RowMaker` pairs it.
 */
function answersOf(
  { answer, rejected }: AnsweredTurns,
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

/**
 * Returns the fields that say where an answer comes from; none for a row that is not a results
 * line.
 */
function provenanceOf({ result }: Example): Record<string, unknown> {
  const { uid, distill } = result;
  if (typeof uid !== "string" || !isObject(distill)) return {};
  const names = PROVENANCE_FIELDS.filter((name) => Object.hasOwn(distill, name));
  return { uid, ...Object.fromEntries(names.map((name) => [name, distill[name]])) };
}
