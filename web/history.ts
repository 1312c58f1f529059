/**
 * What the charts show: marks of events, and the history of the whole run in a bounded number of
 * points. A page that is opened late gets all of them.
 *
 * @module
 */

import type { Notice, Snapshot } from "../lib/progress/mod.ts";
import { cut } from "../lib/printable.ts";
import type { WindowPercentiles } from "./latency.ts";
import {
  type ChartMark,
  type History as WireHistory,
  HISTORY_COLUMNS,
  type HistoryColumn,
} from "./monitor_state.ts";

export const MAX_POINTS = 1_000;

/** Initial duration of a point. Pages get snapshots at this interval. */
const INITIAL_POINT_S = 0.5;

/** Counters of a snapshot, which begin at 0 with each run. */
const COUNTERS = ["succeeded", "failed", "completion_tokens", "refused_for_load"] as const;

/** Gauges whose mean a point keeps. */
const MEANS = ["p50", "p90", "p99", "in_flight", "limit", "cpu_percent"] as const;

type Counts = Record<typeof COUNTERS[number], number>;

/** Figures of the run at one moment: its snapshot, and what the monitor measures. */
export interface Reading extends Counts, WindowPercentiles {
  /** Time since the run could send its first row. */
  readonly elapsed_ms: number;
  readonly in_flight: number;
  readonly limit: number;
  readonly concurrency: number;
  readonly cpu_percent: number;
  readonly lag_ms: number;
  readonly rss_bytes: number;
}

/**
 * A period of the run. Counters and concurrency are the values at its end; `lag_ms` and `rss_bytes`
 * are the maximums of its readings.
 */
interface Point extends Counts {
  /** Index on the time axis, in units of `#pointS`. */
  slot: number;
  elapsedS: number;
  concurrency: number;
  lag_ms: number;
  rss_bytes: number;
  /** For each gauge in `MEANS`, the sum of its readings. */
  sums: number[];
  /** For each gauge in `MEANS`, the number of readings that are not null. */
  counts: number[];
}

/**
 * The points of all runs of a generator. When there are too many, neighbors are merged, and the
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
    // This is a copy, because the first reading of the next run may still be merged into the last
    // point.
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
    const increase = (name: keyof Counts) => point[name] - (before?.[name] ?? 0);
    const perSecond = (name: keyof Counts) => seconds > 0 ? increase(name) / seconds : 0;
    const [p50_ms, p90_ms, p99_ms, in_flight, limit, cpu_percent] = point.sums.map((sum, i) =>
      point.counts[i] === 0 ? null : sum / point.counts[i]
    );
    const { concurrency, lag_ms, rss_bytes } = point;
    const values: Record<HistoryColumn, number | null> = {
      elapsed_s: point.elapsedS,
      succeeded_per_s: perSecond("succeeded"),
      failed_per_s: perSecond("failed"),
      tokens_per_s: perSecond("completion_tokens"),
      refused_for_load: increase("refused_for_load"),
      ...{ p50_ms, p90_ms, p99_ms, in_flight, limit, concurrency },
      ...{ lag_ms, cpu_percent, rss_bytes },
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
  const counters = COUNTERS.map((name) => [name, reading[name] + (base?.[name] ?? 0)]);
  const { concurrency, lag_ms, rss_bytes } = reading;
  return {
    ...Object.fromEntries(counters) as Counts,
    ...{ slot: 0, concurrency, lag_ms, rss_bytes },
    elapsedS: reading.elapsed_ms / 1000 + (base?.elapsedS ?? 0),
    sums: values.map((value) => value ?? 0),
    counts: values.map((value) => value === null ? 0 : 1),
  };
}

function merge(into: Point, later: Point): void {
  Object.assign(into, {
    ...later,
    lag_ms: Math.max(into.lag_ms, later.lag_ms),
    rss_bytes: Math.max(into.rss_bytes, later.rss_bytes),
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

const MAX_MARKS = 60;

/** Longest text of a mark, in UTF-16 units. */
const MAX_MARK_TEXT = 80;

