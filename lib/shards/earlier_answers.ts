/**
 * Finds the answers of runs without `--shard` and of merges that an output folder already has, and
 * tells whether a file is a copy of another.
 *
 * @module
 */

import { basename, isAbsolute, resolve, SEPARATOR_PATTERN } from "../deps/std_path.ts";
import {
  exists,
  fileKeyOf,
  hasContent,
  readFullySync,
  readTextOf,
  splitPath,
  statOf,
  stemOf,
} from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { isLockHeld, isOutputLocked, rescuedFilesOf } from "../sink/mod.ts";
import { MOVED_FOLDER } from "./plan.ts";

export function failuresPathOf(results: string): string {
  return `${stemOf(results)}_error.jsonl`;
}

/** Returns the first results path whose failures file Retort has written to. */
export async function firstWithFailures(paths: readonly string[]): Promise<string | undefined> {
  return await firstOf(paths, failuresPathOf, (file) => holdsOwnLines(file, "failures"));
}

/** Returns the first path to which Retort has written results, or which a run has locked. */
export async function ownResultsIn(paths: readonly string[]): Promise<string | undefined> {
  const isOwn = async (path: string) =>
    await isOutputLocked(path) || await holdsOwnLines(path, "results");
  return await firstOf(paths, (path) => path, isOwn);
}

/** Returns the stem of the first results path whose lock a run holds. The run may not have results
 * yet. */
export async function runningOutput(results: readonly string[]): Promise<string | undefined> {
  // `x.jsonl` and `x.ndjson` have the same lock.
  const stems = [...new Set(results.map(stemOf))];
  return await firstOf(stems, (stem) => `${stem}.lock`, isLockHeld);
}

/** Returns the first name whose file exists and passes the test. Most files are missing, so all are
 * looked for at the same time. */
async function firstOf(
  names: readonly string[],
  fileOf: (name: string) => string,
  test: (file: string) => Promise<boolean>,
): Promise<string | undefined> {
  const areThere = await Promise.all(names.map((name) => exists(fileOf(name))));
  for (const [i, name] of names.entries()) if (areThere[i] && await test(fileOf(name))) return name;
}

/** Returns the first results path with rescued lines. Only a run that writes to the same path adds
 * the lines to it. */
export async function rescuedIn(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await rescuedFilesOf(path, "results")).length > 0) return path;
}

/** Returns the first results that a merge has moved away from one of `paths`, unless they are known
 * to answer none of `files`. */
export async function movedResultsOf(
  paths: readonly string[],
  files: readonly string[],
): Promise<string | undefined> {
  for (const path of paths) {
    const { start, name } = splitPath(path);
    // At most one of `x.jsonl` and `x.ndjson` exists: they are the same output.
    for (const extension of ["jsonl", "ndjson"]) {
      const movedPath = `${start}${MOVED_FOLDER}${stemOf(name)}.${extension}`;
      if (await hasContent(movedPath) && !(await areOfOtherInputs(movedPath, path, files))) {
        return movedPath;
      }
    }
  }
}

/** Whether results that a merge has moved answer no rows of `files`, according to their run file.
 * False if uncertain, because rows must not be paid for twice. */
async function areOfOtherInputs(
  movedPath: string,
  earlierPath: string,
  files: readonly string[],
): Promise<boolean> {
  const run = await inputsOfRun(`${stemOf(movedPath)}.run.json`, earlierPath);
  if (run === undefined) return false;
  const { folder, input, inputs = [input] } = run;
  const writtenAt = (await statOf(movedPath))?.mtime ?? new Date(0);
  for (const name of inputs) {
    if (folder === undefined && !isAbsolute(name)) return false;
    const path = resolve(folder ?? "", name);
    const info = await statOf(path);
    // If the input was edited since, a file in `files` may be a copy of its earlier content.
    if (!info?.isFile || info.mtime === null || info.mtime > writtenAt) return false;
    for (const file of files) if (await isCopyOf(file, path)) return false;
  }
  return true;
}

