/**
 * Decides whether a row is sent again, how long it waits between attempts, and how long it may take
 * in total. Also holds the queue of waiting rows.
 *
 * @module
 */

import { BinaryHeap } from "../deps/std_data_structures.ts";
import type { Failure } from "../row.ts";
import { Alarm } from "../timer.ts";
import type { AttemptsOptions } from "./attempts.ts";
import type { Classification } from "./errors/mod.ts";
import type { FailureEffect } from "./flow/mod.ts";
import type { Work } from "./work.ts";

export interface RetryPolicyOptions {
  /** Maximum number of attempts that count, including the first. @default 5 */
  maxAttempts?: number;
  random?: () => number;
}

/** The upper bound of the first wait. The bound doubles with each further wait. */
export const BACKOFF_BASE_MS = 500;

/** Replaces `BACKOFF_BASE_MS` after a rate limit that requests no wait, if the teacher throttles
 * more than usual. */
export const RATE_LIMIT_BASE_MS = 1_000;

/** The upper bound of a wait or, if the teacher requests a wait, of the jitter added to it. */
export const BACKOFF_CAP_MS = 60_000;

/** The minimum wait after an answer without a known finish reason, starting with the row's second
 * fault. In the meantime, other rows may show that the teacher is the cause. */
const UNKNOWN_ENDING_WAIT_MS = 1_000;

/** While a teacher throttles no more than usual, a row's backoff stays the same for this number of
 * waits, then doubles with every second wait. */
const TOLERATED_WAITS = 5;

/** Maximum jitter of a row's first waits, as a fraction of the requested wait, while a teacher
 * throttles no more than usual. */
const JITTER = 0.1;

/** The number of timeouts after which a row fails. A row is sent again only once, because an
 * attempt that timed out may have been billed. */
const MAX_TIMEOUTS = 2;

/** A row fails after this number of throttled attempts, or after `maxAttempts` if that is higher.
 * The limit is higher than that of faults, because throttling says nothing about the row. */
const MAX_THROTTLED = 20;

export type AttemptHistory = Pick<Work, "faults" | "timeouts" | "throttled" | "waits">;

export class RetryPolicy {
  readonly maxAttempts: number;
  readonly #random: () => number;

  constructor({ maxAttempts = 5, random = Math.random }: RetryPolicyOptions = {}) {
    this.maxAttempts = maxAttempts;
    this.#random = random;
  }

  /**
   * Returns the wait before the next attempt, or undefined if the row is not sent again. The wait
   * is the requested wait plus full jitter, so that rows with the same requested wait are not sent
   * in a burst. Full jitter is uniform between 0 and an exponential bound (Brooker, "Exponential
   * Backoff And Jitter", AWS Architecture Blog, 2015).
   *
   * @param isTolerated Whether the teacher throttles no more than usual. Waits are then shorter.
   */
  delayMs(
    classification: Classification,
    history: AttemptHistory,
    isTolerated = false,
  ): number | undefined {
    if (classification.action !== "retry" || this.#isSpent(classification, history)) {
      return undefined;
    }
    if (classification.cause === "adjusted") return 0;
    const { retryAfterMs: requestedMs } = classification;
    const doublings = isTolerated
      ? Math.max(0, history.waits - TOLERATED_WAITS) / 2
      : history.waits;
    const isUsualWait = isTolerated && requestedMs !== undefined && requestedMs > 0;
    const baseMs = isUsualWait
      ? Math.min(BACKOFF_BASE_MS, JITTER * requestedMs)
      : classification.type === "rate_limit" && requestedMs === undefined && !isTolerated
      ? RATE_LIMIT_BASE_MS
      : BACKOFF_BASE_MS;
    const bound = Math.min(BACKOFF_CAP_MS, baseMs * 2 ** doublings);
    const minMs = classification.cause === "ending" && history.faults > 1
      ? UNKNOWN_ENDING_WAIT_MS
      : requestedMs ?? 0;
    return minMs + this.#random() * bound;
  }

  #isSpent({ cause }: Classification, { faults, timeouts, throttled }: AttemptHistory): boolean {
    // The row is not at fault if no server listens or if the teacher rejected a field that Retort
    // added.
    if (cause === "unreachable" || cause === "adjusted") return false;
    if (cause === "load") return throttled >= Math.max(MAX_THROTTLED, this.maxAttempts);
    return faults >= this.maxAttempts || (cause === "timeout" && timeouts >= MAX_TIMEOUTS);
  }
}

