/**
 * Decides which throttled attempts (a rate limit or overload) mean that too much is sent.
 *
 * Some teachers throttle a few attempts whatever is sent: a gateway that rejects one request in a
 * hundred, a router with a dead replica. To send less for each of these would bring a run to a
 * standstill. So a small share is tolerated. If a trial (`decrease_trial.ts`) shows that sending
 * less does not lower a larger share, that share is tolerated too.
 *
 * @module
 */

import { DecreaseTrial } from "./decrease_trial.ts";

/**
 * What a throttled attempt means for the load:
 *
 * - `tolerated`: throttling is no more than usual
 * - `suspicious`: throttling is more than usual, and a trial has begun to find out why
 * - `excess`: too much is sent
 * - `ineffective`: a trial has shown that sending less does not help; this share is tolerated from
 *   now on
 */
export type ThrottleVerdict = "tolerated" | "suspicious" | "excess" | "ineffective";

export interface Throttled {
  /** Its number among the attempts at the teacher. */
  readonly ticket: number;
  /** When it was sent. */
  readonly startedAt: number;
  /** Attempts in flight when it ended, this one included. */
  readonly inFlight: number;
  /** Whether the concurrency limit is still in its careful start. */
  readonly isStarting: boolean;
}

/** The results of the last `RECENT` attempts at most. */
interface Recent {
  readonly attempts: number;
  readonly seconds: number;
  readonly share: number;
  readonly acceptedPerSecond: number;
  readonly throttledPerSecond: number;
}

/** The share of attempts that is always tolerated. */
const TOLERATED = 0.03;
/** How many attempts count; older ones fade. */
const MEMORY = 200;
const KEPT = 1 - 1 / MEMORY;
/** How many attempts are remembered individually. */
const RECENT = 128;
const NONE = -1;
/** The most that a throttled attempt adds to `#throttledInMs`, in milliseconds: timeouts take
 * longer. */
const LONGEST_MS = 2_000;
/** How much of `#throttledInMs` remains with each throttled attempt, as a factor. */
const FADING = 0.95;
/** How many throttled attempts are always tolerated. */
const ALWAYS = 4;
/** By how many standard deviations chance may exceed the tolerated share. */
const DEVIATIONS = 3;
/** Below this probability, a run of throttled attempts is not chance. */
const UNLIKELY = 2.1e-4;
/** The shortest run that is not chance. */
const LEAST_RUN = 3;
/** The lowest share of throttled attempts that chance is assumed to have. */
const LEAST_SHARE = 0.01;
/** Below this share of throttled attempts, no trial delays a careful start. */
const START_SHARE = 0.5;
/** Below this number of attempts, no trial delays a careful start: few attempts say little about
 * what is accepted. */
const START_ATTEMPTS = 120;
/** Below this many throttled attempts per second, no trial delays a careful start: it would be
 * slow. */
const START_PER_S = 5;
/** A trial compares shares; fewer attempts give no share to compare with. */
const LEAST_ATTEMPTS = 20;
/** A teacher that throttles more than this share is full or closed: no trial is needed. */
const MOST = 0.75;
/** The tolerated share after a trial, as a multiple of the share that was throttled. */
const MARGIN = 1.2;
/** Tolerance ends if less than this fraction of the tolerated share is throttled. */
const GONE = 0.25;
/** How many attempts have to show that. */
const GONE_ATTEMPTS = 0.8 * MEMORY;

/** The throttled attempts of one teacher. Times are in milliseconds of any clock. */
export class ThrottleTolerance {
  /** Attempts since too much was last sent; older ones fade. */
  #sent = 0;
  /** Those of `#sent` that were throttled. */
  #throttled = 0;
  /** Attempts after this number count in `#throttled`. */
  #countedFrom = 0;
  /** All attempts outside of runs; older ones fade. */
  #allSent = 0;
  /** Those of `#allSent` that were throttled, which shows the share by chance. */
  #allThrottled = 0;
  /** The share that is throttled whatever is sent, as a trial has shown. */
  #usual = 0;
  #trial: DecreaseTrial | undefined;
  /** The longest time until one of the last attempts was throttled, in milliseconds. */
  #throttledInMs = 0;
  /** When the last `RECENT` attempts were sent. */
  readonly #sentAt = new Float64Array(RECENT);
  #lastTicket = 0;
  #recentFrom = 1;
  /** The numbers of throttled attempts, each at its number modulo `RECENT`. */
  readonly #numbers = new Float64Array(RECENT).fill(NONE);
  #isRun = false;

  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** Whether the last attempt was part of a run of throttled attempts that is not chance, so that
   * the next one would be throttled too. */
  get isRun(): boolean {
    return this.#isRun;
  }

