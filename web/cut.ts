/**
 * Shortens long texts.
 *
 * @module
 */

const ELLIPSIS = "…";

/**
 * Encoding and decoding a slice copies it. The slice itself would keep in memory the whole text
 * that it was cut from.
 */
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts `text` to at most `maxLength` UTF-16 units, including an ellipsis, and never within a
 * surrogate pair. A text that fits is returned unchanged; a cut one does not keep the long text in
 * memory.
 */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  if (maxLength < ELLIPSIS.length) return "";
  let end = maxLength - ELLIPSIS.length;
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return DECODER.decode(ENCODER.encode(text.slice(0, end))) + ELLIPSIS;
}

/** Returns the size of `text` in UTF-8 bytes. */
export function byteLength(text: string): number {
  return ENCODER.encode(text).length;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
