/**
 * Puts reasoning and answer into an assistant message.
 *
 * @module
 */

import type { Message } from "./teacher/mod.ts";

/** Where reasoning goes: before the answer in `<think>` tags (`wrap`), into `reasoning_content`
 * (`field`), or nowhere (`drop`). */
export type ThinkStyle = "wrap" | "field" | "drop";

/** The answer after its reasoning in `<think>` tags; without reasoning, only the answer. */
export function wrapThink(response: string, reasoning: string): string {
  return reasoning === "" ? response : `<think>\n${reasoning}\n</think>\n\n${response}`;
}

/**
 * The assistant's turn. With the style `field`, reasoning goes to `reasoning_content`, the name
 * that chat templates read. `content` is a string even beside tool calls: templates print null as
 * text.
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