  sent(ticket: number, now: number): void {
    this.#lastTicket = ticket;
    this.#sentAt[ticket % RECENT] = now;
    this.#sent = this.#sent * KEPT + 1;
    this.#throttled *= KEPT;
    this.#allSent = this.#allSent * KEPT + 1;
    this.#allThrottled *= KEPT;
    this.#trial?.sent(now);
    if (this.#usual > 0 && this.#isGone) this.#usual = 0;
  }

  /** Excludes the attempts so far from the measured rate, because of a pause or because less is
   * sent. */
  rested(): void {
    this.#recentFrom = this.#lastTicket + 1;
  }

  /** Called when an attempt was throttled. */
  throttled(attempt: Throttled, now: number): ThrottleVerdict {
    // Attempts from before the last verdict are not counted.
    if (attempt.ticket > this.#countedFrom) this.#throttled++;
    this.#throttledInMs = Math.max(
      Math.min(LONGEST_MS, now - attempt.startedAt),
      FADING * this.#throttledInMs,
    );
    this.#trial?.throttled(attempt.startedAt, now);
    const run = this.#runAt(attempt.ticket);
    if (run < LEAST_RUN) this.#allThrottled++;
    else this.#allSent = Math.max(0, this.#allSent - 1);
    this.#isRun = run >= Math.max(LEAST_RUN, this.#unlikelyRun(run));
    if (this.#isRun) return this.#excess();
    if (this.#trial !== undefined) return this.#tried(this.#trial, now);
    if (this.#isTolerated || attempt.ticket <= this.#countedFrom) return "tolerated";
    const recent = this.#recent(now);
    const share = Math.max(recent.share, this.#throttled / Math.max(1, this.#sent));
    if (share >= MOST) return this.#excess();
    if (attempt.isStarting && share < START_SHARE) {
      const isEarly = attempt.ticket < START_ATTEMPTS;
      if (isEarly || recent.throttledPerSecond < START_PER_S) return "tolerated";
    }
    if (recent.attempts < LEAST_ATTEMPTS) return "tolerated";
    this.#trial = new DecreaseTrial({ size: attempt.inFlight, ...recent, share }, now);
    return "suspicious";
  }

  /**
   * The trial that has shown that sending less helps, which ends it; undefined if there is none.
   */
  effectiveTrial(now: number): DecreaseTrial | undefined {
    const trial = this.#trial;
    if (trial?.result(now) !== "effective") return undefined;
    this.#usual = Math.min(this.#usual, trial.share);
    this.#startAnew();
    return trial;
  }

  #tried(trial: DecreaseTrial, now: number): ThrottleVerdict {
    if (trial.result(now) !== "ineffective") return "tolerated";
    if (trial.share >= MOST) return this.#excess();
    const confirmation = trial.confirmation(now);
    if (confirmation !== undefined) {
      this.#trial = confirmation;
      return "tolerated";
    }
    this.#usual = trial.share;
    this.#startAnew();
    return "ineffective";
  }

  #excess(): ThrottleVerdict {
    this.#startAnew();
    return "excess";
  }

  get #isTolerated(): boolean {
    const tolerated = (this.#usual * MARGIN + TOLERATED) * this.#sent;
    return this.#throttled <= ALWAYS + tolerated + DEVIATIONS * Math.sqrt(tolerated);
  }

  /** The length of the run that an attempt is part of, in the order of sending. Attempts in flight
   * end a run, because they may be accepted. */
  #runAt(ticket: number): number {
    this.#numbers[ticket % RECENT] = ticket;
    let length = 1;
    for (let n = ticket - 1; length < RECENT && this.#wasThrottled(n); n--) length++;
    for (let n = ticket + 1; length < RECENT && this.#wasThrottled(n); n++) length++;
    return length;
  }

  #wasThrottled(ticket: number): boolean {
    return this.#numbers[ticket % RECENT] === ticket;
  }

  /** The shortest run that is not chance, given the share that was throttled before it. */
  #unlikelyRun(length: number): number {
    const own = Math.min(length, LEAST_RUN - 1);
    const sent = Math.max(1, this.#allSent - own);
    const before = Math.max(0, this.#allThrottled - own);
    const known = (before - Math.sqrt(before)) / sent;
    const share = Math.min(MOST, Math.max(LEAST_SHARE, this.#usual, known));
    return Math.ceil(Math.log(UNLIKELY / sent) / Math.log(share));
  }

  /** The results of the last attempts, except those that may still be throttled. If nearly all of
   * them may be, their share is that of all attempts. */
  #recent(now: number): Recent {
    const first = Math.max(this.#recentFrom, this.#lastTicket - RECENT + 2);
    const unknownFrom = now - this.#throttledInMs;
    let last = this.#lastTicket;
    while (last > first && this.#sentAt[last % RECENT] > unknownFrom) last--;
    let throttled = 0;
    for (let n = first; n <= last; n++) throttled += this.#wasThrottled(n) ? 1 : 0;
    let attempts = Math.max(1, last - first + 1), untilMs = unknownFrom;
    if (attempts < LEAST_ATTEMPTS) {
      attempts = Math.max(1, this.#lastTicket - first + 1);
      throttled = attempts * Math.min(1, this.#throttled / Math.max(1, this.#sent));
      untilMs = now;
    }
    const seconds = Math.max(1, untilMs - this.#sentAt[first % RECENT]) / 1_000;
    return {
      attempts,
      seconds,
      share: throttled / attempts,
      acceptedPerSecond: (attempts - throttled) / seconds,
      throttledPerSecond: throttled / seconds,
    };
  }

  get #isGone(): boolean {
    return this.#sent > GONE_ATTEMPTS && this.#throttled < GONE * this.#usual * this.#sent;
  }

  #startAnew(): void {
    this.#countedFrom = this.#lastTicket;
    this.rested();
    this.#sent = this.#throttled = 0;
    this.#trial = undefined;
  }
}
