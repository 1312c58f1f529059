/**
 * Where rows wait between two attempts, so that a waiting row holds no lane.
 *
 * @module
 */

import { BinaryHeap } from "../deps/std_data_structures.ts";
import { MAX_TIMER_MS } from "../timer.ts";

interface Waiting<T> {
  readonly item: T;
  readonly dueAt: number;
}

/** Rows by the time of their next attempt. One timer serves them all. */
export class RetryQueue<T> {
  readonly #heap = new BinaryHeap<Waiting<T>>((a, b) => a.dueAt - b.dueAt);
  readonly #now: () => number;
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The due time that was or will be announced. One that was is not announced again: while every
   * lane is busy, that would spin. */
  #timerAt = Infinity;

  /** `onDue` is called when at least one row has become due; `now` is in milliseconds. */
  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#onDue = onDue;
  }

  /** How many rows wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** When the first row is due, on the clock; Infinity while none waits. */
  get dueAt(): number {
    return this.#heap.peek()?.dueAt ?? Infinity;
  }

  /** Lets a row wait for `delayMs`. */
  add(item: T, delayMs: number): void {
    this.#heap.push({ item, dueAt: this.#now() + delayMs });
    this.#arm();
  }

  /** Takes the row that has been due the longest, if any is due. */
  takeDue(): T | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.dueAt > this.#now()) return undefined;
    this.#heap.pop();
    this.#arm();
    return first.item;
  }

  /** Sends everybody home, in the order in which they would have been due, and frees the timer. */
  clear(): T[] {
    const items = [...this.#heap.drain()].map(({ item }) => item);
    this.#arm();
    return items;
  }

  #arm(): void {
    const dueAt = this.#heap.peek()?.dueAt ?? Infinity;
    if (dueAt === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    if (dueAt === Infinity) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(dueAt - this.#now())));
    this.#timer = setTimeout(() => {
      const first = this.#heap.peek();
      if (first !== undefined && first.dueAt > this.#now()) {
        // A timer that was cut to its longest, or fired early.
        this.#timerAt = Infinity;
        return this.#arm();
      }
      this.#onDue();
    }, delayMs);
  }
}
