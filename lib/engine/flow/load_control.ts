/**
 * Controls the load on one teacher: how many attempts at once and per second, and what throttling
 * means for both.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";
import type { Completion } from "../../teacher/mod.ts";
import { ConcurrencyLimit } from "./concurrency.ts";
import { FEW_IN_FLIGHT } from "./decrease_trial.ts";
import { QuotaWindow } from "./quota_window.ts";
import { RateLimiter } from "./rate.ts";
import { Pacer } from "./rate_parts.ts";
import { ThrottleTolerance, type ThrottleVerdict } from "./throttle_tolerance.ts";

export interface LoadControlOptions {
  /** Maximum number of attempts in flight. */
  readonly ceiling: number;
  /** The limit in requests per minute. @default none */
  readonly rpm?: number;
  /** The limit in tokens per minute. @default none */
  readonly tpm?: number;
  /** Whether the limit searches for the number with the highest throughput. */
  readonly isExploring: boolean;
  /** Whether the limit starts at 1. */
  readonly isCareful: boolean;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Unix time in milliseconds. */
  readonly wallClock: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
}

/** An attempt that was sent. */
export interface Sent {
  /** Its number among the attempts at its teacher, from 1. */
  readonly ticket: number;
  /** When it was made, on the engine's clock. */
  readonly startedAt: number;
  /** Attempts in flight at its teacher when it was made, this one included. */
  readonly inFlightAtStart: number;
}

/** An attempt that was throttled, timed out or not connected. */
interface Pressure extends Sent {
  /** Attempts in flight when it ended, this one included. */
  readonly inFlight: number;
  /** Whether the teacher said that a rate limit is reached. */
  readonly isRate: boolean;
  /** Whether the teacher said that a limit is used up. */
  readonly isExhausted: boolean;
  /** Whether the teacher said when to retry. */
  readonly hasRetryTime: boolean;
}

/** A cool-down lasts longer than requested by up to this fraction. */
const COOL_DOWN_JITTER = 0.1;
/** The most by which a cool-down lasts longer than requested, in milliseconds. */
const COOL_DOWN_JITTER_CAP_MS = 1_000;

/** The attempts after which a careful start is over, as a multiple of the ceiling, even if it has
 * not reached the ceiling. */
const START_TURNS = 4;

/** The load on one teacher. Each attempt is a `sent()`, then exactly one of `answered()`,
 * `failed()` and `notSent()`. In addition, `responded()` is called if the teacher gave no sign of
 * trouble, and `pressed()` if the attempt was throttled, timed out or not connected. */
export class LoadControl {
  readonly #now: () => number;
  readonly #limit: ConcurrencyLimit;
  readonly #rate: RateLimiter;
  readonly #tolerance = new ThrottleTolerance();
  readonly #window: QuotaWindow;
  readonly #random: () => number;
  /** Undefined while throttling does not depend on the load. */
  #pacer: Pacer | undefined;
  #ceiling: number;
  #coolUntil: number;

  constructor(options: LoadControlOptions) {
    this.#now = options.now;
    this.#random = options.random;
    this.#ceiling = options.ceiling;
    this.#coolUntil = options.now();
    this.#limit = new ConcurrencyLimit(options);
    this.#rate = new RateLimiter(options);
    this.#window = new QuotaWindow(options);
  }

  /** The limits that the user set. */
  get userRate(): Pick<RateLimiter, "setShare" | "maxPerSecond"> {
    return this.#rate;
  }

