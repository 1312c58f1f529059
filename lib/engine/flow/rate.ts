/**
 * Controls how fast attempts are sent to one teacher: enforces the limits set by the user (`--rpm`,
 * `--tpm`) and by response headers, and spaces attempts evenly.
 *
 * @module
 */

import { isCounted } from "../../answer.ts";
import type { Completion, RateLimit } from "../../teacher/mod.ts";
import type { LoadControlOptions } from "./load_control.ts";

type RateLimiterOptions = Pick<LoadControlOptions, "rpm" | "tpm" | "now">;

/** The number of tokens assumed for a call before the first call has finished. */
const GUESS_TOKENS = 500;
/** The weight of this guess in the mean, as a number of calls. */
const GUESS_WEIGHT = 5;

const CALLS_IN_MEAN = 200;

/** If less than this fraction of a limit is left, the remaining calls are spread over the time
 * until the reset. */
const LOW_SHARE = 0.2;

/** Replaces `LOW_SHARE` if the limit is unknown. Unlike `LOW_SHARE`, it is a number of calls. */
const LOW_CALLS = 20;

const MAX_SPACING_MS = 5_000;

/** Enforces the limits of the user and of response headers. Each attempt calls `sent()`, then
 * `ended()`. */
export class RateLimiter {
  readonly #now: () => number;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  readonly #perSecond: { readonly requests: number; readonly tokens: number };
  #share = 1;
  #inFlight = 0;
  #meanTokens = GUESS_TOKENS;
  #meanCalls = GUESS_WEIGHT;
  /** Tokens charged in advance for the attempts in flight, at the mean for each attempt. */
  #charged = 0;
  #spacingMs = 0;
  #spacedUntil = 0;
  #sentAt = -Infinity;

  constructor({ rpm, tpm, now }: RateLimiterOptions) {
    const time = now();
    this.#now = now;
    this.#requests = rpm === undefined ? undefined : new TokenBucket(rpm / 60, time);
    this.#tokens = tpm === undefined ? undefined : new TokenBucket(tpm / 60, time);
    this.#perSecond = { requests: (rpm ?? 0) / 60, tokens: (tpm ?? 0) / 60 };
  }

  /** Limits this process to a share, from 0 to 1, of `rpm` and `tpm`. Other processes use the
   * rest. */
  setShare(share: number): void {
    const now = this.#now();
    this.#share = share;
    this.#requests?.setRate(this.#perSecond.requests * share, now);
    this.#tokens?.setRate(this.#perSecond.tokens * share, now);
  }

