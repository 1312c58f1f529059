/**
 * Learns the rate that a teacher accepts from its throttling. If answers arrive within
 * milliseconds, a limit on attempts in flight cannot enforce a rate: a single lane sends hundreds
 * per second.
 *
 * Follows the client-side rate limiting in the adaptive retry mode of the AWS SDKs: after
 * throttling, the rate is reduced below what was accepted, then grows along a CUBIC curve. Two
 * things differ. Attempts count as accepted if they were sent and not throttled, because answers
 * may take minutes while throttling is immediate. And a rate that was reduced before anything could
 * be measured is a guess: throttling halves it; a second without throttling doubles it.
 *
 * @module
 */

import {
  CubicGrowth,
  LONGEST_WINDOW_MS,
  RateMeter,
  SHORTEST_WINDOW_MS,
  TokenBucket,
} from "./rate_parts.ts";

/** The new rate after throttling, as a fraction of the accepted rate. */
const DECREASE_FACTOR = 0.85;

/** The least that one decrease leaves of the rate, as a fraction: brief throttling must not stop
 * the run. */
const MIN_DECREASE_FACTOR = 0.5;

/** The lowest rate, in requests per second. */
const MIN_PER_S = 0.2;

/** The lowest rate that is assumed before the first throttling, in requests per second. */
const MIN_FIRST_PER_S = 100;

/** After a trial, growth levels off at this fraction of the suspected rate: some limits reject half
 * of what is sent once it is slightly too much. */
const SUSPECTED_FRACTION = 0.95;
/** After a trial, growth levels off at this multiple of the reduced rate at the latest. */
const MAX_GROWTH_FACTOR = 2;

/**
 * Beyond the rate before a decrease, growth is as fast as after a decrease by this fraction. If the
 * teacher accepts several times as much, the curve after a small decrease would need a minute.
 */
const BEYOND_DECREASE = 0.5;
/** `BEYOND_DECREASE` applies from this rate on, in requests per second: at lower rates, throttling
 * shows too late that the rate is too high. */
const BEYOND_FROM_PER_S = 10;

/** A guess that is not throttled for this long was not too high, in milliseconds. */
const CONFIRM_MS = 1_000;

/** The time in which a guess doubles, in milliseconds. */
const DOUBLING_MS = 1_000;

/** How often the rate is recomputed, in milliseconds. */
const REFRESH_MS = 100;

/** The rate grows while at least this fraction of it is used. */
const USED_FRACTION = 1 / 3;

/** From this fraction of use on, the rate counts as the bottleneck. */
const LIMITING_FRACTION = 0.9;

/** Below this fraction of use, the rate limits nothing. */
const IDLE_FRACTION = 1 / 2;
/** How long a rate that limits nothing is kept, in milliseconds. */
const IDLE_MS = 30_000;

/** A rate in requests per second, unlimited until the first throttling. Times are in milliseconds
 * of a monotonic clock. */
export class AdaptiveRate {
  readonly #growth = new CubicGrowth();
  readonly #sent: RateMeter;
  readonly #throttled: RateMeter;
  #bucket: TokenBucket | undefined;
  #perSecond = Infinity;
  #decreasedAt = -Infinity;
  /** Whether the rate was reduced before the accepted rate could be measured. */
  #isGuess = false;
  /** The rate when the last trial began; 0 if too little of it was used for it to be too high. */
  #suspected = 0;
  #decreasedTo = Infinity;
  #sentSinceDecrease = 0;
  /** How long the rate has grown since the last decrease, in milliseconds. */
  #grownMs = 0;
  #idleMs = 0;
  #refreshedAt = 0;

  constructor(now: number) {
    this.#sent = new RateMeter(now);
    this.#throttled = new RateMeter(now);
  }

  /** Whether sending is limited: not before the first throttling, nor after `removeLimit()`. */
  get isLimited(): boolean {
    return this.#bucket !== undefined;
  }

