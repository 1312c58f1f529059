/**
 * Path functions for Windows, from the standard library. A file of its own, so that tests of
 * Windows paths run on any system.
 *
 * @module
 */

// @ts-types="./types/std_path.d.ts"
export {
  basename,
  dirname,
  isAbsolute,
  join,
  relative,
  resolve,
  SEPARATOR_PATTERN,
} from "npm:deno-std@1.4.0/path/windows/mod.js";
