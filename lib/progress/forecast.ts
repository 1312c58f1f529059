/**
 * Calculates the rates of a run, and projects its end and its cost, from samples of its counters.
 *
 * A projection is a lower bound at first, and an estimate once enough rows have finished. When
 * nothing finishes for a while, it is a bound again. A figure that alternates between the two is
 * hard to read, so the last estimate is kept, raised to the bound if necessary, with a wider range.
 *
 * @module
 */

import type { RowFigures } from "../row.ts";
import { RateMeter } from "../timer.ts";
import type { Counters } from "./counters.ts";
import type { Gauges } from "./progress_options.ts";
import { type Estimate, Projection } from "./projection.ts";

export type Counts = Pick<Counters, "settled" | "completionTokens">;

/** All times are in milliseconds of one monotonic clock. */
export class Forecast {
  readonly #projection: Projection;
  readonly #spread = new RateSpread();
  readonly #startMs: number;
  #rowRate: RateMeter;
  #tokenRate: RateMeter;
  #settled = 0;
  #completionTokens = 0;
  #observedMs: number;
  /** How long the run was paused or a disk was full. */
  #suspendedMs = 0;
  #isSuspended = false;
  #time: ShownEstimate = NO_ESTIMATE;
  #cost: ShownEstimate = NO_ESTIMATE;

  /** @param rows The rows to send; null if unknown. */
  constructor(concurrency: number, rows: number | null, nowMs: number) {
    this.#projection = new Projection(concurrency, rows, nowMs);
    this.#rowRate = new RateMeter(nowMs, METER);
    this.#tokenRate = new RateMeter(nowMs, METER);
    this.#startMs = this.#observedMs = nowMs;
  }

  settled({ sequence, busyMs, costUsd }: RowFigures): void {
    this.#projection.settled(sequence, busyMs, costUsd);
  }

