/**
 * Finds earlier results of an output: where it is, where a merge has moved them, or rescued ones.
 *
 * @module
 */

import { LockedError } from "../errors.ts";
import { exists, hasContent } from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { OWN_FOLDER, splitPath, stemOf } from "../paths.ts";
import { requireUnlocked, rescuedFilesOf } from "../sink/mod.ts";

/** Where a merge with `tidy` moves files to, in the folder of the outputs. */
export const MOVED_FOLDER = `${OWN_FOLDER}/shards/`;

/** Whether a run is writing to results. */
export async function isLocked(results: string): Promise<boolean> {
  try {
    await requireUnlocked(results);
    return false;
  } catch (error) {
    if (error instanceof LockedError) return true;
    throw error;
  }
}

/** The first of these files that Retort has written results to, or is writing to. */
export async function ownResultsIn(paths: readonly string[]): Promise<string | undefined> {
  const areThere = await Promise.all(paths.map(exists));
  for (const path of paths.filter((_, i) => areThere[i])) {
    if (await isLocked(path) || await holdsOwnLines(path, "results")) return path;
  }
  return undefined;
}

/** The first of these results that has rescued lines, which only its next run would add to it. */
export async function rescuedIn(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await rescuedFilesOf(path, "results")).length > 0) return path;
  return undefined;
}

/** The first results with answers that a merge has moved away from one of these paths. */
export async function movedResultsOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const { start, name } = splitPath(path);
    // `x.jsonl` and `x.ndjson` are the same output, of which one is there at most.
    for (const extension of ["jsonl", "ndjson"]) {
      const moved = `${start}${MOVED_FOLDER}${stemOf(name)}.${extension}`;
      if (await hasContent(moved)) return moved;
    }
  }
  return undefined;
}
