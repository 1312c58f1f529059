/**
 * What all attempts at one teacher share, with one timer for all deadlines and one listener per
 * abort signal. An `AbortSignal.timeout` for each attempt would cost 300 bytes and a runtime
 * operation.
 *
 * @module
 */

import { every } from "../timer.ts";
import type { Address } from "./address.ts";
import type { Connections } from "./connections.ts";
import type { StreamHabits } from "./stream.ts";

export interface AttemptShared {
  readonly address: Address;
  /** `host:port` of the proxy; undefined without one. */
  readonly proxyHost: string | undefined;
  /** Names and values of the request headers in turn. */
  readonly headers: string[];
  /** The longest that an attempt may take, in milliseconds, unless its row has less time. */
  readonly timeoutMs: number;
  /** The longest silence between tokens of a stream, in milliseconds. */
  readonly streamIdleTimeoutMs: number;
  /** Unix time in milliseconds that is never set back. */
  readonly now: () => number;
  readonly connections: Connections;
  readonly deadlines: Deadlines;
  readonly aborts: Aborts;
  /** What earlier streams have shown of this teacher. */
  readonly streamHabits: StreamHabits;
}

/**
 * An attempt, as the sweep of deadlines sees it. Times are in milliseconds on `AttemptShared.now`.
 */
export interface Timed {
  readonly startedAt: number;
  readonly timeoutMs: number;
  /** Whether the request is being written to a connected socket. */
  readonly isConnected: boolean;
  /** When the last token of a stream arrived; -1 before the first. */
  readonly lastTokenAt: number;
  /** When the answer was complete, if its response has not ended yet; else -1. */
  readonly completeAt: number;
  /** Ends the attempt because of this deadline. */
  expire(deadline: Deadline): void;
}

/** The deadline that passed: of the attempt, of its connection, of silence in a stream, or of a
 * response that does not end after its answer. */
export type Deadline = "attempt" | "connect" | "silence" | "drain";

export interface DeadlinesOptions {
  /** The longest that an attempt may take, in milliseconds, unless it has a shorter limit. */
  timeoutMs: number;
  /** The longest that connecting may take, in milliseconds. */
  connectTimeoutMs: number;
  /** The longest silence after the first token of a stream, in milliseconds. */
  streamIdleTimeoutMs: number;
  /** A clock that is never set back, in milliseconds. */
  now: () => number;
}

/** How long a response may continue after its answer is complete, in milliseconds. */
const DRAIN_MS = 2_000;

/** The longest interval between two sweeps, in milliseconds; attempts may end this much late. */
const LONGEST_INTERVAL_MS = 500;

/** If a sweep is this late, in milliseconds, the process was paused, and deadlines say nothing
 * about the teacher. */
const PAUSE_MS = 1_000;

/** The deadlines of all attempts in flight, swept by one timer. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #intervalMs: number;
  readonly #attempts = new Set<Timed>();
  #stopSweeps: (() => void) | undefined;
  #sweptAt = 0;
  #wasLate = false;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
    const { timeoutMs, connectTimeoutMs, streamIdleTimeoutMs } = options;
    const shortestMs = Math.min(timeoutMs, connectTimeoutMs, streamIdleTimeoutMs);
    this.#intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(20, shortestMs / 10));
  }

  get size(): number {
    return this.#attempts.size;
  }

  add(attempt: Timed): void {
    this.#attempts.add(attempt);
    if (this.#stopSweeps !== undefined) return;
    this.#sweptAt = this.#options.now();
    this.#stopSweeps = every(this.#intervalMs, () => this.#sweep(), { keepsAlive: true });
  }

  /** Removes an attempt that has ended. The last one stops the timer. */
  delete(attempt: Timed): void {
    if (!this.#attempts.delete(attempt) || this.#attempts.size > 0) return;
    this.#stopSweeps?.();
    this.#stopSweeps = undefined;
  }

  #sweep(): void {
    const { connectTimeoutMs, streamIdleTimeoutMs, now } = this.#options;
    const time = now();
    if (this.#isLate(time)) return;
    // Deleting from a set while iterating over it is safe.
    for (const attempt of this.#attempts) {
      const { startedAt, lastTokenAt, completeAt } = attempt;
      const elapsedMs = time - startedAt;
      if (completeAt >= 0) {
        if (time - completeAt >= DRAIN_MS) attempt.expire("drain");
      } else if (elapsedMs >= attempt.timeoutMs) {
        attempt.expire("attempt");
      } else if (elapsedMs >= connectTimeoutMs && !attempt.isConnected) {
        attempt.expire("connect");
      } else if (lastTokenAt >= 0 && time - lastTokenAt >= streamIdleTimeoutMs) {
        attempt.expire("silence");
      }
    }
  }

  /** Whether the process was paused (SIGSTOP, a suspended machine). Timers fire before sockets are
   * read, so one sweep is skipped, in which waiting answers are read. */
  #isLate(time: number): boolean {
    const isLate = time - this.#sweptAt >= this.#intervalMs + PAUSE_MS;
    this.#sweptAt = time;
    return this.#wasLate = isLate && !this.#wasLate;
  }
}

export interface Abortable {
  abort(reason: unknown): void;
}

/** Ends attempts when their signals are aborted, with one listener per signal. */
export class Aborts {
  // Weak: a signal that nothing else holds takes its listener and its set with it.
  readonly #groups = new WeakMap<AbortSignal, Set<Abortable>>();

  /** Aborts `target` once `signal` is aborted. */
  add(signal: AbortSignal, target: Abortable): void {
    let group = this.#groups.get(signal);
    if (group === undefined) {
      group = new Set();
      this.#groups.set(signal, group);
      listen(signal, group);
    }
    group.add(target);
  }

  /** Removes a target that has ended. */
  delete(signal: AbortSignal, target: Abortable): void {
    this.#groups.get(signal)?.delete(target);
  }
}

function listen(signal: AbortSignal, group: Set<Abortable>): void {
  signal.addEventListener("abort", () => {
    for (const target of group) target.abort(signal.reason);
    group.clear();
  }, { once: true });
}
