/** State of the page of all runs: a row for each run or shard, and sums. @module */

import type { RunStatus, StatusError } from "../../lib/run/mod.ts";
import { sumOf } from "../../lib/figures.js";

export type FleetState =
  | "running"
  /** Paused by the user, backing off, or waiting for disk space. */
  | "paused"
  /** A shard that has not started. */
  | "waiting"
  /**
   * The counter `beat` in the status file has not grown for 3 checks, or the file cannot be read.
   */
  | "silent"
  /** The counter has not grown for 12 checks. */
  | "dead"
  | "done"
  | "halted"
  | "failed"
  /** Ended in any other way. */
  | "interrupted";

export interface FleetRow {
  readonly name: string;
  readonly state: FleetState;
  readonly reason: string | null;
  /** Rows times samples; estimated if a shard has not started. Null while unknown. */
  readonly total: number | null;
  /**
   * Answers that are finished, in this run or an earlier one, and answers that this run does not
   * request.
   */
  readonly done: number;
  /** Answers of this run that failed. */
  readonly failed: number;
  /** Attempts in flight; 0 unless the run is running or paused. */
  readonly in_flight: number;
  /** Rows per second; 0 unless the run is running or paused. */
  readonly rate_per_s: number;
  /** Seconds until the run ends; null if unknown, or if the run is neither running nor paused. */
  readonly eta_s: number | null;
  readonly cost_usd: number | null;
}

export interface FleetView {
  readonly name: string;
  /** Names of up to three models. */
  readonly model: string;
  readonly states: Readonly<Partial<Record<FleetState, number>>>;
  /** Number of runs, with the shards that have not started. */
  readonly runs: number;
  /** Sum of the totals of all runs; null while the total of any run is unknown. */
  readonly total: number | null;
  /** Sum of `done` over all runs. */
  readonly done: number;
  readonly failed: number;
  readonly in_flight: number;
  readonly rate_per_s: number;
  /**
   * Time until the last run ends: 0 if all runs are done; null if no run is running or paused, or
   * if the time of such a run is unknown.
   */
  readonly eta_s: number | null;
  /** The known costs of all runs together; null if none is known. */
  readonly cost_usd: number | null;
  /** Runs that have sent requests, and whose cost is unknown and not part of `cost_usd`. */
  readonly runs_of_unknown_cost: number;
  /** Errors of all runs, most frequent first. */
  readonly errors: readonly StatusError[];
  /**
   * Number of teachers in each state, of runs that have not ended. A teacher of several runs is
   * counted once in each state. With several runs, the number is a lower bound if one of them has
   * more than 16 teachers.
   */
  readonly teachers: Readonly<Record<string, number>>;
  readonly rows: readonly FleetRow[];
  /** Number of runs that are not among `rows`. */
  readonly more: number;
}

/** Checks without a new beat after which a run is shown as silent. */
const SILENT_CHECKS = 3;
/** Checks without a new beat after which a run is shown as dead. */
export const DEAD_CHECKS = 12;
const MAX_ERRORS = 12;
const MAX_MODELS = 3;

export interface FoundRun {
  /** Size, modification time and inode of the status file. An unchanged file is not read again. */
  readonly stamp: string;
  readonly status: RunStatus;
  /** Consecutive checks that found no new beat. */
  checksWithoutBeat: number;
}

/** Returns what the page shows, with rows in order of urgency, then of name. */
export function fleetView(
  name: string,
  runs: readonly FoundRun[],
  rowsWithoutStatus: readonly FleetRow[],
  maxRows: number,
): FleetView {
  const rows = [...runs.map(rowOf), ...rowsWithoutStatus];
  const urgency = urgencyAmong(rows);
  rows.sort((a, b) => urgency(a) - urgency(b) || (a.name < b.name ? -1 : 1));
  const states: Partial<Record<FleetState, number>> = {};
  for (const { state } of rows) states[state] = (states[state] ?? 0) + 1;
  const statuses = runs.map(({ status }) => status);
  const total = rows.some((row) => row.total === null)
    ? null
    : sumOf(rows, (row) => row.total ?? 0);
  const done = sumOf(rows, (row) => row.done), rate = sumOf(rows, (row) => row.rate_per_s);
  const costs = statuses.flatMap((status) => costOf(status) ?? []);
  const models = [...new Set(statuses.map(({ model }) => model))].filter((model) => model !== "");
  return {
    name,
    model: models.slice(0, MAX_MODELS).join(", "),
    states,
    runs: rows.length,
    total,
    done,
    failed: sumOf(rows, (row) => row.failed),
    in_flight: sumOf(rows, (row) => row.in_flight),
    rate_per_s: rate,
    eta_s: etaOf(rows, total, done, rate),
    cost_usd: costs.length === 0 ? null : sumOf(costs, (cost) => cost),
    runs_of_unknown_cost: statuses
      .filter((status) => status.attempts > 0 && costOf(status) === null).length,
    errors: errorsOf(statuses),
    teachers: teachersOf(statuses.filter(({ ended }) => !ended)),
    rows: rows.slice(0, maxRows),
    more: Math.max(0, rows.length - maxRows),
  };
}

