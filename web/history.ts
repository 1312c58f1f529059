/**
 * The history of the whole run in a bounded number of points, so that a page that is opened late
 * shows all of it.
 *
 * @module
 */

import {
  type History as WireHistory,
  HISTORY_COLUMNS,
  type HistoryColumn,
} from "./monitor_state.ts";

export const MAX_POINTS = 1_000;

/** Duration of a point at first: pages get snapshots at this interval. */
const INITIAL_POINT_S = 0.5;

/** Figures of the run at one moment. */
export interface Reading {
  /** Time since the run could send its first row. */
  readonly elapsedS: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly completionTokens: number;
  readonly throttled: number;
  /** Latencies of the last 30 s, in milliseconds. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly inFlight: number;
  readonly limit: number;
  readonly concurrency: number;
  readonly cpuPercent: number;
  readonly lagMs: number;
  readonly rssBytes: number;
}

/** Gauges whose mean a point keeps. */
const MEANS = ["p50", "p90", "p99", "inFlight", "limit", "cpuPercent"] as const;

/** A period of the run. Counters and concurrency are those at the end of the period. */
interface Point {
  /** Index on the time axis, in units of `#pointS`. */
  slot: number;
  elapsedS: number;
  succeeded: number;
  failed: number;
  completionTokens: number;
  throttled: number;
  concurrency: number;
  /** Maximum of the readings. */
  lagMs: number;
  /** Maximum of the readings. */
  rssBytes: number;
  /** Sums of the readings of each gauge in `MEANS`; `counts` has their number. */
  sums: number[];
  counts: number[];
}

/**
 * The points of all runs of a process. When there are too many, neighbors are merged, and the
 * duration of a point doubles. Rates stay exact, because they are differences of counters.
 */
export class History {
  readonly #maxPoints: number;
  #points: Point[] = [];
  #pointS = INITIAL_POINT_S;
  #mergeCount = 0;
  /** Last point of the previous run, if any. The current run's counts and times are added to it. */
  #base: Point | undefined;

  /** @param maxPoints At least 2. */
  constructor(maxPoints: number = MAX_POINTS) {
    this.#maxPoints = maxPoints;
  }

  get length(): number {
    return this.#points.length;
  }

  /** Number of merges. After each, pages need all points again. */
  get mergeCount(): number {
    return this.#mergeCount;
  }

  /** Converts a time of the current run to the axis of all runs. */
  axisS(elapsedS: number): number {
    return elapsedS + (this.#base?.elapsedS ?? 0);
  }

  /** Makes the last point the base of the next run, whose counters and clock start at 0. */
  beginNextRun(): void {
    const last = this.#points.at(-1);
    // A copy: the first reading of the next run may still be merged into the last point.
    this.#base = last === undefined ? undefined : { ...last };
  }

  /** Adds a reading, unless it is older than the last. */
  add(reading: Reading): void {
    const point = pointOf(reading, this.#base);
    const last = this.#points.at(-1);
    if (last !== undefined && point.elapsedS < last.elapsedS) return;
    point.slot = Math.floor(point.elapsedS / this.#pointS);
    if (last?.slot === point.slot) merge(last, point);
    else this.#points.push(point);
    while (this.#points.length > this.#maxPoints) this.#mergeNeighbors();
  }

  /** Returns the values of a point in the order of `HISTORY_COLUMNS`. */
  valuesAt(index: number): (number | null)[] {
    const point = this.#points[index];
    const before = this.#points[index - 1];
    const seconds = point.elapsedS - (before?.elapsedS ?? 0);
    const increase = (name: "succeeded" | "failed" | "completionTokens" | "throttled") =>
      point[name] - (before?.[name] ?? 0);
    const perSecond = (amount: number) => seconds > 0 ? amount / seconds : 0;
    const [p50, p90, p99, inFlight, limit, cpuPercent] = point.sums.map((sum, i) =>
      point.counts[i] === 0 ? null : sum / point.counts[i]
    );
    const values: Record<HistoryColumn, number | null> = {
      elapsed_s: point.elapsedS,
      succeeded_per_s: perSecond(increase("succeeded")),
      failed_per_s: perSecond(increase("failed")),
      p50_ms: p50,
      p90_ms: p90,
      p99_ms: p99,
      tokens_per_s: perSecond(increase("completionTokens")),
      in_flight: inFlight,
      limit,
      concurrency: point.concurrency,
      refused_for_load: increase("throttled"),
      lag_ms: point.lagMs,
      cpu_percent: cpuPercent,
      rss_bytes: point.rssBytes,
    };
    return HISTORY_COLUMNS.map((name) =>
      name === "elapsed_s" ? toTenths(values[name]) : toFourDigits(values[name])
    );
  }

  columns(): WireHistory {
    const rows = this.#points.map((_, index) => this.valuesAt(index));
    const columns = Object.fromEntries(
      HISTORY_COLUMNS.map((name, column) => [name, rows.map((row) => row[column])]),
    ) as WireHistory["columns"];
    return { point_s: this.#pointS, columns };
  }

  #mergeNeighbors(): void {
    this.#pointS *= 2;
    this.#mergeCount++;
    const merged: Point[] = [];
    for (const point of this.#points) {
      point.slot = Math.floor(point.elapsedS / this.#pointS);
      const last = merged.at(-1);
      if (last?.slot === point.slot) merge(last, point);
      else merged.push(point);
    }
    this.#points = merged;
  }
}

function pointOf(reading: Reading, base: Point | undefined): Point {
  const values = MEANS.map((name) => reading[name]);
  return {
    slot: 0,
    elapsedS: reading.elapsedS + (base?.elapsedS ?? 0),
    succeeded: reading.succeeded + (base?.succeeded ?? 0),
    failed: reading.failed + (base?.failed ?? 0),
    completionTokens: reading.completionTokens + (base?.completionTokens ?? 0),
    throttled: reading.throttled + (base?.throttled ?? 0),
    concurrency: reading.concurrency,
    lagMs: reading.lagMs,
    rssBytes: reading.rssBytes,
    sums: values.map((value) => value ?? 0),
    counts: values.map((value) => value === null ? 0 : 1),
  };
}

function merge(into: Point, later: Point): void {
  Object.assign(into, {
    ...later,
    lagMs: Math.max(into.lagMs, later.lagMs),
    rssBytes: Math.max(into.rssBytes, later.rssBytes),
    sums: into.sums.map((sum, i) => sum + later.sums[i]),
    counts: into.counts.map((count, i) => count + later.counts[i]),
  });
}

/** Rounds to four digits, more than a chart can show. */
function toFourDigits(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}

function toTenths(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
