/**
 * The rate that a teacher accepts, learned from its throttling. A limit on attempts in flight
 * cannot enforce a rate if answers arrive within milliseconds, because one lane then sends hundreds
 * of attempts per second.
 *
 * Follows the adaptive retry mode of the AWS SDKs: after throttling, the rate is reduced below the
 * accepted rate and then grows along a CUBIC curve. It differs in two ways. First, every attempt
 * that was sent and not throttled counts as accepted, because answers may take minutes while
 * throttling is immediate. Second, a rate that is reduced before anything was measured is a guess:
 * throttling halves it, and a second without throttling doubles it.
 *
 * @module
 */

import { RateMeter } from "../../timer.ts";
import { TokenBucket } from "./rate.ts";

/** The new rate after throttling, as a fraction of the accepted rate. */
const RATE_DECREASE_FACTOR = 0.85;

/** A decrease keeps at least this fraction of the throttled rate, so that brief throttling does not
 * stop the run. */
const MIN_DECREASE_FACTOR = 0.5;

const MIN_PER_S = 0.2;

/** While there is no rate limit, the throttled rate is estimated to be at least this. */
const MIN_FIRST_PER_S = 100;

/** After a trial, growth levels off at this fraction of the rate at which the trial began. Slightly
 * above their limit, some teachers reject half of all attempts. */
const SUSPECTED_FRACTION = 0.95;
/** After a trial, growth levels off at this multiple of the reduced rate at the latest. */
const MAX_GROWTH_FACTOR = 2;

/** Above the rate before a decrease, the rate grows as it would after a decrease by at least this
 * fraction. Otherwise, after a small decrease, the rate would take a minute to reach a multiple of
 * its former value. */
const BEYOND_DECREASE = 0.5;
/** `BEYOND_DECREASE` applies at this rate and above. At lower rates, throttling shows too late that
 * the rate is too high. */
const BEYOND_FROM_PER_S = 10;

const CONFIRM_GUESS_MS = 1_000;

const DOUBLING_MS = 1_000;

const REFRESH_MS = 100;

/** The rate grows only while at least this fraction of it is used. */
const USED_FRACTION = 1 / 3;

const BOTTLENECK_FRACTION = 0.9;

/** The limit is removed if less than this fraction of it is used for `IDLE_MS`. */
const IDLE_FRACTION = 1 / 2;
const IDLE_MS = 30_000;

/** Limits the rate once throttling has shown that too much is sent. Times are in milliseconds of a
 * monotonic clock. */
export class AdaptiveRate {
  readonly #startedAt: number;
  readonly #growth = new CubicGrowth();
  readonly #sent: RateMeter;
  readonly #throttled: RateMeter;
  #bucket: TokenBucket | undefined;
  #perSecond = Infinity;
  #decreasedAt = -Infinity;
  /** Whether the rate was reduced before an accepted rate could be measured. */
  #isGuess = false;
  /** The rate limit when the last trial began; 0 if too little of it was used for it to be the
   * cause of the throttling. */
  #suspectedPerS = 0;
  #decreasedTo = Infinity;
  #sentSinceDecrease = 0;
  #grownMs = 0;
  #idleMs = 0;
  #refreshedAt = 0;

  constructor(now: number) {
    this.#startedAt = now;
    this.#sent = new RateMeter(now, METER);
    this.#throttled = new RateMeter(now, METER);
  }

