/**
 * Whether sending less has brought fewer refusals.
 *
 * While the limit comes down, the share of refusals is measured twice: below seven tenths of where it
 * began, and below half of it. Of a teacher that is full the second share is smaller, or it refuses
 * nearly everything still; of one that refuses whatever is sent both are the same.
 *
 * @module
 */

/** Shares are measured below these parts of what was in flight before, in turn … */
const SIZES = [0.7, 0.5];
/** … each over so many attempts and refusals, or so many attempts … */
const LEAST_ATTEMPTS = 24, LEAST_REFUSALS = 6, MOST_ATTEMPTS = 240;
/** … and no sooner than their refusals have come, in milliseconds. */
const SETTLING_MS = 1_000;
/** A limit that is so much higher than where it began has come back. */
const HIGHER = 1.2;
/** Sending less was in vain where at least so much is left of the share. */
const UNCHANGED = 0.8;
/** A teacher that refuses most attempts is full, or gone. */
const MOST = 0.75;

/** Follows one limit through its cuts. Times are milliseconds of any clock. */
export class DecreaseEffect {
  readonly #least: number;
  #sizeBefore = 0;
  /** Which of `SIZES` is measured, the times of the first and the last attempt that count, and what came
   * of them. */
  #stage = 0;
  #firstAt = Infinity;
  #lastAt = Infinity;
  #attempts = 0;
  #refusals = 0;
  #isMeasured = false;
  #firstShare = 0;

  /** A share below `least` is none. */
  constructor(least: number) {
    this.#least = least;
  }

  /** What was in flight before the first of the cuts; 0 before that. */
  get sizeBefore(): number {
    return this.#sizeBefore;
  }

  /** The limit of `size` attempts in flight is cut. */
  cut(size: number): void {
    // One that had come back meanwhile is another story.
    if (size > HIGHER * this.#sizeBefore + 1) this.#begin(size);
  }

  /** An attempt is made at `now`, with a limit of `size` attempts in flight. */
  sent(now: number, size: number): void {
    if (this.#isMeasured || !this.#covers(size)) return;
    if (this.#attempts++ === 0) this.#firstAt = now;
    this.#isMeasured = this.#attempts >= MOST_ATTEMPTS ||
      this.#attempts >= LEAST_ATTEMPTS && this.#refusals >= LEAST_REFUSALS;
    // The clock may be looked at once more before it is under way.
    if (this.#isMeasured) this.#lastAt = now + 1;
  }

  /** An attempt that was made at `startedAt` was refused at `now`, with a limit of `size` attempts in flight.
   * Gives the share that is refused whatever is sent, once that is known. */
  refused(startedAt: number, now: number, size: number): number | undefined {
    const counts = startedAt >= this.#firstAt && startedAt <= this.#lastAt;
    if (counts && this.#covers(size)) this.#refusals++;
    if (!this.#isMeasured || now <= this.#lastAt + SETTLING_MS) return undefined;
    const share = Math.min(1, this.#refusals / this.#attempts);
    const first = this.#firstShare;
    if (this.#stage === 0 && share >= this.#least) {
      this.#firstShare = share;
      this.#measure(1);
      return undefined;
    }
    if (this.#stage === 0 || share >= MOST || share < Math.max(this.#least, UNCHANGED * first)) {
      this.#begin(size);
      return undefined;
    }
    this.#measure(0);
    // Few refusals were counted, and chance makes them fewer as often as more.
    return Math.max(share, first);
  }

  /** Whether what becomes of attempts at this limit is measured now. */
  #covers(size: number): boolean {
    return size <= SIZES[this.#stage] * this.#sizeBefore + 1;
  }

  #begin(size: number): void {
    this.#sizeBefore = size;
    this.#measure(0);
  }

  #measure(stage: number): void {
    this.#stage = stage;
    this.#firstAt = this.#lastAt = Infinity;
    this.#attempts = this.#refusals = 0;
    this.#isMeasured = false;
  }
}
