/**
 * Limits how many attempts may be in flight at one teacher.
 *
 * The limit is the lowest of three numbers:
 *
 * - the limit of the careful start
 * - the limit that has grown since the last decrease
 * - the ceiling or, in a run that explores, the number with the highest throughput
 *   (`hill_climb.ts`)
 *
 * @module
 */

import { HillClimb } from "./hill_climb.ts";
import type { CongestedAttempt, LoadControlOptions } from "./load_control.ts";
import { CubicGrowth, RECOVERY_MS } from "./adaptive_rate.ts";

type ConcurrencyLimitOptions = Pick<
  LoadControlOptions,
  "ceiling" | "isExploring" | "isCareful" | "now" | "random"
>;

interface LimitAnswer extends Pick<CongestedAttempt, "startedAt" | "inFlight"> {
  readonly tokens: number;
}

/** The limit after throttling, as a fraction of the attempts in flight. CUBIC's factor of 0.7 would
 * leave too much of a teacher idle, and throttled attempts cost next to nothing. */
const DECREASE_FACTOR = 0.85;
/** If less than this fraction of the limit is in flight, the number in flight does not show how
 * many attempts the teacher accepts. */
const MIN_REMAINING_SHARE = 0.1;
/** Attempts made within this time after a decrease still compete with the throttled burst. */
const BURST_MS = 100;
/** A careful start that is throttled continues from a lower limit, because its last step may have
 * been too large. If it is throttled again, the start ends, unless the limit has reached this
 * multiple of the limit at which it was throttled before. */
const FURTHER_GROWTH = 1.5;
/** How the limit grows during a careful start. Below `linearFrom`, each answer multiplies the limit
 * by `factor`. From `linearFrom` on, and after throttling, each answer adds one, so that the limit
 * doubles once all attempts in flight have been answered. */
interface StartGrowth {
  readonly factor: number;
  readonly linearFrom: number;
}

/** The limit is 1, 3, 9, 27, 81 and 243 in turn. With a factor of 2, a start with 200 lanes would
 * take longer by the latency of one answer. With a factor of 4, twice as many attempts would be
 * throttled. */
const START: StartGrowth = { factor: 3, linearFrom: 128 };
/** Used after an outage, and in runs that explore, whose first measurement is at a limit of 32. */
const GENTLE_START: StartGrowth = { factor: 2, linearFrom: 16 };
/** The limit of a careful start also doubles after this time without throttling or growth, because
 * answers may take an hour. */
const QUIET_MS = 10_000;
/** The limit counts as used while at least this fraction of it is in flight, and for `USED_FOR_MS`
 * after that. When the last of several simultaneous answers arrives, few attempts are still in
 * flight. */
const USED_SHARE = 0.8;
const USED_FOR_MS = 1_000;
/** `tick()` is called at least twice a second. If more than this time passes between two calls to
 * this class, the process was stopped or nothing was in flight, and the time is ignored. */
const MAX_CALL_GAP_MS = 3_000;

export class ConcurrencyLimit {
  readonly #now: () => number;
  readonly #explorer: HillClimb | undefined;
  ceiling: number;

  /** The limit of the careful start; undefined once it is over. */
  #start: number | undefined;
  #startGrowth: StartGrowth;
  /** The limit at which the careful start was throttled; 0 if it was not throttled. */
  #startThrottledAt = 0;
  #quietSince: number;

  #growth = new CubicGrowth();
  /** The clock of the growth: the milliseconds during which the limit was used. */
  #usedMs = 0;
  #lastDecreaseAt = -Infinity;
  #limitBeforeDecrease = 0;
  /** Whether an attempt made after the last decrease was answered. */
  #isConfirmed = false;
  /** The last limit that an answer confirmed before a decrease. */
  #confirmedLimit = Infinity;

  #calledAt: number;
  #lastUsedAt: number;
  #lastUnusedAt = -Infinity;

  constructor(options: ConcurrencyLimitOptions) {
    const { ceiling, isExploring, isCareful, now } = options;
    this.#now = now;
    this.ceiling = ceiling;
    this.#explorer = isExploring ? new HillClimb(options) : undefined;
    this.#start = isCareful ? 1 : undefined;
    this.#startGrowth = isExploring ? GENTLE_START : START;
    this.#quietSince = this.#calledAt = this.#lastUsedAt = now();
  }

  get isStarting(): boolean {
    return this.#start !== undefined;
  }

  get isAtMaximum(): boolean {
    return this.#start === undefined && this.#growth.sizeAt(this.#usedMs) >= this.#maximum;
  }

