/**
 * The rate that a teacher accepts, learned from its refusals. Where answers come within milliseconds, a limit
 * of attempts in flight cannot hold a rate: a single lane sends hundreds a second.
 *
 * It follows the client-side rate limiting of the adaptive retry mode of the AWS SDKs: after a refusal
 * the rate is reduced below what was accepted, then it grows along the curve of CUBIC. Two things differ.
 * What is accepted is what was sent and not refused, because answers may take minutes and refusals come
 * at once. And a rate that was reduced before there was anything to measure is a guess: the search for the
 * right one halves it after refusals and doubles it each second.
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

/** The factor of the accepted rate after a refusal. */
const DECREASE = 0.85;

/** The lowest factor of the rate: a single hiccup does not stop everything. */
const DEEPEST_DECREASE = 0.5;

/** The lowest rate, in requests a second. */
const LEAST_PER_S = 0.2;

/** The rate before the first refusal counts as at least this many requests a second. */
const FIRST_PER_S = 100;

/** The share of a suspected rate at which growth levels off: some limits refuse half of what is sent as soon as
 * it is a little too much. */
const BELOW_SUSPECTED = 0.95;
/** The same as a multiple of the reduced rate, at most. */
const MOST_ABOVE = 2;

/** Beyond the rate before a decrease, growth is as fast as after a decrease by this share: where the teacher
 * accepts several times as much, the curve of a small decrease would need a minute. */
const BEYOND = 0.5;
/** That applies from this rate on, in requests a second: at lower ones, refusals show too late that the rate is
 * too high. */
const BEYOND_FROM_PER_S = 10;

/** A guess was not too high if nothing is refused for this time, in milliseconds. */
const CONFIRM_MS = 1_000;

/** The time in which a guess doubles, in milliseconds. */
const DOUBLING_MS = 1_000;

/** How often the rate is recomputed, in milliseconds. */
const REFRESH_MS = 100;

/** The rate grows while at least this share of it is used. */
const USED = 1 / 3;

/** Where at least this share of the rate is used, it is the rate that limits sending. */
const LIMITING = 0.9;

/** Below this share, the rate limits nothing. */
const IDLE = 1 / 2;
/** How long a rate that limits nothing is kept, in milliseconds. */
const IDLE_MS = 30_000;

/** A rate in requests a second that is unlimited until the first refusal. */
export class AdaptiveRate {
  readonly #growth = new CubicGrowth();
  readonly #sent: RateMeter;
  readonly #refused: RateMeter;
  #bucket: TokenBucket | undefined;
  #perSecond = Infinity;
  #decreasedAt = -Infinity;
  #isGuess = false;
  /** The rate when a trial began to find out whether it is too high; 0: it was not what limited sending. */
  #suspected = 0;
  #decreasedTo = Infinity;
  #sentSinceDecrease = 0;
  #grownMs = 0;
  #idleMs = 0;
  #refreshedAt = 0;

  /** No rate is known at `now`, in milliseconds. */
  constructor(now: number) {
    this.#sent = new RateMeter(now);
    this.#refused = new RateMeter(now);
  }

  /** Whether there is a limit. */
  get isBound(): boolean {
    return this.#bucket !== undefined;
  }

