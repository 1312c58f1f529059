/**
 * Long texts, made short.
 *
 * @module
 */

const ELLIPSIS = "…";

/** A slice keeps the whole text in memory that it was cut from; a text that is decoded anew does not. */
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts `text` to at most `maxLength` UTF-16 units, the ellipsis at its end included, and never through a
 * character. What was cut is a text of its own: it does not keep the long one in memory.
 */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  if (maxLength < ELLIPSIS.length) return "";
  let end = maxLength - ELLIPSIS.length;
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return DECODER.decode(ENCODER.encode(text.slice(0, end))) + ELLIPSIS;
}

/** How many bytes `text` is in UTF-8. */
export function byteLength(text: string): number {
  return ENCODER.encode(text).length;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
