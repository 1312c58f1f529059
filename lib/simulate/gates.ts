/**
 * The limits, attempt counts and timers of a simulated teacher.
 *
 * @module
 */

/** A limit of requests per minute, enforced per second, as OpenAI does. */
export class RateGate {
  readonly #perMs: number;
  readonly #burst: number;
  #free: number;
  #seenAt: number;

  /** A gate for `rpm` requests per minute that starts with one second's share. */
  constructor(rpm: number, nowMs: number) {
    this.#perMs = rpm / 60_000;
    this.#burst = Math.max(1, rpm / 60);
    this.#free = this.#burst;
    this.#seenAt = nowMs;
  }

  /** Admits a request (0), or returns how many seconds it has to wait. */
  enter(nowMs: number): number {
    this.#free = Math.min(this.#burst, this.#free + (nowMs - this.#seenAt) * this.#perMs);
    this.#seenAt = nowMs;
    if (this.#free < 1) return Math.max(1, Math.ceil((1 - this.#free) / this.#perMs / 1000));
    this.#free -= 1;
    return 0;
  }
}

/** The number of prompts in a generation of `AttemptCounter`. */
const GENERATION_SIZE = 65_536;

/**
 * Counts how many times each prompt was sent. It keeps two generations of bounded size, so that old
 * prompts are forgotten and memory stays flat.
 */
export class AttemptCounter {
  readonly #size: number;
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  /** A counter that remembers at least the last `size` prompts. */
  constructor(size: number = GENERATION_SIZE) {
    this.#size = size;
  }

  /** The number of times that this prompt was sent, this time included. */
  count(hash: number): number {
    const count = (this.#young.get(hash) ?? this.#old.get(hash) ?? 0) + 1;
    this.#young.set(hash, count);
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return count;
  }
}

/** Timers that can all be ended at once, so that none is left when the server closes. */
export class Sleepers {
  readonly #asleep = new Map<ReturnType<typeof setTimeout>, () => void>();
  #closed = false;

  /** Resolves after `ms`, or when all are woken. */
  sleep(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#asleep.delete(timer);
        resolve();
      }, ms);
      this.#asleep.set(timer, resolve);
    });
  }

  /** Wakes all sleepers, and lets none sleep again. */
  close(): void {
    this.#closed = true;
    for (const [timer, resolve] of this.#asleep) {
      clearTimeout(timer);
      resolve();
    }
    this.#asleep.clear();
  }
}
