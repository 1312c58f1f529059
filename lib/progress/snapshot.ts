/**
 * The state of a run at one moment. Field names are a wire format, hence snake_case.
 *
 * @module
 */

/**
 * What a run is doing. `backing_off`: it waits until a teacher accepts requests again, or a row is
 * due. `disk_full`: it waits for space on the disk. `draining`: it starts no attempts, waits for
 * those in flight and writes their lines. `halted`: it ended with rows left.
 */
export type RunState =
  | "preparing"
  | "running"
  | "backing_off"
  | "paused"
  | "disk_full"
  | "draining"
  | "done"
  | "halted";

/** Percentiles of a distribution; all 0 while nothing was measured. */
export interface Percentiles {
  /** The median. */
  p50: number;
  /** 90 % of the values are not above this. */
  p90: number;
  /** 99 % of the values are not above this. */
  p99: number;
  /** The largest value. */
  max: number;
}

/** Failed attempts with the same cause. */
export interface ErrorGroup {
  /** The failure type (see `FailureType`), or "other" for all causes past the 50th. */
  type: string;
  /** The HTTP status; null without a response. */
  status: number | null;
  /** The message of the first attempt, at most 200 characters. Other attempts may differ in numbers
   * and ids. */
  message: string;
  /** The number of failed attempts. */
  count: number;
  /** What followed the last attempt. */
  action: FailureAction;
  /** Attempts by what followed; the sum is `count`. */
  actions: Record<FailureAction, number>;
  /** The uids of up to three rows. */
  uids: string[];
  /** When the first attempt failed, in ISO 8601. */
  first_seen: string;
  /** When the last attempt failed, in ISO 8601. */
  last_seen: string;
}

/** What follows a failed attempt: another attempt (`retried`), the permanent failure of the row
 * (`failed`), or the end of the run with the row pending (`halted`). */
export type FailureAction = "retried" | "failed" | "halted";

/** A teacher at one moment of a run. */
export interface TeacherStatus {
  /** The address without credentials. */
  address: string;
  /** The model requested from it. */
  model: string;
  /**
   * Whether it receives requests: `up`, `cooling_down` (it asked for a wait), `down` (unreachable,
   * or rejecting everything; it is probed), `leaving` (it left the list of teachers, and finishes
   * its calls), `left` (it has finished them), or `halted` (it receives no more requests).
   */
  state: "up" | "cooling_down" | "down" | "leaving" | "left" | "halted";
  /** When it receives requests again, in ISO 8601; null if it does now, or the time is unknown. */
  until: string | null;
  /** Why it is not `up`; null if it is. */
  reason: string | null;
  /** Its share of the load, relative to other teachers. */
  weight: number;
  /** Attempts sent and not answered yet. */
  in_flight: number;
  /** How many attempts may be in flight at it now; adaptive. */
  limit: number;
  /** Attempts that it answered with a completion. */
  answered: number;
  /** Attempts that failed. */
  failed: number;
  /** Completion tokens of its answers, partial ones included. */
  completion_tokens: number;
  /** US dollars for its answers, if prices are known. The sum over all teachers is the run's
   * `cost_usd`. */
  cost_usd: number;
  /** How many teachers that left this entry sums up. @default 1 */
  teachers?: number;
}

/** The state of a run at one moment. */
export interface Snapshot {
  /** Always "snapshot". */
  type: "snapshot";
  /** What the run is doing. */
  state: RunState;
  /** Rows of the input, each sample counted, without merged duplicates; null while the input is
   * being read. */
  total: number | null;
  /** Rows that were answered or had failed before this run, and are not sent again. */
  skipped: number;
  /** Rows of this run whose result is on disk. */
  succeeded: number;
  /** Rows of this run whose failure is on disk. */
  failed: number;
  /** Attempts sent and not answered yet. */
  in_flight: number;
  /** Rows in the retry queue, between two attempts. */
  waiting: number;
  /** Attempts started, those in flight included. */
  attempts: number;
  /** Attempts that failed or whose answer was rejected. */
  failed_attempts: number;
  /** Failed attempts that the teacher throttled: a rate limit or overload, mostly 429, 503, 529. */
  refused_for_load: number;
  /** Maximum number of rows in flight at once. */
  concurrency: number;
  /** How many attempts may be in flight now, over all teachers; at most `concurrency`. */
  limit: number;
  /** When the next attempt is due, in ISO 8601; null unless the run waits for it. */
  backing_off_until: string | null;
  /** Why nothing is sent, or why the run was halted; null otherwise. */
  reason: string | null;
  /** When a row last became durable on disk, in ISO 8601; null before the first. */
  last_durable: string | null;
  /** Each teacher of the run. Those that have left the list come last: at most 100 on their own,
   * all earlier ones summed up in one entry. */
  teachers: TeacherStatus[];
  /** Rows finished per second over the last 30 s, failed ones included. */
  rate_per_s: number;
  /** Completion tokens per second over the last 30 s. */
  tokens_per_s: number;
  /** Seconds until the end; null while unknown. */
  eta_s: number | null;
  /** Whether `eta_s` can only grow: too few of the first rows have finished. */
  eta_is_lower_bound: boolean;
  /** The likely range of `eta_s`, from the rates of the last five minutes; null while it is a lower
   * bound. */
  eta_range_s: [number, number] | null;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Prompt tokens paid for. */
  prompt_tokens: number;
  /** Completion tokens paid for, those of answers that were not kept included. */
  completion_tokens: number;
  /** Completion tokens of answers that were not kept; included in `completion_tokens`. */
  wasted_completion_tokens: number;
  /** US dollars so far; null if no price is known. */
  cost_usd: number | null;
  /** US dollars projected for the complete run; null while unknown. */
  projected_cost_usd: number | null;
  /** Whether `projected_cost_usd` can only grow. */
  projected_cost_is_lower_bound: boolean;
  /** The likely range of `projected_cost_usd`, from how much the cost of rows varies; null while it
   * is a lower bound. */
  projected_cost_range_usd: [number, number] | null;
  /** What this run may cost in US dollars: the budget, or for a shard what its earlier runs have
   * left of its share; null without a budget. */
  max_cost_usd: number | null;
  /** The budget in US dollars as it was set: for a shard, that of all shards together; null without
   * one. */
  budget_usd: number | null;
  /** What is spent in US dollars: a budget must be above it, or the run ends. For a shard, the
   * budget of all shards at which the shard's own share would be spent. Null if no price is
   * known. */
  min_budget_usd: number | null;
  /** Latency of rows that succeeded, in milliseconds. */
  latency_ms: Percentiles;
  /** How late timers fire, in milliseconds. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU of this process over about the last second, in percent of one core. */
  cpu_percent: number;
  /** Resident memory of this process. */
  rss_bytes: number;
  /** Causes of failed attempts, most frequent first: at most 50, and "other". */
  errors: ErrorGroup[];
}
