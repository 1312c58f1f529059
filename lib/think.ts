/**
 * Combines reasoning and answer into an assistant message.
 *
 * @module
 */

import type { Message } from "./teacher/mod.ts";

/** How reasoning is put into an assistant message. */
export type ThinkStyle = "wrap" | "field" | "drop";

/** The answer after its reasoning in `<think>` tags; only the answer where there is no reasoning. */
export function wrapThink(response: string, reasoning: string): string {
  return reasoning === "" ? response : `<think>\n${reasoning}\n</think>\n\n${response}`;
}

/**
 * The assistant's turn. With the style `field`, reasoning goes to `reasoning_content`, the name that chat
 * templates read. `content` is always a string, also with tool calls: templates print a null as text.
 */
export function assistantMessage(
  response: string,
  reasoning: string,
  toolCalls: readonly unknown[] | undefined,
  style: ThinkStyle,
): Message {
  const content = style === "wrap" ? wrapThink(response, reasoning) : response;
  const message: Message = { role: "assistant", content };
  if (style === "field" && reasoning !== "") message.reasoning_content = reasoning;
  if (toolCalls !== undefined && toolCalls.length > 0) message.tool_calls = toolCalls;
  return message;
}