/** Minimum number of throttled attempts between two snapshots that adds a mark. */
const BURST = 5;

/**
 * An event adds no mark if the same thing happened to the same teacher this recently: a teacher may
 * go up and down often.
 */
const QUIET_S = 30;

/** A pause this soon after a control is probably its effect, and adds no mark. */
const CONTROL_EFFECT_S = 5;

const FROM_MONITOR = / \(from the monitor\)$/;

/**
 * Events on the time axis of the charts: pauses, failed writes, bursts of throttled attempts,
 * teachers that went down, were halted or came back, and controls that were used.
 */
export class Marks {
  #marks: ChartMark[] = [];
  #previous: Snapshot | undefined;
  /** When each event last happened, by kind and teacher, in seconds on the time axis. */
  readonly #lastS = new Map<string, number>();

  get all(): readonly ChartMark[] {
    return this.#marks;
  }

  /**
   * Adds marks of what has changed since the previous snapshot, and returns them.
   *
   * @param atS position of the snapshot on the time axis, in seconds
   */
  observe(snapshot: Snapshot, atS: number): ChartMark[] {
    const previous = this.#previous;
    this.#previous = snapshot;
    if (previous === undefined) return [];
    const marks: ChartMark[] = [];
    const add = (kind: ChartMark["kind"], key: string, text: string) => {
      if (atS - (this.#lastS.get(key) ?? -Infinity) >= QUIET_S) {
        marks.push({ at_s: atS, kind, text });
      }
      this.#lastS.set(key, atS);
      // Deletes old keys, which would accumulate in a long run whose teachers come and go.
      for (const [old, lastS] of this.#lastS) if (atS - lastS >= QUIET_S) this.#lastS.delete(old);
    };
    if (snapshot.state !== previous.state) {
      if (snapshot.state === "paused" && !this.#followsControl(atS)) {
        add("hold", "paused", "Paused");
      }
      if (snapshot.state === "disk_full") add("hold", "disk", "Cannot write");
    }
    if (snapshot.refused_for_load - previous.refused_for_load >= BURST) {
      add("throttled", "429", "Throttled");
    }
    const oldStates = new Map(
      previous.teachers.map(({ address, model, state }) => [`${address} ${model}`, state]),
    );
    for (const { address, model, state } of snapshot.teachers) {
      const oldState = oldStates.get(`${address} ${model}`);
      if (oldState === undefined || oldState === state) continue;
      const isLost = state === "down" || state === "halted";
      // A teacher that cools down has answered again, but one that is leaving may still be down.
      const isBack = oldState === "down" && (state === "up" || state === "cooling_down");
      if (isLost) add("down", `${address} ${model}`, `${hostOf(address)} ${state}`);
      else if (isBack) add("up", `${address} ${model} up`, `${hostOf(address)} up`);
    }
    return this.#record(marks);
  }

  /** Adds a mark if the notice says that a control was used (see `useControl`). */
  observeNotice({ message }: Notice, atS: number): ChartMark[] {
    if (!FROM_MONITOR.test(message)) return [];
    return this.#record([{ at_s: atS, kind: "control", text: message.replace(FROM_MONITOR, "") }]);
  }

  /** Prepares for the next run, whose counters start at 0. */
  restart(): void {
    this.#previous = undefined;
  }

  #followsControl(atS: number): boolean {
    const last = this.#marks.at(-1);
    return last?.kind === "control" && atS - last.at_s < CONTROL_EFFECT_S;
  }

  #record(marks: readonly ChartMark[]): ChartMark[] {
    const short = marks.map((mark) => ({
      ...mark,
      at_s: Math.round(mark.at_s * 10) / 10,
      text: cut(mark.text, MAX_MARK_TEXT),
    }));
    this.#marks = [...this.#marks, ...short].slice(-MAX_MARKS);
    return short;
  }
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}
