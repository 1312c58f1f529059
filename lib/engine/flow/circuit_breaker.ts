/**
 * Circuit breaker for one teacher: detects outages. While the teacher is down it is probed, and failures do
 * not count against rows.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";

/** Failed rows that count as an outage where hardly anything sent since then is answered. A row that had failed
 * before, while others were answered, may itself be the cause. It does not count, or the last rows of a run
 * would look like an outage. */
const ROWS_FOR_OUTAGE = 10;

/** How long they have to fail, in milliseconds: with a thousand in flight of which half fail, ten in a row are
 * chance. */
const FAULTS_ALONE_MS = 300;

/** The share of attempts that have to fail. */
const NEARLY_ALL = 0.9;

/** Throttled rows in a row that count as an outage. */
const LOADS_FOR_OUTAGE = 10;

/** How long throttling has to last, in milliseconds: a burst is no outage. */
const LOADS_ALONE_MS = 5_000;

/** Refused connections in a row that count as an outage at once. */
const REFUSALS_FOR_OUTAGE = 3;

/** The wait before the first probe, in milliseconds: at most one a second is made. */
const PROBE_BASE_MS = 1_000;

/** The longest wait between two probes, in milliseconds. */
const PROBE_CAP_MS = 15_000;

/** The growth of the wait after each probe. */
const PROBE_GROWTH = 1.5;

/** The time, in milliseconds, after which failures count against rows again. New rows are sent first, so by
 * then these are the last rows of the run, which may break the teacher on each attempt. Without this the run
 * would never end. */
const PATIENCE_MS = 15 * 60_000;

/** Dependencies of `CircuitBreaker`. */
export interface CircuitBreakerOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
}

/** The circuit breaker of one teacher. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  /** Failures since the last answer. */
  readonly #silence = new Streak();
  /** Failures since the last answer to an attempt that was made after the first of them: answers to older ones
   * say little about a teacher that has begun to refuse. */
  readonly #trouble = new Streak();
  /** Attempts made since the first failure of that streak, and how many of them have failed. */
  #made = 0;
  #madeAndFailed = 0;
  #downSince: number | undefined;
  #probeMs = PROBE_BASE_MS;
  #probeAt = 0;
  #probeBy = Infinity;

  /** The teacher counts as up until failures show the contrary. */
  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Whether the teacher is down. */
  get isDown(): boolean {
    return this.#downSince !== undefined;
  }

  /** When the next probe may be made, on the clock; only while the teacher is down. */
  get probeAt(): number {
    return Math.min(this.#probeAt, this.#probeBy);
  }

  /** The latest time of the next probe; Infinity if none was set. */
  get probeBy(): number {
    return this.#probeBy;
  }

  set probeBy(at: number) {
    this.#probeBy = at;
  }

  /** An attempt is made. While the teacher is down it is a probe: the next one has to wait, longer each time. */
  sent(): void {
    this.#made++;
    if (this.#probeBy < Infinity && this.#options.now() >= this.#probeBy) this.#probeBy = Infinity;
    if (this.isDown) this.#waitForProbe();
  }

  /** The attempt was not made after all: while the teacher is down, the probe is still due. */
  returned(): void {
    this.#made--;
    if (this.isDown) this.#probeAt = this.#options.now();
  }

  /** The teacher has responded, to an attempt made at `startedAt`, with no sign of trouble. Returns whether it
   * was down until now. */
  answered(startedAt: number): boolean {
    if (this.#downSince !== undefined && startedAt < this.#downSince) {
      // The teacher may be up again, and this attempt has freed a place.
      this.#probeMs = PROBE_BASE_MS;
      this.#probeAt = this.#options.now();
      return false;
    }
    if (this.#silence.length > 0) this.#silence.end();
    if (startedAt >= this.#trouble.since) this.#trouble.end();
    const wasDown = this.isDown;
    this.#downSince = undefined;
    return wasDown;
  }

  /** An attempt made at `startedAt` failed. `isFirst`: nothing has counted against its row until now. Returns
   * whether this failure does. */
  failed(cause: Classification["cause"], startedAt: number, isFirst: boolean): boolean {
    const now = this.#options.now();
    if (this.#downSince !== undefined) {
      const isOfRow = cause === "fault" || cause === "timeout";
      return isOfRow && now - this.#downSince >= PATIENCE_MS;
    }
    if (this.#trouble.length === 0) this.#made = this.#madeAndFailed = 0;
    else if (startedAt >= this.#trouble.since) this.#madeAndFailed++;
    this.#silence.add(cause, isFirst, now);
    this.#trouble.add(cause, isFirst, now);
    if (!this.#isOutage(cause, now)) return true;
    this.#silence.end();
    this.#trouble.end();
    this.#downSince = now;
    this.#probeMs = PROBE_BASE_MS;
    this.#waitForProbe();
    return false;
  }

  #isOutage(cause: Classification["cause"], now: number): boolean {
    const silence = this.#silence;
    if (cause === "unreachable") return silence.refusals >= REFUSALS_FOR_OUTAGE;
    if (cause === "load") {
      return silence.loads >= LOADS_FOR_OUTAGE && now - silence.since >= LOADS_ALONE_MS;
    }
    if (silence.rows >= ROWS_FOR_OUTAGE && now - silence.since >= FAULTS_ALONE_MS) return true;
    const { rows, since } = this.#trouble;
    return rows >= ROWS_FOR_OUTAGE && now - since >= FAULTS_ALONE_MS &&
      this.#madeAndFailed >= NEARLY_ALL * this.#made;
  }

  /** Later rather than sooner, so that many runs do not probe at once. */
  #waitForProbe(): void {
    this.#probeAt = this.#options.now() + this.#probeMs * (1 + 0.2 * this.#options.random());
    this.#probeMs = Math.min(PROBE_CAP_MS, this.#probeMs * PROBE_GROWTH);
  }
}

/** Failures in a row. */
class Streak {
  /** When the first was seen, on the clock; Infinity before. */
  since = Infinity;
  /** The number of failures. */
  length = 0;
  /** Refused connections. */
  refusals = 0;
  /** Rows that were throttled and had not failed before. */
  loads = 0;
  /** Rows that failed otherwise and had not failed before. */
  rows = 0;

  /** Adds a failure. */
  add(cause: Classification["cause"], isFirst: boolean, now: number): void {
    if (this.length++ === 0) this.since = now;
    if (cause === "unreachable") this.refusals++;
    else if (isFirst && cause === "load") this.loads++;
    else if (isFirst) this.rows++;
  }

  /** Ends the streak. */
  end(): void {
    this.since = Infinity;
    this.length =
      this.refusals =
      this.loads =
      this.rows =
        0;
  }
}
