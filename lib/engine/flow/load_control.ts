/**
 * The load on one teacher: how many attempts are made at once and per second, and what throttling
 * changes.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";
import type { Completion } from "../../teacher/mod.ts";
import { AdaptiveRate } from "./adaptive_rate.ts";
import { ConcurrencyLimit } from "./concurrency.ts";
import { FEW_IN_FLIGHT } from "./decrease_trial.ts";
import { QuotaWindow } from "./quota_window.ts";
import { Pacer, RateLimiter } from "./rate.ts";
import { ThrottleTolerance, type ThrottleVerdict } from "./throttle_tolerance.ts";

export interface LoadControlOptions {
  /** The maximum number of attempts in flight. */
  readonly ceiling: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly isExploring: boolean;
  readonly isCareful: boolean;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  readonly wallClock: () => number;
  readonly random: () => number;
}

export interface Sent {
  /** The attempt's number at its teacher, from 1. */
  readonly ticket: number;
  readonly startedAt: number;
  /** Attempts in flight at the teacher when it was sent, including itself. */
  readonly inFlightAtStart: number;
}

/** An attempt that was throttled, timed out or not connected. */
export interface Pressure extends Sent {
  /** Attempts in flight when it ended, including itself. */
  readonly inFlight: number;
  /** Whether a rate limit was the reason, not overload. */
  readonly isRate: boolean;
  /** Whether the teacher says that a limit is used up. */
  readonly isExhausted: boolean;
}

/** Maximum jitter of a cool-down, as a fraction of the requested time. */
const COOL_DOWN_JITTER = 0.1;
const COOL_DOWN_JITTER_CAP_MS = 1_000;

/** The number of attempts after which throttling is no longer judged as during a careful start, as
 * a multiple of the ceiling. */
const START_TURNS = 4;

/** Each attempt is a `sent()`, then either `answered()` or `failed()`. In addition, `responded()` is
 * called if the teacher gave no sign of trouble, and `pressed()` if the attempt was throttled, timed
 * out or not connected. */
export class LoadControl {
  readonly #now: () => number;
  readonly #limit: ConcurrencyLimit;
  readonly userRate: RateLimiter;
  readonly #adaptiveRate: AdaptiveRate;
  readonly #tolerance = new ThrottleTolerance();
  readonly #window: QuotaWindow;
  readonly #random: () => number;
  #pacer: Pacer | undefined;
  /** The end of the pause that the teacher last requested, even if it is over. */
  coolUntil: number;

  constructor(options: LoadControlOptions) {
    this.#now = options.now;
    this.#random = options.random;
    this.coolUntil = options.now();
    this.#limit = new ConcurrencyLimit(options);
    this.userRate = new RateLimiter(options);
    this.#adaptiveRate = new AdaptiveRate(options.now());
    this.#window = new QuotaWindow(options);
  }

