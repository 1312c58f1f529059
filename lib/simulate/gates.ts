/**
 * Rate limit, attempt counts and timers of a simulated teacher.
 *
 * @module
 */

/** A rate limit in requests per minute, enforced each second as OpenAI does. */
export class RateGate {
  readonly #perMs: number;
  readonly #burst: number;
  #free: number;
  #seenAt: number;

  /** Admits one second's share at the start. */
  constructor(rpm: number, nowMs: number) {
    this.#perMs = rpm / 60_000;
    this.#burst = Math.max(1, rpm / 60);
    this.#free = this.#burst;
    this.#seenAt = nowMs;
  }

  /** Admits a request and returns 0, or returns the seconds to wait. */
  enter(nowMs: number): number {
    this.#free = Math.min(this.#burst, this.#free + (nowMs - this.#seenAt) * this.#perMs);
    this.#seenAt = nowMs;
    if (this.#free < 1) return Math.max(1, Math.ceil((1 - this.#free) / this.#perMs / 1000));
    this.#free -= 1;
    return 0;
  }
}

/** Prompts in one generation of `AttemptCounter`. */
const GENERATION_SIZE = 65_536;

/** Counts how many times each prompt was sent. Keeps two generations of bounded size: memory stays
 * flat, and old prompts are forgotten. */
export class AttemptCounter {
  readonly #size: number;
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  /** @param size Remembers at least the last `size` prompts. */
  constructor(size: number = GENERATION_SIZE) {
    this.#size = size;
  }

  /** How many times this prompt was sent, including this one. */
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

/** Timers that can be ended together, so that none is left when the server closes. */
export class Sleepers {
  readonly #asleep = new Map<ReturnType<typeof setTimeout>, () => void>();
  #closed = false;

  /** Resolves after `ms` milliseconds, or once `close()` is called. */
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

  /** Ends all timers. Later calls of `sleep` resolve at once. */
  close(): void {
    this.#closed = true;
    for (const [timer, resolve] of this.#asleep) {
      clearTimeout(timer);
      resolve();
    }
    this.#asleep.clear();
  }
}
