/**
 * Decides which throttled attempts (a rate limit or overload) mean that too much is sent.
 *
 * Some teachers throttle a few attempts however little is sent: a gateway that rejects one request
 * in a hundred, a router with a dead replica. Sending less after each of these would bring a run to
 * a standstill. So a small share is tolerated. If a trial (`decrease_trial.ts`) shows that sending
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

/** An attempt that was throttled. */
export interface Throttled {
  /** Its number among the attempts at its teacher, from 1. */
  readonly ticket: number;
  /** When it was sent. */
  readonly startedAt: number;
  /** Attempts in flight when it ended, this one included. */
  readonly inFlight: number;
  /** Whether the concurrency limit is still in its careful start. */
  readonly isStarting: boolean;
}

/** The results of the last `RECENT` attempts at most. */
interface RecentResults {
  readonly attempts: number;
  /** The time since the first of these attempts was sent. */
  readonly seconds: number;
  /** The share that was throttled, from 0 to 1. */
  readonly share: number;
  readonly acceptedPerSecond: number;
  readonly throttledPerSecond: number;
}

/** The share of attempts that is always tolerated. */
const TOLERATED_SHARE = 0.03;
/** About how many attempts count: each new one reduces the weight of older ones. */
const MEMORY = 200;
/** The weight that older attempts keep with each new one. */
const KEPT_WEIGHT = 1 - 1 / MEMORY;
/** How many attempts with a known result show what the teacher accepts. */
const RECENT = 128;
/** How many attempts are remembered individually, most of which may still be in flight. */
const REMEMBERED = 1_024;
/** No attempt has this ticket. */
const NONE = -1;
/** The most that a throttled attempt adds to `#throttledInMs`, in milliseconds: timeouts take
 * longer. */
const MAX_THROTTLED_MS = 2_000;
/** How much of `#throttledInMs` remains with each throttled attempt, as a factor. */
const FADING = 0.95;
/** How many throttled attempts are always tolerated. */
const ALWAYS_TOLERATED = 4;
/** By how many standard deviations chance may exceed the tolerated share. */
const DEVIATIONS = 3;
/** Below this probability, a run of throttled attempts is not chance. */
const CHANCE_PROBABILITY = 2.1e-4;
/** The shortest run that is not chance. */
const MIN_RUN = 3;
/** The lowest share of throttled attempts that chance is assumed to have. */
const MIN_SHARE = 0.01;
/** Below this share of throttled attempts, no trial delays a careful start. */
const START_SHARE = 0.5;
/** Below this number of attempts, no trial delays a careful start: few attempts say little about
 * what is accepted. */
const START_ATTEMPTS = 120;
/** Below this many throttled attempts per second, no trial delays a careful start: it would be
 * slow. */
