/**
 * Looks into JSON that somebody else wrote: what is not there, or is of another type, is simply not
 * there.
 *
 * @module
 */

/** A JSON object of unknown content. */
export type JsonObject = Record<string, unknown>;

/** The value where it is an object and no array, else undefined. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : undefined;
}

/** The value where it is a string, else "". */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The value where it is a number of something, else undefined. */
export function asCount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}

/** The value parsed as JSON, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text of a content: a string as it is, a list of parts joined. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
}