  /** Called several times a second. */
  observe(nowMs: number, gauges: Gauges, counts: Counts): void {
    if (isSuspended(gauges) !== this.#isSuspended) {
      // A rate over both a pause and the time before it would describe neither.
      this.#rowRate = new RateMeter(nowMs, METER);
      this.#tokenRate = new RateMeter(nowMs, METER);
    } else {
      this.#rowRate.add(nowMs, counts.settled - this.#settled);
      this.#tokenRate.add(nowMs, counts.completionTokens - this.#completionTokens);
    }
    this.#isSuspended = isSuspended(gauges);
    this.#settled = counts.settled;
    this.#completionTokens = counts.completionTokens;
    this.#projection.observe(nowMs, gauges.inFlight, gauges.waiting);
    if (this.#isSuspended) this.#suspendedMs += nowMs - this.#observedMs;
    else this.#spread.observe(nowMs - this.#startMs - this.#suspendedMs, counts.settled);
    this.#observedMs = nowMs;
  }

  /** Returns the rates and the projections of a snapshot. */
  view(gauges: Gauges, rows: number | null) {
    const nowMs = this.#observedMs;
    // While the run is paused or the disk is full, the time left stays the same.
    if (rows !== null && !this.#isSuspended) this.#projectTime(rows, gauges);
    this.#cost = rows === null || gauges.costUsd === null
      ? NO_ESTIMATE
      : nextEstimate(this.#cost, this.#projection.projectCost(rows, gauges.costUsd));
    // While the run is paused or the disk is full, and nothing is in flight, the rate is 0.
    const isIdle = this.#isSuspended && gauges.inFlight === 0;
    const rateOf = (rate: RateMeter) => isIdle ? 0 : rate.perSecond(nowMs);
    return {
      rate_per_s: rateOf(this.#rowRate),
      tokens_per_s: rateOf(this.#tokenRate),
      eta_s: this.#time.value,
      eta_is_lower_bound: this.#time.isLowerBound,
      eta_range_s: copyOf(this.#time.range),
      projected_cost_usd: this.#cost.value,
      projected_cost_is_lower_bound: this.#cost.isLowerBound,
      projected_cost_range_usd: copyOf(this.#cost.range),
    };
  }

  #projectTime(rows: number, { concurrency, maxPerSecond }: Gauges): void {
    const nowMs = this.#observedMs;
    const projected = this.#projection.project({
      rows,
      concurrency,
      maxPerSecond,
      recentRows: this.#rowRate.sum(nowMs),
      recentRate: this.#rowRate.perSecond(nowMs),
      elapsedMs: nowMs - this.#startMs - this.#suspendedMs,
      spread: this.#spread.factors(),
    });
    this.#time = nextEstimate(this.#time, projected);
  }
}

function copyOf(range: readonly [number, number] | null): [number, number] | null {
  return range === null ? null : [...range];
}

function isSuspended({ state }: Gauges): boolean {
  return state === "paused" || state === "disk_full";
}

const METER = { slotMs: 1_000, windowMs: 30_000, minSpanMs: 0 };

/** The interval between two records of the number of finished rows. */
const MARK_MS = 10_000;
/** The marks of the last five minutes, including those at both ends. */
const MAX_MARKS = 31;

/** The length of the windows whose rates are compared; at most a third of the recorded time. */
const SPREAD_WINDOW_MS = 60_000;

const MIN_SPREAD = 0.05;

/** The factors of a range are limited to this and its reciprocal: a wider range would be
 * useless. */
const MAX_SPREAD = 4;

/** While nothing finishes, the last estimate is kept. Its range ends at this multiple of the
 * estimate. */
const KEPT_RANGE_FACTOR = 2;

/** A lower bound, which is shown until there is an estimate, has no range. */
type ShownEstimate = Omit<Estimate, "range"> & { readonly range: Estimate["range"] | null };

const NO_ESTIMATE: ShownEstimate = { value: null, isLowerBound: true, range: null };

function nextEstimate(last: ShownEstimate, projected: Estimate): ShownEstimate {
  const { value, isLowerBound, range } = projected;
  if (value !== null && !isLowerBound) return projected;
  if (last.range === null || last.value === null) return { value, isLowerBound: true, range: null };
  const raised = Math.max(last.value, value ?? 0);
  return { value: raised, isLowerBound: false, range: [range[0], raised * KEPT_RANGE_FACTOR] };
}

/** How much the rate has varied in the last five minutes. */
class RateSpread {
  readonly #marks: { ms: number; count: number }[] = [];
  #last: { ms: number; count: number } = { ms: 0, count: 0 };

  /** @param ms The time since the start, excluding pauses and the time when the disk was full. */
  observe(ms: number, count: number): void {
    this.#last = { ms, count };
    const mark = this.#marks.at(-1);
    if (mark !== undefined && ms - mark.ms < MARK_MS) return;
    this.#marks.push(this.#last);
    if (this.#marks.length > MAX_MARKS) this.#marks.shift();
  }

  /** Returns the lowest and the highest rate of a window relative to the mean rate, such as
   * `[0.8, 1.3]`. The fewer rows have finished, the wider the range. */
  factors(): readonly [slow: number, fast: number] {
    const marks = [...this.#marks, this.#last];
    const spanMs = this.#last.ms - marks[0].ms;
    const rows = this.#last.count - marks[0].count;
    if (spanMs <= 0 || rows <= 0) return [1 / MAX_SPREAD, MAX_SPREAD];
    let slow = 1, fast = 1;
    const windowMs = Math.min(SPREAD_WINDOW_MS, spanMs / 3);
    for (let from = 0, to = 0; to < marks.length; from++) {
      while (to < marks.length && marks[to].ms - marks[from].ms < windowMs) to++;
      if (to === marks.length) break;
      const relativeRate = (marks[to].count - marks[from].count) / rows /
        ((marks[to].ms - marks[from].ms) / spanMs);
      slow = Math.min(slow, relativeRate);
      fast = Math.max(fast, relativeRate);
    }
    const noise = Math.max(MIN_SPREAD, 1 / Math.sqrt(rows));
    return [
      Math.max(1 / MAX_SPREAD, Math.min(slow, 1 - noise)),
      Math.min(MAX_SPREAD, Math.max(fast, 1 + noise)),
    ];
  }
}