const START_PER_S = 5;
/** The fewest attempts before a trial: fewer give no share to compare with. */
const MIN_ATTEMPTS = 20;
/** A teacher that throttles more than this share is full or closed: no trial is needed. */
const MAX_SHARE = 0.75;
/** The tolerated share after a trial, as a multiple of the share that was throttled. */
const TOLERANCE_MARGIN = 1.2;
/** The usual share is forgotten once less than this fraction of it is throttled. */
const GONE_FRACTION = 0.25;
/** The fewest attempts that show that the usual share is gone. */
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
  /** The share that is throttled however little is sent, as a trial has shown. */
  #usualShare = 0;
  #trial: DecreaseTrial | undefined;
  /** The longest time until one of the last attempts was throttled, in milliseconds. */
  #throttledInMs = 0;
  /** When the last `REMEMBERED` attempts were sent. */
  readonly #sentAt = new Float64Array(REMEMBERED);
  #lastTicket = 0;
  /** The first attempt that counts towards the measured rate. */
  #recentFrom = 1;
  /** The tickets of throttled attempts, each at its ticket modulo `REMEMBERED`. */
  readonly #throttledTickets = new Float64Array(REMEMBERED).fill(NONE);
  #isInRun = false;

  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** The share that is throttled however little is sent, below `MAX_SHARE`; 0 if unknown. */
  get usualShare(): number {
    return this.#usualShare;
  }

  /** Whether the last throttled attempt was part of a run that is not chance, so the next attempt
   * would be throttled too. */
  get isInRun(): boolean {
    return this.#isInRun;
  }

  sent(ticket: number, now: number): void {
    this.#lastTicket = ticket;
    this.#sentAt[ticket % REMEMBERED] = now;
    this.#sent = this.#sent * KEPT_WEIGHT + 1;
    this.#throttled *= KEPT_WEIGHT;
    this.#allSent = this.#allSent * KEPT_WEIGHT + 1;
    this.#allThrottled *= KEPT_WEIGHT;
    this.#trial?.sent(now);
    if (this.#usualShare > 0 && this.#isUsualShareGone) this.#usualShare = 0;
  }

  /** Excludes the attempts so far from the measured rate, because of a pause or because less is
   * sent. */
  restartRate(): void {
    this.#recentFrom = this.#lastTicket + 1;
  }

  /** Called when an attempt was throttled. */
  throttled(attempt: Throttled, now: number): ThrottleVerdict {
    // Attempts from before the last verdict are not counted.
    if (attempt.ticket > this.#countedFrom) this.#throttled++;
    this.#throttledInMs = Math.max(
      Math.min(MAX_THROTTLED_MS, now - attempt.startedAt),
      FADING * this.#throttledInMs,
    );
    this.#trial?.throttled(attempt.startedAt, now);
    const runLength = this.#runLengthAt(attempt.ticket);
    if (runLength < MIN_RUN) this.#allThrottled++;
    else this.#allSent = Math.max(0, this.#allSent - 1);
    this.#isInRun = runLength >= Math.max(MIN_RUN, this.#minRunLength(runLength));
    if (this.#isInRun) return this.#excess();
    if (this.#trial !== undefined) return this.#afterTrial(this.#trial, now);
    if (this.#isTolerated || attempt.ticket <= this.#countedFrom) return "tolerated";
    const recent = this.#recent(now);
    const share = Math.max(recent.share, this.#throttled / Math.max(1, this.#sent));
    if (share >= MAX_SHARE) return this.#excess();
    if (attempt.isStarting && share < START_SHARE) {
      const isEarly = attempt.ticket < START_ATTEMPTS;
      if (isEarly || recent.throttledPerSecond < START_PER_S) return "tolerated";
    }
    if (recent.attempts < MIN_ATTEMPTS) return "tolerated";
    this.#trial = new DecreaseTrial({ size: attempt.inFlight, ...recent, share }, now);
    return "suspicious";
  }

  /**
   * The trial that has shown that sending less helps, which ends it; undefined if there is none.
   */
  effectiveTrial(now: number): DecreaseTrial | undefined {
    const trial = this.#trial;
    if (trial?.result(now) !== "effective") return undefined;
    this.#usualShare = Math.min(this.#usualShare, trial.share);
    this.#restart();
    return trial;
  }

  #afterTrial(trial: DecreaseTrial, now: number): ThrottleVerdict {
    if (trial.result(now) !== "ineffective") return "tolerated";
    if (trial.share >= MAX_SHARE) return this.#excess();
    const confirmation = trial.confirmation(now);
    if (confirmation !== undefined) {
      this.#trial = confirmation;
      return "tolerated";
    }
    this.#usualShare = trial.share;
    this.#restart();
    return "ineffective";
  }

  #excess(): ThrottleVerdict {
    this.#restart();
    return "excess";
  }

  get #isTolerated(): boolean {
    const tolerated = (this.#usualShare * TOLERANCE_MARGIN + TOLERATED_SHARE) * this.#sent;
    return this.#throttled <= ALWAYS_TOLERATED + tolerated + DEVIATIONS * Math.sqrt(tolerated);
  }

  /** The length of the run that an attempt is part of, in the order of sending. Attempts in flight
   * end a run, because they may be accepted. */
  #runLengthAt(ticket: number): number {
    this.#throttledTickets[ticket % REMEMBERED] = ticket;
    let length = 1;
    for (let n = ticket - 1; length < RECENT && this.#wasThrottled(n); n--) length++;
    for (let n = ticket + 1; length < RECENT && this.#wasThrottled(n); n++) length++;
    return length;
  }

  #wasThrottled(ticket: number): boolean {
    return this.#throttledTickets[ticket % REMEMBERED] === ticket;
  }

  /** The shortest run that is not chance, given the share that was throttled before it. */
  #minRunLength(length: number): number {
    // The run's own attempts that were counted before it was long enough to be a run.
    const ownAttempts = Math.min(length, MIN_RUN - 1);
    const sent = Math.max(1, this.#allSent - ownAttempts);
    const throttled = Math.max(0, this.#allThrottled - ownAttempts);
    const shareBefore = (throttled - Math.sqrt(throttled)) / sent;
    const share = Math.min(MAX_SHARE, Math.max(MIN_SHARE, this.#usualShare, shareBefore));
    return Math.ceil(Math.log(CHANCE_PROBABILITY / sent) / Math.log(share));
  }

  /** The results of the last attempts, except those that may still be throttled. If nearly all of
   * them may be, their share is that of all attempts. */
  #recent(now: number): RecentResults {
    const oldest = Math.max(this.#recentFrom, this.#lastTicket - REMEMBERED + 2);
    const unknownFrom = now - this.#throttledInMs;
    let last = this.#lastTicket;
    while (last > oldest && this.#sentAt[last % REMEMBERED] > unknownFrom) last--;
    const first = Math.max(oldest, last - RECENT + 2);
    let throttled = 0;
    for (let n = first; n <= last; n++) throttled += this.#wasThrottled(n) ? 1 : 0;
    let attempts = Math.max(1, last - first + 1), untilMs = unknownFrom;
    if (attempts < MIN_ATTEMPTS) {
      attempts = Math.max(1, this.#lastTicket - first + 1);
      throttled = attempts * Math.min(1, this.#throttled / Math.max(1, this.#sent));
      untilMs = now;
    }
    const seconds = Math.max(1, untilMs - this.#sentAt[first % REMEMBERED]) / 1_000;
    return {
      attempts,
      seconds,
      share: throttled / attempts,
      acceptedPerSecond: (attempts - throttled) / seconds,
      throttledPerSecond: throttled / seconds,
    };
  }

  get #isUsualShareGone(): boolean {
    return this.#sent > GONE_ATTEMPTS &&
      this.#throttled < GONE_FRACTION * this.#usualShare * this.#sent;
  }

  #restart(): void {
    this.#countedFrom = this.#lastTicket;
    this.restartRate();
    this.#sent = this.#throttled = 0;
    this.#trial = undefined;
  }
}
