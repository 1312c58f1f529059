// deno-lint-ignore-file no-import-prefix -- this is where packages enter
/**
 * Path functions for the current system, from the standard library. Its `path/mod.js` is not used,
 * because that loads the functions of both systems, and `node:process` only to tell the system.
 *
 * @module
 */

// @ts-types="./types/std_path.d.ts"
import { basename as posixBasename } from "npm:deno-std@1.4.0/path/posix/basename.js";
// @ts-types="./types/std_path.d.ts"
import * as constants from "npm:deno-std@1.4.0/path/posix/constants.js";
// @ts-types="./types/std_path.d.ts"
import { dirname as posixDirname } from "npm:deno-std@1.4.0/path/posix/dirname.js";
// @ts-types="./types/std_path.d.ts"
import { isAbsolute as isPosixAbsolute } from "npm:deno-std@1.4.0/path/posix/is_absolute.js";
// @ts-types="./types/std_path.d.ts"
import { join as posixJoin } from "npm:deno-std@1.4.0/path/posix/join.js";
// @ts-types="./types/std_path.d.ts"
import { relative as posixRelative } from "npm:deno-std@1.4.0/path/posix/relative.js";
// @ts-types="./types/std_path.d.ts"
import { resolve as posixResolve } from "npm:deno-std@1.4.0/path/posix/resolve.js";

/** The POSIX path functions, on every system. */
export const posix = {
  ...constants,
  basename: posixBasename,
  dirname: posixDirname,
  isAbsolute: isPosixAbsolute,
  join: posixJoin,
  relative: posixRelative,
  resolve: posixResolve,
};

const isWindows = /^win/i.test(globalThis.navigator?.platform ?? "");
const { basename, dirname, isAbsolute, join, relative, resolve, SEPARATOR_PATTERN } = isWindows
  ? await import("./std_path_windows.ts")
  : posix;

export { basename, dirname, isAbsolute, join, relative, resolve, SEPARATOR_PATTERN };
