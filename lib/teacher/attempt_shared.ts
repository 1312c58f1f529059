/**
 * What all attempts at one teacher share, including one timer for all deadlines and one listener
 * per abort signal. An `AbortSignal.timeout` for each attempt would cost 300 bytes and a runtime
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
  /** The names and values of the request headers, alternating. */
  readonly headers: string[];
  /** The longest that an attempt may take, in milliseconds, unless its row has less time left. */
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

/** The part of an attempt that `Deadlines` uses. Times are in milliseconds by
 * `AttemptShared.now`. */
export interface TimedAttempt {
  readonly startedAt: number;
  readonly timeoutMs: number;
  /** Whether the request is being written to a connected socket. */
  readonly isConnected: boolean;
  /** When the last token of a stream arrived; -1 before the first. */
  readonly lastTokenAt: number;
  /** When the answer was complete while its response had not ended yet; else -1. */
  readonly completeAt: number;
  /** Ends the attempt because of this deadline. */
  expire(deadline: Deadline): void;
}

/** A deadline: for the whole attempt, for connecting, for the next token of a stream, or for the
 * end of a response whose answer is complete. */
export type Deadline = "attempt" | "connect" | "idle" | "drain";

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

/** The longest interval between two sweeps, in milliseconds: attempts end at most this late. */
const MAX_INTERVAL_MS = 500;

/** If a sweep is this late, in milliseconds, the process was paused: deadlines that passed
 * meanwhile say nothing about the teacher. */
const PAUSE_MS = 1_000;

/** The deadlines of all attempts in flight, swept by one timer. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #intervalMs: number;
  readonly #attempts = new Set<TimedAttempt>();
  #stopSweeps: (() => void) | undefined;
  #sweptAt = 0;
  #wasLate = false;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
    const { timeoutMs, connectTimeoutMs, streamIdleTimeoutMs } = options;
    const shortestMs = Math.min(timeoutMs, connectTimeoutMs, streamIdleTimeoutMs);
    this.#intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(20, shortestMs / 10));
  }

  get size(): number {
    return this.#attempts.size;
  }

  add(attempt: TimedAttempt): void {
    this.#attempts.add(attempt);
    if (this.#stopSweeps !== undefined) return;
    this.#sweptAt = this.#options.now();
    this.#stopSweeps = every(this.#intervalMs, () => this.#sweep(), { keepsAlive: true });
  }

  /** Removes an attempt that has ended. The last one stops the timer. */
  delete(attempt: TimedAttempt): void {
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
        attempt.expire("idle");
      }
    }
  }

  /** Whether the process was paused (SIGSTOP, a suspended machine). Timers fire before sockets are
   * read, so one sweep is skipped, to read answers that arrived meanwhile. */
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
  // Weak, so that a signal that nothing else holds is freed, with its listener and its set.
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
