/** Cells that a code point takes in a terminal. @module */

export { eastAsianWidth } from "npm:get-east-asian-width@1.7.0";
