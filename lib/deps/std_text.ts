/** Nearest word and edit distance, from the standard library. @module */

// @ts-types="./types/std_text.d.ts"
export { closestString } from "npm:deno-std@1.4.0/text/closest_string.js";
// @ts-types="./types/std_text.d.ts"
export { levenshteinDistance } from "npm:deno-std@1.4.0/text/levenshtein_distance.js";