function rowOf({ status, checksWithoutBeat }: FoundRun): FleetRow {
  const { name, reason, total, skipped, succeeded, failed } = status;
  const state = stateOf(status, checksWithoutBeat);
  const isActive = state === "running" || state === "paused";
  return {
    ...{ name, state, reason, total, done: skipped + succeeded + failed, failed },
    in_flight: isActive ? status.in_flight : 0,
    rate_per_s: isActive ? status.rate_per_s : 0,
    eta_s: isActive ? status.eta_s : null,
    cost_usd: costOf(status),
  };
}

function costOf({ spent_usd, cost_usd }: RunStatus): number | null {
  return spent_usd ?? cost_usd;
}

function stateOf({ ended, state }: RunStatus, checksWithoutBeat: number): FleetState {
  if (ended) {
    return state === "done" || state === "halted" || state === "failed" ? state : "interrupted";
  }
  if (checksWithoutBeat >= DEAD_CHECKS) return "dead";
  if (checksWithoutBeat >= SILENT_CHECKS) return "silent";
  return state === "paused" || state === "disk_full" || state === "backing_off"
    ? "paused"
    : "running";
}

/** The order of the states on the page. Rows with lower numbers come first. */
const URGENCY: Readonly<Record<FleetState, number>> = {
  dead: 0,
  silent: 1,
  halted: 2,
  failed: 2,
  paused: 3,
  running: 5,
  interrupted: 6,
  waiting: 7,
  done: 8,
};

const STRAGGLER_URGENCY = 4;

/**
 * Returns a function that rates the urgency of a row. A straggler has less than half of the
 * median rate, or over twice the median time left. Sorting by these figures themselves would
 * reorder the rows at each check.
 */
function urgencyAmong(rows: readonly FleetRow[]): (row: FleetRow) => number {
  const running = rows.filter(({ state }) => state === "running");
  const minRate = medianOf(running.map(({ rate_per_s }) => rate_per_s)) / 2;
  // The estimates of runs that have just begun are unknown.
  const maxEtaS = medianOf(running.flatMap(({ eta_s }) => eta_s ?? [])) * 2;
  return ({ state, rate_per_s, eta_s }) =>
    state === "running" && (rate_per_s < minRate || (eta_s ?? 0) > maxEtaS)
      ? STRAGGLER_URGENCY
      : URGENCY[state];
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/**
 * Returns the longer of two times: until the slowest run ends, and until all answers are finished
 * at the current total rate. The second covers shards that have not started: these have no estimate
 * of their own.
 */
function etaOf(
  rows: readonly FleetRow[],
  total: number | null,
  done: number,
  rate: number,
): number | null {
  if (rows.length > 0 && rows.every(({ state }) => state === "done")) return 0;
  const active = rows.filter(({ state }) => state === "running" || state === "paused");
  if (active.length === 0 || active.some(({ eta_s }) => eta_s === null)) return null;
  const slowest = Math.max(...active.map(({ eta_s }) => eta_s ?? 0));
  const allAnswersS = total === null || rate === 0 ? 0 : (total - done) / rate;
  return Math.max(slowest, allAnswersS);
}

function errorsOf(statuses: readonly RunStatus[]): StatusError[] {
  const all = statuses.flatMap(({ errors }) => errors);
  const groups = Map.groupBy(all, ({ type, status }) => `${type} ${status}`).values();
  return [...groups.map((group) => ({ ...group[0], count: sumOf(group, ({ count }) => count) }))]
    .sort((a, b) => b.count - a.count).slice(0, MAX_ERRORS);
}

/**
 * Returns the number of teachers in each state, which is the larger of two numbers: distinct
 * addresses named by any run, and the highest count of a single run. A status names at most 16
 * teachers.
 */
function teachersOf(statuses: readonly RunStatus[]): Record<string, number> {
  const addressesOf = new Map<string, Set<string>>(), counts = new Map<string, number>();
  for (const { teachers, teacher_states = {} } of statuses) {
    for (const { address, state } of teachers) {
      if (!addressesOf.has(state)) addressesOf.set(state, new Set());
      addressesOf.get(state)!.add(address);
    }
    for (const [state, count] of Object.entries(teacher_states)) {
      counts.set(state, Math.max(count, counts.get(state) ?? 0));
    }
  }
  for (const [state, addresses] of addressesOf) {
    counts.set(state, Math.max(addresses.size, counts.get(state) ?? 0));
  }
  return Object.fromEntries(counts);
}
