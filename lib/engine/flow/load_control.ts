/**
 * What one teacher may be sent: how many attempts at once, how many a second, and what it means for both
 * when it throttles.
 *
 * @module
 */

import type { Classification } from "../errors/mod.ts";
import type { Completion } from "../../teacher/mod.ts";
import { ConcurrencyLimit } from "./concurrency.ts";
import { QuotaWindow } from "./quota_window.ts";
import { RateLimiter } from "./rate.ts";
import { ThrottleTolerance, type ThrottleVerdict } from "./throttle_tolerance.ts";

/** What a `LoadControl` is made from. */
export interface LoadControlOptions {
  /** The most attempts in flight. */
  readonly ceiling: number;
  /** Requests a minute. @default no bound */
  readonly rpm?: number;
  /** Tokens a minute. @default no bound */
  readonly tpm?: number;
  /** Whether the limit looks for the number that serves best. */
  readonly isExploring: boolean;
  /** Whether the limit starts at one. */
  readonly isCareful: boolean;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
}

/** An attempt that was made. */
export interface Sent {
  /** Its number among those of its teacher, from 1. */
  readonly ticket: number;
  /** When it was made, on the clock. */
  readonly startedAt: number;
}

/** An attempt that was throttled, or that timed out. */
interface Pressure extends Sent {
  /** Attempts in flight as it came back, itself included. */
  readonly inFlight: number;
  /** Whether the teacher spoke of a rate (429). */
  readonly isRate: boolean;
  /** Whether it said that nothing is left of a limit. */
  readonly isExhausted: boolean;
  /** Whether it said when to come back. */
  readonly isDated: boolean;
}

/** A cool-down ends up to this share of it later than was asked for, and at most a second later. */
const COOL_DOWN_JITTER = 0.1;
const COOL_DOWN_JITTER_CAP_MS = 1_000;

/** One more or less of so few attempts in flight is a large step: a rate is needed, too. */
const FEW = 8;

/** A careful start takes no more attempts than this many times the ceiling: by then it is stuck. */
const START_TURNS = 4;

/** The load of one teacher. Each attempt is one `sent()`, and then one of `answered()`, `failed()` and
 * `returned()`; `pressed()` is called besides. */
export class LoadControl {
  readonly #now: () => number;
  readonly #limit: ConcurrencyLimit;
  readonly #rate: RateLimiter;
  readonly #tolerance = new ThrottleTolerance();
  readonly #window: QuotaWindow;
  readonly #random: () => number;
  #ceiling: number;
  #coolUntil: number;

  /** Nothing is sent yet. */
  constructor(options: LoadControlOptions) {
    this.#now = options.now;
    this.#random = options.random;
    this.#ceiling = options.ceiling;
    this.#coolUntil = options.now();
    this.#limit = new ConcurrencyLimit(options);
    this.#rate = new RateLimiter(options);
    this.#window = new QuotaWindow(options);
  }

  /** Takes this share of the rate limits that are set. */
  setRateShare(share: number): void {
    this.#rate.setShare(share);
  }

