/**
 * The formats of a training set, as TRL, Axolotl and LLaMA-Factory read them: one definition for
 * each, with everything that depends on it.
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
import { NoPlace, provenanceOf, type TrainingRow, withTools } from "./training_row.ts";
import { inStyle, type RowStyle, type Turns, turnsOf } from "./turns.ts";

/** What depends on the format, for every format. */
interface FormatFacts {
  /**
   * Optional columns, each with its value in rows that have none: all rows of a file need the same
   * columns, so where one row has such a column, the others get this value.
   */
  readonly fillers: TrainingRow;
  /**
   * The columns of messages in the form of the API, some of which may have more keys than others.
   */
  readonly messageColumns: readonly string[];
  /**
   * `text`: the answer is written as text, so that reasoning has no place but the text; `field`: it
   * may have a field of its own.
   */
  readonly reasoning: "text" | "field";
  /** How its turns are written, which decides what trainers may misread: see `trainer_notes.ts`. */
  readonly turns: "messages" | "ShareGPT" | "other";
  /**
   * Where `lib/export/conversation.ts` finds the answer when an export is read again: in a field,
   * or as the last turn.
   */
  readonly answerIn: AnswerField | "the last turn";
  /** What is written: a file, or a folder of Parquet with a card. */
  readonly target: "file" | "folder";
  /** What the programs need that read it. */
  readonly config: (written: WrittenSet) => readonly LoaderHint[];
}

/** A format with rows of its own. */
export interface MadeFormat extends FormatFacts {
  /** `pairs`: rows with two answers. */
  readonly rows: "conversations" | "pairs";
  /** Whether it has a place for conversations without an answer, which end with the user. */
  readonly takesPrompts: boolean;
  /** Makes a row. Only with `takesPrompts` is `answer` undefined. */
  readonly toRow: (
    turns: Turns & { readonly answer: Message },
    context: RowContext,
  ) => TrainingRow | NoPlace;
}

/** A format whose rows are those of their files. */
interface SourceFormat extends FormatFacts {
  readonly rows: "as they are";
}

/** A format of a training set. */
export type FormatDefinition = MadeFormat | SourceFormat;

/** What a row is made from in addition to its turns. */
export interface RowContext {
  /** The example. */
  readonly example: Example;
  /** Its tools. */
  readonly tools: readonly unknown[] | undefined;
  /** Messages as this export writes them. */
  readonly styled: (messages: readonly Message[]) => Message[];
}

/**
 * A list as text: nulls and nested schemas break datasets, polars and pyarrow where tools first
 * appear late. TRL and Axolotl parse it; Axolotl fails at "".
 */
const NO_TOOLS = { tools: "[]" };

/** Each format. */
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
    toRow: (turns, { tools, styled }) => withTools({ messages: styled(wholeOf(turns)) }, tools),
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
    toRow: (turns, { tools }) => toShareGpt(wholeOf(turns), tools),
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
    // A single answer is a completion, which becomes one of a pair later.
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
    toRow: ({ prompt, answer, rejected }, { tools }) =>
      toShareGptPair(prompt, answer, rejected, tools),
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
      withLogprobs(withTools({ messages: styled(wholeOf(turns)) }, tools), example),
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
      ...withTools({ messages: styled(wholeOf(turns)) }, tools),
      ...provenanceOf(example),
    }),
    config: (written) => [hub(written)],
  },
};

/** Puts an example into a format. */
export function toTrainingRow(
  example: Example,
  format: MadeFormat,
  style: RowStyle,
): TrainingRow | NoPlace {
  const turns = turnsOf(example, style.think);
  if (turns.answer === undefined && !format.takesPrompts) {
    return new NoPlace("a row without an answer");
  }
  if (
    format.rows === "pairs" && example.answer !== undefined && example.rejected === undefined
  ) {
    return new NoPlace("a row without chosen and rejected answers");
  }
  return format.toRow(turns as Turns & { answer: Message }, {
    example,
    tools: example.tools,
    styled: (messages) => inStyle(messages, style),
  });
}

/** The conversation, with its answer if it has one. */
function wholeOf({ prompt, answer }: { prompt: readonly Message[]; answer?: Message }) {
  return answer === undefined ? prompt : [...prompt, answer];
}
