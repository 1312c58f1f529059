/**
 * Width of text in a terminal. Tests compare `lib/terminal/columns.ts` with this package. The
 * program does not load it: its segmenter and patterns add 50 ms to each start, even if all text is
 * ASCII. (`unicodeWidth` of `npm:deno-std` lacks its table.)
 *
 * @module
 */

export { default as stringWidth } from "npm:string-width@9.0.0";
