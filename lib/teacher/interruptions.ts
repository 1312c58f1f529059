/** What ends an attempt early: deadlines and aborted signals. @module */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";
import { ActiveClock, every } from "../timer.ts";

/**
 * The error of a deadline: a `TeacherError`, or undici's if no connection was made.
 *
 * @param timeoutMs The limit of the attempt, which the row may have shortened.
 */
export function deadlineError(
  deadline: Deadline,
  host: string,
  timeoutMs: number,
  limits: TimeLimits,
): Error {
  if (deadline === "connect") return new errors.ConnectTimeoutError();
  const problem = `complete answer from ${host} within ${duration(timeoutMs)}`;
  const message = deadline === "idle"
    ? `No token from ${host} for ${duration(limits.streamIdleTimeoutMs)}`
    : timeoutMs < limits.timeoutMs
    ? `The row's time is up: no ${problem}`
    : `No ${problem}`;
  return new TeacherError(message, { type: "timeout" });
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}

/** The times are those of `Deadlines.now()`. */
export interface TimedAttempt {
  readonly startedAt: number;
  readonly timeoutMs: number;
  /** Whether undici has begun to write the request to a connected socket. */
  readonly isConnected: boolean;
  /** When the last token of a stream arrived; -1 before the first. */
  readonly lastTokenAt: number;
  /** When the answer was complete, or a stream seemed to be, before the response ended; otherwise
   * -1. */
  readonly completeAt: number;
  /** Updates `completeAt`, and settles a JSON response that is complete but does not end: some
   * servers send no last chunk. Called in each sweep. */
  checkEnd(): void;
  expire(deadline: Deadline): void;
}

export type Deadline =
  /** For the whole attempt. */
  | "attempt"
  | "connect"
  /** For the next token of a stream. */
  | "idle"
  /** For the end of a response whose answer is complete. */
  | "drain";

export interface TimeLimits {
  /** The limit of an attempt, unless its row has less time left. */
  timeoutMs: number;
  connectTimeoutMs: number;
  /** Maximum silence between two tokens, from the first token on. */
  streamIdleTimeoutMs: number;
  /** Unix time in milliseconds that is never set back. */
  now: () => number;
}

/** Maximum duration of a response after its answer is complete. */
const DRAIN_MS = 2_000;

/** Maximum interval between two sweeps. Attempts end at most this late. */
const MAX_INTERVAL_MS = 500;

/** A sweep this late shows that the process was paused: SIGSTOP, or a frozen container. */
const PAUSE_MS = 1_000;

/** One timer for all deadlines: an `AbortSignal.timeout` each would cost 300 bytes and a runtime
 * operation. */
export class Deadlines {
  readonly #limits: TimeLimits;
  readonly #intervalMs: number;
  /** A teacher that was paused, too, has lost the same time, so pauses count for no attempt. */
  readonly #clock: ActiveClock;
  readonly #attempts = new Set<TimedAttempt>();
  #stopSweeps: (() => void) | undefined;
  #sweptAt = 0;
  #wasLate = false;

  constructor(limits: TimeLimits) {
    this.#limits = limits;
    this.#clock = new ActiveClock(limits.now);
    const { timeoutMs, connectTimeoutMs, streamIdleTimeoutMs } = limits;
    const shortestMs = Math.min(timeoutMs, connectTimeoutMs, streamIdleTimeoutMs);
    this.#intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(20, shortestMs / 10));
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** In milliseconds, without pauses. */
  now(): number {
    return this.#clock.now();
  }

  add(attempt: TimedAttempt): void {
    this.#attempts.add(attempt);
    if (this.#stopSweeps !== undefined) return;
    this.#sweptAt = this.#limits.now();
    this.#clock.tick();
    this.#stopSweeps = every(this.#intervalMs, () => this.#sweep(), { keepsAlive: true });
  }

  delete(attempt: TimedAttempt): void {
    if (!this.#attempts.delete(attempt) || this.#attempts.size > 0) return;
    this.#stopSweeps?.();
    this.#stopSweeps = undefined;
  }

  #sweep(): void {
    const { connectTimeoutMs, streamIdleTimeoutMs } = this.#limits;
    this.#clock.tick();
    if (this.#isLate()) return;
    const time = this.now();
    // Deleting from a set while iterating over it is safe.
    for (const attempt of this.#attempts) {
      attempt.checkEnd();
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

  /** Whether the process was paused. Timers fire before sockets are read, so one sweep is skipped
   * for the answers that arrived meanwhile. */
  #isLate(): boolean {
    const time = this.#limits.now(), isLate = time - this.#sweptAt >= this.#intervalMs + PAUSE_MS;
    this.#sweptAt = time;
    return this.#wasLate = isLate && !this.#wasLate;
  }
}

export interface Abortable {
  abort(reason: unknown): void;
}

/** Ends attempts when their signals are aborted, with one listener per signal. */
export class Aborts {
  // Weak, so that a signal without other references is freed.
  readonly #groups = new WeakMap<AbortSignal, Set<Abortable>>();

  add(signal: AbortSignal, target: Abortable): void {
    let group = this.#groups.get(signal);
    if (group === undefined) {
      const targets = group = new Set<Abortable>();
      this.#groups.set(signal, targets);
      signal.addEventListener("abort", () => {
        for (const each of targets) each.abort(signal.reason);
        targets.clear();
      }, { once: true });
    }
    group.add(target);
  }

  delete(signal: AbortSignal, target: Abortable): void {
    this.#groups.get(signal)?.delete(target);
  }
}
