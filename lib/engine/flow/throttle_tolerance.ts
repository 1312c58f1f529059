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
import type { Pressure } from "./load_control.ts";

/**
 * What a throttled attempt means:
 *
 * - `tolerated`: throttling is no more than usual
 * - `suspicious`: throttling is more than usual, and a trial has begun
 * - `excess`: too much is sent
 * - `ineffective`: a trial has shown that sending less does not help; this share is tolerated
 */
export type ThrottleVerdict = "tolerated" | "suspicious" | "excess" | "ineffective";

export interface RecentResults {
  readonly attempts: number;
  readonly seconds: number;
  readonly share: number;
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
const NONE = -1;
/** The upper bound of `#throttledInMs`: timeouts take longer. */
const MAX_THROTTLED_MS = 2_000;
/** `#throttledInMs` shrinks by this factor with each throttled attempt. */
const FADING = 0.95;
const ALWAYS_TOLERATED_ATTEMPTS = 4;
/** Chance may exceed the tolerated share by this many standard deviations. */
const DEVIATIONS = 3;
/** Below this probability, a run of throttled attempts is not chance. */
const CHANCE_PROBABILITY = 2.1e-4;
const MIN_RUN = 3;
/** The share throttled by chance is taken to be at least this. */
const MIN_SHARE = 0.01;
/** While a careful start has a lower share of throttled attempts, a trial waits for
 * `START_ATTEMPTS` and `START_PER_S`. */
const START_SHARE = 0.5;
const START_ATTEMPTS = 120;
/** With fewer throttled attempts per second, the trial would be slow. */
const START_PER_S = 5;
/** Fewer attempts give no share to compare with. */
const MIN_ATTEMPTS = 20;
/** A teacher that throttles more is full or closed: no trial is needed. */
const MAX_SHARE = 0.75;
/** After a trial, this multiple of the throttled share is tolerated. */
const TOLERANCE_MARGIN = 1.2;
const GONE_FRACTION = 0.25;
/** The usual share is forgotten if, after this many attempts, less than `GONE_FRACTION` of it is
 * throttled. */
const GONE_ATTEMPTS = 0.8 * MEMORY;

export class ThrottleTolerance {
  /** Attempts since the last excess or the end of the last trial; older ones count less. */
  #sent = 0;
  #throttled = 0;
  /** Attempts after this number count in `#throttled`. */
  #countedFrom = 0;
  /** All attempts outside of runs of throttled ones; older attempts count less. */
  #allSent = 0;
  /** The throttled attempts among `#allSent`: they show the share that is throttled by chance. */
  #allThrottled = 0;
  #usualShare = 0;
  #trial: DecreaseTrial | undefined;
  /** The longest time that a recent attempt took to be throttled. */
  #throttledInMs = 0;
  readonly #sentAt = new Float64Array(REMEMBERED_ATTEMPTS);
  #lastTicket = 0;
  /** The first attempt that counts towards the measured rate. */
  #recentFrom = 1;
  /** Tickets of throttled attempts, each at its ticket modulo `REMEMBERED_ATTEMPTS`. */
  readonly #throttledTickets = new Float64Array(REMEMBERED_ATTEMPTS).fill(NONE);
  #isInRun = false;

  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** The share that is throttled however little is sent, below `MAX_SHARE`; 0 if unknown. */
  get usualShare(): number {
    return this.#usualShare;
  }

  /** Whether the last throttled attempt belongs to a run too long to be chance. The next attempt
   * would be throttled too. */
  get isInRun(): boolean {
    return this.#isInRun;
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

  /** Called after a pause or a decrease: the attempts so far do not show the rate. */
  restartRate(): void {
    this.#recentFrom = this.#lastTicket + 1;
  }

  /** @param isStarting Whether a careful start continues. */
  throttled(attempt: Pressure, isStarting: boolean, now: number): ThrottleVerdict {
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
    if (isStarting && share < START_SHARE) {
      const isEarly = attempt.ticket < START_ATTEMPTS;
      if (isEarly || recent.throttledPerSecond < START_PER_S) return "tolerated";
    }
    if (recent.attempts < MIN_ATTEMPTS) return "tolerated";
    this.#trial = new DecreaseTrial({ size: attempt.inFlight, ...recent, share }, now);
    return "suspicious";
  }

  /** Ends a trial that has shown that sending less helps, and returns it; otherwise undefined. */
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
    return this.#throttled <=
      ALWAYS_TOLERATED_ATTEMPTS + tolerated + DEVIATIONS * Math.sqrt(tolerated);
  }

  /** The length of the run around an attempt, in the order of sending. Attempts in flight may be
   * accepted, so they end a run. */
  #runLengthAt(ticket: number): number {
    this.#throttledTickets[ticket % REMEMBERED_ATTEMPTS] = ticket;
    let length = 1;
    for (let n = ticket - 1; length < RECENT_ATTEMPTS && this.#wasThrottled(n); n--) length++;
    for (let n = ticket + 1; length < RECENT_ATTEMPTS && this.#wasThrottled(n); n++) length++;
    return length;
  }

  #wasThrottled(ticket: number): boolean {
    return this.#throttledTickets[ticket % REMEMBERED_ATTEMPTS] === ticket;
  }

  /** The shortest run that is not chance, given the share throttled before it. */
  #minRunLength(length: number): number {
    // Attempts of this run that were counted before it was recognized.
    const ownAttempts = Math.min(length, MIN_RUN - 1);
    const sent = Math.max(1, this.#allSent - ownAttempts);
    const throttled = Math.max(0, this.#allThrottled - ownAttempts);
    const shareBefore = (throttled - Math.sqrt(throttled)) / sent;
    const share = Math.min(MAX_SHARE, Math.max(MIN_SHARE, this.#usualShare, shareBefore));
    return Math.ceil(Math.log(CHANCE_PROBABILITY / sent) / Math.log(share));
  }

  /** Recent attempts, without those that may still be throttled. If that leaves hardly any, the
   * share of all attempts is used. */
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
