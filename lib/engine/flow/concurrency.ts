/**
 * How many attempts may be in flight at one teacher.
 *
 * The limit is the lowest of three: how far a careful start has come, how far the limit has grown since it
 * was last reduced (`rate_parts.ts`), and the ceiling or, where the limit explores, the number with the
 * highest throughput (`hill_climb.ts`).
 *
 * @module
 */

import { HillClimb } from "./hill_climb.ts";
import { CubicGrowth, RECOVERY_MS } from "./rate_parts.ts";

/** Settings and dependencies of `ConcurrencyLimit`. */
export interface ConcurrencyLimitOptions {
  /** The most attempts in flight, whatever the teacher accepts: 1 or more. */
  readonly ceiling: number;
  /** Whether the limit searches, from 32 up to the ceiling, for the number with the highest throughput. */
  readonly isExploring: boolean;
  /** Whether it starts at 1. It starts at the ceiling otherwise, or at 32 when it explores. */
  readonly isCareful: boolean;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/** An answer, as the limit sees it. */
export interface LimitAnswer {
  /** When the attempt was made, on the clock. */
  readonly startedAt: number;
  /** Attempts in flight when the answer came, itself included. */
  readonly inFlight: number;
  /** Completion tokens; 0 if the teacher counts none. */
  readonly tokens: number;
}

/** A sign that the teacher has too much to do, as the limit sees it. */
export interface LimitPressure {
  /** When the attempt was made, on the clock. */
  readonly startedAt: number;
  /** Attempts in flight when the refusal came, itself included. */
  readonly inFlight: number;
  /** Whether everything is refused now. @default false */
  readonly isRun?: boolean;
}

/** The factor of a decrease: CUBIC's 0.7 would leave too much idle at a teacher whose refusals cost next to
 * nothing. */
const DECREASE = 0.85;
/** Less than this part of what was in flight says nothing about what is accepted. */
const LEAST_SHRUNK = 0.1;
/** Attempts made this soon after a decrease, in milliseconds, still meet the crowd that was refused. */
const BURST_MS = 100;
/** A careful start that is refused continues from a lower limit: it doubles in one step, which may be too much
 * for a teacher with a rate limit. If it is refused again before it has grown by this factor, the start is
 * over. */
const FURTHER = 1.5;
/** How a careful start grows: below `below` each answer multiplies the limit by `factor`, from there on it
 * adds one, which doubles it with every round of answers. */
interface StartGrowth {
  readonly factor: number;
  readonly below: number;
}

/** 1, 3, 9, 27, 81 attempts: the first answers prove the key, the model and the parameters. Doubling costs 200
 * lanes another round of answers; quadrupling costs teachers at a limit twice as many refusals. */
const START: StartGrowth = { factor: 3, below: 128 };
/** The same after an outage, and where the limit explores: its first measurement is at 32. */
const GENTLE_START: StartGrowth = { factor: 2, below: 16 };
/** The time without a refusal after which a careful start doubles: answers may take an hour. */
const QUIET_MS = 10_000;
/** The share of the limit that has to be in flight for the limit to count as used. */
const USED_SHARE = 0.8;
/** Answers that arrive together see fewer and fewer in flight, so the limit counts as used for this long after it
 * was. */
const USED_FOR_MS = 1_000;
/** Longer gaps between two calls do not count as time. While attempts are in flight there are ten calls a
 * second, so a longer gap means that there were none. */
const LONGEST_SILENCE_MS = 3_000;

/** An adaptive limit. */
export class ConcurrencyLimit {
  readonly #now: () => number;
  readonly #explorer: HillClimb | undefined;
  #ceiling: number;

  /** How far a careful start has come; undefined when it is over. */
  #start: number | undefined;
  #startGrowth: StartGrowth;
  /** The limit at which the start was refused; 0 if it was not. */
  #startRefusedAt = 0;
  #quietSince: number;

  #growth = new CubicGrowth();
  /** The clock of the growth: milliseconds in which the limit was used. */
  #usedMs = 0;
  #lastDecreaseAt = -Infinity;
  /** The limit before the last decrease. */
  #decreasedFrom = 0;
  /** Whether an attempt made after the last decrease was answered. */
  #isProven = false;
  /** The last limit at which the teacher answered before it was reduced; Infinity: not known. */
  #held = Infinity;

  #calledAt: number;
  #lastUsedAt: number;
  #lastUnusedAt = -Infinity;

  /** Nothing is in flight yet. */
  constructor(options: ConcurrencyLimitOptions) {
    const { ceiling, isExploring, isCareful, now, random = Math.random } = options;
    this.#now = now;
    this.#ceiling = ceiling;
    this.#explorer = isExploring ? new HillClimb({ ceiling, now, random }) : undefined;
    this.#start = isCareful ? 1 : undefined;
    this.#startGrowth = isExploring ? GENTLE_START : START;
    this.#quietSince = this.#calledAt = this.#lastUsedAt = now();
  }

  /** Whether it is still in its careful start. */
  get isStarting(): boolean {
    return this.#start !== undefined;
  }

