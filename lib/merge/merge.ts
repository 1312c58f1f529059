/**
 * Merges several outputs into one: its options, its report, and the way to what does it, which is loaded when it is
 * used.
 *
 * @module
 */

import type { PathLike } from "../paths.ts";
import type { MergeRun } from "./find_runs.ts";

/** The options of a merge. */
export interface MergeOptions {
  /** The outputs of the runs, as they were given to the runs: folders or results paths. */
  outputs: PathLike | readonly PathLike[];
  /** The results file to write, which ends in `.jsonl`. */
  output: PathLike;
  /** Writes the output even if rows are missing, so that a run can continue it. @default false */
  partial?: boolean;
  /** How long to wait until every shard is done, or one was halted or could not start, in milliseconds. @default 0 */
  waitMs?: number;
  /** The submission of jobs whose end `waitMs` waits for: shards that an earlier one has left halted will run again.
   * @default any */
  job?: string;
  /** Moves the shards to `.retort/shards/` once the merge is proven. @default false */
  tidy?: boolean;
  /** Compares the output with the input. Without proof, lines are joined in the order of the runs.
   * @default true */
  proof?: boolean;
  /** Replaces a results file that an earlier merge has written. @default false */
  replace?: boolean;
  /** At most this many rows of each input: the `limit` of the runs. @default all */
  limit?: number;
  /** The number of shards, if a folder holds several divisions. @default the only one */
  shards?: number;
  /** Ends the merge early. */
  signal?: AbortSignal;
}

/** Why rows are missing. */
export interface MergeProblem {
  /** The shard or run. */
  readonly run: string;
  /** What is wrong with it. */
  readonly kind: "missing" | "unfinished" | "damaged";
  /** The same in words. */
  readonly message: string;
}

/** Two rows that have one uid and different contents. */
export interface Clash {
  /** The uid. */
  readonly uid: string;
  /** The place of the row that keeps the uid. */
  readonly first: string;
  /** The place of the other row. */
  readonly second: string;
}

/** The result of a merge. */
export interface MergeReport {
  /** The number of shards or runs. */
  readonly runs: number;
  /**
   * The number of answers that there should be: all samples of all rows, with duplicates merged.
   */
  readonly total: number;
  /** Answers that are results. */
  readonly succeeded: number;
  /** Answers that have failed. */
  readonly failed: number;
  /** Answers that are neither. */
  readonly pending: number;
  /** Lines of the input that are not rows. */
  readonly badRows: number;
  /** Identical rows within a run. */
  readonly mergedDuplicates: number;
  /** Identical rows in several runs: the first answer was kept. */
  readonly duplicatesOfRuns: number;
  /**
   * Answers beyond the samples of their row, as after a run with fewer samples. They are kept,
   * after the other results of their run.
   */
  readonly surplus: number;
  /** Rows that share a uid with another one; the first 20. */
  readonly clashes: readonly Clash[];
  /** The number of all clashes. */
  readonly clashCount: number;
  /** Runs that are not complete. */
  readonly problems: readonly MergeProblem[];
  /** How files of the input have changed since they were divided into shards: rows are compared with them as they are
   * now. */
  readonly inputChanges: readonly string[];
  /** The results file; null where nothing was written. */
  readonly results: string | null;
  /** The failures file; null where nothing was written. */
  readonly failures: string | null;
  /** Where later answers of clashing rows are kept; null where there are none. */
  readonly duplicates: string | null;
  /** Where the shards were moved to; null where they were not. */
  readonly movedTo: string | null;
}

/**
 * Merges the outputs of several runs, such as the shards of one input, into one results and one
 * failures file, in input order, and proves that each row of the input is there once. Files appear
 * complete or not at all; the merged runs stay as they are.
 *
 * Where shards are missing, unfinished or damaged, `problems` says so and nothing is written, unless `partial` is
 * set. A row needs 33 bytes of memory, and 12 bytes more while its shard is read.
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
 * @throws {LockedError} A run writes to the output.
 */
export async function mergeRuns(options: MergeOptions): Promise<MergeReport> {
  // Scripts that merge nothing do not load this.
  const { mergeRuns } = await import("./merge_runs.ts");
  return await mergeRuns(options);
}

/**
 * Finds the runs of outputs, in the order of the outputs and of the shards.
 *
 * @throws {UsageError} when there are none
 */
export async function findRuns(
  outputs: readonly string[],
  options: { shards?: number; needsRunFile: boolean },
): Promise<MergeRun[]> {
  const { findRuns } = await import("./find_runs.ts");
  return await findRuns(outputs, options);
}
