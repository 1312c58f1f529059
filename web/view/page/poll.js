// @ts-check
/**
 * Requests the state of the server periodically, one request at a time.
 *
 * @module
 */

/** Pause between requests while the server is busy. */
const BUSY_MS = 250;

/** Pause between requests while it is not. */
const IDLE_MS = 2_000;

/** A loop of requests. The first `pollNow()` starts it. */
export class Poll {
  #refresh;
  #listener;
  /** Whether a request is under way. */
  #isWaiting = false;
  /** Whether `pollNow()` was called during a request, whose answer may then be outdated. */
  #isOutdated = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<boolean>} refresh updates the page; returns whether the server is busy
   * @param {{ done: (isBusy: boolean) => void, failed: (error: unknown) => void }} listener
   */
  constructor(refresh, listener) {
    this.#refresh = refresh;
    this.#listener = listener;
  }

  /** Requests the state at once, or as soon as the current request has been answered. */
  pollNow() {
    this.#isOutdated = true;
    if (!this.#isWaiting) this.#pollIn(0);
  }

  /** @param {number} delayMs */
  #pollIn(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), delayMs);
  }

  async #poll() {
    this.#isWaiting = true;
    this.#isOutdated = false;
    let isBusy = false;
    try {
      isBusy = await this.#refresh();
      this.#listener.done(isBusy);
    } catch (error) {
      this.#listener.failed(error);
    }
    this.#isWaiting = false;
    this.#pollIn(this.#isOutdated ? 0 : isBusy ? BUSY_MS : IDLE_MS);
  }
}
