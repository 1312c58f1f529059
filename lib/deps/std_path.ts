/** Paths of the system that this runs on, from the standard library. @module */

// @ts-types="./types/std_path.d.ts"
export { basename } from "npm:deno-std@1.4.0/path/basename.js";
// @ts-types="./types/std_path.d.ts"
export { DELIMITER, SEPARATOR_PATTERN } from "npm:deno-std@1.4.0/path/constants.js";
// @ts-types="./types/std_path.d.ts"
export { dirname } from "npm:deno-std@1.4.0/path/dirname.js";
// @ts-types="./types/std_path.d.ts"
export { isAbsolute } from "npm:deno-std@1.4.0/path/is_absolute.js";
// @ts-types="./types/std_path.d.ts"
export { join } from "npm:deno-std@1.4.0/path/join.js";
// @ts-types="./types/std_path.d.ts"
export { relative } from "npm:deno-std@1.4.0/path/relative.js";
// @ts-types="./types/std_path.d.ts"
export { resolve } from "npm:deno-std@1.4.0/path/resolve.js";
