/**
 * The counters behind snapshots and the summary: rows, attempts, tokens, and how long attempts took.
 *
 * @module
 */

import { createHistogram } from "node:perf_hooks";
import type { RowFigures } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import type { FailedAttempt } from "./error_groups.ts";
import type { Percentiles } from "./snapshot.ts";

/** Counts rows, attempts and tokens. Adding costs a few increments and no allocation. */
export class Counters {
  /**
   * Attempts made; those that have neither succeeded nor failed are in flight, or were given up.
   */
  attempts = 0;
  /** Attempts whose answer was kept. */
  succeededAttempts = 0;
  /** Attempts that failed, or whose answer was not kept. */
  failedAttempts = 0;
  /** Failed attempts that the teacher throttled. */
  refusedForLoad = 0;
  /** Rows whose result is on disk. */
  succeeded = 0;
  /** Rows whose failure is on disk. */
  failed = 0;
  /** Attempts beyond the first, of the rows above. */
  retries = 0;
  /** Prompt tokens that were paid for. */
  promptTokens = 0;
  /** Completion tokens that were paid for. */
  completionTokens = 0;
  /** Latency of the attempts that succeeded. */
  readonly latency = new DurationHistogram();
  /** Completion tokens of answers that were not kept, by failure type. */
  readonly #wasted = new Map<string, number>();

  /** Rows that have finished, answered or failed. */
  get settled(): number {
    return this.succeeded + this.failed;
  }

  /** Completion tokens of answers that were not kept. */
  get wastedCompletionTokens(): number {
    let sum = 0;
    for (const tokens of this.#wasted.values()) sum += tokens;
    return sum;
  }

  /** The same by failure type; types that wasted none are left out. */
  wastedByReason(): Record<string, number> {
    return Object.fromEntries(this.#wasted);
  }

  /** Adds an attempt whose answer is kept. */
  addAnswer(completion: Completion): void {
    this.succeededAttempts++;
    this.#addTokens(completion);
  }

  /** Adds an attempt that failed; its cost still counts. */
  addFailedAttempt({ failure, isLoad, completion }: FailedAttempt): void {
    this.failedAttempts++;
    if (isLoad) this.refusedForLoad++;
    if (completion === undefined) return;
    this.#addTokens(completion);
    const wasted = completion.usage?.completionTokens ?? 0;
    if (wasted > 0) this.#wasted.set(failure.type, (this.#wasted.get(failure.type) ?? 0) + wasted);
  }

  /** Adds a finished row. */
  addRow({ attempts, failure, latencyMs }: RowFigures): void {
    if (attempts > 1) this.retries += attempts - 1;
    if (failure === undefined) {
      this.succeeded++;
      this.latency.record(latencyMs);
    } else {
      this.failed++;
    }
  }

  #addTokens({ usage }: Completion): void {
    if (!usage) return;
    this.promptTokens += usage.promptTokens;
    this.completionTokens += usage.completionTokens;
  }
}

/** `record` of the histogram takes whole numbers from 1, so durations are held in tenths of a
 * millisecond. */
const UNITS_PER_MS = 10;

/** A day; longer durations count as a day. */
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
