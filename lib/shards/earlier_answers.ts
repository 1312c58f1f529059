/**
 * Finds answers that an output folder already has: of runs over whole files, of shards, in files
 * with rescued lines, and in results that a merge has moved.
 *
 * @module
 */

import { basename, isAbsolute, resolve } from "../deps/std_path.ts";
import { LockedError } from "../errors.ts";
import {
  exists,
  fileKeyOf,
  hasContent,
  namesIn,
  readFully,
  readTextOf,
  splitPath,
  statOf,
  stemOf,
} from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { isLockHeld, requireUnlocked, rescuedFilesOf } from "../sink/mod.ts";
import { type Division, isOutputName, type ShardRun, workingFolderOf } from "./divisions.ts";
import { MOVED_FOLDER, type PlannedInput, readPlan } from "./plan.ts";

export interface ShardAnswers {
  readonly division: Division;
  /** A file of results, failures or rescued lines: the first that `firstAnswers` finds, or the
   * results of a running shard, which may not exist yet. */
  readonly path: string;
  readonly isRunning: boolean;
}

export function failuresPathOf(results: string): string {
  return `${stemOf(results)}_error.jsonl`;
}

export function isFailuresPath(path: string): boolean {
  return /_error(\.rescued-\d+)?\.jsonl$/.test(path);
}

/** The first file of a division that is not empty or that a run has locked. Results come before
 * failures, and the folder of the output before the one to which a merge has moved shards. */
export async function firstAnswers(division: Division): Promise<ShardAnswers | undefined> {
  const { start } = splitPath(division.stem);
  for (const folder of [start, `${start}${MOVED_FOLDER}`]) {
    const files = (await namesIn(folder || ".")).filter((file) => isOutputName(file, division));
    const isResults = (file: string) => !isFailuresPath(file);
    for (const file of [...files.filter(isResults), ...files.filter(isFailuresPath)]) {
      const path = `${folder}${file}`;
      const isRunning = await isLocked(path);
      if (isRunning || await hasContent(path)) return { division, path, isRunning };
    }
  }
}

/** A running shard of a division, found by its lock: it may not have opened its results yet. */
async function runningShard(division: Division): Promise<ShardAnswers | undefined> {
  const { start } = splitPath(division.stem);
  for (const file of await namesIn(start || ".")) {
    const results = file.replace(/\.lock$/, ".jsonl");
    if (results === file || !isOutputName(results, division)) continue;
    if (!(await isLockHeld(`${start}${file}`))) continue;
    return { division, path: `${start}${results}`, isRunning: true };
  }
}

/** The first of some results paths whose failures file Retort has written to. */
export async function withFailures(paths: readonly string[]): Promise<string | undefined> {
  const failures = paths.map(failuresPathOf);
  const areThere = await Promise.all(failures.map(hasContent));
  for (const [i, path] of paths.entries()) {
    if (areThere[i] && await holdsOwnLines(failures[i], "failures")) return path;
  }
}

/** The first of some paths to which Retort has written results, or which a run has locked. */
export async function ownResultsIn(paths: readonly string[]): Promise<string | undefined> {
  const areThere = await Promise.all(paths.map(exists));
  for (const path of paths.filter((_, i) => areThere[i])) {
    if (await isLocked(path) || await holdsOwnLines(path, "results")) return path;
  }
}

async function isLocked(results: string): Promise<boolean> {
  try {
    await requireUnlocked(results);
    return false;
  } catch (error) {
    if (error instanceof LockedError) return true;
    throw error;
  }
}

/** The first of some results paths with rescued lines. Only a run that writes to the same path adds
 * the lines to it. */
export async function rescuedIn(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await rescuedFilesOf(path, "results")).length > 0) return path;
}

/** The first results that a merge has moved away from one of `paths`, unless they are known to
 * answer none of `files`. */
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
  path: string,
  files: readonly string[],
): Promise<boolean> {
  const run = await readTextOf(`${stemOf(movedPath)}.run.json`).then(JSON.parse).catch(() => {});
  const inputs: unknown[] = [run?.inputs ?? run?.input].flat();
  const results: string[] = [run?.summary?.files].flat().map((file) => String(file?.results));
  const [folder] = results.flatMap((name) => workingFolderOf(path, name) ?? []);
  const writtenAt = (await statOf(movedPath))?.mtime ?? new Date(0);
  for (const name of inputs) {
    if (typeof name !== "string" || (folder === undefined && !isAbsolute(name))) return false;
    const input = resolve(folder ?? "", name);
    const info = await statOf(input);
    // If the input was edited since, a file in `files` may be a copy of its earlier content.
    if (!info?.isFile || info.mtime === null || info.mtime > writtenAt) return false;
    for (const file of files) if (await isCopyOf(file, input)) return false;
  }
  return true;
}

/** Finds the input files of a shard's run. */
export type FindInputs = (run: ShardRun) => Promise<readonly string[]>;

interface ReadOptions {
  /** Whether to find answers by output only. */
  readonly ignoresInputs: boolean;
  /** Whether to also find running shards without results, by their locks. @default false */
  readonly findsRuns?: boolean;
  /** Without it, divisions whose plan file is lost are found by output only. */
  readonly findInputs?: FindInputs;
}

