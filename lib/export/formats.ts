/**
 * The formats of a training set, as TRL, Axolotl and LLaMA-Factory read them.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../think.ts";
import type { Example } from "./example.ts";
import { toAlpaca, toShareGpt, toShareGptPair } from "./llama_factory.ts";
import { withLogprobs } from "./logprobs.ts";
import {
  NoPlace,
  provenanceOf,
  type ToolArguments,
  type TrainingRow,
  withArguments,
  withTools,
} from "./training_row.ts";
import type { ExportFormat } from "./format_names.ts";

/** The formats whose rows are conversations. */
export type ConversationFormat = Exclude<ExportFormat, "raw">;

/** How rows are put into a format. */
export interface RowStyle {
  /** How reasoning is written in the answer; undefined leaves answers as they are in their rows. */
  readonly think: ThinkStyle | undefined;
  /** The name of the field for reasoning. */
  readonly reasoningField: string;
  /** How the arguments of tool calls are written in messages. */
  readonly toolArguments: ToolArguments;
  /** Whether the content of every message is a list of parts, because one message has an image. */
  readonly parts: boolean;
}

/** Puts an example into a format. */
export function toTrainingRow(
  example: Example,
  format: ConversationFormat,
  style: RowStyle,
): TrainingRow | NoPlace {
  const { think } = style;
  const { prompt, answer } = turnsOf(example, think);
  const { tools } = example;
  const styled = (messages: readonly Message[]) => inStyle(messages, style);
  if (answer === undefined && !TAKES_PROMPTS.has(format)) {
    return new NoPlace("a row without an answer");
  }
  if (isPreference(format) && example.answer !== undefined && example.rejected === undefined) {
    return new NoPlace("a row without chosen and rejected answers");
  }
  const whole = answer === undefined ? prompt : [...prompt, answer];
  switch (format) {
    case "messages":
      return withTools({ messages: styled(whole) }, tools);
    case "dataset":
      return { ...withTools({ messages: styled(whole) }, tools), ...provenanceOf(example) };
    case "logprobs":
      return withLogprobs(withTools({ messages: styled(whole) }, tools), example);
    case "prompt-completion":
      return withTools({ prompt: styled(prompt), completion: styled([answer!]) }, tools);
    case "preference":
      return withTools({ prompt: styled(prompt), ...pairOf(example, answer!, style) }, tools);
    case "preference-sharegpt":
      return toShareGptPair(
        prompt,
        answer!,
        example.rejected && thought(example.rejected, think),
        tools,
      );
    case "sharegpt":
      return toShareGpt(whole, tools);
    case "alpaca":
      return toAlpaca(prompt, answer!, tools);
  }
}

function inStyle(messages: readonly Message[], style: RowStyle): Message[] {
  const called = withArguments(messages, style.toolArguments);
  const parted = style.parts ? called.map(withParts) : called;
  return style.reasoningField === REASONING
    ? parted
    : parted.map((message) => withReasoningAs(style.reasoningField, message));
}

/**
 * The chosen and rejected answers of a row that has both; for a result, its answer, which becomes
 * one of a pair later.
 */
function pairOf({ rejected }: Example, answer: Message, style: RowStyle): TrainingRow {
  return rejected === undefined ? { completion: inStyle([answer], style) } : {
    chosen: inStyle([answer], style),
    rejected: inStyle([thought(rejected, style.think)], style),
  };
}

/** Whether rows hold two answers. */
export function isPreference(format: ExportFormat): boolean {
  return format === "preference" || format === "preference-sharegpt";
}

/** Conversations that end with the user are prompts; these formats have a place for them. */
const TAKES_PROMPTS: ReadonlySet<string> = new Set(["messages", "sharegpt", "dataset"]);

/** Whether a message of the row has content that is a list of parts. */
export function hasParts({ messages, answer }: Example): boolean {
  return messages.some(({ content }) => Array.isArray(content)) || Array.isArray(answer?.content);
}

interface Turns {
  readonly prompt: readonly Message[];
  /** Undefined where the row has none. */
  readonly answer: Message | undefined;
}

function turnsOf(example: Example, think: ThinkStyle | undefined): Turns {
  const { response, reasoning, toolCalls, answer: own } = example;
  if (own === null) return { prompt: example.messages, answer: undefined };
  if (own !== undefined) return { prompt: example.messages, answer: thought(own, think) };
  const answer = assistantMessage(response, reasoning, toolCalls, think ?? "field");
  // Arrow needs the field in every row or in none; templates treat "" as no reasoning.
  if (think === "field") answer.reasoning_content ??= "";
  const last = example.messages.at(-1);
  if (last?.role !== "assistant") return { prompt: example.messages, answer };
  // A prefill: the teacher continued it, so the two are one turn.
  if (typeof last.content === "string") answer.content = last.content + answer.content;
  return { prompt: example.messages.slice(0, -1), answer };
}

/** The answer that a row holds, with its reasoning in another style. */
function thought(message: Message, think: ThinkStyle | undefined): Message {
  if (think === undefined) return message;
  const { response, reasoning } = readReasoning(message);
  const {
    content: _content,
    reasoning_content: _field,
    reasoning: _short,
    thinking: _long,
    ...rest
  } = message;
  const styled = assistantMessage(response, reasoning, undefined, think);
  if (think === "field") styled.reasoning_content ??= "";
  // A list of parts has no place for tags.
  if (Array.isArray(message.content)) styled.content = message.content;
  return { ...rest, ...styled };
}

/** The reasoning of a message, from a separate field, or from `<think>` tags before its content. */
export function readReasoning(
  { content, reasoning_content: field, reasoning: short, thinking }: Message,
): { response: string; reasoning: string } {
  const text = typeof content === "string" ? content : "";
  for (const own of [field, short, thinking]) {
    if (typeof own === "string" && own !== "") return { response: text, reasoning: own };
  }
  const [start, reasoning] = /^\s*<think>\s*(.*?)\s*<\/think>\s*/s.exec(text) ?? ["", ""];
  return { response: text.slice(start.length), reasoning };
}

/** The name that most templates read. */
export const REASONING = "reasoning_content";

/** A message with another name for its reasoning, at the same position. */
function withReasoningAs(name: string, message: Message): Message {
  if (message[REASONING] === undefined) return message;
  const renamed = Object.entries(message).map((
    [key, value],
  ) => [key === REASONING ? name : key, value]);
  return Object.fromEntries(renamed) as Message;
}

/**
 * A message with its content as parts: no loader reads a file that mixes text and lists of parts.
 */
function withParts(message: Message): Message {
  return typeof message.content === "string"
    ? { ...message, content: [{ type: "text", text: message.content }] }
    : message;
}
