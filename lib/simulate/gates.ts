/**
 * What keeps a simulated teacher from answering at once: limits, failures and time.
 *
 * @module
 */

/** A limit of requests per minute, shared out over the seconds as OpenAI does it. */
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

  /** Lets a request through (0), or says how many seconds it has to wait. */
  enter(nowMs: number): number {
    this.#free = Math.min(this.#burst, this.#free + (nowMs - this.#seenAt) * this.#perMs);
    this.#seenAt = nowMs;
    if (this.#free < 1) return Math.max(1, Math.ceil((1 - this.#free) / this.#perMs / 1000));
    this.#free -= 1;
    return 0;
  }
}

/** How many prompts a generation of `AttemptCounter` holds. */
const GENERATION_SIZE = 65_536;

/**
 * Counts how many times each prompt was asked. Two generations of bounded size: what was not asked
 * for a long time is forgotten, so that memory stays flat however many prompts there are.
 */
export class AttemptCounter {
  readonly #size: number;
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  /** A counter that remembers at least the `size` prompts that were asked last. */
  constructor(size: number = GENERATION_SIZE) {
    this.#size = size;
  }

  /** How many times this prompt has been asked, this time included. */
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

/** Timers that can be ended all at once, so that a server which closes leaves none behind. */
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
