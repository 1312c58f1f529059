/**
 * When a row is asked again, and how long it may take all in all.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { Failure } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Classification } from "./errors/mod.ts";
import type { FailureEffect } from "./flow/mod.ts";
import type { Work } from "./work.ts";

/** What waits go by. */
export interface RowWaitsOptions extends Pick<EngineOptions, "retryPolicy" | "rowTimeoutMs"> {
  /** Milliseconds, monotonic, without the time in which nothing could be sent. */
  readonly rowNow: () => number;
  /** How long no teacher may be asked for a row, in milliseconds; 0 while one may. */
  readonly soonestMs: (work: Work) => number;
}

/** The waits of all rows of a run. */
export class RowWaits {
  readonly #options: RowWaitsOptions;

  /** No row waits yet. */
  constructor(options: RowWaitsOptions) {
    this.#options = options;
  }

  /** An attempt at a row begins: what it was held back for was not its own time. Gives how long it may still
   * take in milliseconds; undefined while it has all the time. */
  begin(work: Work): number | undefined {
    const { held, deadlineAt } = work;
    work.held = undefined;
    if (held !== undefined && deadlineAt !== undefined) {
      work.deadlineAt = deadlineAt + Math.min(held.ms, this.#options.rowNow() - held.since);
    }
    return this.#timeLeft(work);
  }

  /** An attempt at a row has failed. Gives whether there will be another one; `dueInMs` of the row says when.
   * One that would come after the row's time is up is none. */
  failed(
    work: Work,
    error: TeacherError,
    classification: Classification,
    { counts, isTolerated }: FailureEffect,
  ): boolean {
    const { cause, retryAfterMs = 0 } = classification;
    if (counts) {
      if (cause === "load") work.loads++;
      else if (cause !== "unreachable") work.faults++;
      if (cause === "timeout") work.timeouts++;
    }
    const delayMs = this.#options.retryPolicy.delayMs(classification, error, work, isTolerated);
    work.dueInMs = delayMs;
    if (counts) work.waits++;
    if (delayMs === undefined) return false;
    if (retryAfterMs > 0) this.#hold(work, retryAfterMs, delayMs - retryAfterMs);
    // The time of an outage is not the row's, and neither is what the teacher asks for.
    if (!counts || cause === "unreachable") work.deadlineAt = undefined;
    const leftMs = this.#timeLeft(work);
    return leftMs === undefined || delayMs - retryAfterMs < leftMs;
  }

  /** The failure of a row whose time is up; `last`: what its last attempt failed of. */
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

  /** Holds a row back for as long as its teacher asks, or until another one has room. */
  #hold(work: Work, askedMs: number, jitterMs: number): void {
    const by = work.endpoint!;
    const others = work.holds?.filter((hold) => hold.by !== by) ?? [];
    work.holds = [...others, { by, until: by.now + askedMs }];
    const heldMs = this.#options.soonestMs(work);
    work.dueInMs = heldMs + jitterMs;
    work.held = { since: this.#options.rowNow(), ms: heldMs };
  }
}

/** Stands still while nothing can be sent, so that neither an outage nor a pause uses up the time of the
 * rows that wait for its end. */
export class RowClock {
  readonly #now: () => number;
  #stoodMs = 0;
  #seenAt: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#seenAt = now();
  }

  /** Milliseconds without those in which it stood still. */
  readonly now = (): number => this.#now() - this.#stoodMs;

  /** Time has passed since the last call. `isStanding`: nothing could be sent. Called about ten times a
   * second. */
  tick(isStanding: boolean): void {
    const now = this.#now();
    if (isStanding) this.#stoodMs += now - this.#seenAt;
    this.#seenAt = now;
  }
}
