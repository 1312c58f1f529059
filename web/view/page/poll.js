// @ts-check
/**
 * Asks the server for its state again and again, one request at a time.
 *
 * @module
 */

/** The interval of requests while the server is at work. */
const BUSY_MS = 250;
const CALM_MS = 2_000;

/** A loop of requests. It runs from the first `hurry()` on. */
export class Poll {
  #refresh;
  #on;
  #isAsking = false;
  /** Whether the state was wanted anew during a request, whose answer is then outdated. */
  #isHurried = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<boolean>} refresh shows the state of now; returns whether the server is
   * at work
   * @param {{ done: (isBusy: boolean) => void, failed: (error: unknown) => void }} on
   */
  constructor(refresh, on) {
    this.#refresh = refresh;
    this.#on = on;
  }

  /** Asks at once, or again as soon as the current request is answered. */
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
