/**
 * Time that a test moves by hand. It stands in for `setTimeout`, `clearTimeout` and `performance.now`
 * until its block ends: `using clock = new FakeClock()`.
 *
 * @module
 */

import { setImmediate } from "node:timers";

interface Timer {
  readonly id: number;
  readonly dueAt: number;
  readonly callback: () => void;
}

const MAX_DELAY_MS = 2 ** 31 - 1;
const REAL = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  now: performance.now,
};

/** A clock that stands still until it is told otherwise. */
export class FakeClock implements Disposable {
  #nowMs = 0;
  #nextId = 1;
  #timers: Timer[] = [];
  /** How many timers have fired so far. */
  fired = 0;

  /** Takes the place of the real one. */
  constructor() {
    const setTimer = (callback: () => void, delayMs = 0): number => {
      // As the real one does it: a delay that does not fit into 32 bits is none.
      const delay = delayMs > MAX_DELAY_MS ? 0 : Math.max(0, delayMs);
      const id = this.#nextId++;
      this.#timers.push({ id, dueAt: this.#nowMs + delay, callback });
      return id;
    };
    const clearTimer = (id?: number): void => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    globalThis.setTimeout = setTimer as unknown as typeof setTimeout;
    globalThis.clearTimeout = clearTimer as unknown as typeof clearTimeout;
    performance.now = () => this.#nowMs;
  }

  /** Milliseconds since it was made. */
  readonly now = (): number => this.#nowMs;

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Lets time pass, timer by timer; what each of them sets off has run when this resolves. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    while (true) {
      const [next] = this.#timers.toSorted((a, b) => a.dueAt - b.dueAt || a.id - b.id);
      if (next === undefined || next.dueAt > untilMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueAt);
      this.fired++;
      next.callback();
      await settled();
    }
    this.#nowMs = untilMs;
    await settled();
  }

  /** Gives the real ones back. */
  [Symbol.dispose](): void {
    globalThis.setTimeout = REAL.setTimeout;
    globalThis.clearTimeout = REAL.clearTimeout;
    performance.now = REAL.now;
  }
}

/** Resolves once everything that needs neither time nor a file has happened: one real turn of the
 * event loop, before which all promises that can settle have settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
