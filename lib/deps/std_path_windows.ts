/** Paths as Windows has them, from the standard library: with them the paths of this project are tested anywhere.
 * @module */

// @ts-types="./types/std_path.d.ts"
export {
  basename,
  DELIMITER,
  dirname,
  isAbsolute,
  join,
  relative,
  resolve,
  SEPARATOR_PATTERN,
} from "npm:deno-std@1.4.0/path/windows/mod.js";