  get value(): number {
    return Math.floor(this.#exactLimit);
  }

  setCeiling(ceiling: number): void {
    this.ceiling = ceiling;
    this.#explorer?.setCeiling(ceiling);
  }

  answered(answer: LimitAnswer): void {
    const isBottleneck = this.#observe(answer.inFlight);
    const isAfterDecrease = answer.startedAt > this.#lastDecreaseAt;
    if (isAfterDecrease) this.#isConfirmed = true;
    if (this.#start !== undefined) {
      if (isAfterDecrease) this.#advanceStart(this.#start, isBottleneck);
    } else if (!this.isAtMaximum) return;
    else if (isBottleneck) this.#explorer?.answered(answer.tokens);
    else this.#explorer?.discard();
  }

  /** Handles an attempt that was throttled, timed out or could not connect. A burst of such
   * attempts counts once: attempts sent before or right after the last decrease are ignored, except
   * those in a streak that is too long to be chance (`isInLongStreak`). */
  congested(
    { startedAt, inFlight }: Pick<CongestedAttempt, "startedAt" | "inFlight">,
    isInLongStreak = false,
  ): void {
    this.#observe(inFlight);
    this.#quietSince = this.#now();
    if (startedAt <= this.#lastDecreaseAt + BURST_MS) {
      if (isInLongStreak && this.#start === undefined) this.#shrink(inFlight - 1);
      return;
    }
    const from = Math.max(1, Math.min(this.#exactLimit, inFlight));
    this.decrease(from, DECREASE_FACTOR * from);
  }

  /** Reduces the limit to `towards`, or to `from` minus 1 if that is lower.
   *
   * @param from The number of attempts in flight that was too high. */
  decrease(from: number, towards: number): void {
    const size = this.#exactLimit;
    if (this.#isConfirmed && this.#start === undefined) this.#confirmedLimit = size;
    // If the limit is small, a decrease by 15 % alone would grow back at once.
    const to = Math.min(towards, from - 1);
    if (this.#start !== undefined && size >= FURTHER_GROWTH * this.#startThrottledAt) {
      this.#start = Math.max(1, Math.floor(to));
      this.#startThrottledAt = size;
    } else {
      this.#growth.decrease(this.#usedMs, to, from);
      this.#start = undefined;
    }
    this.#isConfirmed = false;
    this.#limitBeforeDecrease = size;
    this.#lastDecreaseAt = this.#now();
    this.#explorer?.interrupted();
  }

  /** Undoes all decreases, which did not help or were due to a used-up quota. The limit continues
   * from `limit` as in a careful start. */
  resume(limit: number): void {
    this.#forgetThrottling();
    this.#setStart(limit);
  }

  tick(): void {
    this.#passTime();
    if (this.#start === undefined || this.#now() - this.#quietSince < QUIET_MS) return;
    if (this.#isUsed) this.#setStart(2 * this.#start);
  }

  /** Restarts from a limit of 1, for example after an outage. The limit then grows as in a careful
   * start until it is back at the last confirmed limit. */
  restart(): void {
    this.#forgetThrottling();
    if (this.#confirmedLimit < Infinity) {
      // The decrease is backdated so that the growth curve is already back at the confirmed limit.
      this.#growth.decrease(
        this.#usedMs - RECOVERY_MS,
        DECREASE_FACTOR * this.#confirmedLimit,
        this.#confirmedLimit,
      );
    }
    this.#explorer?.interrupted();
    this.#startGrowth = GENTLE_START;
    this.#setStart(1);
  }

  /** Reduces the limit to the number of attempts in flight, which the teacher accepted while it
   * throttled others. If hardly any are in flight, that number says nothing about the limit, and
   * the limit is reduced by `DECREASE_FACTOR` instead. */
  #shrink(inFlight: number): void {
    const to = Math.max(1, inFlight), size = this.#limitBeforeDecrease;
    if (to < MIN_REMAINING_SHARE * size) {
      this.#growth.decrease(this.#usedMs, DECREASE_FACTOR * size, size);
    } else if (to < this.#exactLimit) this.#growth.decrease(this.#usedMs, to, to / DECREASE_FACTOR);
  }

  #forgetThrottling(): void {
    this.#passTime();
    this.#growth = new CubicGrowth();
    this.#isConfirmed = false;
    this.#startThrottledAt = 0;
  }

  get #exactLimit(): number {
    return Math.max(1, Math.min(this.#start ?? Infinity, this.#startGoal));
  }

  get #startGoal(): number {
    return Math.min(this.#maximum, this.#growth.sizeAt(this.#usedMs));
  }

  get #maximum(): number {
    return this.#explorer?.limit ?? this.ceiling;
  }

  /** Records how much of the limit is used. Returns whether the limit is the bottleneck. */
  #observe(inFlight: number): boolean {
    if (inFlight >= USED_SHARE * this.value) this.#lastUsedAt = this.#now();
    else this.#lastUnusedAt = this.#now();
    this.#passTime();
    return this.#isUsed;
  }

  /** Whether the limit is in use. The last observation stays valid until the next one, because an
   * hour may pass between two answers. */
  get #isUsed(): boolean {
    return this.#lastUnusedAt - this.#lastUsedAt < USED_FOR_MS;
  }

  /** Advances the clock of the growth, but only while the limit is used: an idle run learns nothing
   * about the teacher. */
  #passTime(): void {
    const now = this.#now();
    const sinceMs = now - this.#calledAt;
    this.#calledAt = now;
    if (sinceMs > MAX_CALL_GAP_MS) this.#explorer?.discard();
    else if (this.#isUsed && this.#start === undefined) this.#usedMs += sinceMs;
  }

  #advanceStart(start: number, isBottleneck: boolean): void {
    const { factor, linearFrom } = this.#startGrowth;
    if (start < linearFrom && this.#startThrottledAt === 0) this.#setStart(factor * start);
    else if (isBottleneck) this.#advanceTo(start + 1);
  }

  #setStart(start: number): void {
    this.#quietSince = this.#now();
    this.#advanceTo(start);
  }

  #advanceTo(start: number): void {
    this.#start = start < this.#startGoal ? start : undefined;
  }
}
