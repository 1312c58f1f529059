/**
 * What a run says of itself. Every listener (terminal, JSON lines, a web page) gets the same events;
 * their field names are a wire format, hence snake_case.
 *
 * @module
 */

/** What a run is doing. `backing_off`: every row that is left waits for its next attempt. `halted`: it
 * has ended with rows left. */
export type RunState =
  | "preparing"
  | "running"
  | "backing_off"
  | "paused"
  | "draining"
  | "done"
  | "halted";

/** Percentiles of a distribution, in its unit. All 0 while nothing was measured. */
export interface Percentiles {
  /** Half are at or below this. */
  p50: number;
  /** 90 % are at or below this. */
  p90: number;
  /** 99 % are at or below this. */
  p99: number;
  /** The largest. */
  max: number;
}

/** One kind of failed attempt. */
export interface ErrorGroup {
  /** The failure type (see `FailureType`), or "other" for all groups past the 50th. */
  type: string;
  /** The HTTP status, or null. */
  status: number | null;
  /** The message. Where messages differ in numbers and ids only, these are replaced (`#`, `<id>`). */
  message: string;
  /** How many attempts failed so. */
  count: number;
  /** When the last one did: ISO 8601. */
  last_seen: string;
}

/** The state of a run at one moment. */
export interface Snapshot {
  /** Always "snapshot". */
  type: "snapshot";
  /** What the run is doing. */
  state: RunState;
  /** Rows of the input (duplicates merged), or null while the input is still being read. */
  total: number | null;
  /** Rows that needed nothing: they had a result or had failed for good before this run. */
  skipped: number;
  /** Rows of this run whose result is on disk. */
  succeeded: number;
  /** Rows of this run whose failure is on disk. */
  failed: number;
  /** Attempts under way. */
  in_flight: number;
  /** Rows in the waiting room, between two attempts. */
  waiting: number;
  /** Attempts made. */
  attempts: number;
  /** The target number of lanes. */
  concurrency: number;
  /** Rows finished per second over the last 30 s, failed ones included. */
  rate_per_s: number;
  /** Seconds until the end, or null while nothing is known. */
  eta_s: number | null;
  /** Whether `eta_s` can only grow: the rows that it is projected from have not all finished. */
  eta_is_lower_bound: boolean;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Prompt tokens that were paid for. */
  prompt_tokens: number;
  /** Completion tokens that were paid for. */
  completion_tokens: number;
  /** Cost so far, or null while no price is known. */
  cost_usd: number | null;
  /** Latency of the attempts that succeeded. */
  latency_ms: Percentiles;
  /** How late timers fire. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU of this process since the last snapshot, in per cent of one core. */
  cpu_percent: number;
  /** Memory of this process. */
  rss_bytes: number;
  /** Kinds of failed attempts, most frequent first, at most 50 and "other". */
  errors: ErrorGroup[];
}

/** The first event of a run. */
export interface RunStart {
  /** Always "run-start". */
  type: "run-start";
  /** When: ISO 8601. */
  time: string;
  /** The model that is asked. */
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
}

/** Something that a person should know, in words. */
export interface Notice {
  /** Always "notice". */
  type: "notice";
  /** When: ISO 8601. */
  time: string;
  /** Whether it tells of trouble. */
  level: "info" | "warning";
  /** The words. */
  message: string;
}

/** One input and the files made from it. */
export interface SummaryFile {
  /** The input, as it was named. */
  input: string;
  /** The results file. */
  results: string;
  /** The failures file. */
  failures: string;
  /** Rows of this input, duplicates merged, bad rows not counted. */
  total: number;
  /** Rows that have a result now. */
  succeeded: number;
  /** Rows that have failed for good now. */
  failed: number;
  /** Rows that are neither. */
  pending: number;
}

/** The last event of a run, the answer of `run()`, and the `summary` of `run.json`. */
export interface Summary {
  /** Always "run-end". */
  type: "run-end";
  /** How it ended: all rows settled, stopped by a person, or halted by a cause in `reason`. */
  state: "done" | "interrupted" | "halted";
  /** Why it was halted, in words, or null. */
  reason: string | null;
  /** When it started and ended: ISO 8601. */
  started: string;
  /** When it ended: ISO 8601. */
  ended: string;
  /** Rows of all inputs, duplicates merged, bad rows not counted. */
  total: number;
  /** Rows that needed nothing from this run. */
  skipped: number;
  /** Rows that got their result in this run. */
  succeeded: number;
  /** Rows that failed for good in this run. */
  failed: number;
  /** Rows that still have neither. */
  pending: number;
  /** Rows without a result after this run that have a failure, those of earlier runs included. */
  failures_on_disk: number;
  /** Input lines that are no rows (`skipBadRows`). */
  bad_rows: number;
  /** Identical rows that were merged into one. */
  merged_duplicates: number;
  /** Attempts made. */
  attempts: number;
  /** Attempts beyond the first of their row. */
  retries: number;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Rows settled per second, over the whole run. */
  rate_per_s: number;
  /** Prompt tokens paid for in this run. */
  prompt_tokens: number;
  /** Completion tokens paid for in this run, those of failed rows included. */
  completion_tokens: number;
  /** Of those, the completion tokens of rows that failed. */
  wasted_completion_tokens: number;
  /** Cost, or null while no price is known. */
  cost_usd: number | null;
  /** Latency of the attempts that succeeded. */
  latency_ms: Percentiles;
  /** How late timers fired. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU seconds of this process during the run. */
  cpu_seconds: number;
  /** The largest memory seen in a snapshot. */
  peak_rss_bytes: number;
  /** Kinds of failed attempts, most frequent first. */
  errors: ErrorGroup[];
  /** Each input with its files. */
  files: SummaryFile[];
}

/** Everything that a run says. */
export type RunEvent = RunStart | Snapshot | Notice | Summary;

/** Hears what a run says. One that throws is ignored; the run does not wait for it. */
export type RunListener = (event: RunEvent) => void;
