/**
 * What all attempts at one teacher share: one timer for their deadlines and one listener for each abort
 * signal. A timer or an `AbortSignal.timeout` for each attempt would cost 300 bytes and a runtime operation.
 *
 * @module
 */

import type { Address } from "./address.ts";
import type { Connections } from "./connections.ts";
import type { StreamHabits } from "./stream.ts";

/** What all attempts at one teacher share. */
export interface AttemptShared {
  /** The address of the teacher. */
  readonly address: Address;
  /** The proxy's `host:port`, or undefined. */
  readonly proxyHost: string | undefined;
  /** The header fields of every request, names and values in turn. */
  readonly headers: string[];
  /** Milliseconds that a whole attempt may take, unless its row has less. */
  readonly timeoutMs: number;
  /** Milliseconds that a stream may be silent for. */
  readonly streamIdleTimeoutMs: number;
  /** The clock. */
  readonly now: () => number;
  /** The connections to the teacher. */
  readonly connections: Connections;
  /** The deadlines of all attempts. */
  readonly deadlines: Deadlines;
  /** The signals of all attempts. */
  readonly aborts: Aborts;
  /** What is known from earlier streams of the teacher. */
  readonly streamHabits: StreamHabits;
}

/** What the sweep needs to know about an attempt. Times are those of the clock, in milliseconds. */
export interface Timed {
  /** When it began. */
  readonly startedAt: number;
  /** The longest that it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether its request was written to a connection. */
  readonly isConnected: boolean;
  /** When the last token of a stream came, or -1 before the first. */
  readonly lastTokenAt: number;
  /** When its answer was complete although the connection still sends, or -1. */
  readonly completeAt: number;
  /** Ends it because a deadline has passed. */
  expire(deadline: Deadline): void;
}

/** Which deadline passed: that of the attempt, of its connection, of silence in a stream, or of a response that
 * does not end. */
export type Deadline = "attempt" | "connect" | "silence" | "drain";

/** Settings of {@linkcode Deadlines}. */
export interface DeadlinesOptions {
  /** The longest that an attempt may take, unless it has a shorter limit of its own, in milliseconds. */
  timeoutMs: number;
  /** The longest that making a connection may take, in milliseconds. */
  connectTimeoutMs: number;
  /** The longest silence after the first token of a stream, in milliseconds. */
  streamIdleTimeoutMs: number;
  /** The clock, in milliseconds. */
  now: () => number;
}

/** How long a response may continue after its answer is complete, in milliseconds. */
const DRAIN_MS = 2_000;

/** The longest time between two sweeps, in milliseconds: an attempt may end this much late. */
const LONGEST_INTERVAL_MS = 500;

/** A sweep that is this much late, in milliseconds, is not about the teacher. */
const PAUSE_MS = 1_000;

/** The attempts in flight, with one timer for all of their deadlines. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #intervalMs: number;
  readonly #attempts = new Set<Timed>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #sweptAt = 0;
  #wasLate = false;

  /** There are no attempts and no timer yet. */
  constructor(options: DeadlinesOptions) {
    this.#options = options;
    const { timeoutMs, connectTimeoutMs, streamIdleTimeoutMs } = options;
    const shortestMs = Math.min(timeoutMs, connectTimeoutMs, streamIdleTimeoutMs);
    this.#intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(20, shortestMs / 10));
  }

  /** How many attempts are in flight. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Watches the deadlines of an attempt. */
  add(attempt: Timed): void {
    this.#attempts.add(attempt);
    if (this.#timer !== undefined) return;
    this.#sweptAt = this.#options.now();
    this.#timer = setInterval(() => this.#sweep(), this.#intervalMs);
  }

  /** Forgets an attempt; the timer stops with the last one. */
  delete(attempt: Timed): void {
    if (!this.#attempts.delete(attempt) || this.#attempts.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    const { connectTimeoutMs, streamIdleTimeoutMs, now } = this.#options;
    const time = now();
    if (this.#isLate(time)) return;
    // Members may be deleted from a set during its iteration.
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

  /** Whether the process did not run for a while (SIGSTOP, a suspended machine). Timers fire before sockets are read, so
   * answers that have come meanwhile are read until the next sweep. */
  #isLate(time: number): boolean {
    const isLate = time - this.#sweptAt >= this.#intervalMs + PAUSE_MS;
    this.#sweptAt = time;
    return this.#wasLate = isLate && !this.#wasLate;
  }
}

/** What can be ended by a signal. */
export interface Abortable {
  /** Ends it with the signal's reason. */
  abort(reason: unknown): void;
}

/** The attempts to end when a signal is aborted. */
export class Aborts {
  // Weak: a signal that no one else holds takes its listener and its set with it.
  readonly #groups = new WeakMap<AbortSignal, Set<Abortable>>();

  /** Ends `target` when `signal` is aborted. */
  add(signal: AbortSignal, target: Abortable): void {
    let group = this.#groups.get(signal);
    if (group === undefined) {
      group = new Set();
      this.#groups.set(signal, group);
      listen(signal, group);
    }
    group.add(target);
  }

  /** Forgets `target`: it has ended. */
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
