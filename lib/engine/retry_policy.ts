/**
 * When a row is sent again, how long it waits, and how long it may take in total.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { Failure } from "../row.ts";
import { DAY_MS } from "../timer.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Classification } from "./errors/mod.ts";
import type { FailureEffect } from "./flow/mod.ts";
import { type HeldBack, sentOf, type Work } from "./work.ts";

/** Settings of `RetryPolicy`. */
export interface RetryPolicyOptions {
  /** Attempts of a row that count, the first included. @default 5 */
  maxAttempts?: number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}

/** The upper bound of the first wait, in milliseconds; it doubles with every wait. */
export const BACKOFF_BASE_MS = 500;

/** The same after a 429 without a time to come back at. */
export const RATE_LIMIT_BASE_MS = 1_000;

/** The upper bound of any wait that the teacher did not ask for, in milliseconds. */
export const BACKOFF_CAP_MS = 60_000;

/** The shortest wait, in milliseconds, of a row whose answers ended twice without proof that they are complete:
 * the endings of other rows may save a third answer. */
const UNPROVEN_WAIT_MS = 1_000;

/** The longest wait that a teacher may ask for; a row that waits for longer would never end. */
const RETRY_AFTER_CAP_MS = DAY_MS;

/** Waits of a row before its backoff starts to double, at half the usual rate, where its teacher throttles no
 * more than usual. */
const TOLERATED_WAITS = 5;

/** The jitter of such rows, as a share of the wait that the teacher asks for. */
const JITTER = 0.1;

/** A timeout after sending may have been billed, so the row is sent again only once. */
const MAX_TIMEOUTS = 2;

/** Throttling says nothing about the row, so its limit is higher than that of faults. */
const MAX_LOADS = 20;

/** What has happened to a row so far, the failed attempt included. */
export interface AttemptHistory {
  /** Failed attempts that count against `maxAttempts`: faults and timeouts. */
  readonly faults: number;
  /** How many of them timed out. */
  readonly timeouts: number;
  /** Throttled attempts that count. */
  readonly loads: number;
  /** How often the row has waited: the exponent of the backoff. */
  readonly waits: number;
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
   * The wait before the next attempt in milliseconds, or undefined when the row has failed permanently.
   * Full jitter: uniform between 0 and the exponential bound (Brooker, "Exponential Backoff And
   * Jitter", AWS Architecture Blog, 2015), on top of what the teacher asked for, so that rows that
   * got the same time do not come back in one burst.
   *
   * @param classification What the error means.
   * @param error The error, for the wait that its teacher asks for.
   * @param history What counts against the row.
   * @param isTolerated Whether the teacher throttles no more than usual. The wait then ends shortly after the
   * time that the teacher asked for, and starts to double later and more slowly.
   */
  delayMs(
    classification: Classification,
    error: TeacherError,
    history: AttemptHistory,
    isTolerated = false,
  ): number | undefined {
    if (classification.action !== "retry" || this.#isSpent(classification, history)) {
      return undefined;
    }
    // What is sent next is another request.
    if (classification.cause === "adjusted") return 0;
    const askedMs = askedForMs(error.retryAfterMs);
    const doublings = isTolerated
      ? Math.max(0, history.waits - TOLERATED_WAITS) / 2
      : history.waits;
    const followsTeacher = isTolerated && askedMs !== undefined && askedMs > 0;
    const baseMs = followsTeacher
      ? Math.min(BACKOFF_BASE_MS, JITTER * askedMs)
      : error.status === 429 && askedMs === undefined && !isTolerated
      ? RATE_LIMIT_BASE_MS
      : BACKOFF_BASE_MS;
    const bound = Math.min(BACKOFF_CAP_MS, baseMs * 2 ** doublings);
    const leastMs = classification.cause === "ending" && history.faults > 1
      ? UNPROVEN_WAIT_MS
      : askedMs ?? 0;
    return leastMs + this.#random() * bound;
  }

  #isSpent({ cause }: Classification, { faults, timeouts, loads }: AttemptHistory): boolean {
    // Nothing was sent: a row does not fail because no server listens, or because of a field that Retort added.
    if (cause === "unreachable" || cause === "adjusted") return false;
    if (cause === "load") return loads >= Math.max(MAX_LOADS, this.#maxAttempts);
    return faults >= this.#maxAttempts || (cause === "timeout" && timeouts >= MAX_TIMEOUTS);
  }
}

/** A custom teacher may ask for anything; an invalid time is ignored. */
function askedForMs(retryAfterMs: number | undefined): number | undefined {
  if (retryAfterMs === undefined || !Number.isFinite(retryAfterMs) || retryAfterMs < 0) {
    return undefined;
  }
  return Math.min(RETRY_AFTER_CAP_MS, retryAfterMs);
}

/** Dependencies of `RowWaits`. */
export interface RowWaitsOptions extends Pick<EngineOptions, "retryPolicy" | "rowTimeoutMs"> {
  /** Milliseconds, monotonic, without the time in which nothing could be sent. */
  readonly rowNow: () => number;
  /** Milliseconds until a row may be sent to some teacher; 0 if that is now. */
  readonly soonestMs: (work: Work) => number;
}

/** What follows for a row whose attempt has failed: another attempt after a wait, or none because the time or
 * the attempts of the row are used up. */
export type RowWait =
  | { readonly kind: "again"; readonly delayMs: number; readonly heldBack?: HeldBack }
  | { readonly kind: "late" }
  | { readonly kind: "spent" };

const LATE: RowWait = { kind: "late" };
const SPENT: RowWait = { kind: "spent" };

/** The waits of all rows of a run. */
export class RowWaits {
  readonly #options: RowWaitsOptions;

