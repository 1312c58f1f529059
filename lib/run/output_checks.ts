/**
 * Checks where outputs would be written: each to its own files, and none to an input.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { outdatedPathOf } from "../sink/mod.ts";
import { kindOf, statOf } from "../files.ts";
import { fileKeyOf } from "../paths.ts";
import type { OutputFiles } from "./outputs.ts";

/**
 * Checks that no two outputs use the same file, and that none is an input.
 *
 * @throws {UsageError} when one is another's file, an input, or not a regular file, or when a
 * sibling (`.jsonl`, `.ndjson`) has results
 */
export async function checkOutputs(
  inputs: readonly string[],
  files: readonly OutputFiles[],
): Promise<void> {
  checkCollisions(files);
  const [taken, found] = await Promise.all([statsOf(inputs), statsOf(files.flatMap(pathsOf))]);
  const named = namesById(taken);
  checkNotAnInput(named, files, found);
  await checkRegular(files, found);
  checkOneFileEach(files, found);
  await checkSiblings(named, files, found);
}

/** Results of `stat` by path, without the paths that do not exist. */
type Stats = ReadonlyMap<string, Deno.FileInfo>;

/** The number of concurrent `stat` calls. */
const AT_ONCE = 64;

async function statsOf(paths: readonly string[], look = statOf): Promise<Stats> {
  const found = new Map<string, Deno.FileInfo>();
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    await Promise.all(
      paths.slice(start, start + AT_ONCE).map(async (path) => {
        const info = path === "-" ? undefined : await look(path);
        if (info !== undefined) found.set(path, info);
      }),
    );
  }
  return found;
}

/** Paths by `fileKeyOf`: two paths may lead to the same file. */
function namesById(stats: Stats): Map<string, string> {
  return new Map([...stats].map(([path, info]) => [fileKeyOf(path, info), path]));
}

/**
 * All files of an output with a fixed name. Numbered ones, such as those of rescued lines, never
 * overwrite others.
 */
function pathsOf({ results, failures, runJson, lock }: OutputFiles): string[] {
  return [results, failures, ...sideFilesOf({ results, runJson, lock })];
}

function sideFilesOf(
  { results, runJson, lock }: Pick<OutputFiles, "results" | "runJson" | "lock">,
): string[] {
  return [runJson, lock, outdatedPathOf(results)];
}

function checkCollisions(files: readonly OutputFiles[]): void {
  const owners = new Map<string, string>();
  for (const one of files) {
    for (const path of pathsOf(one)) {
      const other = owners.get(path);
      if (other !== undefined) throw sharedFile(path, other, one.input);
      owners.set(path, one.input);
    }
  }
}

function sharedFile(path: string, one: string, other: string): UsageError {
  return new UsageError(
    `Cannot write "${path}" for both "${one}" and "${other}": run them into two folders`,
  );
}

function checkOneFileEach(files: readonly OutputFiles[], found: Stats): void {
  const owners = new Map<string, string>();
  for (const one of files) {
    for (const path of pathsOf(one)) {
      const info = found.get(path);
      if (info === undefined) continue;
      const key = fileKeyOf(path, info), other = owners.get(key);
      if (other !== undefined) throw sharedFile(path, other, one.input);
      owners.set(key, one.input);
    }
  }
}

/**
 * Checks that `x.ndjson` holds no results if `x.jsonl` is an output, and the reverse: they would
 * share the failures file, the lock and all other files.
 */
async function checkSiblings(
  inputs: ReadonlyMap<string, string>,
  files: readonly OutputFiles[],
  found: Stats,
): Promise<void> {
  const siblings = await statsOf(files.map(({ results }) => siblingOf(results)));
  for (const { results, runJson } of files) {
    const sibling = siblingOf(results), info = siblings.get(sibling);
    if (!info?.isFile || inputs.has(fileKeyOf(sibling, info))) continue;
    const isOwner = info.size === 0
      ? found.has(runJson) && !found.has(results)
      : await holdsOwnLines(sibling, "results");
    if (!isOwner) continue;
    throw new UsageError(
      `Cannot write "${results}": the results in "${sibling}" have the same "${runJson}", lock and ` +
        "failures file. Name another output",
    );
  }
}

function siblingOf(results: string): string {
  const stem = results.replace(RESULTS_NAME, "");
  return results.endsWith(".jsonl") ? `${stem}.ndjson` : `${stem}.jsonl`;
}

function checkNotAnInput(
  inputs: ReadonlyMap<string, string>,
  files: readonly OutputFiles[],
  found: Stats,
): void {
  for (const one of files) {
    for (const path of pathsOf(one)) {
      const info = found.get(path);
      const input = info && inputs.get(fileKeyOf(path, info));
      if (input !== undefined) {
        throw new UsageError(
          `Cannot write "${path}": it is the input "${input}". Name another output`,
        );
      }
    }
  }
}

/**
 * Checks that outputs are regular files: opening a FIFO without a reader blocks the process, and a
 * later run could not read back what was written to it. Results and failures may be links to
 * regular files; side files may not.
 */
async function checkRegular(files: readonly OutputFiles[], found: Stats): Promise<void> {
  const named = await statsOf(files.flatMap(sideFilesOf), (path) => Deno.lstat(path).catch(none));
  for (const path of files.flatMap(pathsOf)) {
    const target = found.get(path);
    // The message says what a link leads to, such as a device, rather than that it is a link.
    const isOther = target !== undefined && !target.isFile;
    const info = isOther ? target : named.get(path) ?? target;
    if (info === undefined || info.isFile) continue;
    throw new UsageError(
      `Cannot write "${path}": it must be a regular file, and it is ${kindOf(info)}. ` +
        "Name another output",
    );
  }
}

function none(): undefined {}

export const RESULTS_NAME = /\.(jsonl|ndjson)$/;
