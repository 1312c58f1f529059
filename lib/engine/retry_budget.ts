/**
 * How much of what is sent may be retries.
 *
 * @module
 */

/** Retries are at most this share of the first attempts … */
const SHARE = 0.1;

/** … and so many, so that a short run can retry at all. */
const FLOOR = 10;

/** Over about so long, in milliseconds: older attempts count less and less. */
const WINDOW_MS = 60_000;

/**
 * Keeps retries from crowding out new rows while much fails: about 10 % of the first attempts of a
 * minute. A retry that has no place waits; it is made as soon as there are no new rows to send.
 */
export class RetryBudget {
  readonly #now: () => number;
  #first = 0;
  #retries = 0;
  #seenAt: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#seenAt = now();
  }

  /** Whether a retry may be made before a new row. */
  get allows(): boolean {
    this.#decay();
    return this.#retries < FLOOR + SHARE * this.#first;
  }

  /** The first attempt at a row is made. */
  first(): void {
    this.#first++;
  }

  /** A retry is made. */
  retry(): void {
    this.#retries++;
  }

  #decay(): void {
    const now = this.#now();
    const passedMs = now - this.#seenAt;
    // Once a second is often enough.
    if (passedMs < 1_000) return;
    const left = Math.exp(-passedMs / WINDOW_MS);
    this.#first *= left;
    this.#retries *= left;
    this.#seenAt = now;
  }
}