/** Answers of divisions into shards, to be found by output or by input. */
export class DividedAnswers {
  readonly #byStem = new Map<string, ShardAnswers>();
  /** The key is `fileKeyOf` an input. */
  readonly #byKey = new Map<string, ShardAnswers>();
  /** The key is the file name of an input, without its folder. */
  readonly #byName = new Map<string, DividedInput[]>();

  static async read(
    divisions: readonly Division[],
    { ignoresInputs, findsRuns = false, findInputs }: ReadOptions,
  ): Promise<DividedAnswers> {
    const dividedAnswers = new DividedAnswers();
    for (const division of divisions) {
      const running = findsRuns ? await runningShard(division) : undefined;
      const answers = running ?? await firstAnswers(division);
      if (answers === undefined) continue;
      dividedAnswers.#byStem.set(division.stem, answers);
      const inputs = ignoresInputs ? [] : await inputsOf(division, findInputs);
      for (const input of inputs) await dividedAnswers.#addInput(input, answers);
    }
    return dividedAnswers;
  }

  async #addInput(plannedInput: NamedInput, answers: ShardAnswers): Promise<void> {
    const info = await statOf(plannedInput.path);
    if (info?.isFile) this.#byKey.set(fileKeyOf(plannedInput.path, info), answers);
    const name = basename(plannedInput.path), input = { answers, plannedInput, info };
    const namesakes = this.#byName.get(name);
    if (namesakes === undefined) this.#byName.set(name, [input]);
    else namesakes.push(input);
  }

  /** The answers of a division with this stem, or with one of `files` as an input. */
  async find(stem: string, files: readonly string[]): Promise<ShardAnswers | undefined> {
    let answers = this.#byStem.get(stem);
    for (const file of files) answers ??= await this.#findInput(file);
    return answers;
  }

  /** Finds an input by its path, through a link, or as a copy with the same name on another
   * machine. */
  async #findInput(file: string): Promise<ShardAnswers | undefined> {
    const info = await statOf(file);
    // Empty files have no rows, and all empty files with the same name would look like copies.
    if (info === undefined || info.size === 0) return undefined;
    const answers = this.#byKey.get(fileKeyOf(file, info));
    if (answers !== undefined) return answers;
    for (const name of await namesOf(file)) {
      for (const { answers, plannedInput, info: plannedInfo } of this.#byName.get(name) ?? []) {
        if (plannedInput.size !== undefined && plannedInput.size !== info.size) continue;
        // Parts of two datasets may have the same name and size.
        const isSame = plannedInfo?.size !== info.size ||
          await haveSameEnds(file, plannedInput.path, info.size);
        if (isSame) return answers;
      }
    }
  }
}

/** The output of a merge of runs over several inputs. */
export interface MergedResults {
  readonly path: string;
  /** The inputs, as named by the merged runs. */
  readonly inputs: readonly string[];
}

/** The path of the first merge with answers to the rows of one of the files. Skips the merge at
 * `ownPath`. */
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
        const answers = await ownResultsIn([path]) ?? await rescuedIn([path]);
        if (answers !== undefined) return path;
      }
    }
  }
}

/** Whether `file` is the file at `path`, or a copy. If nothing is at `path`, it counts as a copy,
 * because the folder may have been moved. An empty file never counts. */
export async function isCopyOf(file: string, path: string): Promise<boolean> {
  const [info, other] = await Promise.all([statOf(file), statOf(path)]);
  if (info === undefined || info.size === 0) return false;
  if (other === undefined || fileKeyOf(file, info) === fileKeyOf(path, other)) return true;
  return info.size === other.size && await haveSameEnds(file, path, info.size);
}

async function namesOf(file: string): Promise<string[]> {
  const realPath = await Deno.realPath(file).catch(() => file);
  return [...new Set([basename(file), basename(realPath)])];
}

interface NamedInput extends Pick<PlannedInput, "path"> {
  /** Undefined if the plan file is lost and nothing is at the path: a file with the same name then
   * counts as a copy. */
  readonly size: number | undefined;
}

async function inputsOf(
  { path, run }: Division,
  findInputs: FindInputs | undefined,
): Promise<readonly NamedInput[]> {
  if (path !== "") return (await readPlan(path))?.inputs ?? [];
  if (run === undefined || findInputs === undefined) return [];
  const files = await findInputs(run);
  return await Promise.all(
    files.map(async (file) => ({ path: file, size: (await statOf(file))?.size })),
  );
}

interface DividedInput {
  readonly answers: ShardAnswers;
  readonly plannedInput: NamedInput;
  /** File information; undefined if the file is gone. */
  readonly info: Deno.FileInfo | undefined;
}

/** Bytes to compare at the beginning and at the end of two files. */
const COMPARED_BYTES = 1 << 16;

async function haveSameEnds(first: string, second: string, size: number): Promise<boolean> {
  for (const offset of [0, Math.max(0, size - COMPARED_BYTES)]) {
    const [a, b] = await Promise.all([first, second].map((path) => bytesAt(path, offset)));
    if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) return false;
  }
  return true;
}

async function bytesAt(path: string, offset: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(COMPARED_BYTES);
  return bytes.subarray(0, await readFully(file, bytes));
}
