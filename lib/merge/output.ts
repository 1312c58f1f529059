/**
 * Writes the output files of a merge, each completely or not at all, creates its report, and moves
 * merged files.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { formatCount, formatCountOf } from "../figures.js";
import { exists, hasContent, ifThere, inFolder, realFolderOf, removeIfThere } from "../files.ts";
import { checkOwnFile, holdsOwnLines } from "../line_blocks.ts";
import { makeFolders, type OutputFiles, readRunFile } from "../run/mod.ts";
import {
  acquireLock,
  cannotWrite,
  modeMadeFrom,
  orCannotWrite,
  outdatedPathOf,
  Replacement,
} from "../sink/mod.ts";
import { movedFolderOf } from "../shards/mod.ts";
import type { MergeRun } from "./find_runs.ts";
import type { Clash, MergeOptions, MergeProblem, MergeReport } from "./mod.ts";
import type { LineSink } from "./line_file.ts";

const BUFFER_BYTES = 1 << 20;
/** A merge needs no locks where the filesystem has none: `merge` has no flag `--no-lock`. */
const LOCK_OPTIONS = { required: false };

/** Returns the file for later answers of clashing rows: `all/x.duplicates.jsonl` for
 * `all/x.jsonl`. */
function duplicatesPathOf(results: string): string {
  return results.replace(/\.jsonl$/, ".duplicates.jsonl");
}

class MergedFile implements LineSink, AsyncDisposable {
  readonly #replacement: Replacement;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #byteCount = 0;
  isEmpty = true;

  private constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  static async open(path: string, mode: number | undefined): Promise<MergedFile> {
    return new MergedFile(await Replacement.open(path, { mode, removesLeftovers: true }));
  }

  /** Buffers bytes until `flush`, without a limit. */
  add(bytes: Uint8Array): void {
    this.isEmpty = false;
    const endByte = this.#byteCount + bytes.length;
    if (endByte > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, endByte));
      larger.set(this.#buffer.subarray(0, this.#byteCount));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#byteCount);
    this.#byteCount = endByte;
  }

