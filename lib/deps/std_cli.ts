/** The width of text in a terminal, from the standard library. @module */

// @ts-types="./types/std_cli.d.ts"
export { unicodeWidth } from "npm:deno-std@1.4.0/cli/unicode_width.js";