  get #hasLimit(): boolean {
    return this.#bucket !== undefined;
  }

  delayMs(now: number): number {
    if (this.#bucket === undefined) return 0;
    if (now - this.#refreshedAt >= REFRESH_MS) this.#refresh(this.#bucket, now);
    return this.#bucket?.delayMs(now) ?? 0;
  }

  sent(now: number): void {
    this.#sent.add(now);
    this.#sentSinceDecrease++;
    this.#bucket?.take(1, now);
  }

  /** @param isExcess Whether this attempt has shown that too much is sent (`ThrottleVerdict`). */
  throttled(startedAt: number, now: number, isExcess: boolean): void {
    this.#throttled.add(now);
    // An attempt that was sent before the last decrease says nothing about the reduced rate.
    if (!isExcess || startedAt <= this.#decreasedAt) return;
    const throttledPerS = this.#throttledRate(now);
    const isGuess = this.#isRateUnknown(now);
    const acceptedPerS = isGuess ? 0 : throttledPerS * this.#acceptedShare(now);
    this.#decreaseTo(
      Math.max(MIN_PER_S, MIN_DECREASE_FACTOR * throttledPerS, RATE_DECREASE_FACTOR * acceptedPerS),
      throttledPerS,
      now,
    );
    this.#isGuess = isGuess;
  }

  isBottleneck(now: number): boolean {
    return this.#hasLimit && this.#sentRecently(now) >= BOTTLENECK_FRACTION * this.#perSecond;
  }

  startTrial(now: number): void {
    const isSuspected = this.#hasLimit && (this.#isGuess || this.isBottleneck(now));
    this.#suspectedPerS = isSuspected ? this.#perSecond : 0;
  }

  /**
   * Called when a trial has shown that too much is sent.
   *
   * @param isRateAlone Whether only the rate is reduced, and not the concurrency limit. Growth then
   * levels off below the rate at which the trial began.
   */
  decrease(perSecond: number, isRateAlone: boolean, now: number): void {
    const rate = Math.max(MIN_PER_S, perSecond);
    const suspected = isRateAlone ? SUSPECTED_FRACTION * this.#suspectedPerS : 0;
    this.#decreaseTo(rate, Math.min(MAX_GROWTH_FACTOR * rate, suspected), now);
    this.#isGuess = false;
  }

  #decreaseTo(rate: number, plateau: number, now: number): void {
    const from = Math.max(plateau, rate / RATE_DECREASE_FACTOR);
    const beyond = from < BEYOND_FROM_PER_S ? 0 : BEYOND_DECREASE * from;
    this.#growth.decrease(0, rate, from, Math.max(from - rate, beyond));
    this.#decreasedAt = this.#refreshedAt = now;
    this.#sentSinceDecrease = this.#grownMs = this.#idleMs = 0;
    this.#decreasedTo = this.#perSecond = rate;
    if (this.#bucket === undefined) this.#bucket = new TokenBucket(rate, now);
    else this.#bucket.setRate(rate, now);
    // Without this, the burst that the previous rate allowed would be throttled, and each of its
    // attempts would reduce the rate again.
    this.#bucket.drain(now);
  }

  /** Whether the accepted rate is unknown. It is unknown until the rate is steady, in the first
   * second of a guess, and until a second attempt was sent since the last decrease. */
  #isRateUnknown(now: number): boolean {
    if (!this.#hasLimit) return !this.#isSteady(now);
    return this.#sentSinceDecrease <= 1 ||
      this.#isGuess && now - this.#decreasedAt < CONFIRM_GUESS_MS;
  }

  #isSteady(now: number): boolean {
    return now - this.#startedAt >= LONGEST_WINDOW_MS &&
      this.#sent.perSecond(now, SHORTEST_WINDOW_MS) <=
        MAX_STEADY_FACTOR * this.#sent.perSecond(now);
  }

  /** Returns the rate that was throttled, which is the limit if it was used, and otherwise the rate
   * of sending. */
  #throttledRate(now: number): number {
    const sent = this.#sentRecently(now);
    if (!this.#hasLimit) return Math.max(MIN_FIRST_PER_S, sent);
    return sent >= USED_FRACTION * this.#perSecond ? this.#perSecond : sent;
  }

  /** Returns the accepted share of the attempts since the last decrease. It is measured over the
   * last one to five seconds. */
  #acceptedShare(now: number): number {
    const sinceDecreaseMs = now - this.#decreasedAt;
    const throttled = this.#throttled.perSecond(now, sinceDecreaseMs);
    const sent = this.#sent.perSecond(now, sinceDecreaseMs);
    return throttled >= sent ? 0 : 1 - throttled / sent;
  }

  /** Returns the rate of sending over the last second or the last five seconds, whichever is
   * higher. */
  #sentRecently(now: number): number {
    return Math.max(this.#sent.perSecond(now, SHORTEST_WINDOW_MS), this.#sent.perSecond(now));
  }

  #refresh(bucket: TokenBucket, now: number): void {
    // A pause reveals nothing about the rate, so at most `LONGEST_WINDOW_MS` of it count.
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

  removeLimit(): void {
    this.#bucket = undefined;
    this.#perSecond = Infinity;
  }
}

const LONGEST_WINDOW_MS = 5_000;
const SHORTEST_WINDOW_MS = 1_000;
const METER = { slotMs: 100, windowMs: LONGEST_WINDOW_MS, minSpanMs: SHORTEST_WINDOW_MS };

/** The rate is steady if the rate of the last second is at most this multiple of the rate of the
 * last five seconds. */
const MAX_STEADY_FACTOR = 1.5;

/** CUBIC's K, the time until a limit is back at its size before a decrease. */
export const RECOVERY_MS = 15_000;

/** The growth of a limit after a decrease, as in CUBIC (RFC 9438). Sizes may have any unit. */
export class CubicGrowth {
  #decreasedAt = 0;
  #from = Infinity;
  #to = Infinity;
  #scaleBeyond = 0;

  /**
   * @param to The reduced size.
   * @param from The size that was too high.
   * @param scaleBeyond Above `from`, the size grows as it would after a decrease by this amount.
   */
  decrease(now: number, to: number, from: number, scaleBeyond: number = from - to): void {
    this.#scaleBeyond = scaleBeyond;
    this.#decreasedAt = now;
    this.#to = to;
    this.#from = from;
  }

  sizeAt(now: number): number {
    if (this.#from === Infinity) return Infinity;
    const distance = (now - this.#decreasedAt - RECOVERY_MS) / RECOVERY_MS;
    const scale = distance > 0 ? this.#scaleBeyond : this.#from - this.#to;
    return this.#from + scale * distance ** 3;
  }
}
