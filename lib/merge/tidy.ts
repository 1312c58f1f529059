/**
 * Moves shards out of the way once their merge is proven.
 *
 * @module
 */

import { OWN_FOLDER } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import { ifThere } from "../files.ts";
import { acquireLock, cannotWrite } from "../sink/mod.ts";
import type { MergeRun } from "./find_runs.ts";

/**
 * Moves the files of all runs to `.retort/shards/` beside them, and gives the last such folder.
 *
 * @throws {LockedError} when one of them is running; some may have been moved then
 */
export async function tidyUp(runs: readonly MergeRun[]): Promise<string> {
  let target = "";
  for (const { files } of runs) {
    const { results, failures, runJson, lock } = files;
    target = `${dirname(results)}/${OWN_FOLDER}/shards`;
    await Deno.mkdir(target, { recursive: true }).catch((cause) => {
      throw cannotWrite(target, cause);
    });
    const paths = [results, failures, runJson, results.replace(/\.jsonl$/, ".outdated.jsonl")];
    if (await ifThere(Deno.stat(lock)) === undefined) continue;
    {
      using _held = await acquireLock(lock);
      for (const path of paths) await move(path, target);
    }
    await move(lock, target);
  }
  return `${target}/`;
}

async function move(path: string, folder: string): Promise<void> {
  const to = `${folder}/${basename(path)}`;
  await ifThere(Deno.rename(path, to), (cause) => cannotWrite(to, cause));
}