  /** No row waits yet. */
  constructor(options: RowWaitsOptions) {
    this.#options = options;
  }

  /** Starts an attempt. The time for which the row was held back does not count as its own. Returns the
   * milliseconds that are left to the row; undefined if there is no limit. */
  begin(work: Work): number | undefined {
    const { deadlineAt } = work;
    const { heldBack } = sentOf(work);
    if (heldBack !== undefined && deadlineAt !== undefined) {
      const { ms, since } = heldBack;
      work.deadlineAt = deadlineAt + Math.min(ms, this.#options.rowNow() - since);
    }
    return this.#timeLeft(work);
  }

  /** Notes a failed attempt and says what follows. An attempt that would come after the row's time is up is not
   * made. */
  failed(
    work: Work,
    error: TeacherError,
    classification: Classification,
    { counts, isTolerated }: FailureEffect,
  ): RowWait {
    const { cause, retryAfterMs = 0 } = classification;
    if (counts) {
      if (cause === "load") work.loads++;
      else if (cause !== "unreachable") work.faults++;
      if (cause === "timeout") work.timeouts++;
    }
    const delayMs = this.#options.retryPolicy.delayMs(classification, error, work, isTolerated);
    if (counts) work.waits++;
    if (delayMs === undefined) return SPENT;
    // Neither an outage nor the wait that the teacher asks for counts as the row's time.
    if (!counts || cause === "unreachable") work.deadlineAt = undefined;
    const ownMs = delayMs - retryAfterMs;
    const leftMs = this.#timeLeft(work);
    if (leftMs !== undefined && ownMs >= leftMs) return LATE;
    return retryAfterMs > 0
      ? this.#holdBack(work, retryAfterMs, ownMs)
      : { kind: "again", delayMs };
  }

  /** The failure of a row whose time is up; `last`: the message of its last attempt. */
  lateness(work: Work, last?: string): Failure {
    const seconds = this.#options.rowTimeoutMs! / 1_000;
    const attempts = work.attempts === 1 ? "1 attempt" : `${work.attempts} attempts`;
    const message = `The row was not answered within ${seconds} s (--row-timeout), in ${attempts}`;
    const end = last === undefined ? "" : `; the last one: ${last}`;
    return { type: "timeout", message: message + end, status: null };
  }

  #timeLeft(work: Work): number | undefined {
    const { rowTimeoutMs, rowNow } = this.#options;
    if (rowTimeoutMs === undefined) return undefined;
    const now = rowNow();
    work.deadlineAt ??= now + rowTimeoutMs;
    return work.deadlineAt - now;
  }

  /** Holds a row back for the time that its teacher asks for, or until another one has room. */
  #holdBack(work: Work, askedMs: number, jitterMs: number): RowWait {
    const by = sentOf(work).endpoint;
    const others = work.holds?.filter((hold) => hold.by !== by) ?? [];
    work.holds = [...others, { by, until: by.now + askedMs }];
    const ms = this.#options.soonestMs(work);
    return {
      kind: "again",
      delayMs: ms + jitterMs,
      heldBack: { since: this.#options.rowNow(), ms },
    };
  }
}

/** A clock that stops while nothing can be sent, so that neither an outage nor a pause uses up the time of the
 * rows that wait for its end. */
export class RowClock {
  readonly #now: () => number;
  #stoppedMs = 0;
  #seenAt: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#seenAt = now();
  }

  /** Milliseconds, without those in which the clock was stopped. */
  readonly now = (): number => this.#now() - this.#stoppedMs;

  /** Time has passed since the last call. `isStopped`: nothing could be sent. Called about ten times a second. */
  tick(isStopped: boolean): void {
    const now = this.#now();
    if (isStopped) this.#stoppedMs += now - this.#seenAt;
    this.#seenAt = now;
  }
}
