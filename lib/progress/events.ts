/**
 * The events of a run. All listeners (terminal, JSON lines, web page) receive the same ones. Field
 * names are a wire format, hence snake_case.
 *
 * @module
 */

import type { ErrorGroup, Percentiles, Snapshot, TeacherStatus } from "./snapshot.ts";

/** The first event of a run, when its first row can be sent. */
export interface RunStart {
  /** Always "run-start". */
  type: "run-start";
  /** When the run started, in ISO 8601. */
  time: string;
  /** The model that is requested, as in the run file. */
  model: string;
  /** The teacher's address without credentials. */
  teacher: string;
  /** Rows of the input, each sample counted; null if they cannot be counted beforehand. */
  total: number | null;
  /** Rows that were answered or had failed before this run, and are not sent again. */
  skipped: number;
  /** Rows to send; null if they cannot be counted beforehand. */
  pending: number | null;
  /** Maximum number of rows in flight at once. */
  concurrency: number;
  /** Whether Retort searches for the best concurrency, up to `concurrency`. */
  concurrency_is_auto: boolean;
}

/** A message for the user. */
export interface Notice {
  /** Always "notice". */
  type: "notice";
  /** When it was sent, in ISO 8601. */
  time: string;
  /** A `warning` requires attention. */
  level: "info" | "warning";
  /** One or more sentences without a final period. */
  message: string;
}

/** An input file and the files made from it. */
export interface SummaryFile {
  /** The input file, as the user named it. */
  input: string;
  /** The path of the results file. */
  results: string;
  /** The path of the failures file. */
  failures: string;
  /** Rows of this input, each sample counted, without bad rows and merged duplicates. */
  total: number;
  /** Rows with a result after this run. */
  succeeded: number;
  /** Rows that have failed permanently, after this run. */
  failed: number;
  /** Rows with neither a result nor a permanent failure. */
  pending: number;
}

/** The last event of a run, and the `summary` of `run.json`. */
export interface Summary {
  /** Always "run-end". */
  type: "run-end";
  /**
   * `done`: all rows finished. `interrupted`: stopped by the user. `halted`: stopped for `reason`.
   */
  state: "done" | "interrupted" | "halted";
  /** Why the run was halted; null if it was not. */
  reason: string | null;
  /** When the run started, in ISO 8601. */
  started: string;
  /** When the run ended, in ISO 8601. */
  ended: string;
  /** Rows of all inputs, each sample counted, without bad rows and merged duplicates. */
  total: number;
  /** Rows that were answered or had failed before this run, and were not sent again. */
  skipped: number;
  /** How many attempts could be in flight at the end, over all teachers. */
  limit: number;
  /** Whether Retort searched for the best concurrency (`concurrency: "auto"`). */
  concurrency_is_auto: boolean;
  /** Rows that got their result in this run. */
  succeeded: number;
  /** Rows that failed permanently in this run. */
  failed: number;
  /** Rows with neither a result nor a permanent failure. */
  pending: number;
  /** Rows without a result that have a failure on disk, from this run or earlier ones. */
  failures_on_disk: number;
  /** Input lines that are not rows (`skipBadRows`). */
  bad_rows: number;
  /** Rows that were merged into an identical one. */
  merged_duplicates: number;
  /** Attempts started: the sum of the next three. */
  attempts: number;
  /** Attempts whose answer was kept. */
  succeeded_attempts: number;
  /** Attempts that failed, or whose answer was rejected. */
  failed_attempts: number;
  /** Attempts that were aborted before they were answered; they may have been billed. */
  unknown_attempts: number;
  /** Failed attempts that the teacher throttled: a rate limit or overload, mostly 429, 503, 529. */
  refused_for_load: number;
  /**
   * Upper bound of the calls that were in flight when the previous run over this output crashed, or
   * whose answers it could not write; 0 if it ended properly. They may have been billed, and their
   * rows were sent again.
   */
  crashed_in_flight: number;
  /** Attempts beyond the first of their row. */
  retries: number;
  /** The duration of the run from when the first row could be sent, in milliseconds. */
  elapsed_ms: number;
  /** Rows finished per second over the whole run. */
  rate_per_s: number;
  /** Prompt tokens paid for in this run. */
  prompt_tokens: number;
  /** Completion tokens paid for in this run, those of failed rows included. */
  completion_tokens: number;
  /** Completion tokens of answers that were not kept; included in `completion_tokens`. */
  wasted_completion_tokens: number;
  /**
   * `wasted_completion_tokens` by failure type (`truncated`, `rejected`, `empty`, `filtered`, …).
   */
  wasted_by_reason: Record<string, number>;
  /** US dollars; null if no price is known. */
  cost_usd: number | null;
  /** Latency of rows that succeeded, in milliseconds. */
  latency_ms: Percentiles;
  /** How late timers fired, in milliseconds. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU seconds of this process during the run. */
  cpu_seconds: number;
  /** The largest resident memory of this process; read once a second. */
  peak_rss_bytes: number;
  /** Each teacher at the end of the run. Those that have left the list come last. */
  teachers: TeacherStatus[];
  /** Causes of failed attempts, most frequent first. */
  errors: ErrorGroup[];
  /** Each input with its output files. */
  files: SummaryFile[];
}

/** Distinguished by `type`. */
export type RunEvent = RunStart | Snapshot | Notice | Summary;

/** Called with each event of a run. Errors that it throws are ignored; promises that it returns are
 * not awaited. */
export type RunListener = (event: RunEvent) => void;
