/**
 * What the files of all shards of an output are called.
 *
 * @module
 */

import { basename, SEPARATOR_PATTERN } from "../deps/std_path.ts";
import { withoutSeparator } from "../paths.ts";
import { PATTERN } from "./inputs.ts";
import { nameOf, stemOf } from "./outputs.ts";

/** The stem that all shards of an output share: `out/x`. */
export async function sharedStem(
  named: readonly string[],
  files: readonly string[],
  output: string,
): Promise<string> {
  return await stemOf(output, nameOfInput(named, files));
}

/** One file, one folder, or the first of several and how many follow. */
function nameOfInput(named: readonly string[], files: readonly string[]): string {
  if (files.length === 1) return nameOf(files[0]);
  if (named.length > 1) return `${nameOf(named[0])}-and-${named.length - 1}-more`;
  const parts = withoutSeparator(named[0]).split(SEPARATOR_PATTERN);
  const fixed = parts.slice(0, parts.findIndex((part) => PATTERN.test(part)) >>> 0);
  return basename(fixed.join("/")) || "input";
}