  /** 0 when an attempt may be sent now, else milliseconds until it may. */
  delayMs(now: number): number {
    if (this.#bucket === undefined) return 0;
    if (now - this.#refreshedAt >= REFRESH_MS) this.#refresh(this.#bucket, now);
    return this.#bucket?.delayMs(now) ?? 0;
  }

  /** An attempt is sent. */
  take(now: number): void {
    this.#sent.add(now);
    this.#sentSinceDecrease++;
    this.#bucket?.take(1, now);
  }

  /** The last attempt was not sent after all. */
  returned(now: number): void {
    this.#sentSinceDecrease--;
    this.#bucket?.take(-1, now);
  }

  /** An attempt that was sent at `startedAt` was refused because of the rate; `isExcess`: beyond the share that
   * the teacher always refuses. */
  refused(startedAt: number, now: number, isExcess: boolean): void {
    this.#refused.add(now);
    // Sent at the previous rate: the decrease could not affect it.
    if (!isExcess || startedAt <= this.#decreasedAt) return;
    const before = this.#before(now);
    const isGuess = this.#knowsLittle(now);
    const accepted = isGuess ? 0 : before * this.#acceptedShare(now);
    this.#decreaseTo(
      Math.max(LEAST_PER_S, DEEPEST_DECREASE * before, DECREASE * accepted),
      before,
      now,
    );
    this.#isGuess = isGuess;
  }

  /** Whether most of the rate was used recently. */
  isLimiting(now: number): boolean {
    return this.isBound && this.#sentRecently(now) >= LIMITING * this.#perSecond;
  }

  /** A trial begins to find out whether the rate is too high. */
  suspect(now: number): void {
    const isSuspected = this.isBound && (this.#isGuess || this.isLimiting(now));
    this.#suspected = isSuspected ? this.#perSecond : 0;
  }

  /** Reduces the rate to `perSecond`, because a trial has shown that too much is sent. `isRateAlone`: nothing
   * else is reduced, so growth levels off below the rate that was suspected. */
  decrease(perSecond: number, isRateAlone: boolean, now: number): void {
    const rate = Math.max(LEAST_PER_S, perSecond);
    const suspected = isRateAlone ? BELOW_SUSPECTED * this.#suspected : 0;
    this.#decreaseTo(rate, Math.min(MOST_ABOVE * rate, suspected), now);
    this.#isGuess = false;
  }

  #decreaseTo(rate: number, before: number, now: number): void {
    const from = Math.max(before, rate / DECREASE);
    const beyond = from < BEYOND_FROM_PER_S ? 0 : BEYOND * from;
    this.#growth.decrease(0, rate, from, Math.max(from - rate, beyond));
    this.#decreasedAt = this.#refreshedAt = now;
    this.#sentSinceDecrease = this.#grownMs = this.#idleMs = 0;
    this.#decreasedTo = this.#perSecond = rate;
    if (this.#bucket === undefined) this.#bucket = new TokenBucket(rate, now);
    else this.#bucket.setRate(rate, now);
    // Else the burst that the previous rate allowed is refused too, and reduces the rate once for each attempt.
    this.#bucket.drain(now);
  }

  /** Whether the accepted rate is not known: at the start, while a guess is still refused at once, and where
   * nothing was accepted since the last decrease. */
  #knowsLittle(now: number): boolean {
    if (!this.isBound) return !this.#sent.isSteady(now);
    return this.#sentSinceDecrease <= 1 || this.#isGuess && now - this.#decreasedAt < CONFIRM_MS;
  }

  /** The rate that was refused: the limit where it was used, else what was sent. */
  #before(now: number): number {
    const sent = this.#sentRecently(now);
    if (!this.isBound) return Math.max(FIRST_PER_S, sent);
    return sent >= USED * this.#perSecond ? this.#perSecond : sent;
  }

  /** How much of what was sent since the last decrease was not refused, from 0 to 1. */
  #acceptedShare(now: number): number {
    const sinceDecreaseMs = now - this.#decreasedAt;
    const refused = this.#refused.perSecond(now, sinceDecreaseMs);
    return Math.max(0, 1 - refused / this.#sent.perSecond(now, sinceDecreaseMs));
  }

  /** Sent a second: over the last second while that rises, else over the last five. */
  #sentRecently(now: number): number {
    return Math.max(this.#sent.perSecond(now, SHORTEST_WINDOW_MS), this.#sent.perSecond(now));
  }

  #refresh(bucket: TokenBucket, now: number): void {
    // Nothing is learned while nothing may be sent (a cool-down).
    const elapsedMs = Math.min(LONGEST_WINDOW_MS, now - this.#refreshedAt);
    const used = this.#sentRecently(now) / this.#perSecond;
    this.#refreshedAt = now;
    this.#idleMs = used < IDLE ? this.#idleMs + elapsedMs : 0;
    if (this.#idleMs >= IDLE_MS) {
      this.forget();
      return;
    }
    if (used < USED) return;
    this.#grownMs += elapsedMs;
    this.#perSecond = this.#isGuess
      ? this.#decreasedTo * 2 ** (this.#grownMs / DOUBLING_MS)
      : this.#growth.at(this.#grownMs);
    bucket.setRate(this.#perSecond, now);
  }

  /** Removes the limit: refusals do not depend on the rate. */
  forget(): void {
    this.#bucket = undefined;
    this.#perSecond = Infinity;
  }
}
