/**
 * Finds out whether sending less lowers the share of throttled attempts.
 *
 * Some teachers throttle a share of all requests, however few: a faulty gateway, a router with a
 * dead replica. Others throttle what exceeds their capacity. A trial distinguishes them: for a
 * while, it allows neither more attempts in flight nor more per second than were accepted before. A
 * teacher at its capacity then throttles hardly anything, the others throttle the same share. Both
 * bounds are needed: if throttled attempts return at once, a few lanes send more than many teachers
 * accept; and attempts that are in flight for minutes follow a rate too slowly.
 *
 * The decision is a sequential probability ratio test (Wald, 1945) between the two shares: it needs
 * as few attempts as their difference allows.
 *
 * @module
 */

import { TokenBucket } from "./rate_parts.ts";

/** The rate of a trial, as a fraction of the accepted rate. */
const ACCEPTED_FRACTION = 0.9;
/** The lowest limit on attempts in flight during a trial, as a fraction of those before. */
const MIN_CAP_FRACTION = 0.4;
/** The highest limit on attempts in flight during a trial, as a fraction of those before. */
const MAX_CAP_FRACTION = 0.85;
/** The lowest rate of a trial, in attempts per second. */
const MIN_PER_S = 0.2;
/** The burst of a trial, as milliseconds of its rate: enough for late timers. A teacher that allows
 * no bursts throttles larger ones at any rate. */
const BURST_MS = 5;
/** With fewer attempts in flight, one more or less is a large step, so a rate is needed too. */
export const FEW_IN_FLIGHT = 8;
/**
 * If few attempts are in flight and return within this time on average, in milliseconds, they
 * follow the rate so closely that no other limit is needed. A lower limit on attempts in flight
 * would leave one lane, which sends less than many teachers accept.
 */
const QUICK_MS = 50;
/** How much of the throttled share may remain at a teacher at its capacity, as a fraction, because
 * attempts come together by chance. */
const REMAINING_FRACTION = 0.35;
/** The log likelihood ratio at which a trial ends as "ineffective": odds of 100 to 1. */
const INEFFECTIVE_AT = Math.log(100);
/** The log likelihood ratio at which a trial ends as "effective": odds of 20 to 1. */
const EFFECTIVE_AT = -Math.log(20);
/** The fewest attempts for "ineffective": fewer do not show the share to tolerate. */
const MIN_ATTEMPTS = 24;
/** Maximum number of attempts of a trial. If it has no clear result, the more likely one counts. */
const MAX_ATTEMPTS = 240;
/** How long the evidence for "effective" must last, in milliseconds: the last attempts may still
 * be throttled. */
const SETTLING_MS = 1_000;

/**
 * An accepted rate that was measured for less than this time, in seconds, may be that of a burst.
 */
const MIN_SECONDS = 1;

/** What was measured before a trial. */
export interface TrialOptions {
  /** Attempts in flight. */
  readonly size: number;
  /** Attempts accepted per second. */
  readonly acceptedPerSecond: number;
  /** The share of attempts that was throttled, from 0 to 1. */
  readonly share: number;
  /** How many attempts this share was measured over. */
  readonly attempts: number;
  /** How long it was measured, in seconds. */
  readonly seconds: number;
  /** The trial that this one confirms; undefined if it is the first. */
  readonly first?: Pick<DecreaseTrial, "cap" | "isQuick">;
}

/** Whether sending less lowers the share of throttled attempts. */
export type TrialResult = "effective" | "ineffective";

/** One trial. Times are in milliseconds of any clock. */
export class DecreaseTrial {
  /** The attempts in flight before the trial. */
  readonly size: number;
  /** Maximum number of attempts in flight during the trial. */
  readonly cap: number;
  /** Maximum number of attempts per second during the trial. */
  readonly perSecond: number;
  /** Whether few attempts are in flight and return quickly, so only the rate is tried. */
  readonly isQuick: boolean;
  /** Whether its result needs no confirmation. */
  readonly #isFinal: boolean;
  readonly #startedAt: number;
  readonly #bucket: TokenBucket;
  /** The log likelihood ratio that a throttled attempt adds. */
  readonly #throttledEvidence: number;
  /** The log likelihood ratio that an accepted attempt adds. */
  readonly #acceptedEvidence: number;
  /** When each attempt of the trial was sent. */
  readonly #sentAt = new Float64Array(MAX_ATTEMPTS);
  #attempts = 0;
  /** Attempts old enough that they would have been throttled by now. */
  #decided = 0;
  #throttled = 0;
  /** The longest time until an attempt was throttled, in milliseconds. */
  #throttledInMs = 0;
  #effectiveSince: number | undefined;

