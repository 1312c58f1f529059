/**
 * The events that a run sends to its listeners, and the results of `run()` and `snapshot()`, which
 * are made from events. Events are a wire format, so their field names are in snake_case; the field
 * names of results are in camelCase.
 *
 * @module
 */

import type { ErrorGroup, Percentiles } from "./counters.ts";
import type { TeacherStatus } from "./progress_options.ts";

/** The first event of a run, emitted when its first row can be sent. */
export interface RunStart {
  /** Always "run-start". */
  type: "run-start";
  /** When the event happened, in ISO 8601. */
  time: string;
  /** The model's name, as in the run file. */
  model: string;
  /** The teacher's address without credentials. */
  teacher: string;
  /** Rows of the input, counting each sample; null if they cannot be counted beforehand. */
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
  /** When the event happened, in ISO 8601. */
  time: string;
  /** A `warning` requires attention. */
  level: "info" | "warning";
  /** One or more sentences without a final period. */
  message: string;
}

/** An input file and its outputs. */
export interface SummaryFile {
  /** The input file, as the user named it. */
  input: string;
  /** The path of the results file. */
  results: string;
  /** The path of the failures file. */
  failures: string;
  /** Rows of this input, counting each sample, without bad rows and merged duplicates. */
  total: number;
  /** Rows with a result after this run. */
  succeeded: number;
  /** Rows with a permanent failure after this run. */
  failed: number;
  /** Rows with neither a result nor a permanent failure. */
  pending: number;
}

/** The last event of a run, and the `summary` of `run.json`. Its figures are final. */
export interface Summary extends
  Pick<
    Snapshot,
    | "skipped"
    | "succeeded"
    | "failed"
    | "attempts"
    | "failed_attempts"
    | "refused_for_load"
    | "elapsed_ms"
    | "prompt_tokens"
    | "completion_tokens"
    | "wasted_completion_tokens"
    | "cost_usd"
    | "latency_ms"
    | "event_loop_lag_ms"
    | "teachers"
    | "errors"
  > {
  /** Always "run-end". */
  type: "run-end";
  /** `interrupted`: stopped by the user. `halted`: stopped for `reason`. */
  state: "done" | "interrupted" | "halted";
  /** Why the run was halted; null if it was not. */
  reason: string | null;
  /** When the run started, in ISO 8601. */
  started: string;
  /** When the run ended, in ISO 8601. */
  ended: string;
  /** Rows of all inputs, counting each sample, without bad rows and merged duplicates. */
  total: number;
  /** Maximum number of attempts in flight at the end of the run, over all teachers. */
  limit: number;
  /** Whether Retort searched for the best concurrency (`concurrency: "auto"`). */
  concurrency_is_auto: boolean;
  /** Rows with neither a result nor a permanent failure. */
  pending: number;
  /** Rows without a result that have a failure on disk, from this run or earlier ones. */
  failures_on_disk: number;
  /** Input lines that cannot be sent as rows (`skipBadRows`). */
  bad_rows: number;
  /** Rows that were merged into an identical row. */
  merged_duplicates: number;
  /** Attempts whose answer was kept. */
  succeeded_attempts: number;
  /** Attempts that were aborted before they were answered; they may have been billed. */
  unknown_attempts: number;
  /** At most this many calls were in flight when the previous run over this output crashed or could
   * not write their answers. They may have been billed; their rows were sent again. */
  crashed_in_flight: number;
  /** Attempts beyond the first of their row, in rows that have finished. */
  retries: number;
  /** Rows finished per second over the whole run. */
  rate_per_s: number;
  /** `wasted_completion_tokens` by failure type (`truncated`, `rejected`, `empty`, …). */
  wasted_by_reason: Record<string, number>;
  /** CPU seconds of this process during the run. */
  cpu_seconds: number;
  /** The largest resident memory of this process; read once a second. */
  peak_rss_bytes: number;
  /** Each input with its output files. */
  files: SummaryFile[];
}

/** An event of a run, distinguished by `type`. */
export type RunEvent = RunStart | Snapshot | Notice | Summary;

/** The state of a run. `backing_off`: it waits for a teacher or a retry. `disk_full`: it waits for
 * disk space. `draining`: it starts no attempts, and writes the outcomes of those in flight.
 * `halted`: it ended with rows left. */
export type RunState =
  | "preparing"
  | "running"
  | "backing_off"
  | "paused"
  | "disk_full"
  | "draining"
  | "done"
  | "halted";

