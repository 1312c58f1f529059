/**
 * The rate that a teacher takes, learned from its refusals. Where answers come within milliseconds a
 * limit of attempts in flight cannot hold a rate: a single lane sends hundreds a second.
 *
 * It follows the client-side rate limiting of the adaptive retry mode of the AWS SDKs: after a refusal
 * the rate is reduced below what was accepted, then it grows along the curve of CUBIC. Two things differ.
 * What is accepted is what was sent and not refused, since answers may take minutes and refusals come
 * at once. And a rate that was reduced before there was anything to measure is a guess, from which the
 * right one is looked for: downwards by halving, upwards by doubling each second.
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

/** What is left of the accepted rate after a refusal. */
const DECREASE = 0.85;

/** What is left of the rate at least: one hiccup does not stop everything. */
const DEEPEST_DECREASE = 0.5;

/** Requests a second that always remain. */
const LEAST_PER_S = 0.2;

/** The rate before the first refusal, in requests a second, is taken for at least this. */
const FIRST_PER_S = 100;

/** A guessed rate that was not refused for this time was not too high from the start, in milliseconds. */
const CONFIRM_MS = 1_000;

/** How fast a guessed rate doubles, in milliseconds. */
const DOUBLING_MS = 1_000;

/** How often the rate is computed anew, in milliseconds. */
const REFRESH_MS = 100;

/** The rate grows while at least this share of it is used. */
const USED = 1 / 3;

/** A rate of which at least this share is used is what keeps more from being sent. */
const LIMITING = 0.9;

/** The share of a rate that is used at least while the rate limits anything. */
const IDLE = 1 / 2;
/** How long a rate that limits nothing is remembered, in milliseconds. */
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

  /** Whether there is a rate to keep to. */
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

  /** The attempt that was taken last was not sent after all. */
  returned(now: number): void {
    this.#sentSinceDecrease--;
    this.#bucket?.take(-1, now);
  }

  /** An attempt that was sent at `startedAt` was refused for the rate; `isExcess`: more than the teacher
   * refuses anyway. */
  refused(startedAt: number, now: number, isExcess: boolean): void {
    this.#refused.add(now);
    // One that was sent at the rate before: the decrease has not had its effect on it.
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

  /** Whether most of the rate was used lately. */
  isLimiting(now: number): boolean {
    return this.isBound && this.#sentLately(now) >= LIMITING * this.#perSecond;
  }

  /** Holds the rate at `perSecond` for now: more was refused. */
  decrease(perSecond: number, now: number): void {
    const rate = Math.max(LEAST_PER_S, perSecond);
    this.#decreaseTo(rate, rate / DECREASE, now);
    this.#isGuess = false;
  }

  #decreaseTo(rate: number, before: number, now: number): void {
    this.#growth.decrease(0, rate, Math.max(before, rate / DECREASE));
    this.#decreasedAt = this.#refreshedAt = now;
    this.#sentSinceDecrease = this.#grownMs = this.#idleMs = 0;
    this.#decreasedTo = this.#perSecond = rate;
    if (this.#bucket === undefined) this.#bucket = new TokenBucket(rate, now);
    else this.#bucket.setRate(rate, now);
  }

  /** Whether it cannot be told how much was accepted: at the start, while a guess is still refused at
   * once, and where nothing got through since the last decrease. */
  #knowsLittle(now: number): boolean {
    if (!this.isBound) return !this.#sent.isSteady(now);
    return this.#sentSinceDecrease <= 1 || this.#isGuess && now - this.#decreasedAt < CONFIRM_MS;
  }

  /** The rate that was refused: the bound where it was used, else what was sent. */
  #before(now: number): number {
    const sent = this.#sentLately(now);
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
  #sentLately(now: number): number {
    return Math.max(this.#sent.perSecond(now, SHORTEST_WINDOW_MS), this.#sent.perSecond(now));
  }

  #refresh(bucket: TokenBucket, now: number): void {
    // While nothing may be sent (a cool-down), nothing is learned.
    const elapsedMs = Math.min(LONGEST_WINDOW_MS, now - this.#refreshedAt);
    const used = this.#sentLately(now) / this.#perSecond;
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

  /** Whether refusals come has nothing to do with the rate. */
  forget(): void {
    this.#bucket = undefined;
    this.#perSecond = Infinity;
  }
}
