/**
 * The public interface of a merge: options, report, and functions that load the code when called.
 *
 * @module
 */

import type { PathLike } from "../paths.ts";
import type { MergeRun } from "./find_runs.ts";

/** How outputs are merged. */
export interface MergeOptions {
  /** The outputs that the runs were given: folders, or paths of results files. */
  outputs: PathLike | readonly PathLike[];
  /** The results file to write, which ends in `.jsonl`. */
  output: PathLike;
  /** Writes the output even if rows are missing, so that a run can continue it. @default false */
  partial?: boolean;
  /**
   * How long to wait for shards, in milliseconds: until all are done, or one was halted or could
   * not start. @default 0
   */
  waitMs?: number;
  /**
   * Called after each check that found runs that are not done. After the first few, checks are 2 s
   * apart.
   * @default nothing
   */
  onWait?: (progress: WaitProgress) => void;
  /**
   * The submission to wait for. Shards that an earlier submission left halted are awaited,
   * too, because this one runs them again.
   * @default any submission
   */
  job?: string;
  /**
   * Moves the files of the shards to `.retort/shards/` once the merge is proven, unless rows clash.
   * @default false
   */
  tidy?: boolean;
  /**
   * Compares the output with the input. Without this, lines are joined in the order of the runs.
   * @default true
   */
  proof?: boolean;
  /** Replaces a results file that an earlier merge has written. @default false */
  replace?: boolean;
  /**
   * The `limit` of the runs: rows after the first `limit` ones do not count, of the whole input of
   * shards, or of the input of each other run.
   * @default all
   */
  limit?: number;
  /**
   * The number of shards of the division to merge, if a folder holds several.
   * @default the only division
   */
  shards?: number;
  /** Aborts the merge; nothing is written then. */
  signal?: AbortSignal;
}

/** What a merge that waits has found. */
export interface WaitProgress {
  /** The number of runs that are done. */
  readonly done: number;
  /** The number of shards or other runs; 0 if none has started yet. */
  readonly runs: number;
}

/** Why rows of a run are missing, or cannot be trusted. */
export interface MergeProblem {
  /** The run: `shard 3 of 8`, or its results path. */
  readonly run: string;
  /** "missing" if it has not run, "unfinished" if rows are pending, "damaged" if its files are, or
   * do not hold all of its answers. */
  readonly kind: "missing" | "unfinished" | "damaged";
  /** The details, for users. */
  readonly message: string;
}

/** Two rows with the same uid and different contents. */
export interface Clash {
  /** The uid of both rows. */
  readonly uid: string;
  /** The place of the row that keeps the uid: `file:line` of the input. Unknown without `proof`. */
  readonly first: string;
  /** The place of the other row; without `proof`, that of its line in the results of its run. */
  readonly second: string;
}

/**
 * What a merge found and wrote. Each sample of a row counts as an answer. If run files show that
 * runs are not complete, nothing is read without `partial`, and all counts but `runs` are 0.
 */
export interface MergeReport {
  /** The number of shards or other runs. */
  readonly runs: number;
  /** The number of answers that there should be: all samples of all rows, duplicates once. */
  readonly total: number;
  /** The number of answers in the results, without surplus ones. */
  readonly succeeded: number;
  /** The number of answers that have finally failed. */
  readonly failed: number;
  /** The number of answers that are still to come. */
  readonly pending: number;
  /** The number of input lines that cannot be sent. */
  readonly badRows: number;
  /** The number of rows that repeat an earlier one of the same run. */
  readonly mergedDuplicates: number;
  /** The number of rows that repeat one of an earlier run. The first result is kept. */
  readonly duplicatesOfRuns: number;
  /**
   * The number of answers beyond the samples of their row, as after a run with fewer samples. They
   * are kept, after the other results of their run.
   */
  readonly surplus: number;
  /** The number of rows whose prompt was edited since an answer was finished. */
  readonly changed: number;
  /** The number of results that `limit` leaves out: of later rows, or of rows not in the input. */
  readonly beyondLimit: number;
  /** The first 20 rows that share a uid with an earlier row of other content. */
  readonly clashes: readonly Clash[];
  /** The number of all such rows. */
  readonly clashCount: number;
  /** Why runs are not complete; empty if all are. */
  readonly problems: readonly MergeProblem[];
  /**
   * How files of the input have changed since they were divided into shards. The merge compares
   * with the files as they are now.
   */
  readonly inputChanges: readonly string[];
  /** The path of the results file; null if nothing was written. */
  readonly results: string | null;
  /** The path of the failures file; null if nothing was written. */
  readonly failures: string | null;
  /** The path of the file that keeps later answers of clashing rows; null if there are none. */
  readonly duplicates: string | null;
  /** The folder to which shards were moved; null if they were not. */
  readonly movedTo: string | null;
}

/**
 * Merges the outputs of several runs, such as the shards of one input, into one results and one
 * failures file, in input order, and proves that each row of the input is there once. Files appear
 * complete or not at all; the merged runs stay as they are.
 *
 * If shards are missing, unfinished or damaged, `problems` says so. Then nothing is written, except
 * with `partial` if none is damaged. A row needs 37 bytes of memory, and each of its answers 49
 * bytes more while its shard is read.
 *
 * @example
 * ```ts
 * import { mergeRuns } from "../../mod.ts";
 *
 * async function mergeShards(): Promise<void> {
 *   const report = await mergeRuns({ outputs: "shards/", output: "all/prompts.jsonl" });
 *   for (const { run, message } of report.problems) console.warn(`${run}: ${message}`);
 *   console.log(report.results, report.succeeded, report.failed);
 * }
 * ```
 *
 * @throws {TypeError | RangeError} An option is unknown, missing, of a wrong type or out of range.
 * @throws {UsageError} The outputs cannot be merged as asked.
 * @throws {SourceError} An input cannot be read.
 * @throws {SinkError} The output cannot be written.
 * @throws {LockedError} A run is writing to the output.
 */
export async function mergeRuns(options: MergeOptions): Promise<MergeReport> {
  // Programs that merge nothing do not load this code.
  const { mergeRuns } = await import("./merge_runs.ts");
  return await mergeRuns(options);
}

/** See `findRuns` in `find_runs.ts`. */
export async function findRuns(
  outputs: readonly string[],
  options: { shards?: number; needsRunFile: boolean },
): Promise<MergeRun[]> {
  const { findRuns } = await import("./find_runs.ts");
  return await findRuns(outputs, options);
}
