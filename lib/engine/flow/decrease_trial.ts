/**
 * Finds out whether sending less lowers the share of throttled attempts.
 *
 * Some teachers throttle a fixed share of all requests at any load. Other teachers throttle what
 * exceeds their capacity. A trial sends less than was accepted before, both in flight and per
 * second. A teacher at its capacity then throttles hardly anything, while a teacher of the first
 * kind throttles the same share as before. A trial has to limit both. If throttled attempts return
 * at once, a few lanes can exceed a rate limit. If answers take minutes, a lower rate hardly
 * changes the number in flight.
 *
 * The decision is a sequential probability ratio test (Wald, 1945). It decides between the share
 * before the trial and the share that would remain at a teacher at its capacity.
 *
 * @module
 */

import { TokenBucket } from "./rate.ts";
import type { RecentResults } from "./throttle_tolerance.ts";

/** What a trial sends, as a fraction of what was accepted before. */
const TRIAL_FRACTION = 0.9;
/** Bounds of `cap`, as fractions of the attempts in flight before the trial. */
const MIN_CAP_FRACTION = 0.4;
const MAX_CAP_FRACTION = 0.85;
const MIN_PER_S = 0.2;
/** The burst is the number of attempts that the rate allows in this time, which is enough to make
 * up for timers that fire late. A teacher that allows no bursts would throttle a larger burst at
 * any rate. */
const BURST_MS = 5;
/** Below this number of attempts in flight, a single attempt is a large part of the load, so an
 * effective trial reduces the rate too. */
export const FEW_IN_FLIGHT = 8;
/** If few attempts are in flight and return within this time on average, only the rate is limited.
 * Limiting the attempts in flight would leave a single lane, and many teachers accept more. */
const QUICK_MS = 50;
/** During a trial, a teacher at its capacity still throttles this fraction of the share that it
 * throttled before, because attempts arrive together by chance. */
const REMAINING_FRACTION = 0.35;
/** From this log likelihood ratio on, a trial is ineffective: the odds are 100 to 1. */
const INEFFECTIVE_AT = Math.log(100);
/** Below this log likelihood ratio, a trial is effective: the odds that it is not are 1 to 20. */
const EFFECTIVE_AT = -Math.log(20);
/** The minimum number of attempts of an ineffective trial. With fewer, the share to tolerate from
 * then on could not be measured. */
const MIN_ATTEMPTS = 24;
/** After this many attempts, the trial ends with the more likely result. */
const MAX_ATTEMPTS = 240;
/** The evidence for "effective" must persist for this time, because the last attempts may still be
 * throttled. */
const SETTLING_MS = 1_000;

/** The minimum time over which an accepted rate must be measured. In a shorter time, the rate may
 * come from a burst. */
const MIN_SECONDS = 1;

interface TrialOptions extends Omit<RecentResults, "throttledPerSecond"> {
  /** The attempts in flight when this trial began. For a confirming trial, the attempts in flight
   * when the first trial began. */
  readonly inFlightBefore: number;
  /** The earlier trial that this trial confirms. */
  readonly first?: Pick<DecreaseTrial, "cap" | "isQuick">;
}

/** Times are in milliseconds of any clock. */
export class DecreaseTrial {
  readonly inFlightBefore: number;
  /** Maximum number of attempts in flight during the trial. */
  readonly cap: number;
  readonly perSecond: number;
  /** Whether few attempts are in flight and return quickly, so that only the rate is reduced. */
  readonly isQuick: boolean;
  /** Whether the result needs no confirmation. */
  readonly #isFinal: boolean;
  readonly #startedAt: number;
  readonly #bucket: TokenBucket;
  /** What a throttled attempt adds to the log likelihood ratio. */
  readonly #throttledEvidence: number;
  readonly #acceptedEvidence: number;
  readonly #sentAt = new Float64Array(MAX_ATTEMPTS);
  #attempts = 0;
  /** The number of attempts sent long enough ago that throttling would be known by now. */
  #knownAttempts = 0;
  #throttled = 0;
  #throttledInMs = 0;
  #effectiveSince: number | undefined;