/** What a run file says about the inputs of its run. */
export interface RunInputs {
  readonly input: string;
  readonly inputs?: readonly string[];
  /** `shards`: the number of shards of the input, if the run was a shard. */
  readonly identity: { readonly shards?: number | null };
  /** The working directory of the run; undefined if it is not known. */
  readonly folder?: string;
}

/** Reads a run file. Returns undefined if it cannot be read.
 *
 * @param results Where the run wrote its results, before a merge may have moved them. */
export async function inputsOfRun(
  runJson: string,
  results: string,
): Promise<RunInputs | undefined> {
  try {
    const { identity, input, inputs, summary } = JSON.parse(await readTextOf(runJson));
    const names: string[] = [summary?.files].flat().map((file) => String(file?.results));
    return {
      input: String(input),
      inputs: Array.isArray(inputs) ? inputs.map(String) : undefined,
      identity: { shards: identity?.shards },
      folder: names.flatMap((name) => workingFolderOf(results, name) ?? [])[0],
    };
  } catch {
    return undefined;
  }
}

/** Returns the working directory from which `name` leads to the file at `path`; undefined if there
 * is none, or if `name` is absolute. */
function workingFolderOf(path: string, name: string): string | undefined {
  if (isAbsolute(name)) return undefined;
  if (resolve(name) === resolve(path)) return resolve(".");
  const parts = name.split(SEPARATOR_PATTERN).filter((part) => part !== "" && part !== ".");
  const folder = resolve(path, ...parts.map(() => ".."));
  return resolve(folder, name) === resolve(path) ? folder : undefined;
}

/** The output of a merge of runs over several inputs. */
export interface MergedResults {
  readonly path: string;
  /** The inputs, as named by the merged runs. */
  readonly inputs: readonly string[];
}

/** Returns the path of the first merge with answers to the rows of one of the files. Skips the
 * merge at `ownPath`. */
export async function mergedAnswers(
  merges: readonly MergedResults[],
  files: readonly string[],
  ownPath?: string,
): Promise<string | undefined> {
  for (const { path, inputs } of merges) {
    if (path === ownPath) continue;
    const byName = Map.groupBy(inputs, (input) => basename(input));
    for (const file of files) {
      const namesakes = (await namesOf(file)).flatMap((name) => byName.get(name) ?? []);
      for (const input of namesakes) {
        if (!(await isCopyOf(file, input))) continue;
        if (await ownResultsIn([path]) ?? await rescuedIn([path])) return path;
      }
    }
  }
}

/** Whether `file` is the file at `path`, or a copy. Returns true if nothing is at `path`, because
 * the folder may have been moved. Returns false for an empty file. */
export async function isCopyOf(file: string, path: string): Promise<boolean> {
  const [info, other] = await Promise.all([statOf(file), statOf(path)]);
  if (info === undefined || info.size === 0) return false;
  if (other === undefined || fileKeyOf(file, info) === fileKeyOf(path, other)) return true;
  return info.size === other.size && await haveSameEnds(file, path, info.size);
}

/** Returns the name of a file and, for a link, also the name of the file that it leads to. */
export async function namesOf(file: string): Promise<string[]> {
  const realPath = await Deno.realPath(file).catch(() => file);
  return [...new Set([basename(file), basename(realPath)])];
}

/** How many bytes are compared at the beginning and at the end of two files. */
const COMPARED_BYTES = 1 << 16;

export async function haveSameEnds(first: string, second: string, size: number): Promise<boolean> {
  for (const offset of [0, Math.max(0, size - COMPARED_BYTES)]) {
    const [a, b] = await Promise.all(
      [first, second].map((path) => bytesAt(path, offset, COMPARED_BYTES)),
    );
    if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) return false;
  }
  return true;
}

export async function bytesAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readFullySync(file, bytes, offset));
}
