/**
 * Moves the files of merged runs away, once the merge has been proven complete.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.ts";
import { exists, ifThere } from "../files.ts";
import { acquireLock, cannotWrite, outdatedPathOf } from "../sink/mod.ts";
import { movedFolderOf } from "./find_division.ts";
import type { MergeRun } from "./find_runs.ts";

/**
 * Moves the files of all runs to `.retort/shards/` in their folders. Returns the last of these
 * folders, with a `/` at its end.
 *
 * @throws {LockedError} If a run is active; the files of runs before it have been moved.
 */
export async function tidyUp(runs: readonly MergeRun[]): Promise<string> {
  let target = "";
  for (const { originalFiles: { results, failures, runJson, lock } } of runs) {
    target = movedFolderOf(results);
    await Deno.mkdir(target, { recursive: true }).catch((cause) => {
      throw cannotWrite(target, cause);
    });
    // The run file first: once it is moved, the shard refuses to run again, even after a crash
    // here.
    const paths = [runJson, results, failures, outdatedPathOf(results)];
    if (!(await Promise.all([...paths, lock].map(exists))).includes(true)) continue;
    await moveLocked(paths, lock, target);
    await move(lock, target);
  }
  return `${target}/`;
}

/** Throws if runs hold results or failures that `--limit` leaves out of the merge. */
export function refuseLeftOut(
  { beyondLimit, failuresBeyondLimit }: { beyondLimit: number; failuresBeyondLimit: number },
): void {
  const counts = [[beyondLimit, "result"], [failuresBeyondLimit, "failure"]] as const;
  const leftOut = counts.filter(([count]) => count > 0)
    .map(([count, noun]) => formatCountOf(count, noun)).join(" and ");
  if (leftOut === "") return;
  throw new UsageError(
    `Cannot use --tidy with this --limit: ${leftOut} of later rows would be ` +
      "moved away with the shards, and paid for again by the next run. Leave --limit out, or leave " +
      "--tidy out and name a file in another folder",
  );
}

async function moveLocked(paths: readonly string[], lock: string, folder: string): Promise<void> {
  using _held = await acquireLock(lock);
  for (const path of paths) await move(path, folder);
}

async function move(path: string, folder: string): Promise<void> {
  const to = `${folder}/${basename(path)}`;
  await ifThere(Deno.rename(path, to), (cause) => cannotWrite(to, cause));
}
