/**
 * Durations as percentiles, in fixed memory whatever the number of rows.
 *
 * @module
 */

import { createHistogram } from "node:perf_hooks";
import type { Percentiles } from "./events.ts";

/** `record` of the histogram takes whole numbers from 1, so durations are held in tenths of a
 * millisecond. */
const UNITS_PER_MS = 10;

/** A day; what took longer counts as a day. */
const HIGHEST_UNITS = 24 * 3600 * 1000 * UNITS_PER_MS;

/**
 * A distribution of durations: an HDR histogram (`node:perf_hooks`, native in Deno), about 200 KB
 * however many durations it holds.
 *
 * Rounding: a duration is held to a tenth of a millisecond, at least 0.1 ms. Above 200 ms values are
 * held to three digits, and a percentile, the largest value too, is the upper end of its bucket: it is
 * never below the true value, and at most 0.1 % above it. Negative durations and NaN count as 0.1 ms.
 */
export class DurationHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST_UNITS, figures: 3 });

  /** How many durations it holds. */
  get count(): number {
    return this.#histogram.count;
  }

  /** Adds one duration in milliseconds. */
  record(durationMs: number): void {
    const units = Math.round(durationMs * UNITS_PER_MS);
    this.#histogram.record(units >= 1 ? Math.min(units, HIGHEST_UNITS) : 1);
  }

  /** The percentiles in milliseconds, all 0 while nothing was recorded. */
  percentiles(): Percentiles {
    const histogram = this.#histogram;
    if (histogram.count === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
    return {
      p50: histogram.percentile(50) / UNITS_PER_MS,
      p90: histogram.percentile(90) / UNITS_PER_MS,
      p99: histogram.percentile(99) / UNITS_PER_MS,
      max: histogram.max / UNITS_PER_MS,
    };
  }
}