  constructor(options: TrialOptions, now: number) {
    const { size, acceptedPerSecond, share, attempts, seconds, first } = options;
    const capFraction = Math.min(
      MAX_CAP_FRACTION,
      Math.max(MIN_CAP_FRACTION, ACCEPTED_FRACTION * (1 - share)),
    );
    // A trial begins when many happened to be throttled, so the true share is usually smaller.
    const trueShare = Math.max(share / 2, share - 2 * Math.sqrt(share * (1 - share) / attempts));
    const shareAtCapacity = Math.max(
      REMAINING_FRACTION * trueShare,
      1 - (1 - trueShare) / capFraction,
    );
    this.size = size;
    this.perSecond = Math.max(MIN_PER_S, ACCEPTED_FRACTION * acceptedPerSecond);
    this.isQuick = first?.isQuick ??
      (size < FEW_IN_FLIGHT && size * 1_000 < QUICK_MS * this.perSecond);
    this.#isFinal = first !== undefined || !this.isQuick && seconds >= MIN_SECONDS;
    this.cap = first?.cap ??
      (this.isQuick ? FEW_IN_FLIGHT : Math.max(1, Math.floor(capFraction * size)));
    this.#bucket = new TokenBucket(this.perSecond, now, BURST_MS);
    this.#startedAt = now;
    this.#throttledEvidence = Math.log(trueShare / shareAtCapacity);
    this.#acceptedEvidence = Math.log((1 - trueShare) / (1 - shareAtCapacity));
  }

  /** The share of the trial's attempts that was throttled. */
  get share(): number {
    return this.#throttled / Math.max(1, this.#decided);
  }

  /**
   * The trial that must confirm the result "ineffective"; undefined if this one does. The rate of
   * the first one may be too high: what was accepted before it may have been a burst, or counted
   * towards a limit that has just fallen.
   */
  confirmation(now: number): DecreaseTrial | undefined {
    if (this.#isFinal) return undefined;
    const { size, cap, share, isQuick } = this, attempts = this.#decided;
    const seconds = Math.max(1, this.#sentAt[attempts - 1] - this.#startedAt) / 1_000;
    const acceptedPerSecond = Math.min(
      (1 - share) * this.perSecond,
      Math.max(0, attempts - this.#throttled) / seconds,
    );
    const first = { cap, isQuick };
    return new DecreaseTrial({ size, share, attempts, seconds, acceptedPerSecond, first }, now);
  }

  /** Milliseconds until the trial allows an attempt; 0 if it does now. */
  delayMs(now: number): number {
    return this.#bucket.delayMs(now);
  }

  sent(now: number): void {
    if (this.#attempts < MAX_ATTEMPTS) this.#sentAt[this.#attempts++] = now;
    this.#bucket.take(1, now);
  }

  /**
   * Called when an attempt was throttled.
   *
   * @param startedAt When it was sent.
   */
  throttled(startedAt: number, now: number): void {
    // Attempts in the millisecond in which the trial began may have been sent before it.
    if (startedAt <= this.#startedAt) return;
    this.#throttledInMs = Math.max(this.#throttledInMs, now - startedAt);
    this.#throttled++;
  }

  /** The result; undefined while the trial continues. */
  result(now: number): TrialResult | undefined {
    const knownUntil = now - this.#throttledInMs;
    while (this.#decided < this.#attempts && this.#sentAt[this.#decided] <= knownUntil) {
      this.#decided++;
    }
    const accepted = Math.max(0, this.#decided - this.#throttled);
    const evidence = this.#throttled * this.#throttledEvidence + accepted * this.#acceptedEvidence;
    if (evidence >= INEFFECTIVE_AT) {
      return this.#decided < MIN_ATTEMPTS ? undefined : "ineffective";
    }
    const isOver = this.#decided >= MAX_ATTEMPTS;
    if (evidence > EFFECTIVE_AT && !isOver) {
      this.#effectiveSince = undefined;
      return undefined;
    }
    this.#effectiveSince ??= now;
    if (now - this.#effectiveSince < SETTLING_MS) return undefined;
    return isOver && evidence > 0 ? "ineffective" : "effective";
  }
}
