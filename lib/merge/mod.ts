/**
 * Merges the outputs of shards, or of runs over split inputs, into one results and one failures
 * file in input order, and proves that each row is there once.
 *
 * In: the files of runs and, for the proof, their inputs. Out: the merged files and a report. Never
 * sends a row, and never changes the files of a run: it can only move them.
 *
 * @module
 */

import type { PathLike } from "../files.ts";
import type { FindOptions, MergeRun } from "./find_runs.ts";

export type { MergeRun };

/** Options of `mergeRuns`. */
export interface MergeOptions {
  /** The outputs of the runs: folders, or paths of results files. */
  outputs: PathLike | readonly PathLike[];
  /** The results file to write; ends in `.jsonl`. */
  output: PathLike;
  /** Whether to write the output even if rows are missing, so that a run can continue it. @default
   * false */
  partial?: boolean;
  /**
   * Maximum wait in milliseconds until all runs are done. The wait ends early once a run has been
   * halted or has failed. Before the wait, the merge checks that it can write `output`.
   * @default 0
   */
  waitMs?: number;
  /** Called after each check while some runs are not done: at first at short intervals, later
   * about every 2 s. @default none */
  onWait?: (progress: WaitProgress) => void;
  /** The id of the submission to wait for. The submission also restarts shards that an earlier one
   * left halted, so the merge waits for these, too. @default any submission */
  job?: string;
  /**
   * Whether to move the files of the shards to `.retort/shards/` after a merge with proof. If
   * `tidy` is set and two rows clash, nothing is written.
   * @default false
   */
  tidy?: boolean;
  /** Whether to compare the output with the input. Without proof, lines are joined in the order of
   * the runs. @default true */
  proof?: boolean;
  /** Whether to replace results that an earlier merge has written. @default false */
  replace?: boolean;
  /**
   * The `limit` of the runs: the merge leaves out later rows of the input. If the runs are not
   * shards, the limit applies to the input of each.
   * @default all
   */
  limit?: number;
  /** Selects the shards of the division into this number, if the input was divided several times.
   * @default the only division */
  shards?: number;
  /** Aborts the merge; nothing is written. */
  signal?: AbortSignal;
}

/** Progress of a merge that waits for runs. */
export interface WaitProgress {
  /** Runs that are done. */
  readonly done: number;
  /** The number of shards or other runs; 0 while there are none. */
  readonly runs: number;
}

/** Why rows of a run are missing or unreliable. */
export interface MergeProblem {
  /** The run: `shard 3 of 8`, or the path of its results. */
  readonly run: string;
  /** "missing": the shard has no run file, usually because it has not run. "unfinished": rows are
   * pending. "damaged": files of the run are damaged or lack answers. */
  readonly kind: "missing" | "unfinished" | "damaged";
  /** The details, for users. */
  readonly message: string;
}

/** Two rows with the same uid and different contents. */
export interface Clash {
  /** The uid of both rows. */
  readonly uid: string;
  /**
   * The row that keeps the uid, as `file:line` of the input; without `proof`, "an earlier line".
   */
  readonly first: string;
  /** The other row, as `file:line` of the input; without `proof`, of the run's results. */
  readonly second: string;
}

/** What a merge found and wrote. Each sample of a row counts as an answer. If a run file cannot be
 * read, no rows are read, and all counts except `runs` are 0. Without `partial`, the same holds if
 * a run file is missing or says that its run is incomplete. */
export interface MergeReport {
  /** The number of shards or other runs. */
  readonly runs: number;
  /** Expected answers: all samples of all rows, duplicates once. */
  readonly total: number;
  /** Answers in the results, without surplus answers. */
  readonly succeeded: number;
  /** Answers that have failed permanently. */
  readonly failed: number;
  /** Answers that are still missing. */
  readonly pending: number;
  /** Input lines that cannot be sent. */
  readonly badRows: number;
  /** Rows that repeat an earlier row of the same run. */
  readonly mergedDuplicates: number;
  /** Rows that repeat a row of an earlier run. Only the first result is kept. */
  readonly duplicatesOfRuns: number;
  /** Answers beyond the number of samples, such as `x#3` with two samples. They are written after
   * the other results of their run. */
  readonly surplus: number;
  /** Rows whose prompt was edited after an answer was finished. */
  readonly changed: number;
  /** Results that `limit` leaves out: of later rows, or of rows not in the input. */
  readonly beyondLimit: number;
  /** The first 20 rows that share a uid with an earlier row but have different content. */
  readonly clashes: readonly Clash[];
  /** The number of rows that share a uid with an earlier row but have different content. */
  readonly clashCount: number;
  /** Why runs are incomplete; empty if all are complete. */
  readonly problems: readonly MergeProblem[];
  /** Changes of the input since it was divided into shards. The output is compared with the changed
   * input. */
  readonly inputChanges: readonly string[];
  /** Notices for users, for example about other runs that `shards` leaves out. */
  readonly notices: readonly string[];
  /** Path of the results file; null if nothing was written. */
  readonly results: string | null;
  /** Path of the failures file; null if nothing was written. */
  readonly failures: string | null;
  /** Path of the file with the later answers of clashing rows; null if there are none. */
  readonly duplicates: string | null;
  /** The folders to which shards were moved, each with a `/` at the end. */
  readonly movedFolders: readonly string[];
  /** The last of `movedFolders`; null if no shards were moved. */
  readonly movedTo: string | null;
}

/**
 * Merges the outputs of several runs, such as the shards of one input, into one results and one
 * failures file, in input order, and proves that each row of the input is there once. Each file is
 * written completely or not at all. The files of the runs are not changed; `tidy` moves them.
 *
 * If shards are missing, unfinished or damaged, `problems` says so. Then nothing is written, unless
 * `partial` is set and no shard is damaged. A row takes 33 bytes of memory, and each answer 49 more
 * while its shard is read.
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
 * @throws {LockedError} A run or another merge is writing to the output or, with `tidy`, a run is
 * writing to a shard.
 */
export async function mergeRuns(options: MergeOptions): Promise<MergeReport> {
  // The module is loaded on demand, because most programs merge nothing.
  const { mergeRuns } = await import("./merge_runs.ts");
  return await mergeRuns(options);
}

export async function findRuns(
  outputs: readonly string[],
  options: FindOptions,
): Promise<MergeRun[]> {
  const { findRuns } = await import("./find_runs.ts");
  return await findRuns(outputs, options);
}

/** Throws if a merge with `replace` would not replace these files. */
export async function checkReplaceable(files: MergeRun["files"]): Promise<void> {
  const { checkReplaceable } = await import("./output.ts");
  await checkReplaceable(files);
}
