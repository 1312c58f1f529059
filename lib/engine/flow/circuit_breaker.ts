/**
 * Detects outages of one teacher. During an outage, the teacher is probed, and failures do not
 * count against rows.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";
import type { LoadControlOptions } from "./load_control.ts";

/** The number of failed rows that count as an outage if hardly any attempt since the first of these
 * failures was answered. Only the first failure of a row counts, because the row itself may cause
 * later ones. */
const ROWS_FOR_OUTAGE = 10;

/** The failures must span at least this time. If half of a thousand attempts in flight fail, ten
 * failures in a row happen by chance. */
const MIN_FAULTS_MS = 300;

/** The minimum share of failed attempts among the attempts since the first failure. */
const MIN_FAILED_SHARE = 0.9;

/** The number of throttled rows since the last answer that count as an outage, if
 * `MIN_THROTTLING_MS` have passed since the first failure. */
const THROTTLED_FOR_OUTAGE = 10;

const MIN_THROTTLING_MS = 5_000;

/** The number of failed connections since the last answer that count as an outage. */
const FAILED_CONNECTIONS_FOR_OUTAGE = 3;

export const PROBE_BASE_MS = 1_000;

export const PROBE_CAP_MS = 15_000;

export const PROBE_GROWTH = 1.5;

/** Probe intervals are extended by a random fraction up to this value, so that several runs do not
 * probe at the same time. */
export const PROBE_JITTER = 0.2;

/** Once an outage has lasted this long, faults and timeouts count against rows again. Otherwise, a
 * run would never end if its last rows break the teacher every time. */
const PATIENCE_MS = 15 * 60_000;

type CircuitBreakerOptions = Pick<LoadControlOptions, "now" | "random">;

/** Times are in milliseconds of a monotonic clock. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  /** Failures since the last answer. */
  #sinceAnyAnswer = new Streak();
  /** Failures since the last answer to an attempt that was sent after the first of these failures.
   * Answers to older attempts say little about a teacher that has begun to fail. */
  #sinceNewAnswer = new Streak();
  /** The number of attempts since `#sinceNewAnswer` began. */
  #attempts = 0;
  #failedAttempts = 0;
  #downSince: number | undefined;
  #probeMs = PROBE_BASE_MS;
  #probeAt = 0;
  /** The latest time of the next probe, even if the probe interval is longer. */
  latestProbeAt = Infinity;
  #respondedAt = -Infinity;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get isDown(): boolean {
    return this.#downSince !== undefined;
  }

  /** Valid only while the teacher is down. */
  get probeAt(): number {
    return Math.min(this.#probeAt, this.latestProbeAt);
  }

  hasRespondedSince(time: number): boolean {
    return this.#respondedAt > time;
  }

  /** Called when an attempt is sent. While the teacher is down, the attempt is a probe. */
  sent(): void {
    this.#attempts++;
    if (this.#options.now() >= this.latestProbeAt) this.latestProbeAt = Infinity;
    if (this.isDown) this.#waitForProbe();
  }

  /** Called when the teacher answers, or rejects a request for a reason other than load or a fault.
   * Returns whether an outage ends. */
  responded(startedAt: number): boolean {
    this.#respondedAt = this.#options.now();
    if (this.#downSince !== undefined && startedAt < this.#downSince) {
      // The attempt was sent before the outage, so the teacher may still be down.
      this.#probeMs = PROBE_BASE_MS;
      this.#probeAt = this.#respondedAt;
      return false;
    }
    if (this.#sinceAnyAnswer.length > 0) this.#sinceAnyAnswer = new Streak();
    if (startedAt >= this.#sinceNewAnswer.since) this.#sinceNewAnswer = new Streak();
    const wasDown = this.isDown;
    this.#downSince = undefined;
    return wasDown;
  }

  /**
   * Counts a failed attempt, which may reveal an outage.
   *
   * @param isFirstFailure Whether no earlier failure counted against the row.
   * @returns Whether this failure counts against the row.
   */
  failed(cause: Classification["cause"], startedAt: number, isFirstFailure: boolean): boolean {
    const now = this.#options.now();
    if (this.#downSince !== undefined) {
      const mayBlameRow = cause === "fault" || cause === "timeout";
      return mayBlameRow && now - this.#downSince >= PATIENCE_MS;
    }
    if (this.#sinceNewAnswer.length === 0) this.#attempts = this.#failedAttempts = 0;
    else if (startedAt >= this.#sinceNewAnswer.since) this.#failedAttempts++;
    this.#sinceAnyAnswer.add(cause, isFirstFailure, now);
    this.#sinceNewAnswer.add(cause, isFirstFailure, now);
    if (!this.#isOutage(cause, now)) return true;
    this.#sinceAnyAnswer = new Streak();
    this.#sinceNewAnswer = new Streak();
    this.#downSince = now;
    this.#probeMs = PROBE_BASE_MS;
    this.#waitForProbe();
    return false;
  }

  #isOutage(cause: Classification["cause"], now: number): boolean {
    const streak = this.#sinceAnyAnswer;
    if (cause === "unreachable") return streak.failedConnections >= FAILED_CONNECTIONS_FOR_OUTAGE;
    if (cause === "load") {
      return streak.throttledRows >= THROTTLED_FOR_OUTAGE &&
        now - streak.since >= MIN_THROTTLING_MS;
    }
    if (streak.faultyRows >= ROWS_FOR_OUTAGE && now - streak.since >= MIN_FAULTS_MS) return true;
    const { faultyRows, since } = this.#sinceNewAnswer;
    return faultyRows >= ROWS_FOR_OUTAGE && now - since >= MIN_FAULTS_MS &&
      this.#failedAttempts >= MIN_FAILED_SHARE * this.#attempts;
  }

  #waitForProbe(): void {
    const { now, random } = this.#options;
    this.#probeAt = now() + this.#probeMs * (1 + PROBE_JITTER * random());
    this.#probeMs = Math.min(PROBE_CAP_MS, this.#probeMs * PROBE_GROWTH);
  }
}

class Streak {
  /** The time of the first failure; Infinity until there is one. */
  since = Infinity;
  length = 0;
  failedConnections = 0;
  /** The number of rows whose first failure was throttling. */
  throttledRows = 0;
  /** The number of rows whose first failure was a fault or a timeout. */
  faultyRows = 0;

  add(cause: Classification["cause"], isFirstFailure: boolean, now: number): void {
    if (this.length++ === 0) this.since = now;
    if (cause === "unreachable") this.failedConnections++;
    else if (isFirstFailure && cause === "load") this.throttledRows++;
    else if (isFirstFailure) this.faultyRows++;
  }
}
