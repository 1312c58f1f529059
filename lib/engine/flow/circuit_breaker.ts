/**
 * Whether a teacher is there at all. While it is down it is probed, and what fails does not count against
 * a row.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";

/** Failed rows that count as an outage where nothing, or nearly nothing, that was sent since is answered. A
 * row that failed before, while others were answered, may itself be the cause. It does not count, or the last
 * rows of a run would pass for an outage. */
const ROWS_FOR_OUTAGE = 10;

/** How long they have to fail, in milliseconds: where a thousand are in flight and half of them fail, ten in a
 * row are chance. */
const FAULTS_ALONE_MS = 300;

/** Nearly everything. */
const NEARLY_ALL = 0.9;

/** Throttled rows in a row that count as an outage. */
const LOADS_FOR_OUTAGE = 10;

/** How long throttling lasts at least in an outage, in milliseconds: a burst is none. */
const LOADS_ALONE_MS = 5_000;

/** Refused connections in a row that count as an outage at once. */
const REFUSALS_FOR_OUTAGE = 3;

/** The wait before the first probe, in milliseconds: at most one a second is made. */
const PROBE_BASE_MS = 1_000;

/** The longest wait between two probes, in milliseconds. */
const PROBE_CAP_MS = 15_000;

/** Half as long again after each probe. */
const PROBE_GROWTH = 1.5;

/** The time, in milliseconds, after which a row that breaks the teacher on each attempt may be the cause after
 * all. New rows are asked first by then, so it is the last rows of a run that are tried again and
 * again; without an end to that, neither would the run have one. */
const PATIENCE_MS = 15 * 60_000;

/** What `CircuitBreaker` is made from. */
export interface CircuitBreakerOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
}

/** The health of one teacher. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  /** Failures since the last answer. */
  readonly #silence = new Streak();
  /** Failures since the last answer to an attempt that was made after the first of them: what is answered
   * of older ones tells little of a teacher that has begun to refuse. */
  readonly #trouble = new Streak();
  /** Attempts made since the first failure of that streak, and how many of them have failed. */
  #made = 0;
  #madeInVain = 0;
  #downSince: number | undefined;
  #probeMs = PROBE_BASE_MS;
  #probeAt = 0;
  #probeBy = Infinity;

  /** Healthy until the contrary is seen. */
  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Whether it is down. */
  get isDown(): boolean {
    return this.#downSince !== undefined;
  }

  /** When the next probe may be made, on the clock; while it is down only. */
  get probeAt(): number {
    return Math.min(this.#probeAt, this.#probeBy);
  }

  /** When a probe is made at the latest, whatever is usual; Infinity: no such time was set. */
  get probeBy(): number {
    return this.#probeBy;
  }

  set probeBy(at: number) {
    this.#probeBy = at;
  }

  /** An attempt is made. While it is down that is a probe: the next one has to wait, longer each time. */
  asked(): void {
    this.#made++;
    if (this.#probeBy < Infinity && this.#options.now() >= this.#probeBy) this.#probeBy = Infinity;
    if (this.isDown) this.#waitForProbe();
  }

  /** The attempt was not made after all: while it is down, the probe is still to come. */
  unasked(): void {
    this.#made--;
    if (this.isDown) this.#probeAt = this.#options.now();
  }

  /** It has said something that is no sign of trouble, to an attempt made at `startedAt`. Returns whether it
   * was down until now. */
  answered(startedAt: number): boolean {
    if (this.#downSince !== undefined && startedAt < this.#downSince) {
      // It may be there after all, and then it has a place free.
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

  /** An attempt at a row failed that was made at `startedAt`. `isFirst`: nothing has counted against the
   * row until now. Returns whether this does. */
  failed(cause: Classification["cause"], startedAt: number, isFirst: boolean): boolean {
    const now = this.#options.now();
    if (this.#downSince !== undefined) {
      const isOfRow = cause === "fault" || cause === "timeout";
      return isOfRow && now - this.#downSince >= PATIENCE_MS;
    }
    if (this.#trouble.length === 0) this.#made = this.#madeInVain = 0;
    else if (startedAt >= this.#trouble.since) this.#madeInVain++;
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
      this.#madeInVain >= NEARLY_ALL * this.#made;
  }

  /** Later rather than sooner, so that many runs do not probe at once. */
  #waitForProbe(): void {
    this.#probeAt = this.#options.now() + this.#probeMs * (1 + 0.2 * this.#options.random());
    this.#probeMs = Math.min(PROBE_CAP_MS, this.#probeMs * PROBE_GROWTH);
  }
}

/** Failures one after the other. */
class Streak {
  /** When the first was seen, on the clock; Infinity before. */
  since = Infinity;
  /** How many there were. */
  length = 0;
  /** Connections that could not be made. */
  refusals = 0;
  /** Rows that were throttled and had not failed before. */
  loads = 0;
  /** Rows that failed otherwise and had not failed before. */
  rows = 0;

  /** One more. */
  add(cause: Classification["cause"], isFirst: boolean, now: number): void {
    if (this.length++ === 0) this.since = now;
    if (cause === "unreachable") this.refusals++;
    else if (isFirst && cause === "load") this.loads++;
    else if (isFirst) this.rows++;
  }

  /** There is none any more. */
  end(): void {
    this.since = Infinity;
    this.length =
      this.refusals =
      this.loads =
      this.rows =
        0;
  }
}