  /** How many attempts may be under way. */
  get limit(): number {
    if (this.closedUntil !== undefined) return 1;
    return Math.min(this.#limit.value, this.#tolerance.trial?.cap ?? Infinity);
  }

  /** Whether attempts are throttled one after the other, so that the next one would be, too. */
  get isRun(): boolean {
    return this.#tolerance.isRun;
  }

  /** When the teacher may be asked again that takes nothing now, although nothing is in flight: a limit by the
   * minute is used up. undefined otherwise. */
  get closedUntil(): number | undefined {
    return this.#window.closedUntil;
  }

  /** Until when the teacher has asked to be left alone, on the clock; in the past where it has not. */
  get coolUntil(): number {
    return this.#coolUntil;
  }

  /** 0 when the rate lets an attempt be made now, else milliseconds until then. */
  delayMs(now: number): number {
    if (this.closedUntil !== undefined) return this.#window.delayMs(now);
    const { trial } = this.#tolerance;
    const delayMs = Math.max(this.#rate.delayMs(), this.#window.delayMs(now));
    return trial === undefined ? delayMs : Math.max(delayMs, trial.delayMs(now));
  }

  /** An attempt is made. */
  sent(ticket: number): void {
    const now = this.#now();
    this.#tolerance.sent(ticket, now);
    this.#window.sent(ticket, now);
    this.#rate.take();
  }

  /** It was answered. `inFlight`: itself included. */
  answered({ startedAt }: Sent, inFlight: number, completion: Completion): void {
    const tokens = completion.usage?.completionTokens ?? 0;
    this.#limit.answered({ startedAt, inFlight, tokens });
    this.#rate.answered(completion);
  }

  /** It said something, be it that it does not want this row. */
  responded({ ticket, startedAt }: Sent): void {
    this.#reopen(this.#window.answered(ticket, startedAt));
  }

  /** It failed, and took the tokens of `partial`, if that is anything. */
  failed(partial: Completion | undefined): void {
    if (partial === undefined) this.#rate.failed();
    else this.#rate.answered(partial);
  }

  /** It was not made after all. */
  returned(): void {
    this.#rate.returned();
    this.#window.unsent(this.#now());
  }

  /** It was throttled, or has timed out: no more than usual, or too much, or the teacher takes nothing now.
   * Where it names a time and others would be throttled, too, all of them wait. */
  pressed(
    { ticket, startedAt }: Sent,
    inFlight: number,
    status: number | undefined,
    { retryAfterMs, isExhausted = false }: Pick<Classification, "retryAfterMs" | "isExhausted">,
  ): "tolerated" | "excess" | "closed" {
    const isDated = retryAfterMs !== undefined, isRate = status === 429;
    const pressure = { ticket, startedAt, inFlight, isRate, isExhausted, isDated };
    const verdict = this.#throttled(pressure);
    const isClosed = verdict === "closed";
    if (isDated && (isClosed || isExhausted || this.isRun)) {
      this.#coolDown(retryAfterMs);
      return isClosed ? "closed" : "excess";
    }
    return isClosed || verdict === "excess" ? verdict : "tolerated";
  }

  #coolDown(ms: number): void {
    const jitterMs = Math.min(COOL_DOWN_JITTER_CAP_MS, ms * COOL_DOWN_JITTER);
    const until = this.#now() + ms + this.#random() * jitterMs;
    this.#coolUntil = Math.max(this.#coolUntil, until);
    this.#tolerance.rested();
  }

  #throttled(pressure: Pressure): ThrottleVerdict | "closed" {
    const now = this.#now(), { isRate, isExhausted, isDated } = pressure;
    const size = this.#limit.value;
    const isClosed = this.closedUntil !== undefined;
    const verdict = isClosed ? "closed" : this.#press(pressure, now);
    if (!isClosed && (isDated || !isRate && !isExhausted)) return verdict;
    const { isRun } = this.#tolerance;
    return this.#window.throttledAt(now, { ...pressure, size, isRun }) ? "closed" : verdict;
  }

  #press({ ticket, startedAt, inFlight, isRate }: Pressure, now: number): ThrottleVerdict {
    const { trial } = this.#tolerance;
    const isStarting = this.#limit.isStarting && !this.#rate.isLimiting &&
      ticket < START_TURNS * this.#ceiling;
    const verdict = this.#tolerance.throttled({ ticket, startedAt, inFlight, isStarting }, now);
    const isExcess = verdict === "excess";
    if (isExcess) this.#limit.pressed({ startedAt, inFlight, isRun: this.isRun });
    if (isRate) this.#rate.refused(startedAt, isExcess);
    if (verdict === "ineffective") {
      this.#limit.resume(trial!.size);
      this.#rate.forget();
    }
    return verdict;
  }

  /** The teacher is back after an outage. */
  restart(): void {
    this.#limit.restart();
  }

  /** Allows more or fewer attempts at once. */
  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    this.#limit.setCeiling(ceiling);
  }

  /** Updates what depends on time; called about ten times a second. `isInUse`: attempts are in flight that
   * are no probes. A limit that nothing makes use of has nothing to learn. */
  tick(isInUse: boolean): void {
    const trial = this.#tolerance.effectiveTrial(this.#now());
    if (trial !== undefined) {
      this.#limit.decrease(trial.size, trial.cap);
      if (this.#limit.value < FEW || this.#rate.isLimiting) this.#rate.decrease(trial.perSecond);
    }
    this.#reopen(this.#window.tick(this.#now()));
    if (isInUse) this.#limit.tick();
  }

  /** Goes back to `size` attempts in flight once a window is open: what was throttled at its end said nothing
   * of the size or the rate. */
  #reopen(size: number | undefined): void {
    if (size === undefined) return;
    this.#limit.resume(size);
    this.#rate.forget();
    this.#tolerance.rested();
  }
}
