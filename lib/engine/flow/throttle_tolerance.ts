/**
 * Decides which throttled attempts (a rate limit or overload) mean that too much is sent.
 *
 * Some teachers throttle a few attempts however little is sent: a gateway that rejects one request
 * in a hundred, a router with a dead replica. Sending less each time would bring a run to a
 * standstill. So a small share is tolerated, and a larger one if a trial (`decrease_trial.ts`)
 * shows that sending less does not lower it.
 *
 * @module
 */

import { DecreaseTrial } from "./decrease_trial.ts";
import type { CongestedAttempt } from "./load_control.ts";

/**
 * What a throttled attempt means:
 *
 * - `tolerated`: throttling is no more than usual, or a trial has yet to show what it means
 * - `suspicious`: throttling is more than usual, and a trial has begun
 * - `excess`: too much is sent
 * - `ineffective`: a trial has shown that sending less does not help; this share is tolerated
 */
export type ThrottleVerdict = "tolerated" | "suspicious" | "excess" | "ineffective";

export interface RecentResults {
  readonly attempts: number;
  readonly seconds: number;
  readonly throttledShare: number;
  readonly acceptedPerSecond: number;
  readonly throttledPerSecond: number;
}

const TOLERATED_SHARE = 0.03;
/** The memory covers about this many attempts: each attempt reduces the weight of older ones. */
const MEMORY = 200;
const KEPT_WEIGHT = 1 - 1 / MEMORY;
/** The number of attempts that measure what the teacher accepts. */
const RECENT_ATTEMPTS = 128;
/** Attempts that are remembered individually. Most may still be in flight. */
const REMEMBERED_ATTEMPTS = 1_024;
const NO_TICKET = -1;
/** The upper bound of `#throttledInMs`, which timeouts would exceed. */
const MAX_THROTTLED_MS = 2_000;
const THROTTLED_MS_DECAY = 0.95;
const ALWAYS_TOLERATED_ATTEMPTS = 4;
/** Chance may exceed the tolerated share by this many standard deviations. */
const DEVIATIONS = 3;
/** Below this probability, a streak of throttled attempts is not chance. */
const CHANCE_PROBABILITY = 2.1e-4;
const MIN_STREAK = 3;
/** The share throttled by chance is taken to be at least this. */
const MIN_SHARE = 0.01;
/** While less than this share is throttled during a careful start, a trial begins only if
 * `START_ATTEMPTS` and `START_PER_S` are reached. */
const START_SHARE = 0.5;
/** Attempts sent so far. */
const START_ATTEMPTS = 120;
/** Throttled attempts per second. */
const START_PER_S = 5;
/** Fewer attempts give no share to compare with. */
const MIN_ATTEMPTS = 20;
/** A teacher that throttles more is full or closed: no trial is needed. */
const MAX_SHARE = 0.75;
/** After a trial, this multiple of the throttled share is tolerated. */
const TOLERANCE_MARGIN = 1.2;
/** The usual share is forgotten if, after `GONE_ATTEMPTS`, less than this fraction of it is
 * throttled. */
const GONE_FRACTION = 0.25;
const GONE_ATTEMPTS = 0.8 * MEMORY;

export class ThrottleTolerance {
  /** Attempts since the last verdict `excess` or the last trial; older attempts count less. */
  #sent = 0;
  #throttled = 0;
  /** Attempts with higher tickets count in `#throttled`. */
  #countedFrom = 0;
  /** All attempts outside of streaks of throttled attempts; older attempts count less. */
  #allSent = 0;
  /** The throttled attempts among `#allSent`: they show the share that is throttled by chance. */
  #allThrottled = 0;
  #usualShare = 0;
  #trial: DecreaseTrial | undefined;
  /** The longest time that a recent attempt took to be throttled. */
  #throttledInMs = 0;
  readonly #sentAt = new Float64Array(REMEMBERED_ATTEMPTS);
  #lastTicket = 0;
  /** The ticket of the first attempt that counts towards the measured rate. */
  #recentFrom = 1;
  /** Tickets of throttled attempts, each at its ticket modulo `REMEMBERED_ATTEMPTS`. */
  readonly #throttledTickets = new Float64Array(REMEMBERED_ATTEMPTS).fill(NO_TICKET);
  #isInLongStreak = false;

  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** The share that is throttled however little is sent, below `MAX_SHARE`; 0 if unknown. */
  get usualShare(): number {
    return this.#usualShare;
  }

  /** Whether the last throttled attempt belongs to a streak too long to be chance. The next attempt
   * would be throttled too. */
  get isInLongStreak(): boolean {
    return this.#isInLongStreak;
  }

