/**
 * Which throttled attempts (429, 503, 529) mean that too much is sent.
 *
 * Some teachers throttle now and then whatever is sent: a gateway that refuses one request in a hundred, a
 * router with a replica that is gone. To send less for each of these would bring a run to a standstill for
 * nothing. So a small share is tolerated; and where a trial (`decrease_trial.ts`) shows that sending less
 * does not lower the share, so is that share.
 *
 * @module
 */

import { DecreaseTrial } from "./decrease_trial.ts";

/**
 * What a throttled attempt means for what is sent.
 *
 * - `tolerated`: no more are throttled than usual
 * - `suspicious`: more than usual, and a trial has begun to find out why
 * - `excess`: too much is sent
 * - `ineffective`: a trial has shown that sending less does not help; this share is tolerated from now on
 */
export type ThrottleVerdict = "tolerated" | "suspicious" | "excess" | "ineffective";

/** A throttled attempt. */
export interface Throttled {
  /** Its number among the attempts at the teacher. */
  readonly ticket: number;
  /** When it was sent. */
  readonly startedAt: number;
  /** Attempts in flight as it came back, itself included. */
  readonly inFlight: number;
  /** Whether the limit is still in its careful start. */
  readonly isStarting: boolean;
}

/** What became of some attempts. */
interface Recent {
  readonly attempts: number;
  readonly share: number;
  readonly acceptedPerSecond: number;
  readonly throttledPerSecond: number;
}

/** The share of attempts that is always tolerated. */
const TOLERATED = 0.03;
/** The attempts that are remembered; older ones count less and less. */
const MEMORY = 200;
const KEPT = 1 - 1 / MEMORY;
/** The attempts of which it is known one by one when they were sent, and whether they were throttled. */
const RECENT = 128;
/** No number of an attempt. */
const NONE = -1;
/** A timeout takes longer than this, in milliseconds; a refusal rarely does. */
const LONGEST_MS = 2_000;
/** What is left of the longest time until an attempt is throttled, after the next one. */
const FADING = 0.95;
/** Fewer than this say nothing. */
const ALWAYS = 4;
/** The standard deviations by which chance may exceed what is tolerated. */
const DEVIATIONS = 3;
/** The probability below which a run of throttled attempts is no chance, among those remembered. */
const UNLIKELY = 2.1e-4;
/** The shortest run that is no chance. */
const LEAST_RUN = 3;
/** Chance is never taken for smaller than this share. */
const LEAST_SHARE = 0.01;
/** The share of throttled attempts below which no trial holds up a careful start. */
const START_SHARE = 0.5;
/** The number of attempts, and of throttled attempts a second, below which no trial holds up a careful start:
 * what is sent then says little of what is accepted, and where answers take long, a trial would last as long. */
const START_ATTEMPTS = 120, START_PER_S = 5;
/** A trial compares shares: after fewer attempts there is none to compare with. */
const LEAST_ATTEMPTS = 20;
/** A teacher that throttles most attempts is full, or closed: no trial is needed. */
const MOST = 0.75;
/** What is tolerated after a trial, as a multiple of the share that was throttled. */
const MARGIN = 1.2;
/** The part of that share, and the number of attempts over which it is seen, at which the tolerance ends. */
const GONE = 0.25, GONE_ATTEMPTS = 0.8 * MEMORY;

/** The throttled attempts of one teacher. Times are milliseconds of any clock. */
export class ThrottleTolerance {
  /** Attempts, and those of them that were throttled, since too much was sent the last time. */
  #sent = 0;
  #throttled = 0;
  #countedFrom = 0;
  /** The same over all that was sent, without what is part of a run: what chance may bring. */
  #allSent = 0;
  #allThrottled = 0;
  /** The share that is throttled whatever is sent, as a trial has shown. */
  #usual = 0;
  #trial: DecreaseTrial | undefined;
  /** How long it takes until an attempt is throttled, in ms: the longest of the last ones. */
  #throttledInMs = 0;
  /** When the last attempts were sent. */
  readonly #sentAt = new Float64Array(RECENT);
  #lastTicket = 0;
  #recentFrom = 1;
  /** The numbers of those that were throttled, each in the place that its last digits give. */
  readonly #numbers = new Float64Array(RECENT).fill(NONE);
  #isRun = false;

  /** The trial under way. */
  get trial(): DecreaseTrial | undefined {
    return this.#trial;
  }

  /** Whether the last one ended a run of throttled attempts that is no chance: the next would be, too. */
  get isRun(): boolean {
    return this.#isRun;
  }

  /** An attempt is sent. */
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

  /** What was sent until now tells nothing of the rate any more: nothing is sent for a while, or less. */
  rested(): void {
    this.#recentFrom = this.#lastTicket + 1;
  }

  /** An attempt was throttled at `now`. */
  throttled(attempt: Throttled, now: number): ThrottleVerdict {
    // Those that were sent before are not among the attempts that count.
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
    if (this.#sent < LEAST_ATTEMPTS) return "tolerated";
    this.#trial = new DecreaseTrial({ size: attempt.inFlight, ...recent, share }, now);
    return "suspicious";
  }

  /** The trial that has shown by `now` that sending less helps, if one has; it is over then. */
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

  /** The length of the run that an attempt is part of. By the order in which attempts were sent: what is
   * in flight between two of them may have been accepted. */
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

  /** The length from which a run is no chance, by the share that was throttled before it. */
  #unlikelyRun(length: number): number {
    const own = Math.min(length, LEAST_RUN - 1);
    const sent = Math.max(1, this.#allSent - own);
    const before = Math.max(0, this.#allThrottled - own);
    const known = (before - Math.sqrt(before)) / sent;
    const share = Math.min(MOST, Math.max(LEAST_SHARE, this.#usual, known));
    return Math.ceil(Math.log(UNLIKELY / sent) / Math.log(share));
  }

  /** What became of the last attempts, of those that would have been throttled by now. */
  #recent(now: number): Recent {
    const unknownFrom = now - this.#throttledInMs;
    let last = this.#lastTicket;
    const first = Math.max(this.#recentFrom, last - RECENT + 2);
    while (last > first && this.#sentAt[last % RECENT] > unknownFrom) last--;
    let throttled = 0;
    for (let n = first; n <= last; n++) throttled += this.#wasThrottled(n) ? 1 : 0;
    const attempts = Math.max(1, last - first + 1);
    const seconds = Math.max(1, unknownFrom - this.#sentAt[first % RECENT]) / 1_000;
    return {
      attempts,
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