  get limit(): number {
    if (this.closedUntil !== undefined) return 1;
    return Math.min(this.#limit.value, this.#tolerance.trial?.cap ?? Infinity);
  }

  isSteady(now: number): boolean {
    return this.closedUntil === undefined && this.coolUntil <= now &&
      this.#tolerance.trial === undefined && this.#limit.isAtMaximum;
  }

  /** While a quota per minute is used up: when the next probe may be made. */
  get closedUntil(): number | undefined {
    return this.#window.closedUntil;
  }

  /** Milliseconds until rate, quota and trial allow an attempt. */
  delayMs(now: number): number {
    if (this.closedUntil !== undefined) return this.#window.delayMs(now);
    const { trial } = this.#tolerance;
    return Math.max(
      this.#pacer?.delayMs(now) ?? 0,
      this.userRate.delayMs(),
      this.#adaptiveRate.delayMs(now),
      this.#window.delayMs(now),
      trial?.delayMs(now) ?? 0,
    );
  }

  sent(ticket: number): void {
    const now = this.#now();
    this.#tolerance.sent(ticket, now);
    this.#window.sent(ticket, now);
    this.#pacer?.take(now);
    this.userRate.take();
    this.#adaptiveRate.take(now);
  }

  /** @param inFlight Attempts in flight when the answer arrived, including this one. */
  answered({ startedAt, inFlightAtStart }: Sent, inFlight: number, completion: Completion): void {
    const tokens = completion.usage?.completionTokens ?? 0;
    this.#limit.answered({ startedAt, inFlight, tokens });
    this.userRate.ended(completion);
    if (this.#pacer === undefined) return;
    const now = this.#now(), { value, isStarting } = this.#limit;
    // Attempts that are throttled at any load take no capacity.
    const attempts = value / (1 - this.#tolerance.usualShare);
    this.#pacer.answered(now - startedAt, inFlightAtStart, attempts, isStarting, now);
  }

  responded({ ticket, startedAt }: Sent): void {
    this.#reopen(this.#window.answered(ticket, startedAt));
  }

  failed(partial: Completion | undefined): void {
    this.userRate.ended(partial);
  }

  /** Handles an attempt that was throttled, timed out or not connected. Returns whether throttling
   * is no more than usual (`tolerated`), a sign that too much is sent (`excess`), or due to a
   * used-up quota (`closed`). If the teacher names a time and would throttle other attempts too,
   * all attempts wait. */
  pressed(
    { ticket, startedAt, inFlightAtStart }: Sent,
    inFlight: number,
    { type, retryAfterMs, isExhausted = false }: Pick<
      Classification,
      "type" | "retryAfterMs" | "isExhausted"
    >,
  ): "tolerated" | "excess" | "closed" {
    const now = this.#now(), size = this.#limit.value;
    const hasRetryTime = retryAfterMs !== undefined, isRate = type === "rate_limit";
    const pressure = { ticket, startedAt, inFlightAtStart, inFlight, isRate, isExhausted };
    const verdict = this.closedUntil === undefined ? this.#tolerate(pressure, now) : "closed";
    const { isInRun } = this.#tolerance;
    const mayBeQuota = verdict === "closed" || !hasRetryTime && (isRate || isExhausted);
    const isClosed = mayBeQuota && this.#window.throttled(pressure, size, isInRun, now);
    if (hasRetryTime && (isClosed || isExhausted || isInRun)) {
      this.#coolDown(retryAfterMs);
      return isClosed ? "closed" : "excess";
    }
    return isClosed ? "closed" : verdict === "excess" ? "excess" : "tolerated";
  }

  #coolDown(ms: number): void {
    const jitterMs = Math.min(COOL_DOWN_JITTER_CAP_MS, ms * COOL_DOWN_JITTER);
    const until = this.#now() + ms + this.#random() * jitterMs;
    this.coolUntil = Math.max(this.coolUntil, until);
    this.#tolerance.restartRate();
  }

  #tolerate(pressure: Pressure, now: number): ThrottleVerdict {
    const { ticket, startedAt, inFlightAtStart, isRate } = pressure;
    this.#pacer?.throttled(inFlightAtStart);
    const { trial } = this.#tolerance;
    const isStarting = this.#limit.isStarting && !this.#adaptiveRate.isLimiting(now) &&
      ticket < START_TURNS * this.#limit.ceiling;
    const verdict = this.#tolerance.throttled(pressure, isStarting, now);
    const isExcess = verdict === "excess";
    if (isExcess) this.#limit.pressed(pressure, this.#tolerance.isInRun);
    if (verdict === "suspicious") this.#adaptiveRate.startTrial(now);
    if (isRate) this.#adaptiveRate.throttled(startedAt, now, isExcess);
    if (isRate && isExcess) this.#pacer ??= new Pacer();
    if (verdict === "ineffective") {
      this.#pacer = undefined;
      this.#limit.resume(trial!.size);
      this.#adaptiveRate.removeLimit();
    }
    return verdict;
  }

  restart(): void {
    this.#limit.restart();
  }

  setCeiling(ceiling: number): void {
    this.#limit.setCeiling(ceiling);
  }

  /** @param isInUse Whether attempts other than probes are in flight. An unused limit learns
   * nothing. */
  tick(isInUse: boolean): void {
    const now = this.#now();
    const trial = this.#tolerance.effectiveTrial(now);
    if (trial !== undefined) {
      this.#pacer ??= new Pacer();
      const { isQuick } = trial;
      if (!isQuick) this.#limit.decrease(trial.size, trial.cap);
      if (isQuick || this.#limit.value < FEW_IN_FLIGHT || this.#adaptiveRate.isLimiting(now)) {
        this.#adaptiveRate.decrease(trial.perSecond, isQuick, now);
      }
    }
    this.#reopen(this.#window.tick(now));
    if (isInUse) this.#limit.tick();
  }

  /**
   * Returns to the load before a window closed: throttling at that time said nothing about limit,
   * rate or bursts.
   *
   * @param size The limit to return to; undefined if no window has opened.
   */
  #reopen(size: number | undefined): void {
    if (size === undefined) return;
    this.#pacer = undefined;
    this.#limit.resume(size);
    this.#adaptiveRate.removeLimit();
    this.#tolerance.restartRate();
  }
}
