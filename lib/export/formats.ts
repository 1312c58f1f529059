/**
 * Formats of a training set, as TRL, Axolotl and LLaMA-Factory read them: one definition for each,
 * with everything that depends on it.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import type { AnswerField } from "./conversation.ts";
import type { Example } from "./example.ts";
import type { ExportFormat } from "./format_names.ts";
import { toAlpaca, toShareGpt, toShareGptPair } from "./llama_factory.ts";
import { withLogprobs } from "./logprobs.ts";
import { axolotl, hub, llamaFactory, type LoaderHint, type WrittenSet } from "./trainer_config.ts";
import { provenanceOf, type TrainingRow, Unrepresentable, withTools } from "./training_row.ts";
import { inStyle, type RowStyle, type Turns, turnsOf } from "./turns.ts";

interface FormatFacts {
  /**
   * Optional columns with their fillers. All rows of a file need the same columns, so if one row
   * has an optional column, rows without it get the filler.
   */
  readonly fillers: TrainingRow;
  /**
   * Columns of messages in the form of the API, in which some messages may have more keys than
   * others.
   */
  readonly messageColumns: readonly string[];
  /**
   * `field`: reasoning may have a field of its own. `text`: the answer is a text, so reasoning can
   * only be part of it.
   */
  readonly reasoning: "text" | "field";
  /** How turns are written, which decides what trainers may misread: see `trainer_notes.ts`. */
  readonly turns: "messages" | "ShareGPT" | "other";
  /**
   * Where `conversation.ts` finds the answer when an export is read again: in a field, or as the
   * last turn.
   */
  readonly answerIn: AnswerField | "the last turn";
  /** A file, or a folder of Parquet with a card. */
  readonly target: "file" | "folder";
  /** Returns the configuration that trainers need to read the set. */
  readonly config: (written: WrittenSet) => readonly LoaderHint[];
}

/** A format that makes its rows from conversations. */
export interface MadeFormat extends FormatFacts {
  /** `pairs`: rows with two answers. */
  readonly rows: "conversations" | "pairs";
  /** Whether rows may be conversations without an answer, which end with the user. */
  readonly takesPrompts: boolean;
  /** Makes a row. `answer` is undefined only with `takesPrompts`. */
  readonly toRow: (
    turns: Turns & { readonly answer: Message },
    context: RowContext,
  ) => TrainingRow | Unrepresentable;
}

/** A format whose rows are those of the files that are read. */
interface SourceFormat extends FormatFacts {
  readonly rows: "as they are";
}

export type FormatDefinition = MadeFormat | SourceFormat;

/** What a row is made of, in addition to its turns. */
export interface RowContext {
  readonly example: Example;
  /** Tools that the teacher was offered; undefined for none. */
  readonly tools: readonly unknown[] | undefined;
  /** Name of the field for reasoning. */
  readonly reasoningField: string;
  /** Returns messages in the style of this export. */
  readonly styled: (messages: readonly Message[]) => Message[];
}

/**
 * Tools are a JSON list as text. Nulls and nested schemas would break datasets, polars and
 * pyarrow if tools first appear late. TRL and Axolotl parse the text; Axolotl fails at "".
 */
const NO_TOOLS = { tools: "[]" };

