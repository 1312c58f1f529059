/**
 * The turns of an example in the style of an export: where its reasoning stands, and how its
 * messages are written.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../think.ts";
import type { Example } from "./example.ts";
import { type ToolArguments, withArguments } from "./training_row.ts";

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

/** The turns of an example. */
export interface Turns {
  /** The messages before the answer. */
  readonly prompt: readonly Message[];
  /** Undefined where the row has none. */
  readonly answer: Message | undefined;
  /** The answer that was rejected; undefined where the row has one answer. */
  readonly rejected: Message | undefined;
}

/** The turns of an example, with its reasoning in one style. */
export function turnsOf(example: Example, think: ThinkStyle | undefined): Turns {
  const { messages: prompt, response, reasoning, toolCalls, answer: own } = example;
  const rejected = example.rejected && thought(example.rejected, think);
  if (own !== undefined) {
    return { prompt, answer: own === null ? undefined : thought(own, think), rejected };
  }
  const answer = assistantMessage(response, reasoning, toolCalls, think ?? "field");
  // Arrow needs the field in every row or in none; templates treat "" as no reasoning.
  if (think === "field") answer.reasoning_content ??= "";
  const last = prompt.at(-1);
  if (last?.role !== "assistant") return { prompt, answer, rejected };
  // A prefill: the teacher continued it, so the two are one turn.
  if (typeof last.content === "string") answer.content = last.content + answer.content;
  return { prompt: prompt.slice(0, -1), answer, rejected };
}

/** Messages as an export writes them. */
export function inStyle(messages: readonly Message[], style: RowStyle): Message[] {
  const called = withArguments(messages, style.toolArguments);
  const parted = style.parts ? called.map(withParts) : called;
  return style.reasoningField === REASONING
    ? parted
    : parted.map((message) => withReasoningAs(style.reasoningField, message));
}

/** Whether a message of the row has content that is a list of parts. */
export function hasParts({ messages, answer }: Example): boolean {
  return messages.some(({ content }) => Array.isArray(content)) || Array.isArray(answer?.content);
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
