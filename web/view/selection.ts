/**
 * Saves the ids of rows that the user selected, or that meet a condition, in a file for commands.
 *
 * @module
 */

import type { DataRequests } from "../../lib/data/mod.ts";
import { dirname, join } from "../../lib/deps/std_path.ts";
import { UsageError } from "../../lib/errors.ts";
import { systemReason } from "../../lib/files.ts";
import { isObject, parsedJson } from "../../lib/json.ts";

export function selectionParams(body: string): DataRequests["uids"]["in"] {
  const value = parsedJson(body);
  const { ids, where } = isObject(value) ? value : {};
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return { ids };
  if (typeof where === "string") return { where };
  throw new UsageError('Cannot save: the body must be JSON with "ids" or "where"');
}

export interface SavedSelection {
  /** One id per line. Ids with special characters are JSON strings. */
  readonly path: string;
  readonly count: number;
}

/**
 * Writes ids to a new file in `.retort/`, next to the first of `files`. Each id is written once,
 * because two runs may have the same ids.
 */
export async function saveSelection(
  files: readonly string[],
  uids: readonly string[],
): Promise<SavedSelection> {
  if (uids.length === 0) {
    throw new UsageError("Cannot save the selection: it has no rows");
  }
  const folder = join(dirname(files[0]), ".retort");
  const unique = [...new Set(uids)];
  const text = unique.map((uid) => `${lineOf(uid)}\n`).join("");
  try {
    const { modeMadeFrom } = await import("../../lib/sink/mod.ts");
    const mode = await modeMadeFrom(files);
    await Deno.mkdir(folder, { recursive: true });
    for (let number = 1;; number++) {
      const path = join(folder, `selection-${number}.uids`);
      try {
        await Deno.writeTextFile(path, text, { createNew: true, mode });
        return { path, count: unique.length };
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  } catch (cause) {
    throw new UsageError(`Cannot save the selection in "${folder}": ${systemReason(cause)}`, {
      cause,
    });
  }
}

/**
 * Returns the line of an id: as JSON if it begins with a quote, has control characters, or begins
 * or ends with white space.
 */
function lineOf(uid: string): string {
  return /^["\s]|[\p{C}\u2028\u2029]|\s$/u.test(uid) ? JSON.stringify(uid) : uid;
}
