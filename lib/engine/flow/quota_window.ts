/**
 * Handles quotas per minute: a teacher answers a number of requests, then none until the next
 * window opens, without saying when.
 *
 * Such a teacher throttles every attempt even if nothing else is in flight, so sending less does
 * not help. The concurrency limit and the rate therefore stay the same. Probes find out when the
 * next window opens, and that window gets as many requests as the last window accepted.
 *
 * @module
 */

import { PROBE_BASE_MS, PROBE_CAP_MS, PROBE_GROWTH, PROBE_JITTER } from "./circuit_breaker.ts";
import type { CongestedAttempt, LoadControlOptions } from "./load_control.ts";

/** The number of throttled attempts in a row, over `MIN_STREAK_MS`, that mean that a window is
 * closed. */
const MIN_THROTTLED = 3;
const MIN_STREAK_MS = 500;
/** A window counts as closed only if at most this fraction of the attempts in flight is left. With
 * that few in flight, the teacher cannot be at its capacity. */
const REMAINING_FRACTION = 0.1;
/** A teacher that was closed for a shorter time has a slow rate instead of a window. The time until
 * the first throttled attempt was rejected does not count. */
const MIN_CLOSED_MS = 3_000;
/** A teacher that accepted fewer attempts has a slow rate instead of a window. */
const MIN_QUOTA = 8;
const THROTTLED_MS_DECAY = 0.9;
/** Most windows begin at a full minute of the clock or with the first request. */
const MINUTE_MS = 60_000;
/** A window is probed this time after its expected opening, plus jitter up to the same time. */
const MARGIN_MS = 30;
/** A probe counts as accepted if it was not throttled within this time and within three times as
 * long as other attempts took to be throttled. Its answer may take minutes. */
const GRACE_MS = 500;
/** A window that opens unexpectedly gets 1, 2, 4, … attempts up to this number, then the rest of
 * its quota. A window that opens as expected gets its whole quota at once. */
const MAX_STEP = 256;
/** The time between two steps is twice the time until attempts are throttled, within these
 * bounds. */
const MIN_STEP_MS = 100;
const MAX_STEP_MS = 1_000;
const NEAR_END_FRACTION = 0.9;

type QuotaWindowOptions = Pick<LoadControlOptions, "wallClock" | "random">;

/** Throttled attempts since the last answer. Describes the first of them, and counts all. */
interface Streak extends Pick<CongestedAttempt, "ticket" | "startedAt" | "inFlight"> {
  /** The concurrency limit when the first of these attempts was throttled. */
  readonly concurrencyLimit: number;
  count: number;
}

/** Times are in milliseconds of one monotonic clock. */
export class QuotaWindow {
  readonly #options: QuotaWindowOptions;
  #streak: Streak | undefined;
  /** Set while the window is closed. `ticket` is the ticket of the last attempt before it
   * closed. */
  #closed: { readonly streak: Streak; readonly ticket: number } | undefined;
  #probeAt = 0;
  #probeMs = PROBE_BASE_MS;
  #probeSentAt: number | undefined;
  /** Whether the next probe is planned for the expected opening of a window. */
  #isNextProbeAtOpening = false;
  /** The ticket of the first probe at an expected opening; Infinity if that probe was throttled or
   * none was sent. */
  #openingTicket = Infinity;
  /** When the current window opened; undefined if no opening was observed. */
  #openedAt: number | undefined;
  /** When the current window's first attempt was made, whose ticket is `#firstTicket`. */
  #firstAt: number | undefined;
  #firstTicket = 1;
  #throttled = 0;
  #lastTicket = 0;
  /** The longest time that any recent attempt took to be throttled. */
  #throttledInMs = 0;
  /** The number of attempts that a window accepts; undefined without a quota. */
  #quota: number | undefined;
  /** A lower bound of a window's length: a probe sent this long after the opening was throttled. */
  #minPeriodMs = 0;
  /** An upper bound of a window's length: a probe sent this long after the opening was accepted. */
  #periodMs: number | undefined;
  /** The last ticket that may be sent before `#stepAt`. */
  #allowedTicket = Infinity;
  #step = MAX_STEP;
  #stepAt = 0;
  #isBeyondQuota = false;

  constructor(options: QuotaWindowOptions) {
    this.#options = options;
  }

