// @ts-check
/**
 * Requests the state of the server periodically, one request at a time.
 *
 * @module
 */

/** Interval of requests while the server is busy. `CALM_MS` is the interval otherwise. */
const BUSY_MS = 250;
const CALM_MS = 2_000;

/** A loop of requests. The first `hurry()` starts it. */
export class Poll {
  #refresh;
  #on;
  #isAsking = false;
  /** Whether `hurry()` was called during a request: its answer may be outdated. */
  #isHurried = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<boolean>} refresh updates the page; returns whether the server is busy
   * @param {{ done: (isBusy: boolean) => void, failed: (error: unknown) => void }} on
   */
  constructor(refresh, on) {
    this.#refresh = refresh;
    this.#on = on;
  }

  /** Requests the state at once, or as soon as the current request has been answered. */
  hurry() {
    this.#isHurried = true;
    if (!this.#isAsking) this.#askIn(0);
  }

  /** @param {number} ms */
  #askIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    this.#isAsking = true;
    this.#isHurried = false;
    let isBusy = false;
    try {
      isBusy = await this.#refresh();
      this.#on.done(isBusy);
    } catch (error) {
      this.#on.failed(error);
    }
    this.#isAsking = false;
    this.#askIn(this.#isHurried ? 0 : isBusy ? BUSY_MS : CALM_MS);
  }
}