  sent(ticket: number, now: number): void {
    this.#lastTicket = ticket;
    this.#sentAt[ticket % REMEMBERED_ATTEMPTS] = now;
    this.#sent = this.#sent * KEPT_WEIGHT + 1;
    this.#throttled *= KEPT_WEIGHT;
    this.#allSent = this.#allSent * KEPT_WEIGHT + 1;
    this.#allThrottled *= KEPT_WEIGHT;
    this.#trial?.sent(now);
    if (this.#usualShare > 0 && this.#isUsualShareGone) this.#usualShare = 0;
  }

  /** Called after a pause or a decrease: earlier attempts do not show the rate that is accepted. */
  restartRate(): void {
    this.#recentFrom = this.#lastTicket + 1;
  }

  throttled(attempt: CongestedAttempt, isCarefulStart: boolean, now: number): ThrottleVerdict {
    if (attempt.ticket > this.#countedFrom) this.#throttled++;
    this.#throttledInMs = Math.max(
      Math.min(MAX_THROTTLED_MS, now - attempt.startedAt),
      THROTTLED_MS_DECAY * this.#throttledInMs,
    );
    this.#trial?.throttled(attempt.startedAt, now);
    const streakLength = this.#streakLengthAt(attempt.ticket);
    if (streakLength < MIN_STREAK) this.#allThrottled++;
    else this.#allSent = Math.max(0, this.#allSent - 1);
    this.#isInLongStreak =
      streakLength >= Math.max(MIN_STREAK, this.#minStreakLength(streakLength));
    if (this.#isInLongStreak) return this.#excess();
    if (this.#trial !== undefined) return this.#afterTrial(this.#trial, now);
    if (this.#isTolerated || attempt.ticket <= this.#countedFrom) return "tolerated";
    const recent = this.#recent(now);
    const share = Math.max(recent.throttledShare, this.#throttled / Math.max(1, this.#sent));
    if (share >= MAX_SHARE) return this.#excess();
    if (isCarefulStart && share < START_SHARE) {
      const isEarly = attempt.ticket < START_ATTEMPTS;
      if (isEarly || recent.throttledPerSecond < START_PER_S) return "tolerated";
    }
    if (recent.attempts < MIN_ATTEMPTS) return "tolerated";
    const trialOptions = { ...recent, inFlightBefore: attempt.inFlight, throttledShare: share };
    this.#trial = new DecreaseTrial(trialOptions, now);
    return "suspicious";
  }

  /** If a trial has shown that sending less helps, ends and returns the trial; otherwise
   * undefined. */
  effectiveTrial(now: number): DecreaseTrial | undefined {
    const trial = this.#trial;
    if (trial?.result(now) !== "effective") return undefined;
    this.#usualShare = Math.min(this.#usualShare, trial.throttledShare);
    this.#restart();
    return trial;
  }

  #afterTrial(trial: DecreaseTrial, now: number): ThrottleVerdict {
    if (trial.result(now) !== "ineffective") return "tolerated";
    if (trial.throttledShare >= MAX_SHARE) return this.#excess();
    const confirmation = trial.confirmation(now);
    if (confirmation !== undefined) {
      this.#trial = confirmation;
      return "tolerated";
    }
    this.#usualShare = trial.throttledShare;
    this.#restart();
    return "ineffective";
  }

  #excess(): ThrottleVerdict {
    this.#restart();
    return "excess";
  }

  get #isTolerated(): boolean {
    const tolerated = (this.#usualShare * TOLERANCE_MARGIN + TOLERATED_SHARE) * this.#sent;
    return this.#throttled <=
      ALWAYS_TOLERATED_ATTEMPTS + tolerated + DEVIATIONS * Math.sqrt(tolerated);
  }

  /** The length of the streak around an attempt, in the order of sending. Attempts in flight may be
   * accepted, so they end a streak. */
  #streakLengthAt(ticket: number): number {
    this.#throttledTickets[ticket % REMEMBERED_ATTEMPTS] = ticket;
    let length = 1;
    for (let n = ticket - 1; length < RECENT_ATTEMPTS && this.#wasThrottled(n); n--) length++;
    for (let n = ticket + 1; length < RECENT_ATTEMPTS && this.#wasThrottled(n); n++) length++;
    return length;
  }

  #wasThrottled(ticket: number): boolean {
    return this.#throttledTickets[ticket % REMEMBERED_ATTEMPTS] === ticket;
  }

  /** The shortest streak that is not chance, given the share throttled before it. */
  #minStreakLength(length: number): number {
    // Attempts of this streak that were counted before it was long enough.
    const streakAttempts = Math.min(length, MIN_STREAK - 1);
    const sent = Math.max(1, this.#allSent - streakAttempts);
    const throttled = Math.max(0, this.#allThrottled - streakAttempts);
    const shareBefore = (throttled - Math.sqrt(throttled)) / sent;
    const share = Math.min(MAX_SHARE, Math.max(MIN_SHARE, this.#usualShare, shareBefore));
    return Math.ceil(Math.log(CHANCE_PROBABILITY / sent) / Math.log(share));
  }

  /** Measures recent attempts, without those that may still be throttled. If hardly any are left,
   * all attempts since the last verdict give the share. */
  #recent(now: number): RecentResults {
    const oldest = Math.max(this.#recentFrom, this.#lastTicket - REMEMBERED_ATTEMPTS + 2);
    const unknownFrom = now - this.#throttledInMs;
    let last = this.#lastTicket;
    while (last > oldest && this.#sentAt[last % REMEMBERED_ATTEMPTS] > unknownFrom) last--;
    const first = Math.max(oldest, last - RECENT_ATTEMPTS + 2);
    let throttled = 0;
    for (let n = first; n <= last; n++) throttled += this.#wasThrottled(n) ? 1 : 0;
    let attempts = Math.max(1, last - first + 1), untilMs = unknownFrom;
    if (attempts < MIN_ATTEMPTS) {
      attempts = Math.max(1, this.#lastTicket - first + 1);
      throttled = attempts * Math.min(1, this.#throttled / Math.max(1, this.#sent));
      untilMs = now;
    }
    const seconds = Math.max(1, untilMs - this.#sentAt[first % REMEMBERED_ATTEMPTS]) / 1_000;
    return {
      attempts,
      seconds,
      throttledShare: throttled / attempts,
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
