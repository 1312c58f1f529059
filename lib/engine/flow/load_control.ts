/**
 * Controls the load on one teacher: how many attempts are in flight and sent per second, and how
 * throttling reduces both.
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

export interface SentAttempt {
  /** The attempt's number at its teacher, from 1. */
  readonly ticket: number;
  readonly startedAt: number;
  /** The number of attempts in flight at the teacher when this attempt was sent, including this
   * attempt. */
  readonly inFlightAtStart: number;
}

/** An attempt that was throttled, timed out or could not connect. */
export interface CongestedAttempt extends SentAttempt {
  /** The number of attempts in flight when this attempt ended, including this attempt. */
  readonly inFlight: number;
  /** Whether the attempt was throttled by a rate limit. */
  readonly isRateLimit: boolean;
  /** Whether the teacher reported that a limit is used up. */
  readonly isExhausted: boolean;
}

/** Maximum jitter of a pause, as a fraction of the requested time. */
const COOL_DOWN_JITTER = 0.1;
const COOL_DOWN_JITTER_CAP_MS = 1_000;

/** Up to `START_TURNS * ceiling` attempts, throttling may be judged as during a careful start. */
const START_TURNS = 4;

/** Each attempt calls `sent()`, then either `answered()` or `failed()`. In addition, `responded()`
 * is called if an answer or a rejection shows that the teacher is up. `congested()` is called if
 * the attempt was throttled, timed out or could not connect. */
export class LoadControl {
  readonly #now: () => number;
  readonly #limit: ConcurrencyLimit;
  readonly userRate: RateLimiter;
  readonly #adaptiveRate: AdaptiveRate;
  readonly #tolerance = new ThrottleTolerance();
  readonly #quotaWindow: QuotaWindow;
  readonly #random: () => number;
  #pacer: Pacer | undefined;
  /** The latest end of a pause that the teacher has requested, even if it has passed. */
  coolUntil: number;

  constructor(options: LoadControlOptions) {
    this.#now = options.now;
    this.#random = options.random;
    this.coolUntil = options.now();
    this.#limit = new ConcurrencyLimit(options);
    this.userRate = new RateLimiter(options);
    this.#adaptiveRate = new AdaptiveRate(options.now());
    this.#quotaWindow = new QuotaWindow(options);
  }

