/**
 * The events of a run. Every listener (terminal, JSON lines, a web page) gets the same events;
 * their field names are a wire format, hence snake_case.
 *
 * @module
 */

import type { ErrorGroup, Percentiles, Snapshot, TeacherStatus } from "./snapshot.ts";

/** The first event of a run. */
export interface RunStart {
  /** Always "run-start". */
  type: "run-start";
  /** When: ISO 8601. */
  time: string;
  /** The model that is requested. */
  model: string;
  /** The teacher's address, without credentials. */
  teacher: string;
  /** Rows of the input, or null where they cannot be known beforehand. */
  total: number | null;
  /** Rows that need nothing. */
  skipped: number;
  /** Rows to do. */
  pending: number | null;
  /** The target number of lanes. */
  concurrency: number;
  /** Whether the best concurrency is searched for, up to `concurrency`. */
  concurrency_is_auto: boolean;
}

/** Something that the user should know, in words. */
export interface Notice {
  /** Always "notice". */
  type: "notice";
  /** When: ISO 8601. */
  time: string;
  /** How serious it is. */
  level: "info" | "warning";
  /** The text. */
  message: string;
}

/** One input and the files made from it. */
export interface SummaryFile {
  /** The input, as the user named it. */
  input: string;
  /** The results file. */
  results: string;
  /** The failures file. */
  failures: string;
  /** Rows of this input, duplicates merged, bad rows not counted. */
  total: number;
  /** Rows that have a result now. */
  succeeded: number;
  /** Rows that have failed permanently now. */
  failed: number;
  /** Rows that are neither. */
  pending: number;
}

/** The last event of a run, and the `summary` of `run.json`. */
export interface Summary {
  /** Always "run-end". */
  type: "run-end";
  /** How it ended: all rows finished, stopped by the user, or halted for the cause in `reason`. */
  state: "done" | "interrupted" | "halted";
  /** Why it was halted, in words, or null. */
  reason: string | null;
  /** When it started: ISO 8601. */
  started: string;
  /** When it ended: ISO 8601. */
  ended: string;
  /** Rows of all inputs, duplicates merged, bad rows not counted. */
  total: number;
  /** Rows that needed nothing from this run. */
  skipped: number;
  /** How many attempts could be in flight at the end, over all teachers. */
  limit: number;
  /** Whether the best concurrency was searched for (`concurrency: "auto"`). */
  concurrency_is_auto: boolean;
  /** Rows that got their result in this run. */
  succeeded: number;
  /** Rows that failed permanently in this run. */
  failed: number;
  /** Rows that have neither. */
  pending: number;
  /** Rows without a result after this run that have a failure, those of earlier runs included. */
  failures_on_disk: number;
  /** Input lines that are not rows (`skipBadRows`). */
  bad_rows: number;
  /** Identical rows that were merged into one. */
  merged_duplicates: number;
  /** Attempts made: the sum of the next three. */
  attempts: number;
  /** Attempts whose answer was kept. */
  succeeded_attempts: number;
  /** Attempts that failed, or whose answer was rejected. */
  failed_attempts: number;
  /** Attempts that were given up before they were answered; they may have been billed. */
  unknown_attempts: number;
  /** Of the failed ones, those that the teacher throttled (429, 503, 529). */
  refused_for_load: number;
  /**
   * The maximum number of calls that were in flight when the last run over this output crashed, or
   * whose answers it could not write; 0 if it ended in order. They may have been billed, and their
   * rows were sent again.
   */
  crashed_in_flight: number;
  /** Attempts beyond the first of their row. */
  retries: number;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Rows finished per second, over the whole run. */
  rate_per_s: number;
  /** Prompt tokens paid for in this run. */
  prompt_tokens: number;
  /** Completion tokens paid for in this run, those of failed rows included. */
  completion_tokens: number;
  /** Of those, the completion tokens of answers that were not kept. */
  wasted_completion_tokens: number;
  /** The same by failure type (`truncated`, `rejected`, `empty`, `filtered`, …). */
  wasted_by_reason: Record<string, number>;
  /** Cost in US dollars, or null while no price is known. */
  cost_usd: number | null;
  /** Latency of the attempts that succeeded. */
  latency_ms: Percentiles;
  /** How late timers fired. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU seconds of this process during the run. */
  cpu_seconds: number;
  /** The largest memory seen in a snapshot. */
  peak_rss_bytes: number;
  /** Each teacher of the run, as it was at the end. */
  teachers: TeacherStatus[];
  /** Kinds of failed attempts, most frequent first. */
  errors: ErrorGroup[];
  /** Each input with its files. */
  files: SummaryFile[];
}

/** Any event of a run. */
export type RunEvent = RunStart | Snapshot | Notice | Summary;

/** Receives the events of a run. Its errors are ignored, and the run does not wait for it. */
export type RunListener = (event: RunEvent) => void;