  /** Writes the buffer if it is at least half full, or always with `all`. */
  async flush({ all = false } = {}): Promise<void> {
    if (this.#byteCount === 0 || (!all && this.#byteCount < BUFFER_BYTES / 2)) return;
    await this.#replacement.write(this.#buffer.subarray(0, this.#byteCount));
    this.#byteCount = 0;
  }

  async commit(): Promise<void> {
    await this.flush({ all: true });
    await this.#replacement.commit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replacement[Symbol.asyncDispose]();
  }
}

export type MergedOutput = Awaited<ReturnType<typeof openOutput>>;

/** @param sources The results to merge. Users who may read all of them may read the output. */
export async function openOutput(files: OutputFiles, sources: readonly string[]) {
  await using stack = new AsyncDisposableStack();
  const mode = await modeMadeFrom(sources);
  const results = stack.use(await MergedFile.open(files.results, mode));
  const failures = stack.use(await MergedFile.open(files.failures, mode));
  const duplicates = stack.use(await MergedFile.open(duplicatesPathOf(files.results), mode));
  const opened = stack.move();
  return {
    results,
    failures,
    /** Answers of rows that share a uid with an earlier row but have different content. */
    duplicates,
    async flush(): Promise<void> {
      await results.flush();
      await failures.flush();
      await duplicates.flush();
    },
    /** Commits the results last, so that an interruption never leaves new results without the
     * failures of the same merge. Returns the paths. */
    async commit(beforeResults: () => Promise<void>) {
      if (!duplicates.isEmpty) await duplicates.commit();
      await failures.commit();
      await beforeResults();
      await results.commit();
      const duplicatesPath = duplicatesPathOf(files.results);
      // The file of an earlier merge, which this one replaces, holds rows that no longer clash.
      if (duplicates.isEmpty) await removeIfThere(duplicatesPath);
      return {
        results: files.results,
        failures: files.failures,
        duplicates: duplicates.isEmpty ? null : duplicatesPath,
      };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Locks the output during `work`. Throws if its files may not be written. If nothing is written,
 * removes the lock file and the folder that it has created. */
export async function whileClaimed<T>(
  files: OutputFiles,
  { replace }: MergeOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { lock, results } = files, folder = dirname(lock);
  const isNewFolder = !(await exists(folder)), isNewLock = !(await exists(lock));
  await makeFolders([files]);
  using _lock = await acquireLock(lock, LOCK_OPTIONS);
  try {
    await (replace ? checkReplaceable : checkEmpty)(files);
    return await work();
  } finally {
    // The lock is still held, so that no other process can use a lock file that is about to be
    // removed.
    if (isNewLock && !(await exists(results))) {
      await removeIfThere(lock).catch(() => {});
      if (isNewFolder) await Deno.remove(folder).catch(() => {});
    }
  }
}

/** Throws if the output is not empty. A run whose rows all failed has only failures. */
async function checkEmpty({ results, failures }: OutputFiles): Promise<void> {
  for (const path of [results, failures, duplicatesPathOf(results)]) {
    if (!(await hasContent(path))) continue;
    throw new UsageError(
      `Cannot write "${path}": it is not empty. Add --replace to replace it, or name another output`,
    );
  }
}

/** Throws if Retort did not write the files, or if a run has written to them, because the answers
 * of a run exist nowhere else. */
export async function checkReplaceable({ results, failures, runJson }: OutputFiles): Promise<void> {
  await checkOwnFile(results, "results");
  await checkOwnFile(failures, "failures");
  const duplicates = duplicatesPathOf(results);
  if (!(await holdsOwnLines(duplicates, "failures"))) await checkOwnFile(duplicates, "results");
  const run = await readRunFile(runJson);
  if (run === undefined || run.merged !== undefined) return;
  // Earlier versions did not write `merged` after a merge. The run file of a killed run looks the
  // same.
  const writer = run.summary === null ? "a run (or a merge by an earlier version)" : "a run";
  throw new UsageError(
    `Cannot replace "${results}": ${writer} has written to it, and answers of a run would be lost. ` +
      `Name another output, or move "${results}", "${failures}" and "${runJson}" away`,
  );
}

export type GrowingReport = { -readonly [Name in keyof MergeReport]: MergeReport[Name] } & {
  clashes: Clash[];
  problems: MergeProblem[];
};

export function emptyReport(runs: readonly MergeRun[]): GrowingReport {
  return {
    runs: runs.length,
    total: 0,
    succeeded: 0,
    failed: 0,
    pending: 0,
    badRows: 0,
    mergedDuplicates: 0,
    duplicatesOfRuns: 0,
    surplus: 0,
    changed: 0,
    beyondLimit: 0,
    clashes: [],
    clashCount: 0,
    problems: [],
    inputChanges: [],
    notices: [],
    results: null,
    failures: null,
    duplicates: null,
    movedFolders: [],
    movedTo: null,
  };
}

/** Returns the problem of a run that has left rows pending; none if `pending` is 0. */
export async function unfinishedProblem(run: MergeRun, pending: number): Promise<MergeProblem[]> {
  if (pending === 0) return [];
  const rows = pending === 1 ? "1 row is" : `${formatCount(pending)} rows are`;
  const message = `${rows} pending${await reasonForPending(run)}`;
  return [{ run: run.name, kind: "unfinished", message }];
}

async function reasonForPending({ runFile, files: { results } }: MergeRun): Promise<string> {
  if (runFile === undefined) return "";
  const { merged, summary } = runFile;
  if (merged?.pending === 0) return ": it is a merge that took fewer rows. Add its --limit here";
  if (merged !== undefined) return ": it is the output of a merge";
  if (summary === null) return ": it is running or was killed";
  const { state, reason } = summary;
  if (state !== "done") return `: it was ${state}${reason === null ? "" : ` (${reason})`}`;
  if (!(await exists(results))) return `: there is no "${results}". Put it back, or run it again`;
  return ": the run ended without them. If it had a --limit, add the same one here; otherwise " +
    "run it again";
}

/** Returns all runs except the output itself, which may be among them after an earlier merge. */
export function runsToMove({ lock }: OutputFiles, runs: readonly MergeRun[]): MergeRun[] {
  const placeOf = (path: string) => inFolder(realFolderOf(path), basename(path));
  const ownPlace = placeOf(lock);
  return runs.filter(({ originalFiles }) => placeOf(originalFiles.lock) !== ownPlace);
}

/**
 * Moves the files of each run to `.retort/shards/` in the run's folder. Returns the paths
 * of these folders, each with a `/` at the end.
 *
 * @throws {LockedError} If a run is active. The files of earlier runs have then been moved.
 */
export async function tidyUp(runs: readonly MergeRun[]): Promise<string[]> {
  const folders = new Set<string>();
  for (const { originalFiles: { results, failures, runJson, lock } } of runs) {
    const target = movedFolderOf(results);
    folders.add(`${target}/`);
    await orCannotWrite(target, () => Deno.mkdir(target, { recursive: true }));
    // The run file is moved first. Without it, the shard refuses to run again, even if the merge
    // crashes now.
    const paths = [runJson, results, failures, outdatedPathOf(results)];
    if (!(await Promise.all([...paths, lock].map(exists))).includes(true)) continue;
    {
      using _held = await acquireLock(lock, LOCK_OPTIONS);
      for (const path of paths) await moveIfThere(path, target);
    }
    // The lock file is moved once the lock is released.
    await moveIfThere(lock, target);
  }
  return [...folders];
}

/** Throws if `tidyUp` would replace files of an earlier merge, for example a merge of another input
 * with the same name. */
export async function refuseOverwrite(runs: readonly MergeRun[]): Promise<void> {
  for (const { originalFiles: { results, failures } } of runs) {
    for (const path of [results, failures]) {
      const movedPath = `${movedFolderOf(path)}/${basename(path)}`;
      if (!(await exists(path)) || !(await hasContent(movedPath))) continue;
      throw new UsageError(
        `Cannot use --tidy: "${movedPath}" is from an earlier merge, and would be replaced. Move it away, or ` +
          "leave --tidy out and name a file in another folder",
      );
    }
  }
}

/** Throws if `--limit` omits answers: the next run would pay for them again. */
export function refuseOmittedAnswers(results: number, failures: number): void {
  const counts = [[results, "result"], [failures, "failure"]] as const;
  const answers = counts.filter(([count]) => count > 0)
    .map(([count, noun]) => formatCountOf(count, noun)).join(" and ");
  if (answers === "") return;
  throw new UsageError(
    `Cannot use --tidy with this --limit: ${answers} of later rows would be ` +
      "moved away with the shards, and paid for again by the next run. Leave --limit out, or leave " +
      "--tidy out and name a file in another folder",
  );
}

async function moveIfThere(path: string, folder: string): Promise<void> {
  const to = `${folder}/${basename(path)}`;
  await ifThere(Deno.rename(path, to), (cause) => cannotWrite(to, cause));
}