type RowWaitsOptions = Pick<
  AttemptsOptions,
  "retryPolicy" | "rowTimeoutMs" | "rowNow" | "pool"
>;

/** The milliseconds until the next attempt; `late` if the row's time would be up before then, and
 * `spent` if the row has no attempts left. */
type RowWait = number | "late" | "spent";

export class RowWaits {
  readonly #options: RowWaitsOptions;

  constructor(options: RowWaitsOptions) {
    this.#options = options;
  }

  /** Sets how much of the row's time is left. First extends the row's deadline by the part of the
   * last wait that does not count. */
  begin(work: Work): void {
    const { deadlineAt, excludedWait } = work;
    if (excludedWait !== undefined && deadlineAt !== undefined) {
      const { maxMs, since } = excludedWait;
      work.deadlineAt = deadlineAt + Math.min(maxMs, this.#options.rowNow() - since);
    }
    work.excludedWait = undefined;
    work.timeoutMs = this.#timeLeftMs(work);
  }

  /** Counts a failed attempt. Returns how long the row waits for the next one. */
  failed(
    work: Work,
    classification: Classification,
    { counts, isTolerated }: FailureEffect,
  ): RowWait {
    const { cause } = classification;
    if (counts) {
      if (cause === "load") work.throttled++;
      else if (cause !== "unreachable") work.faults++;
      if (cause === "timeout") work.timeouts++;
    }
    const delayMs = this.#options.retryPolicy.delayMs(classification, work, isTolerated);
    if (counts) work.waits++;
    if (delayMs === undefined) return "spent";
    // The row is not at fault, so its time starts again.
    if (!counts || cause === "unreachable") work.deadlineAt = undefined;
    const requestedMs = cause === "load" ? classification.retryAfterMs ?? 0 : 0;
    // A wait that a throttling teacher requests does not count towards the row's time.
    const countedMs = delayMs - requestedMs;
    const leftMs = this.#timeLeftMs(work);
    if (leftMs !== undefined && countedMs >= leftMs) return "late";
    return countedMs + (requestedMs > 0 ? this.#putOff(work, requestedMs) : 0);
  }

  timeoutFailure(work: Work, lastMessage?: string): Failure {
    const seconds = this.#options.rowTimeoutMs! / 1_000;
    const attempts = work.attempts === 1 ? "1 attempt" : `${work.attempts} attempts`;
    const message = `The row was not answered within ${seconds} s (--row-timeout), in ${attempts}`;
    const end = lastMessage === undefined ? "" : `; the last one: ${lastMessage}`;
    return { type: "timeout", message: message + end, status: null };
  }

  #timeLeftMs(work: Work): number | undefined {
    const { rowTimeoutMs, rowNow } = this.#options;
    if (rowTimeoutMs === undefined) return undefined;
    const now = rowNow();
    work.deadlineAt ??= now + rowTimeoutMs;
    return work.deadlineAt - now;
  }

  /** Records the requested wait. Returns the milliseconds until a teacher accepts the row, which is
   * either its last teacher after that wait or another teacher. */
  #putOff(work: Work, requestedMs: number): number {
    const { endpoint } = work;
    const waits = work.requestedWaits ??= new Map();
    waits.set(endpoint, endpoint.now + requestedMs);
    const maxMs = this.#options.pool.soonestMs(waits);
    work.excludedWait = { since: this.#options.rowNow(), maxMs };
    return maxMs;
  }
}

interface Waiting<T> {
  readonly item: T;
  readonly dueAt: number;
}

/** A queue of items in the order in which they are due. One timer serves all items. */
export class RetryQueue<T> {
  readonly #heap = new BinaryHeap<Waiting<T>>((a, b) => a.dueAt - b.dueAt);
  readonly #now: () => number;
  readonly #alarm: Alarm;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#alarm = new Alarm(now, onDue);
  }

  get size(): number {
    return this.#heap.length;
  }

  /** When the first item is due; Infinity if the queue is empty. */
  get dueAt(): number {
    return this.#heap.peek()?.dueAt ?? Infinity;
  }

  add(item: T, delayMs: number): void {
    this.#heap.push({ item, dueAt: this.#now() + delayMs });
    this.#alarm.set(this.dueAt);
  }

  takeDue(): T | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.dueAt > this.#now()) return undefined;
    this.#heap.pop();
    this.#alarm.set(this.dueAt);
    return first.item;
  }

  clear(): T[] {
    const items = [...this.#heap.drain()].map(({ item }) => item);
    this.#alarm.set(Infinity);
    return items;
  }
}
