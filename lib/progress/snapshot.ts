/**
 * The state of a run at one moment. The field names are a wire format, hence snake_case.
 *
 * @module
 */

/**
 * What a run is doing. `backing_off`: nothing is sent until a teacher takes requests again, or a row
 * is due. `disk_full`: nothing is sent until there is room on the disk. `halted`: it has ended with
 * rows left.
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
  /**
   * The first message of the group, shortened to 200 characters. Others may differ in numbers and
   * ids.
   */
  message: string;
  /** The number of such attempts. */
  count: number;
  /** What was done about the last one: the row was sent again, it failed, or the run was halted. */
  action: FailureAction;
  /** The number of attempts by action; their sum is `count`. */
  actions: Record<FailureAction, number>;
  /** Up to three rows that met it, by uid. */
  uids: string[];
  /** When the first one failed: ISO 8601. */
  first_seen: string;
  /** When the last one did: ISO 8601. */
  last_seen: string;
}

/**
 * What follows a failed attempt: another attempt, the permanent failure of the row, or the end of
 * the run with the row still pending.
 */
export type FailureAction = "retried" | "failed" | "halted";

/** One teacher of a run at one moment. */
export interface TeacherStatus {
  /** Its address, without credentials. */
  address: string;
  /** The model that is requested of it. */
  model: string;
  /** Whether it takes requests: `up`, `cooling_down` (it asked to be left alone), `down` (it cannot be
   * reached or refuses everything; it is probed), `leaving` (it has left the list of teachers, and finishes
   * calls in flight), or `halted` (it gets no more requests). */
  state: "up" | "cooling_down" | "down" | "leaving" | "halted";
  /** When it takes requests again, ISO 8601, or null. */
  until: string | null;
  /** Why it is not `up`, in words, or null. */
  reason: string | null;
  /** Its share of the load, relative to the other teachers. */
  weight: number;
  /** Attempts in flight. */
  in_flight: number;
  /** The adaptive limit on attempts in flight. */
  limit: number;
  /** Attempts that it answered with a completion. */
  answered: number;
  /** Attempts that failed at it. */
  failed: number;
  /** Completion tokens that it generated. */
  completion_tokens: number;
  /** What its answers cost in US dollars, as far as prices are known. Over all teachers the sum is `cost_usd` of the
   * run, unless one has left the list of teachers. */
  cost_usd: number;
}

/** The state of a run at one moment. */
export interface Snapshot {
  /** Always "snapshot". */
  type: "snapshot";
  /** What the run is doing. */
  state: RunState;
  /** Rows of the input (duplicates merged), or null while the input is still being read. */
  total: number | null;
  /** Rows that needed nothing: they had a result or had failed permanently before this run. */
  skipped: number;
  /** Rows of this run whose result is on disk. */
  succeeded: number;
  /** Rows of this run whose failure is on disk. */
  failed: number;
  /** Attempts in flight. */
  in_flight: number;
  /** Rows in the retry queue, between two attempts. */
  waiting: number;
  /** Attempts made. */
  attempts: number;
  /** Of those, the ones that failed or whose answer was rejected. */
  failed_attempts: number;
  /** Of those, the ones that the teacher throttled (429, 503, 529). */
  refused_for_load: number;
  /** The target number of lanes. */
  concurrency: number;
  /** How many attempts may be in flight now, over all teachers; `concurrency` at most. */
  limit: number;
  /** When something will be sent again, ISO 8601, or null while something is. */
  backing_off_until: string | null;
  /** Why nothing is sent, or why the run was halted, in words; else null. */
  reason: string | null;
  /** When a row was last put on disk, ISO 8601, or null before the first. */
  last_durable: string | null;
  /** Each teacher of the run. */
  teachers: TeacherStatus[];
  /** Rows finished per second over the last 30 s, failed ones included. */
  rate_per_s: number;
  /** Completion tokens per second over the last 30 s. */
  tokens_per_s: number;
  /** Seconds until the end, or null while nothing is known. */
  eta_s: number | null;
  /** Whether `eta_s` can only grow: the run is ramping up, and too few of its first rows have finished. */
  eta_is_lower_bound: boolean;
  /**
   * The likely range of `eta_s`, from the rates of the last minutes; null while it is a lower
   * bound.
   */
  eta_range_s: [number, number] | null;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Prompt tokens that were paid for. */
  prompt_tokens: number;
  /** Completion tokens that were paid for. */
  completion_tokens: number;
  /** Of those, the completion tokens of answers that were not kept. */
  wasted_completion_tokens: number;
  /** Cost so far in US dollars, or null while no price is known. */
  cost_usd: number | null;
  /** Projected cost of the whole run in US dollars, or null while nothing is known. */
  projected_cost_usd: number | null;
  /** Whether `projected_cost_usd` can only grow. */
  projected_cost_is_lower_bound: boolean;
  /**
   * The likely range of `projected_cost_usd`, from how much the cost of rows varies; null while it
   * is a lower bound.
   */
  projected_cost_range_usd: [number, number] | null;
  /** The budget in US dollars, or null. */
  max_cost_usd: number | null;
  /** Latency of the attempts that succeeded. */
  latency_ms: Percentiles;
  /** How late timers fire. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU of this process since the last snapshot, in percent of one core. */
  cpu_percent: number;
  /** Memory of this process. */
  rss_bytes: number;
  /** Kinds of failed attempts, most frequent first, at most 50 and "other". */
  errors: ErrorGroup[];
}
