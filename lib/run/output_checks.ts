/**
 * Checks the paths that outputs would be written to, before anything is created.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { outdatedPathOf } from "../sink/mod.ts";
import { kindOf, statOf } from "../files.ts";
import { fileKeyOf, stemOf } from "../paths.ts";
import type { OutputFiles } from "./outputs.ts";

/**
 * Checks that each output has files of its own, which are regular ones or new, and that none is an
 * input.
 *
 * @throws {UsageError} when a file belongs to two outputs, is an input, or is not a regular file,
 * or when there are results that differ from an output only in their ending (`.jsonl`, `.ndjson`)
 */
export async function checkOutputs(
  inputs: readonly string[],
  files: readonly OutputFiles[],
): Promise<void> {
  checkOwners(files, (path) => path);
  const [inputStats, stats] = await Promise.all([statsOf(inputs), statsOf(files.flatMap(pathsOf))]);
  const inputsByKey = pathsByKey(inputStats);
  checkNotAnInput(inputsByKey, files, stats);
  await checkRegular(files, stats);
  // Two paths may lead to the same file.
  checkOwners(files, (path) => stats.has(path) ? fileKeyOf(path, stats.get(path)!) : undefined);
  await checkSiblings(inputsByKey, files, stats);
}

/** Results of `stat` by path, without the paths that do not exist. */
type Stats = ReadonlyMap<string, Deno.FileInfo>;

const MAX_CONCURRENT_STATS = 64;

async function statsOf(paths: readonly string[], stat = statOf): Promise<Stats> {
  const stats = new Map<string, Deno.FileInfo>();
  for (let start = 0; start < paths.length; start += MAX_CONCURRENT_STATS) {
    await Promise.all(
      paths.slice(start, start + MAX_CONCURRENT_STATS).map(async (path) => {
        const info = path === "-" ? undefined : await stat(path);
        if (info !== undefined) stats.set(path, info);
      }),
    );
  }
  return stats;
}

function pathsByKey(stats: Stats): Map<string, string> {
  return new Map([...stats].map(([path, info]) => [fileKeyOf(path, info), path]));
}

/**
 * All files of an output that have a fixed name. Those with a number, such as those of rescued
 * lines, get one that is free.
 */
function pathsOf({ results, failures, runJson, lock }: OutputFiles): string[] {
  return [results, failures, ...sideFilesOf({ results, runJson, lock })];
}

/** The files that may not be links, as Retort names them and not the user. */
function sideFilesOf(
  { results, runJson, lock }: Pick<OutputFiles, "results" | "runJson" | "lock">,
): string[] {
  return [runJson, lock, outdatedPathOf(results)];
}

/**
 * Checks that no two paths have the same key, which would be the same file.
 *
 * @param keyOf Returns undefined for a path that cannot clash.
 */
function checkOwners(
  files: readonly OutputFiles[],
  keyOf: (path: string) => string | undefined,
): void {
  const owners = new Map<string, string>();
  for (const output of files) {
    for (const path of pathsOf(output)) {
      const key = keyOf(path);
      if (key === undefined) continue;
      const owner = owners.get(key);
      if (owner !== undefined) {
        throw new UsageError(
          `Cannot write "${path}" for both "${owner}" and "${output.input}": run them into two folders`,
        );
      }
      owners.set(key, output.input);
    }
  }
}

/**
 * Checks that `x.ndjson` holds no results if `x.jsonl` is an output, and the reverse: they would
 * share the failures file, the lock and all other files.
 */
async function checkSiblings(
  inputsByKey: ReadonlyMap<string, string>,
  files: readonly OutputFiles[],
  stats: Stats,
): Promise<void> {
  const siblings = await statsOf(files.map(({ results }) => siblingOf(results)));
  for (const { results, runJson } of files) {
    const sibling = siblingOf(results), info = siblings.get(sibling);
    if (!info?.isFile || inputsByKey.has(fileKeyOf(sibling, info))) continue;
    const isResults = info.size === 0
      ? stats.has(runJson) && !stats.has(results)
      : await holdsOwnLines(sibling, "results");
    if (!isResults) continue;
    throw new UsageError(
      `Cannot write "${results}": the results in "${sibling}" have the same "${runJson}", lock and ` +
        "failures file. Name another output",
    );
  }
}

/** `x.ndjson` for `x.jsonl`, and the reverse. */
export function siblingOf(results: string): string {
  const stem = stemOf(results);
  return results.endsWith(".jsonl") ? `${stem}.ndjson` : `${stem}.jsonl`;
}

function checkNotAnInput(
  inputsByKey: ReadonlyMap<string, string>,
  files: readonly OutputFiles[],
  stats: Stats,
): void {
  for (const path of files.flatMap(pathsOf)) {
    const info = stats.get(path);
    const input = info && inputsByKey.get(fileKeyOf(path, info));
    if (input === undefined) continue;
    throw new UsageError(
      `Cannot write "${path}": it is the input "${input}". Name another output`,
    );
  }
}

/**
 * Checks that outputs are regular files: opening a FIFO without a reader blocks the process, and a
 * later run could not read back what was written to it. Results and failures may be links to
 * regular files; side files may not.
 */
async function checkRegular(files: readonly OutputFiles[], stats: Stats): Promise<void> {
  const linkStats = await statsOf(
    files.flatMap(sideFilesOf),
    (path) => Deno.lstat(path).catch(() => undefined),
  );
  for (const path of files.flatMap(pathsOf)) {
    const target = stats.get(path);
    // The message says what a link leads to, such as a device, rather than that it is a link.
    const isSpecial = target !== undefined && !target.isFile;
    const info = isSpecial ? target : linkStats.get(path) ?? target;
    if (info === undefined || info.isFile) continue;
    throw new UsageError(
      `Cannot write "${path}": it must be a regular file, and it is ${kindOf(info)}. ` +
        "Name another output",
    );
  }
}