  get limit(): number {
    if (this.closedUntil !== undefined) return 1;
    return Math.min(this.#limit.value, this.#tolerance.trial?.cap ?? Infinity);
  }

  /** Whether `tick()` has no effect until an attempt fails. */
  isSteady(now: number): boolean {
    return this.closedUntil === undefined && this.coolUntil <= now &&
      this.#tolerance.trial === undefined && this.#limit.isAtMaximum;
  }

  /** When the next probe may be sent while a quota per minute is used up; otherwise undefined. */
  get closedUntil(): number | undefined {
    return this.#quotaWindow.closedUntil;
  }

  /** Returns the milliseconds until rate limits, quota and trial allow an attempt. */
  delayMs(now: number): number {
    if (this.closedUntil !== undefined) return this.#quotaWindow.delayMs(now);
    const { trial } = this.#tolerance;
    return Math.max(
      this.#pacer?.delayMs(now) ?? 0,
      this.userRate.delayMs(),
      this.#adaptiveRate.delayMs(now),
      this.#quotaWindow.delayMs(now),
      trial?.delayMs(now) ?? 0,
    );
  }

  sent(ticket: number): void {
    const now = this.#now();
    this.#tolerance.sent(ticket, now);
    this.#quotaWindow.sent(ticket, now);
    this.#pacer?.sent(now);
    this.userRate.sent();
    this.#adaptiveRate.sent(now);
  }

  /** @param inFlight The number of attempts in flight when the answer arrived, including this
   * one. */
  answered(
    { startedAt, inFlightAtStart }: SentAttempt,
    inFlight: number,
    completion: Completion,
  ): void {
    const tokens = completion.usage?.completionTokens ?? 0;
    this.#limit.answered({ startedAt, inFlight, tokens });
    this.userRate.ended(completion);
    if (this.#pacer === undefined) return;
    const now = this.#now(), { value, isStarting } = this.#limit;
    // Attempts that are throttled at any load take no capacity, so the limit is raised by their
    // share.
    const limit = value / (1 - this.#tolerance.usualShare);
    this.#pacer.answered(now - startedAt, inFlightAtStart, limit, isStarting, now);
  }

  responded({ ticket, startedAt }: SentAttempt): void {
    this.#reopen(this.#quotaWindow.answered(ticket, startedAt));
  }

  failed(partial: Completion | undefined): void {
    this.userRate.ended(partial);
  }

  /** Handles an attempt that was throttled, timed out or could not connect. Returns whether
   * throttling is no more than usual (`tolerated`), shows that too much is sent (`excess`), or is
   * due to a used-up quota (`closed`). If the teacher requests a wait and would throttle other
   * attempts too, all attempts wait. */
  congested(
    { ticket, startedAt, inFlightAtStart }: SentAttempt,
    inFlight: number,
    { type, retryAfterMs, isExhausted = false }: Pick<
      Classification,
      "type" | "retryAfterMs" | "isExhausted"
    >,
  ): "tolerated" | "excess" | "closed" {
    const now = this.#now(), limit = this.#limit.value;
    const hasRetryTime = retryAfterMs !== undefined, isRateLimit = type === "rate_limit";
    const attempt = { ticket, startedAt, inFlightAtStart, inFlight, isRateLimit, isExhausted };
    const verdict = this.closedUntil === undefined ? this.#judgeThrottling(attempt, now) : "closed";
    const { isInLongStreak } = this.#tolerance;
    const mayBeQuota = verdict === "closed" || !hasRetryTime && (isRateLimit || isExhausted);
    const isClosed = mayBeQuota && this.#quotaWindow.throttled(attempt, limit, isInLongStreak, now);
    if (hasRetryTime && (isClosed || isExhausted || isInLongStreak)) {
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

  #judgeThrottling(attempt: CongestedAttempt, now: number): ThrottleVerdict {
    const { ticket, startedAt, inFlightAtStart, isRateLimit } = attempt;
    this.#pacer?.throttled(inFlightAtStart);
    const { trial } = this.#tolerance;
    const isStarting = this.#limit.isStarting && !this.#adaptiveRate.isBottleneck(now) &&
      ticket < START_TURNS * this.#limit.ceiling;
    const verdict = this.#tolerance.throttled(attempt, isStarting, now);
    const isExcess = verdict === "excess";
    if (isExcess) this.#limit.congested(attempt, this.#tolerance.isInLongStreak);
    if (verdict === "suspicious") this.#adaptiveRate.startTrial(now);
    if (isRateLimit) this.#adaptiveRate.throttled(startedAt, now, isExcess);
    if (isRateLimit && isExcess) this.#pacer ??= new Pacer();
    if (verdict === "ineffective") {
      this.#pacer = undefined;
      this.#limit.resume(trial!.inFlightBefore);
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

  /** @param isInUse Whether attempts other than probes are in flight. If not, there is nothing to
   * learn about the concurrency limit. */
  tick(isInUse: boolean): void {
    const now = this.#now();
    const trial = this.#tolerance.effectiveTrial(now);
    if (trial !== undefined) {
      this.#pacer ??= new Pacer();
      const { isQuick } = trial;
      if (!isQuick) this.#limit.decrease(trial.inFlightBefore, trial.cap);
      if (isQuick || this.#limit.value < FEW_IN_FLIGHT || this.#adaptiveRate.isBottleneck(now)) {
        this.#adaptiveRate.decrease(trial.perSecond, isQuick, now);
      }
    }
    this.#reopen(this.#quotaWindow.tick(now));
    if (isInUse) this.#limit.tick();
  }

  /**
   * Returns to the load at which the window of a quota closed. The throttling at the end of the
   * window said nothing about concurrency, rate or bursts.
   *
   * @param limit The limit to return to, or undefined if no window has opened.
   */
  #reopen(limit: number | undefined): void {
    if (limit === undefined) return;
    this.#pacer = undefined;
    this.#limit.resume(limit);
    this.#adaptiveRate.removeLimit();
    this.#tolerance.restartRate();
  }
}
