/**
 * The clock of an engine, which is looked at a few times for each row and read more often.
 *
 * @module
 */

/** A clock that remembers when it was last looked at. A look costs 0.15 µs, more than most of what goes
 * by it; what happens in one turn of the event loop happens at one time. */
export class Clock {
  readonly #now: () => number;
  #lastMs: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#lastMs = now();
  }

  /** Looks at the clock. */
  readonly read = (): number => this.#lastMs = this.#now();

  /** The time of the last look. */
  readonly last = (): number => this.#lastMs;
}