  /** How many attempts may be in flight: a whole number, 1 or more. */
  get value(): number {
    return Math.floor(this.#exact);
  }

  /** Sets the most attempts in flight: 1 or more. */
  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    this.#explorer?.setCeiling(ceiling);
  }

  /** The teacher has answered an attempt, whether or not the answer is kept. */
  answered(answer: LimitAnswer): void {
    const isLimiting = this.#observe(answer.inFlight);
    const isAfterDecrease = answer.startedAt > this.#lastDecreaseAt;
    if (isAfterDecrease) this.#isProven = true;
    if (this.#start !== undefined) {
      if (isAfterDecrease) this.#advanceStart(this.#start, isLimiting);
    } else if (this.#growth.at(this.#usedMs) < this.#top) return;
    else if (isLimiting) this.#explorer?.answered(answer.tokens);
    else this.#explorer?.discard();
  }

  /** The teacher is overloaded: throttling (429, 503, 529), a timeout, a refused connection. All refusals of
   * one burst count as one: those of attempts that were made before the last decrease, or right after it, are
   * ignored. */
  pressed(pressure: LimitPressure): void {
    this.#observe(pressure.inFlight);
    this.#quietSince = this.#now();
    if (pressure.startedAt <= this.#lastDecreaseAt + BURST_MS) {
      if (pressure.isRun && this.#start === undefined) this.#shrink(pressure.inFlight - 1);
      return;
    }
    const from = Math.max(1, Math.min(this.#exact, pressure.inFlight));
    this.decrease(from, DECREASE * from);
  }

  /** Reduces the limit from `from`, which is too many, to `towards`. */
  decrease(from: number, towards: number): void {
    const size = this.#exact;
    if (this.#isProven && this.#start === undefined) this.#held = size;
    // At least one less: 15 % of a small limit would grow back at once.
    const to = Math.min(towards, from - 1);
    if (this.#start !== undefined && size >= FURTHER * this.#startRefusedAt) {
      this.#start = Math.max(1, Math.floor(to));
      this.#startRefusedAt = size;
    } else {
      this.#growth.decrease(this.#usedMs, to, from);
      this.#start = undefined;
    }
    this.#isProven = false;
    this.#decreasedFrom = size;
    this.#lastDecreaseAt = this.#now();
    this.#explorer?.interrupted();
  }

  /** Undoes a decrease that did not lower the share of refusals: continues from `size` like a careful start,
   * bounded by the ceiling only. */
  resume(size: number): void {
    this.#forget();
    this.#setStart(size);
  }

  /** Updates what depends on time. Called about ten times a second while attempts are in flight. */
  tick(): void {
    this.#passTime();
    if (this.#start === undefined || this.#now() - this.#quietSince < QUIET_MS) return;
    if (this.#isUsed) this.#setStart(2 * this.#start);
  }

  /** The teacher is up after an outage: starts at 1 again, up to the limit before it. */
  restart(): void {
    this.#forget();
    if (this.#held < Infinity) {
      // As if that limit had been reduced long ago and had recovered by now.
      this.#growth.decrease(this.#usedMs - RECOVERY_MS, DECREASE * this.#held, this.#held);
    }
    this.#explorer?.interrupted();
    this.#startGrowth = GENTLE_START;
    this.#setStart(1);
  }

  /** While everything is refused, the limit follows what is still in flight: that was accepted, and a new
   * attempt would be refused many times a second. Where hardly anything is left in flight, the refusals say
   * nothing about the right limit. */
  #shrink(inFlight: number): void {
    const to = Math.max(1, inFlight), size = this.#decreasedFrom;
    if (to < LEAST_SHRUNK * size) this.#growth.decrease(this.#usedMs, DECREASE * size, size);
    else if (to < this.#exact) this.#growth.decrease(this.#usedMs, to, to / DECREASE);
  }

  /** Forgets what was refused until now. */
  #forget(): void {
    this.#passTime();
    this.#growth = new CubicGrowth();
    this.#isProven = false;
    this.#startRefusedAt = 0;
  }

  get #exact(): number {
    return Math.max(1, Math.min(this.#start ?? Infinity, this.#bound));
  }

  /** The limit at which a careful start ends. */
  get #bound(): number {
    return Math.min(this.#top, this.#growth.at(this.#usedMs));
  }

  get #top(): number {
    return this.#explorer?.limit ?? this.#ceiling;
  }

  /** Notes how much is in flight. Returns whether the limit is what keeps more from being sent. */
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
    if (sinceMs > LONGEST_SILENCE_MS) this.#explorer?.discard();
    else if (this.#isUsed && this.#start === undefined) this.#usedMs += sinceMs;
  }

  #advanceStart(start: number, isLimiting: boolean): void {
    const { factor, below } = this.#startGrowth;
    if (start < below && this.#startRefusedAt === 0) this.#setStart(factor * start);
    else if (isLimiting) this.#advanceTo(start + 1);
  }

  /** Sets the limit of the careful start, and restarts the quiet time before it doubles. */
  #setStart(start: number): void {
    this.#quietSince = this.#now();
    this.#advanceTo(start);
  }

  #advanceTo(start: number): void {
    this.#start = start < this.#bound ? start : undefined;
  }
}
