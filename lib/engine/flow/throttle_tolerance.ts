/**
 * Whether a teacher refuses more than it does anyway.
 *
 * Some refuse now and then whatever is sent: a gateway that fails one request in a hundred, a router with
 * a replica that is gone. To send less for each of these refusals would bring a run to a stand for
 * nothing. So a small share of refusals is tolerated; and where sending half as much has brought no
 * smaller share (`cut_effect.ts`), so is that share.
 *
 * @module
 */

import { DecreaseEffect } from "./decrease_effect.ts";

/** What a refusal means: no more than usual; too much is sent; sending less was in vain. */
export type Verdict = "usual" | "excess" | "vain";

/** A share of attempts that is always tolerated. */
const TOLERATED = 0.03;
/** So many attempts are remembered, the older the less. */
const MEMORY = 200;
const KEPT = 1 - 1 / MEMORY;
/** Chance may bring so many standard deviations more than what is tolerated. */
const DEVIATIONS = 3;
/** So many attempts that are refused one after the other are no chance. */
const STREAK = 3;
/** What is tolerated where sending less was in vain: so much more than was refused … */
const MARGIN = 1.2;
/** … and none of it any more once the share is so much less than that, over so many attempts. */
const GONE = 0.25, GONE_ATTEMPTS = 0.8 * MEMORY;

/** The refusals for load of one teacher. Times are milliseconds of any clock. */
export class ThrottleTolerance {
  readonly #effect = new DecreaseEffect(TOLERATED);
  /** Attempts, and refusals among them, since too much was sent the last time. */
  #sent = 0;
  #refused = 0;
  /** The share that is refused whatever is sent. */
  #usual = 0;
  /** Attempts that were refused, each made after the one before was and with no other between them. */
  #streak = 0;
  #sentSinceRefusal = 0;
  #refusedAt = -Infinity;

  /** What was in flight before sending less turned out to be in vain. */
  get sizeBefore(): number {
    return this.#effect.sizeBefore;
  }

  /** An attempt is made at `now`, with a limit of `size` attempts in flight. */
  sent(now: number, size: number): void {
    this.#sent = this.#sent * KEPT + 1;
    this.#refused *= KEPT;
    this.#sentSinceRefusal++;
    if (this.#usual > 0 && this.#isGone) this.#usual = 0;
    this.#effect.sent(now, size);
  }

  /** One that was made at `startedAt` was refused at `now`, with a limit of `size` attempts in flight. */
  refused(startedAt: number, now: number, size: number): Verdict {
    const isNext = this.#sentSinceRefusal <= 1 && startedAt >= this.#refusedAt;
    this.#streak = isNext ? this.#streak + 1 : 1;
    this.#sentSinceRefusal = 0;
    this.#refusedAt = now;
    this.#refused++;
    const vain = this.#effect.refused(startedAt, now, size);
    if (vain !== undefined) {
      this.#usual = vain;
      this.#startAnew();
      return "vain";
    }
    if (this.#isTolerated) return "usual";
    this.#startAnew();
    this.#effect.cut(size);
    return "excess";
  }

  get #isTolerated(): boolean {
    if (this.#streak >= STREAK && this.#usual === 0) return false;
    const tolerated = (this.#usual * MARGIN + TOLERATED) * this.#sent;
    return this.#refused <= 1 + tolerated + DEVIATIONS * Math.sqrt(tolerated);
  }

  get #isGone(): boolean {
    return this.#sent > GONE_ATTEMPTS && this.#refused < GONE * this.#usual * this.#sent;
  }

  #startAnew(): void {
    this.#sent = this.#refused = this.#streak = 0;
  }
}
