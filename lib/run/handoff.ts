/**
 * Where outcomes of `generate()` are handed over. A lane is free only once its outcome has been
 * taken, which is what keeps the engine from running ahead of its consumer.
 *
 * @module
 */

/** Hands items from lanes to one consumer, in the order in which they come. */
export class Handoff<T> {
  readonly #offered: { readonly item: T; readonly taken: () => void }[] = [];
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #closed = false;

  /** Whether nothing more will be taken over. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Offers an item; resolves when it was taken, or when nobody will take it any more. */
  put(item: T): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(item);
      return Promise.resolve();
    }
    return new Promise((taken) => this.#offered.push({ item, taken }));
  }

  /** Takes the next item; undefined when there will be none. */
  take(): Promise<T | undefined> {
    const offer = this.#offered.shift();
    if (offer !== undefined) {
      offer.taken();
      return Promise.resolve(offer.item);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Nothing more will come; what was offered can still be taken. */
  end(): void {
    this.#closed = true;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** Nobody takes anything any more: lanes that wait are let go. */
  abandon(): void {
    for (const { taken } of this.#offered.splice(0)) taken();
    this.end();
  }
}
