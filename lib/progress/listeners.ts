/**
 * Those who hear what a run says and does.
 *
 * @module
 */

/** A list of listeners, none of which can stop the run. */
export class Listeners<T> {
  #listeners: readonly ((value: T) => void)[] = [];
  #errors = 0;

  /** How many listeners there are. */
  get count(): number {
    return this.#listeners.length;
  }

  /** How often a listener threw or rejected. */
  get errors(): number {
    return this.#errors;
  }

  /** Adds a listener; the function that comes back takes it away again. */
  add(listener: (value: T) => void): () => void {
    // A wrapper of its own, so that a listener that was added twice is taken away once at a time.
    const entry = (value: T) => listener(value);
    this.#listeners = [...this.#listeners, entry];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
    };
  }

  /** Gives all listeners the same value. What they throw is counted and forgotten. */
  emit(value: T): void {
    // The list is replaced, never changed, so a listener may add and remove others meanwhile.
    for (const listener of this.#listeners) {
      try {
        const result: unknown = listener(value);
        if (isThenable(result)) result.then(undefined, () => this.#errors++);
      } catch {
        this.#errors++;
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