  /** How many attempts may be in flight. */
  get limit(): number {
    if (this.closedUntil !== undefined) return 1;
    return Math.min(this.#limit.value, this.#tolerance.trial?.cap ?? Infinity);
  }

  /** Whether nothing depends on time until an attempt fails. */
  isSteady(now: number): boolean {
    return this.closedUntil === undefined && this.#coolUntil <= now &&
      this.#tolerance.trial === undefined && this.#limit.isAtMaximum;
  }

  /** When the next probe may be made, on the engine's clock, while a quota per minute is used up;
   * undefined otherwise. */
  get closedUntil(): number | undefined {
    return this.#window.closedUntil;
  }

  /** The end of the pause that the teacher requested, on the engine's clock; in the past if there
   * is none. */
  get coolUntil(): number {
    return this.#coolUntil;
  }

  /** Milliseconds until the rate, a quota and a trial allow an attempt; 0 if they do now. */
  delayMs(now: number): number {
    if (this.closedUntil !== undefined) return this.#window.delayMs(now);
    const { trial } = this.#tolerance;
    const pacedMs = this.#pacer?.delayMs(now) ?? 0;
    const delayMs = Math.max(pacedMs, this.#rate.delayMs(), this.#window.delayMs(now));
    return trial === undefined ? delayMs : Math.max(delayMs, trial.delayMs(now));
  }

  /** @param ticket The number of the attempt among those at this teacher, from 1. */
  sent(ticket: number): void {
    const now = this.#now();
    this.#tolerance.sent(ticket, now);
    this.#window.sent(ticket, now);
    this.#pacer?.take(now);
    this.#rate.take();
  }

  /**
   * Called when an attempt was answered.
   *
   * @param inFlight Attempts in flight at that time, this one included.
   */
  answered({ startedAt, inFlightAtStart }: Sent, inFlight: number, completion: Completion): void {
    const tokens = completion.usage?.completionTokens ?? 0;
    this.#limit.answered({ startedAt, inFlight, tokens });
    this.#rate.answered(completion);
    if (this.#pacer === undefined) return;
    const now = this.#now(), { value, isStarting } = this.#limit;
    // Attempts that are throttled however little is sent are added: they take no capacity.
    const attempts = value / (1 - this.#tolerance.usualShare);
    this.#pacer.answered(now - startedAt, inFlightAtStart, attempts, isStarting, now);
  }

  /** Called when the teacher responded, perhaps by rejecting the row. */
  responded({ ticket, startedAt }: Sent): void {
    this.#reopen(this.#window.answered(ticket, startedAt));
  }

  /**
   * Called when an attempt failed.
   *
   * @param partial Its partial answer, whose tokens count; undefined if there is none.
   */
  failed(partial: Completion | undefined): void {
    if (partial === undefined) this.#rate.failed();
    else this.#rate.answered(partial);
  }

  /** Called if an attempt was not made after all. */
  notSent(): void {
    const now = this.#now();
    this.#rate.notSent();
    this.#window.notSent(now);
    this.#pacer?.notSent(now);
  }

  /**
   * Called when an attempt was throttled, timed out or could not connect. Returns whether that is
   * no more than usual (`tolerated`), a sign that too much is sent (`excess`), or due to a quota
   * that is used up (`closed`). If the teacher names a time and other attempts would be throttled
   * too, all of them wait for it.
   */
  pressed(
    sent: Sent,
    inFlight: number,
    { type, retryAfterMs, isExhausted = false }: Pick<
      Classification,
      "type" | "retryAfterMs" | "isExhausted"
    >,
  ): "tolerated" | "excess" | "closed" {
    const hasRetryTime = retryAfterMs !== undefined, isRate = type === "rate_limit";
    const pressure = { ...sent, inFlight, isRate, isExhausted, hasRetryTime };
    const verdict = this.#throttled(pressure);
    const isClosed = verdict === "closed";
    if (hasRetryTime && (isClosed || isExhausted || this.#tolerance.isInRun)) {
      this.#coolDown(retryAfterMs);
      return isClosed ? "closed" : "excess";
    }
    return isClosed || verdict === "excess" ? verdict : "tolerated";
  }

  #coolDown(ms: number): void {
    const jitterMs = Math.min(COOL_DOWN_JITTER_CAP_MS, ms * COOL_DOWN_JITTER);
    const until = this.#now() + ms + this.#random() * jitterMs;
    this.#coolUntil = Math.max(this.#coolUntil, until);
    this.#tolerance.restartRate();
  }

  #throttled(pressure: Pressure): ThrottleVerdict | "closed" {
    const now = this.#now(), { isRate, isExhausted, hasRetryTime } = pressure;
    const size = this.#limit.value;
    const isClosed = this.closedUntil !== undefined;
    const verdict = isClosed ? "closed" : this.#tolerate(pressure, now);
    if (!isClosed && (hasRetryTime || !isRate && !isExhausted)) return verdict;
    const { isInRun } = this.#tolerance;
    return this.#window.throttled(now, { ...pressure, size, isInRun }) ? "closed" : verdict;
  }

  #tolerate(
    { ticket, startedAt, inFlightAtStart, inFlight, isRate }: Pressure,
    now: number,
  ): ThrottleVerdict {
    this.#pacer?.throttled(inFlightAtStart);
    const { trial } = this.#tolerance;
    const isStarting = this.#limit.isStarting && !this.#rate.isLimiting &&
      ticket < START_TURNS * this.#ceiling;
    const verdict = this.#tolerance.throttled({ ticket, startedAt, inFlight, isStarting }, now);
    const isExcess = verdict === "excess";
    const { isInRun } = this.#tolerance;
    if (isExcess) this.#limit.pressed({ startedAt, inFlight, isInRun });
    if (verdict === "suspicious") this.#rate.startTrial();
    if (isRate) this.#rate.throttled(startedAt, isExcess);
    if (isRate && isExcess) this.#pacer ??= new Pacer();
    if (verdict === "ineffective") {
      this.#pacer = undefined;
      this.#limit.resume(trial!.size);
      this.#rate.removeAdaptiveLimit();
    }
    return verdict;
  }

  /** Called when the teacher is up after an outage. */
  restart(): void {
    this.#limit.restart();
  }

  /** Changes the maximum number of attempts in flight. */
  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    this.#limit.setCeiling(ceiling);
  }

  /**
   * Updates what depends on time; called two to ten times a second.
   *
   * @param isInUse Whether attempts other than probes are in flight: an unused limit has nothing to
   * learn.
   */
  tick(isInUse: boolean): void {
    const trial = this.#tolerance.effectiveTrial(this.#now());
    if (trial !== undefined) {
      this.#pacer ??= new Pacer();
      const { isQuick } = trial;
      if (!isQuick) this.#limit.decrease(trial.size, trial.cap);
      if (isQuick || this.#limit.value < FEW_IN_FLIGHT || this.#rate.isLimiting) {
        this.#rate.decrease(trial.perSecond, isQuick);
      }
    }
    this.#reopen(this.#window.tick(this.#now()));
    if (isInUse) this.#limit.tick();
  }

  /** Called with the limit to return to once a window is open, else undefined. The throttling at
   * the end of the last window said nothing about limit, rate or bursts. */
  #reopen(size: number | undefined): void {
    if (size === undefined) return;
    this.#pacer = undefined;
    this.#limit.resume(size);
    this.#rate.removeAdaptiveLimit();
    this.#tolerance.restartRate();
  }
}
