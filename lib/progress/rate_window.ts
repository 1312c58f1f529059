/**
 * How fast something went lately: rows, tokens.
 *
 * @module
 */

const WINDOW_S = 30;

/** Counts by the second over the last 30 s. */
export class RateWindow {
  /** The counts of the last 30 whole seconds and the one under way. */
  readonly #counts = new Float64Array(WINDOW_S + 1);
  readonly #startMs: number;
  #second = 0;
  #sum = 0;

  /** Starts to count at `startMs` of a clock that never goes back. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** What was counted in the window, at the time of the last call. */
  get sum(): number {
    return this.#sum;
  }

  /** Adds `count` that came by `nowMs`. */
  add(nowMs: number, count: number): void {
    this.#advance(nowMs);
    this.#counts[this.#second % this.#counts.length] += count;
    this.#sum += count;
  }

  /** How many a second over the last 30 s, or over the whole time while that is less. */
  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const elapsedS = (nowMs - this.#startMs) / 1000;
    const spanS = Math.min(elapsedS, WINDOW_S + elapsedS % 1);
    return spanS > 0 ? this.#sum / spanS : 0;
  }

  #advance(nowMs: number): void {
    const counts = this.#counts;
    const second = Math.floor((nowMs - this.#startMs) / 1000);
    const first = Math.max(this.#second + 1, second - counts.length + 1);
    for (let due = first; due <= second; due++) {
      this.#sum -= counts[due % counts.length];
      counts[due % counts.length] = 0;
    }
    this.#second = Math.max(this.#second, second);
  }
}