/** The state of a run at one moment. */
export interface Snapshot {
  /** Always "snapshot". */
  type: "snapshot";
  /** What the run is doing. */
  state: RunState;
  /** Rows of the input, counting each sample; null while the input is being read. */
  total: number | null;
  /** Rows that were answered or had failed before this run, and are not sent again. */
  skipped: number;
  /** Rows of this run whose result is on disk. */
  succeeded: number;
  /** Rows of this run whose failure is on disk. */
  failed: number;
  /** Attempts sent and not answered yet, and answers that are being checked. */
  in_flight: number;
  /** Rows in the retry queue, between two attempts. */
  waiting: number;
  /** Attempts started, including attempts in flight. */
  attempts: number;
  /** Attempts that failed or whose answer was not accepted. */
  failed_attempts: number;
  /** Attempts that failed because of a rate limit or overload, mostly with status 429, 503 or
   * 529. */
  refused_for_load: number;
  /** Maximum number of rows in flight at once. */
  concurrency: number;
  /** Maximum number of attempts in flight now, over all teachers; at most `concurrency`. */
  limit: number;
  /** When the next attempt is due, in ISO 8601; null unless the run waits for it. */
  backing_off_until: string | null;
  /** Why nothing is sent, or why the run was halted; null otherwise. */
  reason: string | null;
  /** When a row last became durable on disk, in ISO 8601; null before the first. */
  last_durable: string | null;
  /** All teachers. Teachers that have left the list come last: up to 100 with an entry each, then
   * one entry for all that left before them. */
  teachers: TeacherStatus[];
  /** Rows finished per second over the last 30 s, including failed rows. */
  rate_per_s: number;
  /** Completion tokens per second over the last 30 s. */
  tokens_per_s: number;
  /** Seconds until the end; null while unknown. */
  eta_s: number | null;
  /** Whether `eta_s` is a lower bound, because too few of the first rows have finished. */
  eta_is_lower_bound: boolean;
  /** The range of `eta_s`, from the rates of the last five minutes; null for a lower bound. */
  eta_range_s: [number, number] | null;
  /** Milliseconds since the first row could be sent. */
  elapsed_ms: number;
  /** Prompt tokens paid for. */
  prompt_tokens: number;
  /** Completion tokens paid for, including answers that were not accepted. */
  completion_tokens: number;
  /** Completion tokens of answers that were not accepted; included in `completion_tokens`. */
  wasted_completion_tokens: number;
  /** US dollars spent so far; null if the price of a teacher, or the cost of every answer, is
   * unknown. */
  cost_usd: number | null;
  /** US dollars projected for the complete run; null while unknown. */
  projected_cost_usd: number | null;
  /** Whether `projected_cost_usd` is a lower bound. */
  projected_cost_is_lower_bound: boolean;
  /** The range of the cost, from how much the cost of rows varies; null for a lower bound. */
  projected_cost_range_usd: [number, number] | null;
  /** What this run may cost in US dollars; for a shard, the part of its share that earlier runs
   * have left. Null without a budget. */
  max_cost_usd: number | null;
  /** The budget in US dollars as it was set; for a shard, the budget of all shards together. Null
   * without a budget. */
  budget_usd: number | null;
  /** A new budget must be above this amount in US dollars, or the run ends at once. For a shard,
   * the amount refers to the budget of all shards together. Null if no price is known. */
  min_budget_usd: number | null;
  /** Latency of rows that succeeded, in milliseconds. */
  latency_ms: Percentiles;
  /** How late timers fire, in milliseconds. */
  event_loop_lag_ms: Omit<Percentiles, "p90">;
  /** CPU use of this process over about the last second, in percent of one core. */
  cpu_percent: number;
  /** Resident memory of this process. */
  rss_bytes: number;
  /** Causes of failed attempts, most frequent first: at most 50, and "other". */
  errors: ErrorGroup[];
}

/** Turns a name such as `cost_usd` into `costUsd`. */
export type CamelCase<Name> = Name extends `${infer Head}_${infer Next}${infer Rest}`
  ? `${Head}${Uppercase<Next>}${CamelCase<Rest>}`
  : Name;

/** An event with camelCase names. Its snake_case names are deprecated and not enumerable. */
export type ResultOf<Event> = Event extends readonly (infer Item)[] ? ResultOf<Item>[]
  : Event extends object ?
      & { [Name in keyof Event as CamelCase<Name>]: ResultOf<Event[Name]> }
      & {
        readonly [
          /** @deprecated Use the camelCase name. */
          Name in keyof Event as Name extends `${string}_${string}` ? Name : never
        ]: ResultOf<Event[Name]>;
      }
  : Event;

/** The event `Summary` with camelCase names, such as `costUsd` and `failuresOnDisk`. */
export type RunSummary = ResultOf<Summary>;

/** The event `Snapshot` with camelCase names, such as `inFlight` and `etaS`. */
export type RunSnapshot = ResultOf<Snapshot>;

/** Fields whose keys are data, not names: failure types and actions. */
const RECORDS: ReadonlySet<string> = new Set(["wasted_by_reason", "actions"]);

/** The event from which each result was made. */
const events = new WeakMap<object, unknown>();

/** Returns the event with camelCase names; {@linkcode eventOf} returns the original event. */
export function resultOf<Event extends Summary | Snapshot>(event: Event): ResultOf<Event> {
  return withCamelNames(event) as ResultOf<Event>;
}

/** Returns the event from which a result was made. Returns any other value unchanged. */
export function eventOf(result: Summary | RunSummary): Summary;
export function eventOf(result: Snapshot | RunSnapshot): Snapshot;
export function eventOf(result: Summary | RunSummary | Snapshot | RunSnapshot): unknown {
  return events.get(result) ?? result;
}

function withCamelNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withCamelNames);
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const camelName = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    result[camelName] = RECORDS.has(name) ? field : withCamelNames(field);
    if (camelName !== name) Object.defineProperty(result, name, { value: result[camelName] });
  }
  events.set(result, value);
  return result;
}
