/**
 * Decides which throttled attempts (rejected by a rate limit or overload) mean that too much is
 * sent.
 *
 * Some teachers throttle a few attempts at any load, such as a gateway that rejects one request in
 * a hundred or a router with a dead replica. If each of these attempts reduced what is sent, the
 * run would come to a standstill. So a small share is tolerated, and a larger share is tolerated if
 * a trial (`decrease_trial.ts`) shows that sending less does not lower it.
 *
 * @module
 */

import { DecreaseTrial } from "./decrease_trial.ts";
import type { CongestedAttempt } from "./load_control.ts";

/**
 * What a throttled attempt means:
 *
 * - `tolerated`: throttling is no more than usual, or a trial has yet to find out what it means
 * - `suspicious`: throttling is more than usual, and a trial has begun
 * - `excess`: too much is sent
 * - `ineffective`: a trial has shown that sending less does not help, so this share is tolerated
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
/** The approximate number of attempts that the mean covers. Each attempt reduces the weight of
 * older ones. */
const MEMORY = 200;
const KEPT_WEIGHT = 1 - 1 / MEMORY;
/** The number of recent attempts that show what the teacher accepts. */
const RECENT_ATTEMPTS = 128;
/** The number of attempts that are remembered individually. Most of them may still be in flight. */
const REMEMBERED_ATTEMPTS = 1_024;
const NO_TICKET = -1;
/** Limits `#throttledInMs`, because an attempt that times out takes much longer. */
const MAX_THROTTLED_MS = 2_000;
const THROTTLED_MS_DECAY = 0.95;
const ALWAYS_TOLERATED_ATTEMPTS = 4;
/** The tolerated share may be exceeded by this number of standard deviations. */
const DEVIATIONS = 3;
/** A streak of throttled attempts is not chance if its probability is lower than this. */
const CHANCE_PROBABILITY = 2.1e-4;
const MIN_STREAK = 3;
/** The minimum estimate of the share that is throttled by chance. */
const MIN_SHARE = 0.01;
/** During a careful start, if less than this share is throttled, a trial begins only when
 * `START_ATTEMPTS` and `START_PER_S` are reached. */
const START_SHARE = 0.5;
/** The minimum number of attempts sent so far. */
const START_ATTEMPTS = 120;
/** The minimum number of throttled attempts per second. */
const START_PER_S = 5;
/** The minimum number of attempts before a trial. Fewer do not show the share to compare with. */
const MIN_ATTEMPTS = 20;
/** A teacher that throttles at least this share is full or closed, so no trial is needed. */
const MAX_SHARE = 0.75;
/** After an ineffective trial, this multiple of the throttled share is tolerated. */
const TOLERANCE_MARGIN = 1.2;
/** If, after `GONE_ATTEMPTS`, less than this fraction of the usual share is throttled, the usual
 * share is forgotten. */
const GONE_FRACTION = 0.25;
const GONE_ATTEMPTS = 0.8 * MEMORY;

export class ThrottleTolerance {
  /** The number of attempts since the last verdict of `excess` or the last trial. Older attempts
   * count less. */
  #sent = 0;
  #throttled = 0;
  /** `#throttled` counts only attempts with higher tickets. */
  #countedFrom = 0;
  /** The number of attempts outside streaks of throttled attempts. Older attempts count less. */
  #allSent = 0;
  /** The number of throttled attempts among `#allSent`, which show the share throttled by
   * chance. */
  #allThrottled = 0;
  #usualShare = 0;
  #trial: DecreaseTrial | undefined;
  /** The longest time that any recent attempt took to be throttled. */
  #throttledInMs = 0;
  readonly #sentAt = new Float64Array(REMEMBERED_ATTEMPTS);
  #lastTicket = 0;
  /** The ticket of the first attempt that counts towards the measured rate. */
  #recentFrom = 1;
  /** Tickets of throttled attempts. The index of each is its ticket modulo
   * `REMEMBERED_ATTEMPTS`. */
  readonly #throttledTickets = new Float64Array(REMEMBERED_ATTEMPTS).fill(NO_TICKET);
  #isInLongStreak = false;

  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** The share that is throttled at any load, below `MAX_SHARE`; 0 if unknown. */
  get usualShare(): number {
    return this.#usualShare;
  }

  /** Whether the last throttled attempt belongs to a streak that is too long to be chance. The next
   * attempt would then be throttled too. */
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

  /** Excludes the attempts so far from the measured rate. After a pause, a decrease, a trial or a
   * closed quota window, they do not show the rate that is accepted now. */
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

  /** If a trial has shown that sending less helps, ends the trial and returns it; otherwise returns
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

  /** Returns the length of the streak that contains this attempt, in the order of sending. An
   * attempt in flight ends a streak, because it may still be accepted. */
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

  /** Returns the minimum length of a streak that is not chance at the share throttled before. */
  #minStreakLength(length: number): number {
    // Attempts of this streak that were counted before the streak was long enough to be excluded.
    const streakAttempts = Math.min(length, MIN_STREAK - 1);
    const sent = Math.max(1, this.#allSent - streakAttempts);
    const throttled = Math.max(0, this.#allThrottled - streakAttempts);
    const shareBefore = (throttled - Math.sqrt(throttled)) / sent;
    const share = Math.min(MAX_SHARE, Math.max(MIN_SHARE, this.#usualShare, shareBefore));
    return Math.ceil(Math.log(CHANCE_PROBABILITY / sent) / Math.log(share));
  }

  /** Measures recent attempts, excluding those that may still be throttled. If hardly any remain,
   * the share is that of all attempts that `#sent` counts. */
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
