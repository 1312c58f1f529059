/**
 * Lanes: each works on one item at a time, and their number can change at any moment.
 *
 * Concurrency is `pooledMap` over lanes, not over rows. Over rows it would race all running
 * promises at every step, which made 100,000 rows of 50 ms at concurrency 2,000 take 112.8 s and
 * 989 MB instead of 2.7 s and 145 MB; and it continues after an early `break` (denoland/std#2197).
 *
 * @module
 */

import { pooledMap } from "../deps/std_async.ts";

/** Maximum number of lanes; `pooledMap` gets the same limit. */
export const MAX_CONCURRENCY = 100_000;

/** The work of lanes, as their owner defines it. */
export interface LaneWork<T> {
  /** The next item for a lane; undefined if there is none at the moment. */
  next(): T | undefined;
  /** Works on an item. A rejection ends the lane. */
  work(item: T): Promise<void>;
  /** Whether there will never be another item. */
  isFinished(): boolean;
  /** Called when a lane finds no item: more may be fetched. */
  onIdle(): void;
  /** Called with what another of these functions threw in a lane. */
  onError(error: unknown): void;
}

/** Runs a number of lanes until nothing is left to do. */
export class Lanes<T> {
  readonly #work: LaneWork<T>;
  /** Idle lanes; the last to park is the first to be woken. */
  readonly #parked: ((item: T | undefined) => void)[] = [];
  #target: number;
  /** Lanes that have not ended, idle ones included. */
  #count = 0;
  #isClosed = false;
  #change = Promise.withResolvers<void>();

  /** @throws {RangeError} outside 1 to 100,000 */
  constructor(target: number, work: LaneWork<T>) {
    this.#target = checkConcurrency(target);
    this.#work = work;
  }

  /** How many lanes should run. */
  get target(): number {
    return this.#target;
  }

  /** Whether lanes only finish their items. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether at least one lane is idle. */
  get hasParked(): boolean {
    return this.#parked.length > 0;
  }

  /** Runs the lanes; resolves when all have ended. */
  async run(): Promise<void> {
    // This only waits: the pool starts lanes by itself. As no other code has the iterator, none can
    // leave it early.
    const ended = pooledMap(MAX_CONCURRENCY, this.#numbers(), () => this.#runLane());
    while (!(await ended.next()).done);
  }

  /**
   * Changes the number of lanes.
   *
   * @throws {RangeError} outside 1 to 100,000
   */
  setTarget(target: number): void {
    this.#target = checkConcurrency(target);
    this.#change.resolve();
    this.wake();
  }

  /** Lets lanes finish their items and end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#change.resolve();
    this.wake();
  }

  /** Gives items to idle lanes, and ends those above the target. */
  wake(): void {
    if (!this.#isClosed && this.#work.isFinished()) return this.close();
    while (this.#parked.length > 0) {
      if (this.#isSurplus()) {
        this.#count--;
        this.#parked.pop()!(undefined);
        continue;
      }
      const item = this.#work.next();
      if (item === undefined) return this.#work.onIdle();
      this.#parked.pop()!(item);
    }
  }

  /** Yields a number for each lane to start, and more when the target rises. */
  async *#numbers(): AsyncGenerator<number> {
    while (!this.#isClosed) {
      while (!this.#isClosed && this.#count < this.#target) yield ++this.#count;
      await this.#change.promise;
      this.#change = Promise.withResolvers<void>();
    }
  }

  /** Runs one lane until it is not needed. Never rejects, because that would hang the pool. */
  async #runLane(): Promise<void> {
    try {
      while (true) {
        const next = this.#isSurplus() ? this.#endLane() : this.#work.next() ?? this.#park();
        const item = next instanceof Promise ? await next : next;
        if (item === undefined) return;
        await this.#work.work(item);
      }
    } catch (error) {
      this.#count--;
      this.#work.onError(error);
    }
  }

  #isSurplus(): boolean {
    return this.#isClosed || this.#count > this.#target;
  }

  #endLane(): undefined {
    this.#count--;
    return undefined;
  }

  /** Parks the lane until there is an item, unless there will be none. */
  #park(): undefined | Promise<T | undefined> {
    if (this.#work.isFinished()) {
      this.close();
      return this.#endLane();
    }
    const parked = new Promise<T | undefined>((resolve) => this.#parked.push(resolve));
    this.#work.onIdle();
    return parked;
  }
}

/**
 * Returns `concurrency` if it is valid.
 *
 * @throws {RangeError} outside 1 to 100,000
 */
export function checkConcurrency(concurrency: number): number {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw new RangeError(
      `Cannot use concurrency ${concurrency}: it must be a whole number from 1 to ${MAX_CONCURRENCY}`,
    );
  }
  return concurrency;
}
