/**
 * The width of text in a terminal, which tests compare ours with. (`unicodeWidth` of `npm:deno-std` lacks its table.)
 * Not for the program: its segmenter and its patterns take 50 ms of a start, also where all text is ASCII.
 *
 * @module
 */

export { default as stringWidth } from "npm:string-width@9.0.0";
