/**
 * Width of text in a terminal, which tests compare ours with. (`unicodeWidth` of `npm:deno-std`
 * lacks its table.) The program does not use it: its segmenter and patterns add 50 ms to each
 * start, even if all text is ASCII.
 *
 * @module
 */

export { default as stringWidth } from "npm:string-width@9.0.0";
