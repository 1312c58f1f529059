/**
 * Counts rows, attempts, tokens and latencies for snapshots and the summary, and teachers by state.
 *
 * @module
 */

import { createHistogram } from "node:perf_hooks";
import type { RowFigures } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import type { Summary } from "./events.ts";
import type { FailedAttempt } from "./error_groups.ts";
import type { Percentiles, TeacherStatus } from "./snapshot.ts";

/** The counters of a run. Adding costs a few increments and no allocation. */
export class Counters {
  /** Attempts started. Those that neither succeeded nor failed are in flight or were aborted. */
  attempts = 0;
  /** Attempts whose answer was kept. */
  succeededAttempts = 0;
  /** Attempts that failed, or whose answer was rejected. */
  failedAttempts = 0;
  /** Failed attempts that the teacher throttled. */
  throttledAttempts = 0;
  /** Rows whose result is on disk. */
  succeeded = 0;
  /** Rows whose failure is on disk. */
  failed = 0;
  /** Attempts beyond the first, of finished rows. */
  retries = 0;
  /** Prompt tokens paid for, those of failed attempts included. */
  promptTokens = 0;
  /** Completion tokens paid for, those of failed attempts included. */
  completionTokens = 0;
  /** Latency of the last attempt of rows that succeeded. */
  readonly latency = new DurationHistogram();
  /** Completion tokens of answers that were not kept, by failure type. */
  readonly #wasted = new Map<string, number>();

  /** Rows that were answered or failed. */
  get settled(): number {
    return this.succeeded + this.failed;
  }

  /** Completion tokens of answers that were not kept. */
  get wastedCompletionTokens(): number {
    let sum = 0;
    for (const tokens of this.#wasted.values()) sum += tokens;
    return sum;
  }

  /** Completion tokens of answers that were not kept, by failure type. Types without any are
   * absent. */
  wastedByReason(): Record<string, number> {
    return Object.fromEntries(this.#wasted);
  }

  /** The attempts by how they ended, as the summary names them. */
  attemptCounts(): Pick<
    Summary,
    "attempts" | "succeeded_attempts" | "failed_attempts" | "unknown_attempts"
  > {
    const { attempts, succeededAttempts, failedAttempts } = this;
    return {
      attempts,
      succeeded_attempts: succeededAttempts,
      failed_attempts: failedAttempts,
      unknown_attempts: attempts - succeededAttempts - failedAttempts,
    };
  }

  /** Counts an attempt whose answer was kept. */
  addAnswer(completion: Completion): void {
    this.succeededAttempts++;
    this.#addTokens(completion);
  }

  /** Counts a failed attempt, and the tokens of its answer if it has one. */
  addFailedAttempt({ failure, isThrottled, completion }: FailedAttempt): void {
    this.failedAttempts++;
    if (isThrottled) this.throttledAttempts++;
    if (completion === undefined) return;
    this.#addTokens(completion);
    const wasted = completion.usage?.completionTokens ?? 0;
    if (wasted > 0) this.#wasted.set(failure.type, (this.#wasted.get(failure.type) ?? 0) + wasted);
  }

  /** Counts a row whose line is on disk. */
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

/** The histogram takes whole numbers from 1, so it counts in tenths of a millisecond. */
const UNITS_PER_MS = 10;

/** A day. Longer durations count as a day. */
const MAX_UNITS = 24 * 3600 * 1000 * UNITS_PER_MS;

/**
 * A distribution of durations: an HDR histogram (`node:perf_hooks`, native in Deno) of constant
 * size, about 200 KB.
 *
 * Durations are rounded to 0.1 ms, to at least 0.1 ms, and above 200 ms to three digits.
 * Percentiles and the maximum are upper ends of buckets: never below the rounded duration, and at
 * most 0.1 % above it. Negative durations and NaN count as 0.1 ms.
 */
export class DurationHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: MAX_UNITS, figures: 3 });

  record(durationMs: number): void {
    const units = Math.round(durationMs * UNITS_PER_MS);
    this.#histogram.record(units >= 1 ? Math.min(units, MAX_UNITS) : 1);
  }

  /** Percentiles in milliseconds; all 0 until something is recorded. */
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

/** The number of teachers in each state except `left`. */
export type TeacherStates = Partial<Record<TeacherStatus["state"], number>>;

/** How urgently a user must see teachers in each state; 0 is the most urgent. */
const URGENCY: Readonly<Record<TeacherStatus["state"], number>> = {
  halted: 0,
  down: 0,
  cooling_down: 1,
  leaving: 2,
  up: 3,
  left: 4,
};

/** Counts teachers by state, except those that have left. */
export function countTeacherStates(teachers: readonly TeacherStatus[]): TeacherStates {
  const counts: TeacherStates = {};
  for (const { state } of teachers) {
    if (state !== "left") counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

/**
 * Returns the indexes of at most `max` teachers that have not left, in ascending order. If there
 * are more, the least urgent are left out: those that are up before all others.
 */
export function mostUrgentTeachers(teachers: readonly TeacherStatus[], max: number): number[] {
  const present = [...teachers.keys()].filter((i) => teachers[i].state !== "left");
  if (present.length <= max) return present;
  const urgencyOf = (i: number) => URGENCY[teachers[i].state];
  return present.toSorted((a, b) => urgencyOf(a) - urgencyOf(b)).slice(0, max)
    .toSorted((a, b) => a - b);
}
