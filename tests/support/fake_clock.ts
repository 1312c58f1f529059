/**
 * A clock that a test moves. It replaces `setTimeout`, `setInterval`, what clears them and
 * `performance.now` until its block ends: `using clock = new FakeClock()`.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { BinaryHeap } from "../../lib/deps/std_data_structures.ts";

interface Timer {
  readonly id: number;
  readonly dueAt: number;
  readonly callback: () => void;
  /** Milliseconds between two calls, of an interval. */
  readonly everyMs: number | undefined;
}

const MAX_DELAY_MS = 2 ** 31 - 1;
const REAL = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  now: performance.now,
};

/** A clock that moves only when a test moves it. */
export class FakeClock implements Disposable {
  #nowMs = 0;
  #nextId = 1;
  /** Includes cleared timers until their time has come. */
  readonly #timers = new BinaryHeap<Timer>((a, b) => a.dueAt - b.dueAt || a.id - b.id);
  readonly #timeouts = new Set<number>();
  readonly #intervals = new Set<number>();
  /** How many timers have fired so far, intervals not counted. */
  fired = 0;

  /** Replaces the real clock. */
  constructor() {
    const setTimer = (callback: () => void, delayMs = 0): number => {
      // Like the real one: a delay that does not fit into 32 bits counts as 0.
      const delay = delayMs > MAX_DELAY_MS ? 0 : Math.max(0, delayMs);
      const id = this.#nextId++;
      this.#timeouts.add(id);
      this.#timers.push({ id, dueAt: this.#nowMs + delay, callback, everyMs: undefined });
      return id;
    };
    const setRepeated = (callback: () => void, delayMs = 0): number => {
      const id = this.#nextId++;
      const everyMs = Math.max(1, delayMs);
      this.#intervals.add(id);
      this.#timers.push({ id, dueAt: this.#nowMs + everyMs, callback, everyMs });
      return id;
    };
    const clearTimer = (id = 0): void => {
      this.#timeouts.delete(id);
      this.#intervals.delete(id);
    };
    globalThis.setTimeout = setTimer as unknown as typeof setTimeout;
    globalThis.clearTimeout = clearTimer as unknown as typeof clearTimeout;
    globalThis.setInterval = setRepeated as unknown as typeof setInterval;
    globalThis.clearInterval = clearTimer as unknown as typeof clearInterval;
    performance.now = () => this.#nowMs;
  }

  /** Milliseconds since it was made. */
  readonly now = (): number => this.#nowMs;

  /** How many timers wait, intervals not counted. */
  get pendingTimers(): number {
    return this.#timeouts.size;
  }

  /** How many intervals continue. */
  get pendingIntervals(): number {
    return this.#intervals.size;
  }

  /** Lets time pass, timer by timer; when it resolves, all their effects have run. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#timers.peek(); next !== undefined; next = this.#timers.peek()) {
      if (next.dueAt > untilMs) break;
      this.#timers.pop();
      if (!this.#fire(next)) continue;
      await settled();
    }
    this.#nowMs = untilMs;
    await settled();
  }

  /**
   * Lets time pass in one step, as when a machine sleeps: timers due meanwhile fire late, and an
   * interval fires once.
   */
  async sleep(byMs: number): Promise<void> {
    this.#nowMs += byMs;
    const due: Timer[] = [];
    while ((this.#timers.peek()?.dueAt ?? Infinity) <= this.#nowMs) due.push(this.#timers.pop()!);
    for (const timer of due) if (this.#fire({ ...timer, dueAt: this.#nowMs })) await settled();
    await settled();
  }

  /** Returns whether it was not cleared. */
  #fire(timer: Timer): boolean {
    const { id, dueAt, callback, everyMs } = timer;
    if (everyMs === undefined) {
      if (!this.#timeouts.delete(id)) return false;
      this.fired++;
    } else {
      if (!this.#intervals.has(id)) return false;
      this.#timers.push({ ...timer, dueAt: dueAt + everyMs });
    }
    this.#nowMs = Math.max(this.#nowMs, dueAt);
    callback();
    return true;
  }

  /** Restores the real clock. */
  [Symbol.dispose](): void {
    globalThis.setTimeout = REAL.setTimeout;
    globalThis.clearTimeout = REAL.clearTimeout;
    globalThis.setInterval = REAL.setInterval;
    globalThis.clearInterval = REAL.clearInterval;
    performance.now = REAL.now;
  }
}

/**
 * Resolves after one real turn of the event loop, when all promises that need neither time nor a
 * file have settled.
 */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
