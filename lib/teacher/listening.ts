/**
 * Requests that wait for a moment before they are sent on a connection that was used before.
 *
 * @module
 */

interface Waiting {
  readonly timer: ReturnType<typeof setTimeout>;
  readonly send: () => void;
}

/** Those requests. */
export class Listening {
  readonly #waiting = new Set<Waiting>();

  /** Calls `send` in `ms` milliseconds, or at `end()`. */
  add(ms: number, send: () => void): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(waiting);
      send();
    }, ms);
    const waiting = { timer, send };
    this.#waiting.add(waiting);
  }

  /** There is nothing left to wait for. */
  end(): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      clearTimeout(waiting.timer);
      waiting.send();
    }
  }
}