  /** The number of attempts per second that `rpm` and `tpm` allow on average; Infinity without
   * limits. */
  get maxPerSecond(): number {
    const { requests, tokens } = this.#perSecond;
    const isKnown = tokens > 0 && this.#meanCalls > GUESS_WEIGHT;
    const limit = Math.min(requests || Infinity, isKnown ? tokens / this.#meanTokens : Infinity);
    // Without this check, a share of 0 would give 0 × Infinity, which is NaN.
    return limit === Infinity ? Infinity : this.#share * limit;
  }

  /** Returns the milliseconds until an attempt may be sent. The delay shrinks if an answer took
   * fewer tokens than were charged for it. */
  delayMs(): number {
    if (!this.#requests && !this.#tokens && this.#spacedUntil === 0) return 0;
    const now = this.#now();
    const spacedMs = now < this.#spacedUntil ? this.#sentAt + this.#spacingMs - now : 0;
    const requestsMs = this.#requests?.delayMs(now) ?? 0;
    return Math.max(0, spacedMs, requestsMs, this.#tokens?.delayMs(now) ?? 0);
  }

  sent(): void {
    const now = this.#now();
    this.#sentAt = now;
    this.#inFlight++;
    this.#requests?.take(1, now);
    this.#charge(0);
  }

  ended(completion: Completion | undefined): void {
    this.#inFlight--;
    if (completion === undefined) return this.#charge(0);
    const { usage, rateLimit } = completion;
    let tokens = this.#meanTokens;
    if (isCounted(usage)) {
      tokens = usage.promptTokens + usage.completionTokens;
      this.#meanCalls = Math.min(CALLS_IN_MEAN, this.#meanCalls + 1);
      this.#meanTokens += (tokens - this.#meanTokens) / this.#meanCalls;
    }
    this.#charge(tokens);
    if (rateLimit !== undefined) this.#applyHeaders(rateLimit, this.#now());
  }

  #charge(spent: number): void {
    if (this.#tokens === undefined) return;
    const charged = this.#inFlight * this.#meanTokens;
    this.#tokens.take(spent + charged - this.#charged, this.#now());
    this.#charged = charged;
  }

  #applyHeaders(limit: RateLimit, now: number): void {
    const { requestsLeft, requestsLimit, requestsResetMs } = limit;
    const { tokensLeft, tokensLimit, tokensResetMs } = limit;
    this.#spacingMs = 0;
    this.#spread(requestsLeft, requestsLimit, requestsResetMs, 1, now);
    this.#spread(tokensLeft, tokensLimit, tokensResetMs, this.#meanTokens, now);
    if (this.#spacingMs === 0) this.#spacedUntil = 0;
  }

  #spread(
    remaining: number | undefined,
    limit: number | undefined,
    resetMs: number | undefined,
    perCall: number,
    now: number,
  ): void {
    if (remaining === undefined || resetMs === undefined) return;
    const threshold = limit === undefined ? LOW_CALLS * perCall : LOW_SHARE * limit;
    if (remaining >= threshold) return;
    const spacingMs = Math.min(MAX_SPACING_MS, resetMs / Math.max(1, remaining / perCall));
    if (spacingMs <= this.#spacingMs) return;
    this.#spacingMs = spacingMs;
    this.#spacedUntil = now + resetMs;
  }
}

/** After a pause, the bucket holds at most what the rate yields in this time. */
const BURST_MS = 50;

/** Smooths a rate, so that a minute's quota is not used up at once. */
export class TokenBucket {
  #perMs: number;
  #level = 0;
  #seenAt: number;
  readonly #burstMs: number;

  constructor(perSecond: number, now: number, burstMs = BURST_MS) {
    this.#burstMs = burstMs;
    this.#perMs = perSecond / 1_000;
    this.#seenAt = now;
  }

  setRate(perSecond: number, now: number): void {
    this.#fill(now);
    this.#perMs = perSecond / 1_000;
  }

  drain(now: number): void {
    this.#fill(now);
    this.#level = Math.min(0, this.#level);
  }

  delayMs(now: number): number {
    this.#fill(now);
    if (this.#perMs === 0) return Infinity;
    return this.#level >= 0 ? 0 : -this.#level / this.#perMs;
  }

  take(amount: number, now: number): void {
    this.#fill(now);
    this.#level -= amount;
  }

  /** Fills the bucket up to the burst. A higher level, from tokens that were charged but not used,
   * is kept. */
  #fill(now: number): void {
    const maxLevel = this.#perMs * this.#burstMs;
    if (this.#level < maxLevel) {
      this.#level = Math.min(maxLevel, this.#level + (now - this.#seenAt) * this.#perMs);
    }
    this.#seenAt = now;
  }
}

/** Attempts are sent at most at this multiple of the rate at which they end. With 1.2, as in
 * Linux's pacing of TCP, the rate would follow a falling capacity too slowly. */
const PACING = 1.3;
/** Replaces `PACING` during a careful start, which triples the attempts in flight. */
const START_PACING = 3;
const ANSWERS_IN_MEAN = 20;
/** At lower latencies, attempts are not paced: even a few attempts in flight make a high rate,
 * which only the adaptive rate can limit. */
const MIN_PACED_LATENCY_MS = 100;
/** All attempts that may be in flight are sent within this time, even if answers take longer.
 * Otherwise, lanes would be idle for most of the minute of a quota. */
const MAX_SPREAD_MS = 10_000;
/** The share of a teacher's limit on attempts in flight that spacing may leave idle. For a limit of
 * 10, `PACING` would leave an eighth of it idle. */
const MAX_IDLE_SHARE = 0.01;
const PACED_BURST_MS = 5;
/** The number of answers with which each throttled attempt is compared. */
const COMPARED_ANSWERS = 64;
/** The approximate number of throttled attempts that the mean covers. */
const COMPARED_ATTEMPTS = 64;
const MIN_COMPARED_ATTEMPTS = 24;
const MAX_ACCEPTED_SHARE = 0.01;

/** Finds out whether a teacher limits the attempts in flight. A limit of 49 never accepts the 50th
 * attempt in flight, while a rate limit accepts some of these attempts. */
class InFlightLimitDetector {
  readonly #answered = new Uint32Array(COMPARED_ANSWERS);
  #answers = 0;
  #throttled = 0;
  /** For each throttled attempt, `throttled()` computes the share of recent answered attempts that
   * were sent with at least as many in flight. This is the mean of these shares. */
  #meanShare = 0;

  answered(inFlightAtStart: number): void {
    this.#answered[this.#answers++ % COMPARED_ANSWERS] = inFlightAtStart;
  }

  throttled(inFlightAtStart: number): void {
    const count = Math.min(this.#answers, COMPARED_ANSWERS);
    if (count === 0) return;
    let accepted = 0;
    for (let i = 0; i < count; i++) if (this.#answered[i] >= inFlightAtStart) accepted++;
    const attempts = Math.min(++this.#throttled, COMPARED_ATTEMPTS);
    this.#meanShare += (accepted / count - this.#meanShare) / attempts;
  }

  get hasInFlightLimit(): boolean {
    return this.#throttled >= MIN_COMPARED_ATTEMPTS && this.#meanShare <= MAX_ACCEPTED_SHARE;
  }
}

/** Spaces attempts evenly, at a slightly higher rate than they end (`PACING`). Answers often arrive
 * together, and the next attempts, if also sent together, would be throttled by a rate limit
 * without bursts. If the teacher limits the attempts in flight, they are spaced more closely, so
 * that few slots are idle. */
export class Pacer {
  readonly #detector = new InFlightLimitDetector();
  #bucket: TokenBucket | undefined;
  #meanLatencyMs = 0;

  /**
   * @param inFlightAtStart The number of attempts in flight when the answered attempt was sent,
   * including that attempt.
   * @param limit The concurrency limit, raised to make up for the share of attempts that is
   * throttled at any load.
   */
  answered(
    latencyMs: number,
    inFlightAtStart: number,
    limit: number,
    isStarting: boolean,
    now: number,
  ): void {
    this.#detector.answered(inFlightAtStart);
    const answers = this.#meanLatencyMs === 0 ? 1 : ANSWERS_IN_MEAN;
    this.#meanLatencyMs += (latencyMs - this.#meanLatencyMs) / answers;
    if (limit < 2 || this.#meanLatencyMs < MIN_PACED_LATENCY_MS) {
      this.#bucket = undefined;
      return;
    }
    const spreadMs = Math.min(MAX_SPREAD_MS, this.#meanLatencyMs);
    const factor = isStarting
      ? START_PACING
      : this.#detector.hasInFlightLimit
      ? pacingFor(limit)
      : PACING;
    const perSecond = 1_000 * factor * limit / spreadMs;
    this.#bucket ??= new TokenBucket(0, now, PACED_BURST_MS);
    this.#bucket.setRate(perSecond, now);
  }

  throttled(inFlightAtStart: number): void {
    this.#detector.throttled(inFlightAtStart);
  }

  delayMs(now: number): number {
    return this.#bucket?.delayMs(now) ?? 0;
  }

  sent(now: number): void {
    this.#bucket?.take(1, now);
  }
}

/** Returns the factor that leaves `MAX_IDLE_SHARE` of the limit idle, but at least `PACING`. In a
 * queue with random arrivals and constant service time (M/D/1), a factor of f leaves
 * 1 / (2 f (f - 1) limit) idle. */
function pacingFor(limit: number): number {
  return Math.max(PACING, (1 + Math.sqrt(1 + 2 / (MAX_IDLE_SHARE * limit))) / 2);
}
