/**
 * Where teachers put their reasoning: `reasoning_content` (DeepSeek, older vLLM), `reasoning` (OpenRouter,
 * Ollama, newer vLLM), or the content itself, before `</think>` (models whose server knows nothing of
 * reasoning; the opening tag is missing where the chat template has written it).
 *
 * @module
 */

import type { JsonObject } from "./json.ts";

/** An answer and the reasoning that led to it. */
export interface Thought {
  /** The answer. */
  readonly response: string;
  /** The reasoning, "" when there is none. */
  readonly reasoning: string;
}

const OPEN = "<think>";
const CLOSE = "</think>";

/** The reasoning that a message, or a part of one, holds in a field of its own. */
export function reasoningField(message: JsonObject): string {
  const { reasoning_content: content, reasoning } = message;
  if (typeof content === "string" && content !== "") return content;
  return typeof reasoning === "string" ? reasoning : "";
}

/**
 * Takes the reasoning out of a content. Only a block that the content starts with is reasoning: a
 * `<think>` further on is part of the answer. Where the block is never closed, the answer had not
 * begun yet. Line ends around the two are dropped, nothing else is.
 */
export function splitReasoning(content: string): Thought {
  const close = content.indexOf(CLOSE);
  const open = content.indexOf(OPEN);
  if (close < 0 && open < 0) return { response: content, reasoning: "" };
  const opened = open >= 0 && content.slice(0, open).trim() === "";
  if (opened) {
    const start = open + OPEN.length;
    const end = content.indexOf(CLOSE, start);
    if (end < 0) return { response: "", reasoning: trimLines(content.slice(start)) };
    return thought(content.slice(start, end), content.slice(end + CLOSE.length));
  }
  // Without an opening tag of its own, it must not close one that stands in the answer.
  if (close < 0 || (open >= 0 && open < close)) return { response: content, reasoning: "" };
  return thought(content.slice(0, close), content.slice(close + CLOSE.length));
}

function thought(reasoning: string, response: string): Thought {
  return { response: response.replace(/^[\r\n]+/, ""), reasoning: trimLines(reasoning) };
}

function trimLines(text: string): string {
  return text.replace(/^[\r\n]+/, "").replace(/[\r\n]+$/, "");
}
