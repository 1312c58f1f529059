/**
 * Where servers say why an answer ended.
 *
 * @module
 */

import { asObject, type JsonObject } from "./json.ts";

/**
 * The names of the field, in the order in which they are looked at: OpenAI's, Gemini's (its
 * OpenAI-compatible server has sent `finish_reason: null` beside it), Anthropic's, OpenRouter's for the
 * provider's own word, and Ollama's.
 */
const FIELDS = [
  "finish_reason",
  "finishReason",
  "stop_reason",
  "native_finish_reason",
  "done_reason",
] as const;

/** The reason that the first of these objects gives, in the server's own word; "" where none does. */
export function finishReasonOf(...objects: readonly (JsonObject | undefined)[]): string {
  for (const object of objects) {
    if (object === undefined) continue;
    for (const field of FIELDS) {
      const reason = reasonOf(object[field]);
      if (reason !== "") return reason;
    }
  }
  return "";
}

/** A text, or the type of an object (SGLang's own form: `{"type": "stop", "matched": 2}`). Servers that
 * have no word for nothing write `"null"`. */
function reasonOf(value: unknown): string {
  const reason = typeof value === "string" ? value : asObject(value)?.type;
  if (typeof reason !== "string") return "";
  return /^(?:\s*|null|none)$/i.test(reason) ? "" : reason;
}
