/**
 * Limits how fast attempts are sent to one teacher: as the user set it (`--rpm`, `--tpm`), as
 * learned from throttling, and as the headers of answers require.
 *
 * @module
 */

import type { Completion, RateLimit } from "../../teacher/mod.ts";
import { AdaptiveRate } from "./adaptive_rate.ts";
import { TokenBucket } from "./rate_parts.ts";

export interface RateLimiterOptions {
  /** The limit in requests per minute. @default none */
  readonly rpm?: number;
  /** The limit in tokens per minute, of prompts and completions together. @default none */
  readonly tpm?: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** Tokens that a call is expected to take before any has finished. */
const GUESS_TOKENS = 500;
/** How many finished calls the guess counts as. */
const GUESS_WEIGHT = 5;

/** How many calls the mean number of tokens covers at most. */
const MEAN_CALLS = 200;

/** Below this fraction of a limit, the rest is spread over the time until the reset. */
const LOW_SHARE = 0.2;

/** In place of `LOW_SHARE` if the limit is unknown, in calls. */
const LOW_CALLS = 20;

/** The longest time between two attempts because of headers, in milliseconds. */
const MAX_SPACING_MS = 5_000;

/** The rate limiter of one teacher. Each attempt is a `take()`, then exactly one of `answered()`,
 * `failed()` and `notSent()`; `throttled()` is called in addition. */
export class RateLimiter {
  readonly #now: () => number;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  /** The limits of the user, per second; 0 if not set. */
  readonly #perSecond: { readonly requests: number; readonly tokens: number };
  #share = 1;
  readonly #adaptive: AdaptiveRate;
  #inFlight = 0;
  #meanTokens = GUESS_TOKENS;
  #meanCalls = GUESS_WEIGHT;
  /** The tokens charged for the attempts in flight. */
  #charged = 0;
  #spacingMs = 0;
  #spacedUntil = 0;
  #sentAt = -Infinity;
  /** Whether any limit could delay an attempt. */
  #isLimited: boolean;

  constructor({ rpm, tpm, now }: RateLimiterOptions) {
    const time = now();
    this.#now = now;
    this.#requests = rpm === undefined ? undefined : new TokenBucket(rpm / 60, time);
    this.#tokens = tpm === undefined ? undefined : new TokenBucket(tpm / 60, time);
    this.#adaptive = new AdaptiveRate(time);
    this.#perSecond = { requests: (rpm ?? 0) / 60, tokens: (tpm ?? 0) / 60 };
    this.#isLimited = rpm !== undefined || tpm !== undefined;
  }

  /** Uses only a share of `rpm` and `tpm`, from 0 to 1. */
  setShare(share: number): void {
    const now = this.#now();
    this.#share = share;
    this.#requests?.setRate(this.#perSecond.requests * share, now);
    this.#tokens?.setRate(this.#perSecond.tokens * share, now);
  }

  /** Attempts per second that `rpm` and `tpm` allow in the long run; Infinity without limits. */
  get maxPerSecond(): number {
    const { requests, tokens } = this.#perSecond;
    const isKnown = tokens > 0 && this.#meanCalls > GUESS_WEIGHT;
    return this.#share *
      Math.min(requests || Infinity, isKnown ? tokens / this.#meanTokens : Infinity);
  }

  /** Milliseconds until an attempt may be sent; 0 if it may be now. An answer or a failure shortens
   * the wait if it used fewer tokens than expected. */
  delayMs(): number {
    if (!this.#isLimited) return 0;
    const now = this.#now();
    const spacedMs = now < this.#spacedUntil ? this.#sentAt + this.#spacingMs - now : 0;
    return Math.max(
      0,
      spacedMs,
      this.#requests?.delayMs(now) ?? 0,
      this.#tokens?.delayMs(now) ?? 0,
      this.#adaptive.delayMs(now),
    );
  }

  /** Called when an attempt is sent: charges one request and the mean tokens of a call. */
  take(): void {
    const now = this.#now();
    this.#sentAt = now;
    this.#inFlight++;
    this.#requests?.take(1, now);
    this.#charge(0);
    this.#adaptive.take(now);
    // The adaptive limit may have been removed, or the teacher's limit reset.
    this.#updateIsLimited(now);
  }

  /** Called when an attempt was answered: charges its actual tokens. */
  answered(completion: Completion): void {
    const { usage, rateLimit } = completion;
    this.#inFlight--;
    let tokens = this.#meanTokens;
    // A custom teacher without types may omit it.
    if (usage) {
      tokens = usage.promptTokens + usage.completionTokens;
      this.#meanCalls = Math.min(MEAN_CALLS, this.#meanCalls + 1);
      this.#meanTokens += (tokens - this.#meanTokens) / this.#meanCalls;
    }
    this.#charge(tokens);
    if (rateLimit !== undefined) this.#applyHeaders(rateLimit, this.#now());
  }

  /** Called when an attempt failed without any answer: gives its tokens back. */
  failed(): void {
    this.#inFlight--;
    this.#charge(0);
  }

  /** Called if an attempt was not sent after all: gives its tokens and its request back. */
  notSent(): void {
    const now = this.#now();
    this.#requests?.take(-1, now);
    this.#adaptive.notSent(now);
    this.failed();
  }

  /**
   * Called when an attempt was throttled because of a rate limit. Counts once per burst.
   *
   * @param startedAt When it was sent.
   * @param isExcess Whether throttling exceeds the share that the teacher always throttles.
   */
  throttled(startedAt: number, isExcess: boolean): void {
    this.#adaptive.throttled(startedAt, this.#now(), isExcess);
    this.#isLimited ||= this.#adaptive.isLimited;
  }

  /** Called when a trial begins, which shows whether the rate is too high. */
  startTrial(): void {
    this.#adaptive.startTrial(this.#now());
  }

  /**
   * Reduces the rate to `perSecond` after a trial has shown that too much is sent.
   *
   * @param isRateAlone Whether the concurrency limit stays the same.
   */
  decrease(perSecond: number, isRateAlone: boolean): void {
    this.#adaptive.decrease(perSecond, isRateAlone, this.#now());
    this.#isLimited = true;
  }

  /** Whether the adaptive rate is the bottleneck. */
  get isLimiting(): boolean {
    return this.#adaptive.isLimiting(this.#now());
  }

  /** Removes the adaptive limit, because it does not lower the share of throttled attempts. */
  removeAdaptiveLimit(): void {
    this.#adaptive.removeLimit();
  }

  /** Charges `spent` tokens, and adjusts the charge for the attempts in flight. */
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
    else this.#isLimited = true;
  }

  /** If little is left, spreads it over the time until the reset. */
  #spread(
    left: number | undefined,
    limit: number | undefined,
    resetMs: number | undefined,
    perCall: number,
    now: number,
  ): void {
    if (left === undefined || resetMs === undefined) return;
    const threshold = limit === undefined ? LOW_CALLS * perCall : LOW_SHARE * limit;
    if (left >= threshold) return;
    const spacingMs = Math.min(MAX_SPACING_MS, resetMs / Math.max(1, left / perCall));
    if (spacingMs <= this.#spacingMs) return;
    this.#spacingMs = spacingMs;
    this.#spacedUntil = now + resetMs;
  }

  #updateIsLimited(now: number): void {
    if (!this.#isLimited) return;
    this.#isLimited = this.#requests !== undefined || this.#tokens !== undefined ||
      this.#adaptive.isLimited || now < this.#spacedUntil;
  }
}
