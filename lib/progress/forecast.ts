/**
 * How fast a run is and when it will end, from samples of its counters a few times a second.
 *
 * @module
 */

import type { Outcome } from "../row.ts";
import type { Snapshot } from "./events.ts";
import type { Gauges } from "./progress_options.ts";
import { type ProjectedTime, Projection, UNKNOWN_COST, UNKNOWN_TIME } from "./projection.ts";

/** The part of a snapshot that is forecast. */
export type ForecastView = Pick<
  Snapshot,
  | "rate_per_s"
  | "tokens_per_s"
  | "eta_s"
  | "eta_is_lower_bound"
  | "projected_cost_usd"
  | "projected_cost_is_lower_bound"
>;

/** What is counted up to a look. */
export interface Counted {
  /** Rows that are done. */
  readonly settled: number;
  /** Completion tokens that were paid for. */
  readonly completionTokens: number;
}

/** Rates over the last 30 s, the time left and the cost of the whole run. */
export class Forecast {
  readonly #projection: Projection;
  readonly #rowRate: RateWindow;
  readonly #tokenRate: RateWindow;
  readonly #startMs: number;
  #settled = 0;
  #completionTokens = 0;
  #observedMs: number;
  #heldMs = 0;
  #left: ProjectedTime = UNKNOWN_TIME;

  /**
   * @param concurrency The number of lanes at the start.
   * @param rows The rows to do, or null where they are not known.
   * @param nowMs When the first row can be sent.
   */
  constructor(concurrency: number, rows: number | null, nowMs: number) {
    this.#projection = new Projection(concurrency, rows, nowMs);
    this.#rowRate = new RateWindow(nowMs);
    this.#tokenRate = new RateWindow(nowMs);
    this.#startMs = this.#observedMs = nowMs;
  }

  /** A row has finished. */
  settled({ sequence, busyMs, costUsd }: Outcome): void {
    this.#projection.settled(sequence, busyMs, costUsd);
  }

  /** Takes what can only be known by looking often: rates, and the time of the lanes. */
  observe(nowMs: number, gauges: Gauges, counted: Counted): void {
    this.#rowRate.add(nowMs, counted.settled - this.#settled);
    this.#tokenRate.add(nowMs, counted.completionTokens - this.#completionTokens);
    this.#settled = counted.settled;
    this.#completionTokens = counted.completionTokens;
    this.#projection.observe(nowMs, gauges.inFlight, gauges.waiting);
    if (isHeld(gauges)) this.#heldMs += nowMs - this.#observedMs;
    this.#observedMs = nowMs;
  }

  /** What comes of the last look, for a run of `rows` rows; null where they are not known. */
  view(gauges: Gauges, rows: number | null): ForecastView {
    const nowMs = this.#observedMs;
    const { concurrency, costUsd } = gauges;
    // While nobody lets it go on, the time left stays as it was.
    if (rows !== null && !isHeld(gauges)) {
      this.#left = this.#projection.project({
        rows,
        concurrency,
        recentRows: this.#rowRate.sum,
        recentRate: this.#rowRate.perSecond(nowMs),
        elapsedMs: nowMs - this.#startMs - this.#heldMs,
      });
    }
    const cost = rows === null || costUsd === null
      ? UNKNOWN_COST
      : this.#projection.projectCost(rows, costUsd);
    return {
      rate_per_s: this.#rowRate.perSecond(nowMs),
      tokens_per_s: this.#tokenRate.perSecond(nowMs),
      eta_s: this.#left.seconds,
      eta_is_lower_bound: this.#left.isLowerBound,
      projected_cost_usd: cost.usd,
      projected_cost_is_lower_bound: cost.isLowerBound,
    };
  }
}

function isHeld({ state }: Gauges): boolean {
  return state === "paused" || state === "disk_full";
}

const WINDOW_S = 30;

/** Counts by the second over the last 30 s. */
export class RateWindow {
  /** The counts of the last 30 whole seconds and the one under way. */
  readonly #counts = new Float64Array(WINDOW_S + 1);
  readonly #startMs: number;
  #second = 0;
  #sum = 0;

  /** Starts to count at `startMs` of a clock that never goes back. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** What was counted in the window, at the time of the last call. */
  get sum(): number {
    return this.#sum;
  }

  /** Adds `count` that came by `nowMs`. */
  add(nowMs: number, count: number): void {
    this.#advance(nowMs);
    this.#counts[this.#second % this.#counts.length] += count;
    this.#sum += count;
  }

  /** How many a second over the last 30 s, or over the whole time while that is less. */
  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const elapsedS = (nowMs - this.#startMs) / 1000;
    const spanS = Math.min(elapsedS, WINDOW_S + elapsedS % 1);
    return spanS > 0 ? this.#sum / spanS : 0;
  }

  #advance(nowMs: number): void {
    const counts = this.#counts;
    const second = Math.floor((nowMs - this.#startMs) / 1000);
    const first = Math.max(this.#second + 1, second - counts.length + 1);
    for (let due = first; due <= second; due++) {
      this.#sum -= counts[due % counts.length];
      counts[due % counts.length] = 0;
    }
    this.#second = Math.max(this.#second, second);
  }
}
