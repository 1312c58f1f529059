/**
 * Names that files of an output cannot have.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.ts";

/**
 * Refuses names such as `llama3:8b.jsonl` on Windows, where it would be a hidden stream of the file
 * `llama3`.
 *
 * @throws {UsageError}
 */
export function refuseStream(path: string, os: typeof Deno.build.os = Deno.build.os): void {
  if (os !== "windows" || !/:[^\\/]*$/.test(path.replace(/^[a-z]:/i, ""))) return;
  throw new UsageError(
    `Cannot write "${path}": on Windows, the part after the colon names a hidden stream of another ` +
      "file. Name another output",
  );
}

/** The length that filesystems allow: in bytes or, on Windows, in UTF-16 units. */
const MAX_NAME_LENGTH = 255;
/** An example of the ending of a temporary file's name. All endings have this length. */
const TEMPORARY_ENDING = ".0123456789abcdef.tmp";

/** Throws if the file could not be replaced: its temporary file would have too long a name. */
export function refuseLongName(path: string, os: typeof Deno.build.os = Deno.build.os): void {
  const name = basename(path) + TEMPORARY_ENDING;
  const length = os === "windows" ? name.length : new TextEncoder().encode(name).length;
  if (length <= MAX_NAME_LENGTH) return;
  const excess = formatCountOf(length - MAX_NAME_LENGTH, os === "windows" ? "character" : "byte");
  throw new UsageError(
    `Cannot write "${path}": its name is ${excess} too long. Name a shorter output, as in ` +
      "-o out/short.jsonl, or rename the input",
  );
}
