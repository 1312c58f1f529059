/**
 * Turns of an example in the style of an export: where reasoning is, and how messages are written.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../answer.ts";
import type { Example } from "./example.ts";
import { type ToolArguments, withArguments } from "./training_row.ts";

/** How rows are written, as the options choose. */
export interface RowStyle {
  /** How reasoning is written in the answer; undefined leaves answers as they are in their rows. */
  readonly think: ThinkStyle | undefined;
  /** Name of the field for reasoning. */
  readonly reasoningField: string;
  /** How the arguments of tool calls are written in messages. */
  readonly toolArguments: ToolArguments;
  /** Whether the content of every message is a list of parts, because that of one message is. */
  readonly hasParts: boolean;
}

/** An example as messages. */
export interface Turns {
  /** Messages before the answer. */
  readonly prompt: readonly Message[];
  /** Undefined if the row has no answer. */
  readonly answer: Message | undefined;
  /** Undefined unless the row is a pair. */
  readonly rejected: Message | undefined;
}

/** Returns the turns of an example, with its reasoning in one style. */
export function turnsOf(example: Example, think: ThinkStyle | undefined): Turns {
  const { messages: prompt, response, reasoning, toolCalls } = example;
  const rejected = example.rejected && withThinkStyle(example.rejected, think);
  if (example.answer === null) return { prompt, answer: undefined, rejected };
  if (example.answer !== undefined) {
    return { prompt, answer: withThinkStyle(example.answer, think), rejected };
  }
  const answer = assistantMessage(response, reasoning, toolCalls, think ?? "field");
  // Arrow needs the field in every row or in none; templates treat "" as no reasoning.
  if (think === "field") answer.reasoning_content ??= "";
  const last = prompt.at(-1);
  if (last?.role !== "assistant") return { prompt, answer, rejected };
  // The last message is a prefill, which the teacher continued: together they are one turn.
  if (typeof last.content === "string") answer.content = last.content + answer.content;
  return { prompt: prompt.slice(0, -1), answer, rejected };
}

/**
 * Returns messages whose tool arguments, content parts and field for reasoning are as the style
 * requires.
 */
export function inStyle(messages: readonly Message[], style: RowStyle): Message[] {
  const converted = withArguments(messages, style.toolArguments);
  const styled = style.hasParts ? converted.map(withParts) : converted;
  return style.reasoningField === REASONING
    ? styled
    : styled.map((message) => withReasoningAs(style.reasoningField, message));
}

/** Whether a message of the row has a list of parts as content. */
export function hasParts({ messages, answer }: Example): boolean {
  return messages.some(({ content }) => Array.isArray(content)) || Array.isArray(answer?.content);
}

/** Returns an answer with its reasoning in another style. */
function withThinkStyle(message: Message, think: ThinkStyle | undefined): Message {
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

/**
 * Finds the reasoning of a message: in a separate field, or in `<think>` tags before its content.
 */
export function readReasoning(
  { content, reasoning_content: field, reasoning: short, thinking }: Message,
): { response: string; reasoning: string } {
  const text = typeof content === "string" ? content : "";
  for (const reasoning of [field, short, thinking]) {
    if (typeof reasoning === "string" && reasoning !== "") return { response: text, reasoning };
  }
  const [start, reasoning] = /^\s*<think>\s*(.*?)\s*<\/think>\s*/s.exec(text) ?? ["", ""];
  return { response: text.slice(start.length), reasoning };
}

/** The field that most templates read. */
export const REASONING = "reasoning_content";

/** Renames the field for reasoning; the order of the fields stays. */
function withReasoningAs(name: string, message: Message): Message {
  if (message[REASONING] === undefined) return message;
  const renamed = Object.entries(message).map((
    [key, value],
  ) => [key === REASONING ? name : key, value]);
  return Object.fromEntries(renamed) as Message;
}

/** Turns text content into a list of parts: no loader reads a file that mixes both. */
function withParts(message: Message): Message {
  return typeof message.content === "string"
    ? { ...message, content: [{ type: "text", text: message.content }] }
    : message;
}
