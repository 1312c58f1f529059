/**
 * The content of a message as one text.
 *
 * @module
 */

import { asObject, asText } from "./json.ts";

/** A text as it is, the text parts of a list joined. */
export function promptText(content: unknown): string {
  if (!Array.isArray(content)) return asText(content);
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
}
