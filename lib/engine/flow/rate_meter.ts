/**
 * How often something has happened lately.
 *
 * @module
 */

const SLOT_MS = 100;

/** The longest time that is looked back on, in milliseconds. */
export const LONGEST_WINDOW_MS = 5_000;

/** The shortest, in milliseconds: what happens in the first moment does not look like a rate. */
export const SHORTEST_WINDOW_MS = 1_000;

/** The last second of a steady rate has at most so many times the mean of the last five. */
const STEADY = 1.5;

/** Counts by the tenth of a second over the last 5 s. */
export class RateMeter {
  // The whole tenths and the one under way.
  readonly #counts = new Float64Array(LONGEST_WINDOW_MS / SLOT_MS + 1);
  readonly #startedAt: number;
  #slot = 0;

  /** Starts to count at `now`, in milliseconds of a clock that never goes back. */
  constructor(now: number) {
    this.#startedAt = now;
  }

  /** It happened once. */
  add(now: number): void {
    this.#advance(now);
    this.#counts[this.#slot % this.#counts.length]++;
  }

  /** Times a second over the last `windowMs`, which are taken for at least 1 s and at most 5 s. */
  perSecond(now: number, windowMs: number = LONGEST_WINDOW_MS): number {
    this.#advance(now);
    const slots = Math.ceil(Math.max(SHORTEST_WINDOW_MS, windowMs) / SLOT_MS);
    const back = Math.min(slots, this.#slot, this.#counts.length - 1);
    let count = 0;
    for (let slot = this.#slot - back; slot <= this.#slot; slot++) {
      count += this.#counts[slot % this.#counts.length];
    }
    const spanMs = back * SLOT_MS + (now - this.#startedAt) % SLOT_MS;
    return count * 1_000 / Math.max(SHORTEST_WINDOW_MS, spanMs);
  }

  /** Whether it has gone on for long enough, and evenly enough, to call it a rate. */
  isSteady(now: number): boolean {
    return now - this.#startedAt >= LONGEST_WINDOW_MS &&
      this.perSecond(now, SHORTEST_WINDOW_MS) <= STEADY * this.perSecond(now);
  }

  #advance(now: number): void {
    const slot = Math.floor((now - this.#startedAt) / SLOT_MS);
    if (slot <= this.#slot) return;
    const first = Math.max(this.#slot + 1, slot - this.#counts.length + 1);
    for (let due = first; due <= slot; due++) this.#counts[due % this.#counts.length] = 0;
    this.#slot = slot;
  }
}
