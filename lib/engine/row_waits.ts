/**
 * Decides how long a row waits between two attempts, and how long it may take in total.
 *
 * @module
 */

import type { Failure } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Classification } from "./errors/mod.ts";
import type { FailureEffect } from "./flow/mod.ts";
import { type HeldBack, sentOf, type Work } from "./work.ts";

export interface RowWaitsOptions extends Pick<EngineOptions, "retryPolicy" | "rowTimeoutMs"> {
  /** A monotonic clock without the time in which nothing could be sent, in milliseconds. */
  readonly rowNow: () => number;
  /** Milliseconds until some teacher accepts the row; 0 if one does now. */
  readonly soonestMs: (work: Work) => number;
}

/** What follows for a row whose attempt has failed: another attempt (`again`), or none because its
 * time (`late`) or its attempts (`spent`) are used up. */
export type RowWait =
  | { readonly kind: "again"; readonly delayMs: number; readonly heldBack?: HeldBack }
  | { readonly kind: "late" }
  | { readonly kind: "spent" };

const LATE: RowWait = { kind: "late" };
const SPENT: RowWait = { kind: "spent" };

/** Decides how long rows wait. */
export class RowWaits {
  readonly #options: RowWaitsOptions;

  constructor(options: RowWaitsOptions) {
    this.#options = options;
  }

  /** Called before an attempt. The time in which the row was held back does not count as its own.
   * Returns the milliseconds left to the row; undefined without a limit. */
  begin(work: Work): number | undefined {
    const { deadlineAt } = work;
    const { heldBack } = sentOf(work);
    if (heldBack !== undefined && deadlineAt !== undefined) {
      const { ms, since } = heldBack;
      work.deadlineAt = deadlineAt + Math.min(ms, this.#options.rowNow() - since);
    }
    return this.#timeLeft(work);
  }

  /**
   * Counts a failed attempt and decides what follows. An attempt after the row's time is not made.
   */
  failed(
    work: Work,
    classification: Classification,
    { counts, isTolerated }: FailureEffect,
  ): RowWait {
    const { cause } = classification;
    if (counts) {
      if (cause === "load") work.loads++;
      else if (cause !== "unreachable") work.faults++;
      if (cause === "timeout") work.timeouts++;
    }
    const delayMs = this.#options.retryPolicy.delayMs(classification, work, isTolerated);
    if (counts) work.waits++;
    if (delayMs === undefined) return SPENT;
    // Neither an outage nor the wait requested by a throttling teacher counts as the row's time.
    if (!counts || cause === "unreachable") work.deadlineAt = undefined;
    const heldMs = cause === "load" ? classification.retryAfterMs ?? 0 : 0;
    const ownMs = delayMs - heldMs;
    const leftMs = this.#timeLeft(work);
    if (leftMs !== undefined && ownMs >= leftMs) return LATE;
    return heldMs > 0 ? this.#holdBack(work, heldMs, ownMs) : { kind: "again", delayMs };
  }

  /**
   * The failure of a row whose time is up.
   *
   * @param last The message of its last attempt; undefined without one.
   */
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

  /** Holds a row back for the time that its teacher requested, or until another one has room. */
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
