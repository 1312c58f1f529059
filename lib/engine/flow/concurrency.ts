/**
 * Limits how many attempts may be in flight at one teacher.
 *
 * The limit is the lowest of three: how far a careful start has come; how far the limit has grown
 * since it was last reduced (`rate_parts.ts`); and the ceiling or, if the limit explores, the
 * number with the highest throughput (`hill_climb.ts`).
 *
 * @module
 */

import { HillClimb } from "./hill_climb.ts";
import { CubicGrowth, RECOVERY_MS } from "./rate_parts.ts";

export interface ConcurrencyLimitOptions {
  /** Maximum number of attempts in flight, even if the teacher accepts more: 1 or more. */
  readonly ceiling: number;
  /** Whether to search for the number with the highest throughput, from 32 up to the ceiling. */
  readonly isExploring: boolean;
  /** Whether to start at 1. Otherwise starts at the ceiling, or at 32 if it explores. */
  readonly isCareful: boolean;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  readonly random?: () => number;
}

export interface LimitAnswer {
  /** When the attempt was made, on the limit's clock. */
  readonly startedAt: number;
  /** Attempts in flight when the answer arrived, this one included. */
  readonly inFlight: number;
  /** Completion tokens; 0 if the teacher reports none. */
  readonly tokens: number;
}

/** What the limit needs to know about an attempt that was throttled, timed out or not connected. */
export interface LimitPressure {
  /** When the attempt was made, on the limit's clock. */
  readonly startedAt: number;
  /** Attempts in flight when it ended, this one included. */
  readonly inFlight: number;
  /** Whether it is part of a run of throttled attempts that is not due to chance. @default false */
  readonly isInRun?: boolean;
}

/** The new limit as a fraction of the old one. CUBIC's 0.7 would leave too much idle at a teacher
 * whose throttling costs next to nothing. */
const DECREASE_FACTOR = 0.85;
/** If less than this fraction of the limit is still in flight, that number says nothing about what
 * is accepted. */
const MIN_REMAINING = 0.1;
/** Attempts made this soon after a decrease, in milliseconds, still compete with the throttled
 * burst. */
const BURST_MS = 100;
/**
 * A careful start that is throttled continues from a lower limit: its last doubling may have been
 * too large a step. If it is throttled again before it has grown by this factor, the start is over.
 */
const FURTHER_GROWTH = 1.5;
/** How a careful start grows. Below `below`, each answer multiplies the limit by `factor`; from
 * there on, and after throttling, it adds one, which doubles the limit with every round of
 * answers. */
interface StartGrowth {
  readonly factor: number;
  readonly below: number;
}

/**
 * 1, 3, 9, 27, 81 attempts: the first answers prove the key, the model and the parameters. Doubling
 * would cost 200 lanes another round of answers; quadrupling would cost teachers at a limit twice
 * as many throttled attempts.
 */
const START: StartGrowth = { factor: 3, below: 128 };
/** Growth after an outage, and if the limit explores, whose first measurement is at 32. */
const GENTLE_START: StartGrowth = { factor: 2, below: 16 };
/** The time without throttling or another step up after which a careful start doubles, in
 * milliseconds: answers may take an hour. */
const QUIET_MS = 10_000;
/** The fraction of the limit that must be in flight for the limit to count as used. */
const USED_SHARE = 0.8;
/** How long the limit still counts as used after it was used, in milliseconds: answers that arrive
 * together see ever fewer in flight. */
const USED_FOR_MS = 1_000;
/** Longer gaps between two calls, in milliseconds, do not count as time. While attempts are in
 * flight there are at least two calls per second, so a longer gap means that none were. */
const MAX_CALL_GAP_MS = 3_000;

/** An adaptive limit on the attempts in flight at one teacher. */
export class ConcurrencyLimit {
  readonly #now: () => number;
  readonly #explorer: HillClimb | undefined;
  #ceiling: number;

