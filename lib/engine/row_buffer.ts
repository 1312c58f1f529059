/**
 * Rows on their way to the lanes. Batches are pulled from the source only while a lane waits, so the
 * source never runs ahead.
 *
 * @module
 */

/** The head of the source, handed out row by row without a promise each. */
export class RowBuffer<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  #batch: readonly T[] = [];
  #position = 0;
  #pulling = false;
  #exhausted = false;

  /** Nothing is pulled before the first `pull()`. */
  constructor(source: AsyncIterable<readonly T[]>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Whether there is nothing left and nothing will come. */
  get exhausted(): boolean {
    return this.#exhausted && this.#position >= this.#batch.length;
  }

  /** Whether the current batch holds no row. */
  get isEmpty(): boolean {
    return this.#position >= this.#batch.length;
  }

  /** The next row of the current batch, if it holds one. */
  take(): T | undefined {
    return this.#position < this.#batch.length ? this.#batch[this.#position++] : undefined;
  }

  /** Pulls one more batch unless one is there or on its way. `onSettled` is called when it is there, or when
   * the source has failed. */
  pull(onSettled: (error?: unknown) => void): void {
    if (this.#pulling || this.#exhausted || !this.isEmpty) return;
    this.#pulling = true;
    this.#iterator.next().then(
      (result) => {
        this.#pulling = false;
        if (result.done) {
          this.#exhausted = true;
        } else {
          this.#batch = result.value;
          this.#position = 0;
        }
        onSettled();
      },
      (error) => {
        this.#pulling = false;
        this.#exhausted = true;
        onSettled(error);
      },
    );
  }

  /** Lets the source free what it holds. */
  async close(): Promise<void> {
    this.#exhausted = true;
    this.#batch = [];
    this.#position = 0;
    const closed = this.#iterator.return?.();
    // A source that is silent in the middle of a pull cannot be waited for.
    if (this.#pulling) closed?.catch(() => {});
    else await closed;
  }
}
