/**
 * Rate limit, attempt counts and timers of a simulated teacher.
 *
 * @module
 */

/**
 * A token bucket for a limit in requests per minute. It holds one second's share, because OpenAI
 * enforces its limits each second.
 */
export class RateGate {
  readonly #requestsPerMs: number;
  readonly #capacity: number;
  /** Requests that would be admitted now. */
  #available: number;
  #refilledAtMs: number;

  /** The bucket is full at the start. */
  constructor(rpm: number, nowMs: number) {
    this.#requestsPerMs = rpm / 60_000;
    this.#capacity = Math.max(1, rpm / 60);
    this.#available = this.#capacity;
    this.#refilledAtMs = nowMs;
  }

  /** Admits a request and returns 0, or rejects it and returns the seconds until a retry. */
  admit(nowMs: number): number {
    const refill = (nowMs - this.#refilledAtMs) * this.#requestsPerMs;
    this.#available = Math.min(this.#capacity, this.#available + refill);
    this.#refilledAtMs = nowMs;
    if (this.#available >= 1) {
      this.#available -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.#available) / this.#requestsPerMs / 1000));
  }
}

/** Prompts in one generation of `AttemptCounter`. */
const GENERATION_SIZE = 65_536;

/** Counts how many times each prompt was sent. Forgets the prompts that were not sent for longest:
 * only two generations are in memory. */
export class AttemptCounter {
  readonly #size: number;
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  /** @param size Prompts in one generation; at least this many are remembered. */
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
  #isClosed = false;

  /** Resolves after `ms` milliseconds, or once `close()` is called. */
  sleep(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
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
    this.#isClosed = true;
    for (const [timer, resolve] of this.#asleep) {
      clearTimeout(timer);
      resolve();
    }
    this.#asleep.clear();
  }
}
