/**
 * Turns, tools and tool calls in the style of an export.
 *
 * OpenAI sends arguments of tool calls as JSON text. Chat templates expect an object: given text,
 * they encode it twice (Qwen2.5, Llama 3.1, gpt-oss) or fail (Qwen3.5, Nemotron 3). Parquet needs
 * text, because a column has one type.
 *
 * @module
 */

import { asText, filledList, isObject } from "../json.ts";
import { isRawJson, parseLossless } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../answer.ts";
import type { Example } from "./example.ts";

export interface RowStyle {
  /** How reasoning is written; undefined leaves it as it is. */
  readonly think: ThinkStyle | undefined;
  readonly reasoningField: string;
  readonly toolArguments: ToolArguments;
  /** Whether any message has a list of parts. The content of every message then becomes a list. */
  readonly hasParts: boolean;
}

export interface Turns {
  readonly prompt: readonly Message[];
  readonly answer: Message | undefined;
  /** The rejected answer; undefined unless the row is a pair. */
  readonly rejected: Message | undefined;
}

export function turnsOf(example: Example, think: ThinkStyle | undefined): Turns {
  const { messages: prompt, response, reasoning, toolCalls } = example;
  const rejected = example.rejected && withThinkStyle(example.rejected, think);
  if (example.answer === null) return { prompt, answer: undefined, rejected };
  if (example.answer !== undefined) {
    return { prompt, answer: withThinkStyle(example.answer, think), rejected };
  }
  // An assistant message at the end is a prefill that the teacher continued: both are one turn.
  const last = prompt.at(-1), prefill = last?.role === "assistant" ? last : undefined;
  const text = prefill === undefined ? response : prefillOf(prefill, reasoning) + response;
  const answer = assistantMessage(text, reasoning, toolCalls, think ?? "field");
  // Arrow needs the field in every row or none; templates treat "" as no reasoning.
  if (think === "field") answer.reasoning_content ??= "";
  return { prompt: prefill === undefined ? prompt : prompt.slice(0, -1), answer, rejected };
}

/**
 * Returns the text of a prefill. If the answer has reasoning, an open `<think>` tag at the end of
 * the prefill is removed, because the reasoning gets its own tags or field.
 */
export function prefillOf(prefill: Message, reasoning: string): string {
  const text = textOf(prefill) ?? "";
  return reasoning === "" ? text : text.replace(/<think>\s*$/, "");
}

export function inStyle(messages: readonly Message[], style: RowStyle): Message[] {
  const converted = withArguments(messages, style.toolArguments);
  const styled = style.hasParts ? converted.map(withParts) : converted;
  return style.reasoningField === REASONING
    ? styled
    : styled.map((message) => withReasoningAs(style.reasoningField, message));
}

export function hasParts({ messages, answer, rejected }: Example): boolean {
  return messages.some(({ content }) => Array.isArray(content)) ||
    Array.isArray(answer?.content) || Array.isArray(rejected?.content);
}

export function withThinkStyle(message: Message, think: ThinkStyle | undefined): Message {
  if (think === undefined) return message;
  const { response, reasoning } = readReasoning(message);
  const {
    content: _content,
    reasoning_content: _reasoningContent,
    reasoning: _reasoning,
    thinking: _thinking,
    ...rest
  } = message;
  const styled = assistantMessage(response, reasoning, undefined, think);
  if (think === "field") styled.reasoning_content ??= "";
  if (Array.isArray(message.content)) {
    const [first, ...others] = message.content, text = styled.content;
    const isFirst = textOfPart(first) !== undefined;
    if (isFirst) styled.content = [{ ...first, text }, ...others];
    else styled.content = [...text === "" ? [] : [{ type: "text", text }], ...message.content];
  }
  return { ...rest, ...styled };
}

/** Reads reasoning from a field, or from `<think>` tags before the content. If the content is a list
 * of parts, the response is the text of the first part; "" if that is not text. */
export function readReasoning(message: Message): { response: string; reasoning: string } {
  const { content } = message;
  const text = Array.isArray(content) ? textOfPart(content[0]) ?? "" : asText(content);
  const field = reasoningFieldOf(message);
  if (field !== undefined) return { response: text, reasoning: field };
  const [start, reasoning] = /^\s*<think>(.*?)<\/think>\s*/s.exec(text) ?? ["", ""];
  return { response: text.slice(start.length), reasoning: reasoning.trim() };
}

/** Returns the reasoning from a field; undefined if there is none. */
export function reasoningFieldOf(
  { reasoning_content: reasoningContent, reasoning, thinking }: Message,
): string | undefined {
  return [reasoningContent, reasoning, thinking].find((value): value is string =>
    typeof value === "string" && value !== ""
  );
}

/** The reasoning field that most templates read. */
export const REASONING = "reasoning_content";

function withReasoningAs(name: string, message: Message): Message {
  if (message[REASONING] === undefined) return message;
  const renamed = (key: string) => key === REASONING ? name : key;
  const members = Object.entries(message).map(([key, value]) => [renamed(key), value]);
  return Object.fromEntries(members) as Message;
}

/** Makes the content a list of parts: loaders cannot read a file in which some contents are texts
 * and others are lists. */
function withParts(message: Message): Message {
  return typeof message.content === "string"
    ? { ...message, content: [{ type: "text", text: message.content }] }
    : message;
}

export type TrainingRow = Record<string, unknown>;

/** Thrown if a format has no place for a part of a row. The message names the part, as a noun
 * phrase. */
export class Unrepresentable extends Error {}

/** Returns the content as one text; undefined if it has other parts, such as an image. */
export function textOf({ content }: Message): string | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  const texts = content.map(textOfPart);
  return texts.includes(undefined) ? undefined : texts.join("");
}

function textOfPart(part: unknown): string | undefined {
  return isObject(part) && part.type === "text" && typeof part.text === "string"
    ? part.text
    : undefined;
}

/** How the arguments of tool calls are written in messages. */
export type ToolArguments = "object" | "string";

function withArguments(messages: readonly Message[], form: ToolArguments): Message[] {
  return messages.map((message) => {
    const calls = filledList(message.tool_calls);
    if (calls === undefined) return message;
    // Templates would print null as the text "None".
    const content = message.content ?? "";
    return { ...message, content, tool_calls: calls.map((call) => callWith(call, form)) };
  });
}

/** Matches reasoning in its tags, at the start of a text. */
export const THOUGHT = /^<think>\n.*<\/think>\n\n/s;

/**
 * Returns the arguments of a call, with numbers as written; undefined if they are not an object.
 */
export function argumentsOf(call: unknown): Record<string, unknown> | undefined {
  const { function: calledFunction } = call as { function?: { arguments?: unknown } };
  const value = typeof calledFunction?.arguments === "string"
    ? parseArguments(calledFunction.arguments)
    : calledFunction?.arguments;
  return isObject(value) && !isRawJson(value) ? value : undefined;
}

function callWith(call: unknown, form: ToolArguments): unknown {
  const { function: calledFunction } = call as { function?: { arguments?: unknown } };
  const value = calledFunction?.arguments;
  if (value === undefined || (form === "string" && typeof value === "string")) return call;
  const converted = form === "string" ? JSON.stringify(value) : argumentsOf(call);
  // Arguments that are not a JSON object stay as they are.
  return converted === undefined
    ? call
    : { ...call as object, function: { ...calledFunction, arguments: converted } };
}

function parseArguments(text: string): unknown {
  try {
    // Some models write empty text for a call without arguments.
    return text.trim() === "" ? {} : parseLossless(text);
  } catch {
    return undefined;
  }
}
