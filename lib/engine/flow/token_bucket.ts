/**
 * A rate as a token bucket that may go into debt: what is taken is known only afterwards.
 *
 * @module
 */

/** How much may be sent at once after a pause, as milliseconds of the rate. */
const BURST_MS = 50;

/** Lets something through at a rate: smoothly, not a minute's share at once. */
export class TokenBucket {
  #perMs: number;
  #level = 0;
  #seenAt: number;

  /** A bucket that lets `perSecond` through from `now` (in milliseconds) on. */
  constructor(perSecond: number, now: number) {
    this.#perMs = perSecond / 1_000;
    this.#seenAt = now;
  }

  /** From now on `perSecond` is let through; a debt stays as large as it is. */
  setRate(perSecond: number, now: number): void {
    this.#fill(now);
    this.#perMs = perSecond / 1_000;
  }

  /** 0 when something may be taken now, else milliseconds until then. */
  delayMs(now: number): number {
    this.#fill(now);
    return this.#level >= 0 ? 0 : -this.#level / this.#perMs;
  }

  /** Takes any amount; a negative one is given back. */
  take(amount: number, now: number): void {
    this.#fill(now);
    this.#level -= amount;
  }

  /** Time fills it up to a small burst only; what was given back stays. */
  #fill(now: number): void {
    const most = this.#perMs * BURST_MS;
    if (this.#level < most) {
      this.#level = Math.min(most, this.#level + (now - this.#seenAt) * this.#perMs);
    }
    this.#seenAt = now;
  }
}
