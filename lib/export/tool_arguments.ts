/**
 * The arguments of tool calls, as text or as objects. OpenAI sends them as JSON text. Chat templates put
 * them through `tojson`: text comes out encoded twice (Qwen2.5, Llama 3.1, gpt-oss), or ends the
 * rendering with an error (Qwen3.5, Nemotron 3). Parquet needs the text, because every column of it has
 * one type.
 *
 * @module
 */

import { parseLossless } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";

/** How the arguments of tool calls stand in messages. */
export type ToolArguments = "object" | "string";

/** The messages with the arguments of their tool calls in one style; messages without calls as they are. */
export function withArguments(messages: readonly Message[], style: ToolArguments): Message[] {
  return messages.map((message) => {
    const { tool_calls: calls } = message;
    if (!Array.isArray(calls) || calls.length === 0) return message;
    // Templates print a null as text.
    const content = message.content ?? "";
    return { ...message, content, tool_calls: calls.map((call) => callWith(call, style)) };
  });
}

/** The arguments of a call as an object, with its numbers as they were written; undefined where they are
 * none. */
export function argumentsOf(call: unknown): Record<string, unknown> | undefined {
  const { function: named } = call as { function?: { arguments?: unknown } };
  const value = typeof named?.arguments === "string" ? parsed(named.arguments) : named?.arguments;
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

function callWith(call: unknown, style: ToolArguments): unknown {
  const { function: named } = call as { function?: { arguments?: unknown } };
  const value = named?.arguments;
  if (named === undefined || value === undefined) return call;
  if (style === "string") {
    if (typeof value === "string") return call;
    return { ...call as object, function: { ...named, arguments: JSON.stringify(value) } };
  }
  const object = argumentsOf(call);
  // A model may write no JSON at all: the text is all that there is to train on.
  return object === undefined
    ? call
    : { ...call as object, function: { ...named, arguments: object } };
}

function parsed(text: string): unknown {
  try {
    // Some models call a function without arguments by an empty text.
    return text.trim() === "" ? {} : parseLossless(text);
  } catch {
    return undefined;
  }
}