  /** The limit of the careful start; undefined once it is over. */
  #start: number | undefined;
  #startGrowth: StartGrowth;
  /** The limit at which the start was throttled; 0 if it was not. */
  #startThrottledAt = 0;
  #quietSince: number;

  #growth = new CubicGrowth();
  /** The clock of the growth: milliseconds in which the limit was used. */
  #usedMs = 0;
  #lastDecreaseAt = -Infinity;
  /** The limit before the last decrease. */
  #decreasedFrom = 0;
  /** Whether an attempt made after the last decrease was answered. */
  #isProven = false;
  /** The last limit at which an answer arrived before it was reduced; Infinity if unknown. */
  #provenLimit = Infinity;

  #calledAt: number;
  #lastUsedAt: number;
  #lastUnusedAt = -Infinity;

  constructor(options: ConcurrencyLimitOptions) {
    const { ceiling, isExploring, isCareful, now, random = Math.random } = options;
    this.#now = now;
    this.#ceiling = ceiling;
    this.#explorer = isExploring ? new HillClimb({ ceiling, now, random }) : undefined;
    this.#start = isCareful ? 1 : undefined;
    this.#startGrowth = isExploring ? GENTLE_START : START;
    this.#quietSince = this.#calledAt = this.#lastUsedAt = now();
  }

  /** Whether the careful start is not over. */
  get isStarting(): boolean {
    return this.#start !== undefined;
  }

  /** Whether the limit is at the ceiling, or at what the exploration allows. */
  get isAtMaximum(): boolean {
    return this.#start === undefined && this.#growth.sizeAt(this.#usedMs) >= this.#maximum;
  }

  /** How many attempts may be in flight: a whole number, 1 or more. */
  get value(): number {
    return Math.floor(this.#exact);
  }

  /** Changes the maximum number of attempts in flight: 1 or more. */
  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    this.#explorer?.setCeiling(ceiling);
  }

  /** Called when the teacher has answered, whether or not the answer is accepted. */
  answered(answer: LimitAnswer): void {
    const isLimiting = this.#observe(answer.inFlight);
    const isAfterDecrease = answer.startedAt > this.#lastDecreaseAt;
    if (isAfterDecrease) this.#isProven = true;
    if (this.#start !== undefined) {
      if (isAfterDecrease) this.#advanceStart(this.#start, isLimiting);
    } else if (!this.isAtMaximum) return;
    else if (isLimiting) this.#explorer?.answered(answer.tokens);
    else this.#explorer?.discard();
  }