  constructor(options: TrialOptions, now: number) {
    const { inFlightBefore, acceptedPerSecond, throttledShare, attempts, seconds, first } = options;
    const capFraction = Math.min(
      MAX_CAP_FRACTION,
      Math.max(MIN_CAP_FRACTION, TRIAL_FRACTION * (1 - throttledShare)),
    );
    // A trial begins when more attempts than usual happen to be throttled, so the true share is
    // usually smaller.
    const deviation = Math.sqrt(throttledShare * (1 - throttledShare) / attempts);
    const trueShare = Math.max(throttledShare / 2, throttledShare - 2 * deviation);
    const shareAtCapacity = Math.max(
      REMAINING_FRACTION * trueShare,
      1 - (1 - trueShare) / capFraction,
    );
    this.inFlightBefore = inFlightBefore;
    this.perSecond = Math.max(MIN_PER_S, TRIAL_FRACTION * acceptedPerSecond);
    this.isQuick = first?.isQuick ??
      (inFlightBefore < FEW_IN_FLIGHT && inFlightBefore * 1_000 < QUICK_MS * this.perSecond);
    this.#isFinal = first !== undefined || !this.isQuick && seconds >= MIN_SECONDS;
    this.cap = first?.cap ??
      (this.isQuick ? FEW_IN_FLIGHT : Math.max(1, Math.floor(capFraction * inFlightBefore)));
    this.#bucket = new TokenBucket(this.perSecond, now, BURST_MS);
    this.#startedAt = now;
    this.#throttledEvidence = Math.log(trueShare / shareAtCapacity);
    this.#acceptedEvidence = Math.log((1 - trueShare) / (1 - shareAtCapacity));
  }

  get throttledShare(): number {
    return this.#throttled / Math.max(1, this.#knownAttempts);
  }

  /** Returns the trial that must confirm an "ineffective" result, or undefined if none is needed.
   * The rate of this trial may have been too high. The accepted rate may have come from a burst, or
   * the teacher may just have lowered its limit. */
  confirmation(now: number): DecreaseTrial | undefined {
    if (this.#isFinal) return undefined;
    const { inFlightBefore, cap, throttledShare, isQuick } = this, attempts = this.#knownAttempts;
    const seconds = Math.max(1, this.#sentAt[attempts - 1] - this.#startedAt) / 1_000;
    const acceptedPerSecond = Math.min(
      (1 - throttledShare) * this.perSecond,
      Math.max(0, attempts - this.#throttled) / seconds,
    );
    const first = { cap, isQuick };
    const options = { inFlightBefore, throttledShare, attempts, seconds, acceptedPerSecond, first };
    return new DecreaseTrial(options, now);
  }

  delayMs(now: number): number {
    return this.#bucket.delayMs(now);
  }

  sent(now: number): void {
    if (this.#attempts < MAX_ATTEMPTS) this.#sentAt[this.#attempts++] = now;
    this.#bucket.take(1, now);
  }

  throttled(startedAt: number, now: number): void {
    // An attempt with the same time may have been sent before the trial began.
    if (startedAt <= this.#startedAt) return;
    this.#throttledInMs = Math.max(this.#throttledInMs, now - startedAt);
    this.#throttled++;
  }

  result(now: number): "effective" | "ineffective" | undefined {
    const knownUntil = now - this.#throttledInMs;
    while (
      this.#knownAttempts < this.#attempts && this.#sentAt[this.#knownAttempts] <= knownUntil
    ) {
      this.#knownAttempts++;
    }
    const accepted = Math.max(0, this.#knownAttempts - this.#throttled);
    const evidence = this.#throttled * this.#throttledEvidence + accepted * this.#acceptedEvidence;
    if (evidence >= INEFFECTIVE_AT) {
      return this.#knownAttempts < MIN_ATTEMPTS ? undefined : "ineffective";
    }
    const isOver = this.#knownAttempts >= MAX_ATTEMPTS;
    if (evidence > EFFECTIVE_AT && !isOver) {
      this.#effectiveSince = undefined;
      return undefined;
    }
    this.#effectiveSince ??= now;
    if (now - this.#effectiveSince < SETTLING_MS) return undefined;
    return isOver && evidence > 0 ? "ineffective" : "effective";
  }
}
