/**
 * Where servers say why an answer ended.
 *
 * @module
 */

import { asObject, type JsonObject } from "./json.ts";

/** The reason that the first of these objects gives, in the server's own word; "" where none does. */
export function finishReasonOf(...objects: readonly (JsonObject | undefined)[]): string {
  for (const object of objects) {
    if (object === undefined) continue;
    const reason = reasonIn(object);
    if (reason !== "") return reason;
  }
  return "";
}

/**
 * OpenAI's name comes first, then Gemini's (its OpenAI-compatible server has sent `finish_reason: null`
 * beside it), Anthropic's, OpenRouter's for the provider's own word, and Ollama's. This runs for each
 * chunk of a stream: fields by their names are read ten times as fast as those of a list of names.
 */
function reasonIn(object: JsonObject): string {
  const { finish_reason, finishReason, stop_reason, native_finish_reason, done_reason } = object;
  return reasonOf(finish_reason) || reasonOf(finishReason) || reasonOf(stop_reason) ||
    reasonOf(native_finish_reason) || reasonOf(done_reason);
}

/** A text, or the type of an object (SGLang's own form: `{"type": "stop", "matched": 2}`). Servers that
 * have no word for nothing write `"null"`. */
function reasonOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const reason = typeof value === "string" ? value : asObject(value)?.type;
  if (typeof reason !== "string") return "";
  return /^(?:\s*|null|none)$/i.test(reason) ? "" : reason;
}
