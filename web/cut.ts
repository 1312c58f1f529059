/**
 * Shortens long texts.
 *
 * @module
 */

const ELLIPSIS = "…";

/**
 * A slice keeps the whole text that it was cut from in memory; a text that was encoded and decoded
 * does not.
 */
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts `text` to at most `maxLength` UTF-16 units, the ellipsis at its end included, and never
 * through a character. The result does not keep the long text in memory.
 */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  if (maxLength < ELLIPSIS.length) return "";
  let end = maxLength - ELLIPSIS.length;
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return DECODER.decode(ENCODER.encode(text.slice(0, end))) + ELLIPSIS;
}

/** The size of `text` in UTF-8 bytes. */
export function byteLength(text: string): number {
  return ENCODER.encode(text).length;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
