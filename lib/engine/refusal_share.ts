/**
 * Whether a teacher refuses more than it does anyway.
 *
 * Some refuse now and then whatever is sent: a gateway that fails one request in a hundred, a router with
 * a replica that is gone. To send less for each of these refusals would bring a run to a stand for
 * nothing. So a small share of refusals is tolerated; and where sending half as much has brought no
 * smaller share, so is that share.
 *
 * @module
 */

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
/** … and none of it any more when the share is so much less than that. */
const GONE = 0.25;

/** Shares are compared below these parts of what was in flight, in turn … */
const SIZES = [0.7, 0.5];
/** … each over so many attempts and refusals, or so many attempts … */
const LEAST_ATTEMPTS = 24, LEAST_REFUSALS = 6, MOST_ATTEMPTS = 240;
/** … and no sooner than their refusals have come, in milliseconds. */
const SETTLING_MS = 1_000;
/** A size that is so much higher than what was in flight before has come back. */
const HIGHER = 1.2;
/** Sending less was in vain where at least so much is left of the share. */
const UNCHANGED = 0.8;
/** A teacher that refuses most attempts is full, or gone. */
const MOST = 0.75;

/** The refusals for load of one teacher. Times are milliseconds of any clock. */
export class RefusalShare {
  /** Attempts, and refusals among them, since too much was sent the last time. */
  #sent = 0;
  #refused = 0;
  #tolerated = TOLERATED;
  /** Attempts that were refused, each made after the one before was and with no other between them. */
  #streak = 0;
  #sentSinceRefusal = 0;
  #refusedAt = -Infinity;

  /** What was in flight before it was lowered again and again; 0 before that. */
  #sizeBefore = 0;
  /** Which of `SIZES` is measured, the first and the last attempt that count, and what came of them. */
  #stage = 0;
  #firstAt = Infinity;
  #lastAt = Infinity;
  #attempts = 0;
  #refusals = 0;
  #isMeasured = false;
  #firstShare = 0;

  /** What was in flight before sending less turned out to be in vain. */
  get sizeBefore(): number {
    return this.#sizeBefore;
  }

  /** An attempt is made at `now`, with a limit of `size` attempts in flight. */
  sent(now: number, size: number): void {
    this.#sent = this.#sent * KEPT + 1;
    this.#refused *= KEPT;
    this.#sentSinceRefusal++;
    if (this.#tolerated > TOLERATED && this.#isGone) this.#tolerated = TOLERATED;
    if (this.#isMeasured || size > SIZES[this.#stage] * this.#sizeBefore + 1) return;
    if (this.#attempts++ === 0) this.#firstAt = now;
    this.#isMeasured = this.#attempts >= MOST_ATTEMPTS ||
      this.#attempts >= LEAST_ATTEMPTS && this.#refusals >= LEAST_REFUSALS;
    // The clock may be looked at once more before it is under way.
    if (this.#isMeasured) this.#lastAt = now + 1;
  }

  /** One that was made at `startedAt` was refused at `now`, with a limit of `size` attempts in flight. */
  refused(startedAt: number, now: number, size: number): Verdict {
    this.#refused++;
    if (startedAt >= this.#firstAt && startedAt <= this.#lastAt) this.#refusals++;
    const isNext = this.#sentSinceRefusal <= 1 && startedAt >= this.#refusedAt;
    this.#streak = isNext ? this.#streak + 1 : 1;
    this.#sentSinceRefusal = 0;
    this.#refusedAt = now;
    const isSettled = this.#isMeasured && now > this.#lastAt + SETTLING_MS;
    if (isSettled && this.#isVain(size)) return "vain";
    if (this.#isUsual) return "usual";
    this.#sent = this.#refused = this.#streak = 0;
    // What was cut has come back meanwhile: another story.
    if (size > HIGHER * this.#sizeBefore + 1) this.#begin(size);
    return "excess";
  }

  get #isUsual(): boolean {
    if (this.#streak >= STREAK && this.#tolerated === TOLERATED) return false;
    const usual = this.#tolerated * this.#sent;
    return this.#refused <= 1 + usual + DEVIATIONS * Math.sqrt(usual);
  }

  get #isGone(): boolean {
    return this.#sent > 0.8 * MEMORY &&
      this.#refused < GONE * (this.#tolerated - TOLERATED) / MARGIN * this.#sent;
  }

  #begin(size: number): void {
    this.#sizeBefore = size;
    this.#measure(0);
  }

  #measure(stage: number): void {
    this.#stage = stage;
    this.#firstAt = Infinity;
    this.#lastAt = Infinity;
    this.#attempts = this.#refusals = 0;
    this.#isMeasured = false;
  }

  #isVain(size: number): boolean {
    // Attempts of the same moment as the first or the last may be a few more.
    const share = Math.min(1, this.#refusals / this.#attempts);
    if (this.#stage === 0 && share >= TOLERATED) {
      this.#firstShare = share;
      this.#measure(1);
      return false;
    }
    if (share >= MOST || share < UNCHANGED * this.#firstShare || share < TOLERATED) {
      this.#begin(size);
      return false;
    }
    this.#measure(0);
    this.#sent = this.#refused = this.#streak = 0;
    // Few refusals were counted, and chance makes them fewer as often as more.
    this.#tolerated = Math.max(share, this.#firstShare) * MARGIN + TOLERATED;
    return true;
  }
}
