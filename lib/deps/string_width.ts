/** The width of text in a terminal. (`unicodeWidth` of `npm:deno-std` lacks its table.) @module */

export { default as stringWidth } from "npm:string-width@9.0.0";