/** Definitions by name. */
export const FORMATS: Readonly<Record<ExportFormat, FormatDefinition>> = {
  "messages": {
    rows: "conversations",
    takesPrompts: true,
    fillers: NO_TOOLS,
    messageColumns: ["messages"],
    reasoning: "field",
    turns: "messages",
    answerIn: "the last turn",
    target: "file",
    toRow: (turns, { tools, styled }) =>
      withTools({ messages: styled(conversationOf(turns)) }, tools),
    config: (written) => [axolotl(written)],
  },
  "prompt-completion": {
    rows: "conversations",
    takesPrompts: false,
    fillers: NO_TOOLS,
    messageColumns: ["prompt", "completion"],
    reasoning: "field",
    turns: "messages",
    answerIn: "completion",
    target: "file",
    toRow: ({ prompt, answer }, { tools, styled }) =>
      withTools({ prompt: styled(prompt), completion: styled([answer]) }, tools),
    config: () => [],
  },
  "sharegpt": {
    rows: "conversations",
    takesPrompts: true,
    fillers: NO_TOOLS,
    messageColumns: [],
    reasoning: "field",
    turns: "ShareGPT",
    answerIn: "the last turn",
    target: "file",
    toRow: (turns, context) => toShareGpt(conversationOf(turns), context),
    config: (written) => [
      llamaFactory(written, { messages: "conversations", tools: "tools" }, {
        formatting: "sharegpt",
      }),
      axolotl(written, [
        "field_messages: conversations",
        "message_property_mappings: { role: from, content: value }",
      ]),
    ],
  },
  "alpaca": {
    rows: "conversations",
    takesPrompts: false,
    fillers: { system: "", history: [], ...NO_TOOLS },
    messageColumns: [],
    reasoning: "text",
    turns: "other",
    answerIn: "output",
    target: "file",
    toRow: ({ prompt, answer }, { tools }) => toAlpaca(prompt, answer, tools),
    config: (written) => [
      llamaFactory(written, {
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
    rows: "pairs",
    takesPrompts: false,
    fillers: NO_TOOLS,
    // An answer alone is a completion, which later becomes one answer of a pair.
    messageColumns: ["prompt", "completion", "chosen", "rejected"],
    reasoning: "field",
    turns: "messages",
    answerIn: "chosen",
    target: "file",
    toRow: ({ prompt, answer, rejected }, { tools, styled }) => {
      const answers = rejected === undefined
        ? { completion: styled([answer]) }
        : { chosen: styled([answer]), rejected: styled([rejected]) };
      return withTools({ prompt: styled(prompt), ...answers }, tools);
    },
    config: () => [],
  },
  "preference-sharegpt": {
    rows: "pairs",
    takesPrompts: false,
    fillers: NO_TOOLS,
    messageColumns: [],
    reasoning: "field",
    turns: "ShareGPT",
    answerIn: "chosen",
    target: "file",
    toRow: toShareGptPair,
    config: (written) => [
      llamaFactory(written, {
        messages: "conversations",
        chosen: "chosen",
        rejected: "rejected",
        tools: "tools",
      }, { formatting: "sharegpt", ranking: true }),
    ],
  },
  "logprobs": {
    rows: "conversations",
    takesPrompts: false,
    fillers: NO_TOOLS,
    messageColumns: ["messages"],
    reasoning: "field",
    turns: "messages",
    answerIn: "the last turn",
    target: "file",
    toRow: (turns, { example, tools, styled }) =>
      withLogprobs(withTools({ messages: styled(conversationOf(turns)) }, tools), example),
    config: () => [],
  },
  "raw": {
    rows: "as they are",
    fillers: {},
    messageColumns: ["messages", "prompt", "completion", "chosen", "rejected"],
    reasoning: "field",
    turns: "other",
    answerIn: "response",
    target: "file",
    config: () => [],
  },
  "dataset": {
    rows: "conversations",
    takesPrompts: true,
    fillers: NO_TOOLS,
    messageColumns: ["messages"],
    reasoning: "field",
    turns: "messages",
    answerIn: "the last turn",
    target: "folder",
    toRow: (turns, { example, tools, styled }) => ({
      ...withTools({ messages: styled(conversationOf(turns)) }, tools),
      ...provenanceOf(example),
    }),
    config: (written) => [hub(written)],
  },
};

/** Puts an example into a format. Returns what the format has no place for, if anything. */
export function toTrainingRow(
  example: Example,
  format: MadeFormat,
  style: RowStyle,
): TrainingRow | Unrepresentable {
  const turns = turnsOf(example, style.think);
  if (turns.answer === undefined && !format.takesPrompts) {
    return new Unrepresentable("a row without an answer");
  }
  if (
    format.rows === "pairs" && example.answer !== undefined && example.rejected === undefined
  ) {
    return new Unrepresentable("a row without chosen and rejected answers");
  }
  return format.toRow(turns as Turns & { answer: Message }, {
    example,
    tools: example.tools,
    reasoningField: style.reasoningField,
    styled: (messages) => inStyle(messages, style),
  });
}

/** Returns the whole conversation, with the answer if there is one. */
function conversationOf({ prompt, answer }: { prompt: readonly Message[]; answer?: Message }) {
  return answer === undefined ? prompt : [...prompt, answer];
}
