/**
 * Whether a failed attempt is followed by another, and when.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";

/** What the policy goes by. */
export interface RetryPolicyOptions {
  /** Attempts a row gets, the first included. @default 5 */
  maxAttempts?: number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}

/** The upper bound of the first wait, in milliseconds; it doubles with every attempt. */
export const BACKOFF_BASE_MS = 500;

/** The upper bound of any wait that the teacher did not ask for, in milliseconds. */
export const BACKOFF_CAP_MS = 60_000;

/** The longest wait that a teacher may ask for; a row that waits for longer would never end. */
const RETRY_AFTER_CAP_MS = 24 * 60 * 60 * 1_000;

/** A timeout after sending may have been billed, so it is tried again once only. */
const MAX_TIMEOUTS = 2;

/** What has happened to a row so far. */
export interface AttemptHistory {
  /** Attempts made, the failed one included. */
  readonly attempts: number;
  /** How many of them timed out. */
  readonly timeouts: number;
}

/** Decides what follows a failed attempt. */
export class RetryPolicy {
  readonly #maxAttempts: number;
  readonly #random: () => number;

  /** Throws `RangeError` when `maxAttempts` is no positive integer. */
  constructor(options: RetryPolicyOptions = {}) {
    this.#maxAttempts = options.maxAttempts ?? 5;
    this.#random = options.random ?? Math.random;
    if (!Number.isInteger(this.#maxAttempts) || this.#maxAttempts < 1) {
      throw new RangeError(
        `Cannot use maxAttempts ${this.#maxAttempts}: it must be a whole number, 1 or more`,
      );
    }
  }

  /**
   * The wait before the next attempt in milliseconds, or undefined when the row has failed for good.
   * Full jitter: uniform between 0 and the exponential bound (Brooker, "Exponential Backoff And
   * Jitter", AWS Architecture Blog, 2015), on top of what the teacher asked for, so that rows that
   * were told the same time do not come back in one burst.
   */
  delayMs(error: TeacherError, history: AttemptHistory): number | undefined {
    if (!error.retryable || history.attempts >= this.#maxAttempts) return undefined;
    if (error.type === "timeout" && history.timeouts >= MAX_TIMEOUTS) return undefined;
    const bound = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (history.attempts - 1));
    return askedForMs(error.retryAfterMs) + this.#random() * bound;
  }
}

/** A teacher that was plugged in may ask for anything; what is no time is not waited for. */
function askedForMs(retryAfterMs = 0): number {
  if (!Number.isFinite(retryAfterMs) || retryAfterMs < 0) return 0;
  return Math.min(RETRY_AFTER_CAP_MS, retryAfterMs);
}