  /** Milliseconds until an attempt may be sent; 0 if it may be now. */
  delayMs(now: number): number {
    if (this.#bucket === undefined) return 0;
    if (now - this.#refreshedAt >= REFRESH_MS) this.#refresh(this.#bucket, now);
    return this.#bucket?.delayMs(now) ?? 0;
  }

  /** Called when an attempt is sent. */
  take(now: number): void {
    this.#sent.add(now);
    this.#sentSinceDecrease++;
    this.#bucket?.take(1, now);
  }

  /** Called if the last attempt was not sent after all. */
  notSent(now: number): void {
    this.#sent.remove(now);
    this.#sentSinceDecrease--;
    this.#bucket?.take(-1, now);
  }

  /**
   * Called when an attempt was throttled because of the rate.
   *
   * @param startedAt When it was sent.
   * @param isExcess Whether throttling exceeds the share that the teacher always throttles.
   */
  throttled(startedAt: number, now: number, isExcess: boolean): void {
    this.#throttled.add(now);
    // Sent before the last decrease, which could not affect it.
    if (!isExcess || startedAt <= this.#decreasedAt) return;
    const before = this.#throttledRate(now);
    const isGuess = this.#isRateUnknown(now);
    const accepted = isGuess ? 0 : before * this.#acceptedShare(now);
    this.#decreaseTo(
      Math.max(MIN_PER_S, MIN_DECREASE_FACTOR * before, DECREASE_FACTOR * accepted),
      before,
      now,
    );
    this.#isGuess = isGuess;
  }

  /** Whether the rate is the bottleneck. */
  isLimiting(now: number): boolean {
    return this.isLimited && this.#sentRecently(now) >= LIMITING_FRACTION * this.#perSecond;
  }

  /** Called when a trial begins, which shows whether the rate is too high. */
  startTrial(now: number): void {
    const isSuspected = this.isLimited && (this.#isGuess || this.isLimiting(now));
    this.#suspected = isSuspected ? this.#perSecond : 0;
  }

  /**
   * Reduces the rate after a trial has shown that too much is sent.
   *
   * @param isRateAlone Whether the concurrency limit stays the same: growth then levels off below
   * the suspected rate.
   */
  decrease(perSecond: number, isRateAlone: boolean, now: number): void {
    const rate = Math.max(MIN_PER_S, perSecond);
    const suspected = isRateAlone ? SUSPECTED_FRACTION * this.#suspected : 0;
    this.#decreaseTo(rate, Math.min(MAX_GROWTH_FACTOR * rate, suspected), now);
    this.#isGuess = false;
  }

  /** @param plateau Where growth levels off: at the rate before the decrease, or below it. */
  #decreaseTo(rate: number, plateau: number, now: number): void {
    const from = Math.max(plateau, rate / DECREASE_FACTOR);
    const beyond = from < BEYOND_FROM_PER_S ? 0 : BEYOND_DECREASE * from;
    this.#growth.decrease(0, rate, from, Math.max(from - rate, beyond));
    this.#decreasedAt = this.#refreshedAt = now;
    this.#sentSinceDecrease = this.#grownMs = this.#idleMs = 0;
    this.#decreasedTo = this.#perSecond = rate;
    if (this.#bucket === undefined) this.#bucket = new TokenBucket(rate, now);
    else this.#bucket.setRate(rate, now);
    // Otherwise the burst that the previous rate allowed would be throttled too, and reduce the
    // rate with each attempt.
    this.#bucket.drain(now);
  }

  /** Whether the accepted rate is unknown: at the start, while a guess is still throttled at once,
   * and if nothing was accepted since the last decrease. */
  #isRateUnknown(now: number): boolean {
    if (!this.isLimited) return !this.#sent.isSteady(now);
    return this.#sentSinceDecrease <= 1 || this.#isGuess && now - this.#decreasedAt < CONFIRM_MS;
  }

  /** The rate that was throttled: the limit if it was used, else what was sent. */
  #throttledRate(now: number): number {
    const sent = this.#sentRecently(now);
    if (!this.isLimited) return Math.max(MIN_FIRST_PER_S, sent);
    return sent >= USED_FRACTION * this.#perSecond ? this.#perSecond : sent;
  }

  /** The fraction of attempts since the last decrease that were not throttled. Covers at least one
   * second, and at most the last five. */
  #acceptedShare(now: number): number {
    const sinceDecreaseMs = now - this.#decreasedAt;
    const throttled = this.#throttled.perSecond(now, sinceDecreaseMs);
    const sent = this.#sent.perSecond(now, sinceDecreaseMs);
    return throttled >= sent ? 0 : 1 - throttled / sent;
  }

  /** Attempts sent per second, over the last second or the last five, whichever is more. */
  #sentRecently(now: number): number {
    return Math.max(this.#sent.perSecond(now, SHORTEST_WINDOW_MS), this.#sent.perSecond(now));
  }

  #refresh(bucket: TokenBucket, now: number): void {
    // A pause, such as a cool-down, shows nothing about the rate: it counts as 5 s at most.
    const elapsedMs = Math.min(LONGEST_WINDOW_MS, now - this.#refreshedAt);
    const used = this.#sentRecently(now) / this.#perSecond;
    this.#refreshedAt = now;
    this.#idleMs = used < IDLE_FRACTION ? this.#idleMs + elapsedMs : 0;
    if (this.#idleMs >= IDLE_MS) {
      this.removeLimit();
      return;
    }
    if (used < USED_FRACTION) return;
    this.#grownMs += elapsedMs;
    this.#perSecond = this.#isGuess
      ? this.#decreasedTo * 2 ** (this.#grownMs / DOUBLING_MS)
      : this.#growth.sizeAt(this.#grownMs);
    bucket.setRate(this.#perSecond, now);
  }

  /** Removes the limit, because throttling does not depend on the rate. */
  removeLimit(): void {
    this.#bucket = undefined;
    this.#perSecond = Infinity;
  }
}
