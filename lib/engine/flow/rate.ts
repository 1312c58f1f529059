/**
 * How fast attempts may be sent to one teacher: as set by the user (`--rpm`, `--tpm`), as learned from its
 * refusals, and as the headers of its answers say.
 *
 * @module
 */

import type { Completion, RateLimit } from "../../teacher/mod.ts";
import { AdaptiveRate } from "./adaptive_rate.ts";
import { TokenBucket } from "./rate_parts.ts";

/** Settings and dependencies of `RateLimiter`. */
export interface RateLimiterOptions {
  /** Requests a minute. @default no bound */
  readonly rpm?: number;
  /** Tokens a minute, prompts and completions together. @default no bound */
  readonly tpm?: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

/** The tokens that a call is expected to take before any has finished. */
const GUESS_TOKENS = 500;
/** The number of finished calls that this guess counts as. */
const GUESS_WEIGHT = 5;

/** The number of calls that the mean covers. */
const MEAN_CALLS = 200;

/** Below this share of a limit, the rest is spread over the time until the reset. */
const LOW_SHARE = 0.2;

/** The same in calls, where the limit is not known. */
const LOW_CALLS = 20;

/** Headers never keep two attempts further apart than this, in milliseconds. */
const WIDEST_SPACING_MS = 5_000;

/**
 * The rate limiter of one teacher. Every attempt is a `take()`, then exactly one of `answered()`, `failed()` and
 * `returned()`; `refused()` is called in addition.
 */
export class RateLimiter {
  readonly #now: () => number;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  /** The limits that are set, as rates a second. */
  readonly #perSecond: { readonly requests: number; readonly tokens: number };
  readonly #adaptive: AdaptiveRate;
  #inFlight = 0;
  #meanTokens = GUESS_TOKENS;
  #measured = GUESS_WEIGHT;
  /** The tokens that the attempts in flight have been charged. */
  #charged = 0;
  #spacingMs = 0;
  #spacedUntil = 0;
  #takenAt = -Infinity;
  /** Whether any limit could delay an attempt. */
  #isBound: boolean;

  /** Nothing was sent yet. */
  constructor({ rpm, tpm, now }: RateLimiterOptions) {
    const time = now();
    this.#now = now;
    this.#requests = rpm === undefined ? undefined : new TokenBucket(rpm / 60, time);
    this.#tokens = tpm === undefined ? undefined : new TokenBucket(tpm / 60, time);
    this.#adaptive = new AdaptiveRate(time);
    this.#perSecond = { requests: (rpm ?? 0) / 60, tokens: (tpm ?? 0) / 60 };
    this.#isBound = rpm !== undefined || tpm !== undefined;
  }

  /** Uses only a share of the limits that are set. */
  setShare(share: number): void {
    const now = this.#now();
    this.#requests?.setRate(this.#perSecond.requests * share, now);
    this.#tokens?.setRate(this.#perSecond.tokens * share, now);
  }

  /**
   * 0 when an attempt may be sent now, else milliseconds until it may. An answer or a failure may bring
   * that forward, when fewer tokens were used than expected.
   */
  delayMs(): number {
    if (!this.#isBound) return 0;
    const now = this.#now();
    const spacedMs = now < this.#spacedUntil ? this.#takenAt + this.#spacingMs - now : 0;
    return Math.max(
      0,
      spacedMs,
      this.#requests?.delayMs(now) ?? 0,
      this.#tokens?.delayMs(now) ?? 0,
      this.#adaptive.delayMs(now),
    );
  }

  /** An attempt is sent now: one request, and the tokens that a call takes in the mean. */
  take(): void {
    const now = this.#now();
    this.#takenAt = now;
    this.#inFlight++;
    this.#requests?.take(1, now);
    this.#charge(0);
    this.#adaptive.take(now);
    // The adaptive limit may be gone, or the teacher's limit may have been reset.
    this.#checkBounds(now);
  }

  /** It was answered, so its tokens are known now. */
  answered(completion: Completion): void {
    const { usage, rateLimit } = completion;
    this.#inFlight--;
    let tokens = this.#meanTokens;
    // A custom teacher without types may leave it out.
    if (usage) {
      tokens = usage.promptTokens + usage.completionTokens;
      this.#measured = Math.min(MEAN_CALLS, this.#measured + 1);
      this.#meanTokens += (tokens - this.#meanTokens) / this.#measured;
    }
    this.#charge(tokens);
    if (rateLimit !== undefined) this.#inform(rateLimit, this.#now());
  }

  /** It failed, whatever the reason: its tokens are given back. */
  failed(): void {
    this.#inFlight--;
    this.#charge(0);
  }

  /** It was not sent after all: its request is given back too. */
  returned(): void {
    const now = this.#now();
    this.#requests?.take(-1, now);
    this.#adaptive.returned(now);
    this.failed();
  }

  /** The teacher refused an attempt that was sent at `startedAt`, for its rate; `isExcess`: more of them than it
   * refuses anyway. Counts once per burst. */
  refused(startedAt: number, isExcess: boolean): void {
    this.#adaptive.refused(startedAt, this.#now(), isExcess);
    this.#isBound ||= this.#adaptive.isBound;
  }

  /** A trial begins to find out whether the rate is too high. */
  suspect(): void {
    this.#adaptive.suspect(this.#now());
  }

  /** Reduces the rate to `perSecond`, because more was throttled; `isRateAlone`: nothing else is reduced. */
  decrease(perSecond: number, isRateAlone: boolean): void {
    this.#adaptive.decrease(perSecond, isRateAlone, this.#now());
    this.#isBound = true;
  }

  /** Whether the adaptive rate is what keeps more from being sent. */
  get isLimiting(): boolean {
    return this.#adaptive.isLimiting(this.#now());
  }

  /** Removes the adaptive limit, which does not lower the share of refusals. */
  forget(): void {
    this.#adaptive.forget();
  }

  /** Takes `spent` tokens, and corrects the charge for the attempts in flight. */
  #charge(spent: number): void {
    if (this.#tokens === undefined) return;
    const charged = this.#inFlight * this.#meanTokens;
    this.#tokens.take(spent + charged - this.#charged, this.#now());
    this.#charged = charged;
  }

  #inform(limit: RateLimit, now: number): void {
    const { requestsLeft, requestsLimit, requestsResetMs } = limit;
    const { tokensLeft, tokensLimit, tokensResetMs } = limit;
    this.#spacingMs = 0;
    this.#spread(requestsLeft, requestsLimit, requestsResetMs, 1, now);
    this.#spread(tokensLeft, tokensLimit, tokensResetMs, this.#meanTokens, now);
    if (this.#spacingMs === 0) this.#spacedUntil = 0;
    else this.#isBound = true;
  }

  /** Spreads what is left over the time until the reset, where it is little. */
  #spread(
    left: number | undefined,
    limit: number | undefined,
    resetMs: number | undefined,
    perCall: number,
    now: number,
  ): void {
    if (left === undefined || resetMs === undefined) return;
    const low = limit === undefined ? LOW_CALLS * perCall : LOW_SHARE * limit;
    if (left >= low) return;
    const spacingMs = Math.min(WIDEST_SPACING_MS, resetMs / Math.max(1, left / perCall));
    if (spacingMs <= this.#spacingMs) return;
    this.#spacingMs = spacingMs;
    this.#spacedUntil = now + resetMs;
  }

  #checkBounds(now: number): void {
    if (!this.#isBound) return;
    this.#isBound = this.#requests !== undefined || this.#tokens !== undefined ||
      this.#adaptive.isBound || now < this.#spacedUntil;
  }
}