  /**
   * Called when an attempt was throttled, timed out or could not connect. A burst of these counts
   * once: attempts made before the last decrease or right after it are ignored.
   */
  pressed(pressure: LimitPressure): void {
    this.#observe(pressure.inFlight);
    this.#quietSince = this.#now();
    if (pressure.startedAt <= this.#lastDecreaseAt + BURST_MS) {
      if (pressure.isInRun && this.#start === undefined) this.#shrink(pressure.inFlight - 1);
      return;
    }
    const from = Math.max(1, Math.min(this.#exact, pressure.inFlight));
    this.decrease(from, DECREASE_FACTOR * from);
  }

  /** Reduces the limit because `from` attempts in flight were too many: to `towards`, at least one
   * below `from`. */
  decrease(from: number, towards: number): void {
    const size = this.#exact;
    if (this.#isProven && this.#start === undefined) this.#provenLimit = size;
    // At least by one: 15 % of a small limit would grow back at once.
    const to = Math.min(towards, from - 1);
    if (this.#start !== undefined && size >= FURTHER_GROWTH * this.#startThrottledAt) {
      this.#start = Math.max(1, Math.floor(to));
      this.#startThrottledAt = size;
    } else {
      this.#growth.decrease(this.#usedMs, to, from);
      this.#start = undefined;
    }
    this.#isProven = false;
    this.#decreasedFrom = size;
    this.#lastDecreaseAt = this.#now();
    this.#explorer?.interrupted();
  }

  /** Undoes a decrease that did not lower the share of throttled attempts: continues from `size`
   * like a careful start, limited only by the ceiling. */
  resume(size: number): void {
    this.#forgetThrottling();
    this.#setStart(size);
  }

  /**
   * Updates what depends on time. Called two to ten times a second while attempts are in flight.
   */
  tick(): void {
    this.#passTime();
    if (this.#start === undefined || this.#now() - this.#quietSince < QUIET_MS) return;
    if (this.#isUsed) this.#setStart(2 * this.#start);
  }

  /** Called when the teacher is up after an outage: starts at 1, up to the last proven limit. */
  restart(): void {
    this.#forgetThrottling();
    if (this.#provenLimit < Infinity) {
      // Dated back by the recovery time, so growth has already reached that limit again.
      this.#growth.decrease(
        this.#usedMs - RECOVERY_MS,
        DECREASE_FACTOR * this.#provenLimit,
        this.#provenLimit,
      );
    }
    this.#explorer?.interrupted();
    this.#startGrowth = GENTLE_START;
    this.#setStart(1);
  }

  /**
   * Follows the attempts in flight while all others are throttled: those were accepted, and a new
   * one would be throttled many times a second. If hardly any are left, their number says nothing
   * about the right limit.
   */
  #shrink(inFlight: number): void {
    const to = Math.max(1, inFlight), size = this.#decreasedFrom;
    if (to < MIN_REMAINING * size) {
      this.#growth.decrease(this.#usedMs, DECREASE_FACTOR * size, size);
    } else if (to < this.#exact) this.#growth.decrease(this.#usedMs, to, to / DECREASE_FACTOR);
  }

  /** Forgets what was throttled so far. */
  #forgetThrottling(): void {
    this.#passTime();
    this.#growth = new CubicGrowth();
    this.#isProven = false;
    this.#startThrottledAt = 0;
  }

  /** The limit before it is rounded down. */
  get #exact(): number {
    return Math.max(1, Math.min(this.#start ?? Infinity, this.#startEnd));
  }

  /** The limit at which a careful start ends. */
  get #startEnd(): number {
    return Math.min(this.#maximum, this.#growth.sizeAt(this.#usedMs));
  }

  get #maximum(): number {
    return this.#explorer?.limit ?? this.#ceiling;
  }

  /**
   * Records how much is in flight. Returns whether the limit is the bottleneck.
   */
  #observe(inFlight: number): boolean {
    if (inFlight >= USED_SHARE * this.value) this.#lastUsedAt = this.#now();
    else this.#lastUnusedAt = this.#now();
    this.#passTime();
    return this.#isUsed;
  }

  /** The last observation counts until the next one: an hour may pass between two answers. */
  get #isUsed(): boolean {
    return this.#lastUnusedAt - this.#lastUsedAt < USED_FOR_MS;
  }

  /** The limit grows only while it is used: an idle run learns nothing about the teacher. */
  #passTime(): void {
    const now = this.#now();
    const sinceMs = now - this.#calledAt;
    this.#calledAt = now;
    if (sinceMs > MAX_CALL_GAP_MS) this.#explorer?.discard();
    else if (this.#isUsed && this.#start === undefined) this.#usedMs += sinceMs;
  }

  #advanceStart(start: number, isLimiting: boolean): void {
    const { factor, below } = this.#startGrowth;
    if (start < below && this.#startThrottledAt === 0) this.#setStart(factor * start);
    else if (isLimiting) this.#advanceTo(start + 1);
  }

  /** Sets the limit of the careful start, and restarts the quiet time before it doubles. */
  #setStart(start: number): void {
    this.#quietSince = this.#now();
    this.#advanceTo(start);
  }

  #advanceTo(start: number): void {
    this.#start = start < this.#startEnd ? start : undefined;
  }
}
