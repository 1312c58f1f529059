/**
 * The clock that the deadlines of rows go by.
 *
 * @module
 */

/** Stands still while nothing can be sent, so that neither an outage nor a pause uses up the time of the
 * rows that wait for its end. */
export class RowClock {
  readonly #now: () => number;
  #stoodMs = 0;
  #seenAt: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#seenAt = now();
  }

  /** Milliseconds without those in which it stood still. */
  readonly now = (): number => this.#now() - this.#stoodMs;

  /** Time has passed since the last call. `isStanding`: nothing could be sent. Called about ten times a
   * second. */
  tick(isStanding: boolean): void {
    const now = this.#now();
    if (isStanding) this.#stoodMs += now - this.#seenAt;
    this.#seenAt = now;
  }
}