  get closedUntil(): number | undefined {
    return this.#closed === undefined ? undefined : this.#probeAt;
  }

  delayMs(now: number): number {
    if (this.#closed !== undefined) return Math.max(0, this.#probeAt - now);
    if (this.#quota === undefined) return 0;
    this.#startNextWindow(now);
    if (this.#lastTicket < this.#allowedTicket) return 0;
    if (now < this.#stepAt) return this.#stepAt - now;
    this.#allowMore(now);
    return 0;
  }

  sent(ticket: number, now: number): void {
    this.#lastTicket = ticket;
    this.#firstAt ??= now;
    if (this.#closed === undefined) return;
    this.#probeSentAt = now;
    if (this.#isNextProbeAtOpening) this.#openingTicket = Math.min(this.#openingTicket, ticket);
    this.#planProbe(now);
  }

  /** If the answer shows that a window has opened, returns the concurrency limit to return to. */
  answered(ticket: number, startedAt: number): number | undefined {
    if (this.#streak !== undefined && ticket > this.#streak.ticket) this.#streak = undefined;
    const isProbe = this.#closed !== undefined && ticket > this.#closed.ticket;
    return isProbe ? this.#open(ticket, startedAt, ticket >= this.#openingTicket) : undefined;
  }

  /** Treats a probe as accepted if it was not throttled in time (`GRACE_MS`). Returns the same as
   * `answered()`. */
  tick(now: number): number | undefined {
    if (this.#closed === undefined || this.#probeSentAt === undefined) return undefined;
    const graceMs = Math.max(GRACE_MS, 3 * this.#throttledInMs);
    if (now - this.#probeSentAt < graceMs) return undefined;
    return this.#open(this.#lastTicket, this.#probeSentAt, false);
  }

  /** Counts a throttled attempt. Returns whether the window is closed. */
  throttled(
    { ticket, startedAt, inFlight, isExhausted }: CongestedAttempt,
    concurrencyLimit: number,
    isInLongStreak: boolean,
    now: number,
  ): boolean {
    this.#throttledInMs = Math.max(THROTTLED_MS_DECAY * this.#throttledInMs, now - startedAt);
    if (this.#closed !== undefined) {
      if (ticket > this.#closed.ticket) this.#probeWasThrottled(ticket, startedAt);
      return true;
    }
    this.#throttled++;
    this.#streak ??= { ticket, startedAt, inFlight, concurrencyLimit, count: 0 };
    const streak = this.#streak;
    streak.count++;
    const isDrained = inFlight - 1 <= REMAINING_FRACTION * streak.inFlight;
    const isLong = streak.count >= MIN_THROTTLED && now - streak.startedAt >= MIN_STREAK_MS;
    if (this.#isAtEnd || isDrained && (isExhausted || isInLongStreak && isLong)) {
      this.#close(streak, now);
    }
    return this.#closed !== undefined;
  }

  /** Whether throttling may mean that the window has ended: nearly the whole quota was sent, or the
   * window may not be open at all. The latter applies while a window that opened unexpectedly still
   * gets few attempts. */
  get #isAtEnd(): boolean {
    if (this.#quota === undefined) return false;
    return this.#step < MAX_STEP ||
      this.#lastTicket >= this.#firstTicket + NEAR_END_FRACTION * this.#quota;
  }

  #probeWasThrottled(ticket: number, startedAt: number): void {
    this.#probeSentAt = undefined;
    if (ticket >= this.#openingTicket) this.#openingTicket = Infinity;
    if (this.#openedAt === undefined) return;
    const minPeriodMs = startedAt - this.#openedAt;
    // Either a window was missed, or the length of windows has changed.
    if (minPeriodMs >= (this.#periodMs ?? Infinity)) this.#periodMs = undefined;
    else this.#minPeriodMs = Math.max(this.#minPeriodMs, minPeriodMs);
  }

  #close(streak: Streak, now: number): void {
    const accepted = streak.ticket - this.#firstTicket - (this.#throttled - streak.count);
    // A window that closes again at once was never open, so the quota stays the same.
    if (this.#quota === undefined || accepted >= MIN_QUOTA) this.#quota = Math.max(0, accepted);
    this.#closed = { streak, ticket: this.#lastTicket };
    this.#openingTicket = Infinity;
    this.#streak = undefined;
    this.#probeSentAt = undefined;
    this.#probeMs = this.#periodMs === undefined ? PROBE_BASE_MS : PROBE_CAP_MS;
    this.#planProbe(now);
  }

  #open(ticket: number, openedAt: number, isAsExpected: boolean): number | undefined {
    const { streak } = this.#closed!;
    this.#closed = undefined;
    this.#throttled = 0;
    this.#firstTicket = ticket;
    const isFirst = this.#openedAt === undefined;
    const closedMs = openedAt - streak.startedAt - this.#throttledInMs;
    const isWindow = closedMs >= MIN_CLOSED_MS &&
      ((this.#quota ?? 0) >= MIN_QUOTA || streak.ticket === 1);
    if (!isWindow) {
      this.#quota = this.#periodMs = this.#openedAt = undefined;
      this.#minPeriodMs = 0;
      this.#allowedTicket = Infinity;
      return undefined;
    }
    if (!isFirst) this.#learnPeriod(openedAt - this.#openedAt!);
    this.#openedAt = this.#firstAt = openedAt;
    this.#step = isAsExpected ? MAX_STEP : 1;
    this.#isBeyondQuota = false;
    this.#allowedTicket = isAsExpected ? ticket + Math.max(0, this.#quota! - 1) : ticket;
    this.#stepAt = openedAt;
    return streak.concurrencyLimit;
  }

  #learnPeriod(periodMs: number): void {
    this.#periodMs = Math.min(periodMs, this.#periodMs ?? Infinity);
    if (this.#minPeriodMs >= this.#periodMs) this.#minPeriodMs = 0;
  }

  #allowMore(now: number): void {
    const end = this.#firstTicket + this.#quota! - 1;
    const isBeyondQuota = this.#lastTicket >= end;
    this.#step = isBeyondQuota && !this.#isBeyondQuota ? 1 : 2 * this.#step;
    this.#isBeyondQuota = isBeyondQuota;
    this.#stepAt = now + Math.max(MIN_STEP_MS, Math.min(MAX_STEP_MS, 2 * this.#throttledInMs));
    const allowed = this.#lastTicket + this.#step;
    if (!isBeyondQuota) this.#allowedTicket = this.#step >= MAX_STEP ? end : Math.min(end, allowed);
    else if (this.#step < MAX_STEP) this.#allowedTicket = allowed;
    else {
      // The window accepts more than the last one.
      this.#allowedTicket = Infinity;
      this.#quota = undefined;
    }
  }

  #startNextWindow(now: number): void {
    const periodMs = this.#periodMs ?? MINUTE_MS;
    if (this.#openedAt === undefined || now < this.#openedAt + periodMs) return;
    this.#openedAt += periodMs * Math.floor((now - this.#openedAt) / periodMs);
    this.#firstAt = now;
    this.#firstTicket = this.#lastTicket + 1;
    this.#throttled = 0;
    this.#step = MAX_STEP;
    this.#isBeyondQuota = false;
    this.#allowedTicket = this.#lastTicket + this.#quota!;
  }

  #planProbe(now: number): void {
    const { random, wallClock } = this.#options;
    const waitMs = this.#probeMs * (1 + PROBE_JITTER * random());
    const marginMs = MARGIN_MS * (1 + random());
    // Each opening is probed only once.
    const earliest = this.#isNextProbeAtOpening ? now + marginMs : now;
    const openings = [
      now + MINUTE_MS - wallClock() % MINUTE_MS,
      (this.#firstAt ?? now) + MINUTE_MS,
      ...this.#openedAt === undefined || this.#periodMs === undefined
        ? []
        : [this.#openedAt + this.#minPeriodMs, this.#openedAt + this.#periodMs],
    ].map((openingAt) => openingAt + marginMs).filter((probeAt) => probeAt > earliest);
    const opening = Math.min(...openings);
    const isOpening = opening <= now + waitMs;
    this.#probeAt = isOpening ? opening : now + waitMs;
    this.#isNextProbeAtOpening = isOpening;
    // The teacher's clock may differ, so a window may open soon after its expected time.
    this.#probeMs = isOpening
      ? PROBE_BASE_MS
      : Math.min(PROBE_CAP_MS, this.#probeMs * PROBE_GROWTH);
  }
}
