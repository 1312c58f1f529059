/**
 * Runs lanes. Each lane works on one item at a time. The number of lanes can change at any moment.
 *
 * Concurrency is `pooledMap` over lanes, not over rows. Over rows, `pooledMap` races all running
 * promises at every step: 100,000 rows of 50 ms at concurrency 2,000 took 112.8 s and 989 MB
 * instead of 2.7 s and 145 MB. An early `break` would not stop it either (denoland/std#2197).
 *
 * @module
 */

import { pooledMap } from "../deps/std_async.ts";
import { shown } from "../options.ts";

export const MAX_CONCURRENCY = 100_000;

export interface LaneWork<T, R> {
  next(): T | undefined;
  /** A rejected promise ends the lane. */
  work(item: T): Promise<R>;
  /** Called with the result of `work`. A single function for both would add a promise to each row,
   * which takes 4 % of the engine's time. A rejected promise ends the lane. */
  deliver(item: T, result: R): Promise<void>;
  isFinished(): boolean;
  onIdle(): void;
  /** Called with the error that ended a lane. */
  onError(error: unknown): void;
}

export class Lanes<T, R> {
  readonly #work: LaneWork<T, R>;
  /** Functions that give an item to an idle lane, or end the lane. */
  readonly #idle: ((item: T | undefined) => void)[] = [];
  /** How many lanes there should be. */
  #target: number;
  /** Includes idle lanes. */
  #count = 0;
  #busy = 0;
  #isClosed = false;
  #change = Promise.withResolvers<void>();

  constructor(target: number, work: LaneWork<T, R>) {
    this.#target = target;
    this.#work = work;
  }

  get target(): number {
    return this.#target;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Items taken by a lane but not delivered yet. */
  get busy(): number {
    return this.#busy;
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /** Resolves when all lanes have ended. */
  async run(): Promise<void> {
    // `pooledMap` starts the lanes by itself; this loop only waits for their end.
    const ended = pooledMap(MAX_CONCURRENCY, this.#numbers(), () => this.#runLane());
    while (!(await ended.next()).done);
  }

  setTarget(target: number): void {
    this.#target = target;
    this.#change.resolve();
    this.wake();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#change.resolve();
    this.wake();
  }

  /** Gives items to idle lanes, and ends those above the target. */
  wake(): void {
    if (!this.#isClosed && this.#work.isFinished()) return this.close();
    while (this.#idle.length > 0) {
      if (this.#isSurplus()) {
        this.#count--;
        this.#idle.pop()!(undefined);
        continue;
      }
      const item = this.#nextItem();
      if (item === undefined) return this.#work.onIdle();
      this.#idle.pop()!(item);
    }
  }

  /** Yields a number for each lane to start, also when the target rises later. */
  async *#numbers(): AsyncGenerator<number> {
    while (!this.#isClosed) {
      while (!this.#isClosed && this.#count < this.#target) yield ++this.#count;
      await this.#change.promise;
      this.#change = Promise.withResolvers<void>();
    }
  }

  /** Never rejects, because a rejection would hang `pooledMap`. */
  async #runLane(): Promise<void> {
    try {
      while (!this.#isSurplus()) {
        const next = this.#nextItem() ?? this.#waitForItem();
        const item = next instanceof Promise ? await next : next;
        if (item === undefined) return;
        try {
          await this.#work.deliver(item, await this.#work.work(item));
        } finally {
          this.#busy--;
        }
      }
      this.#count--;
    } catch (error) {
      this.#count--;
      this.#work.onError(error);
    }
  }

  #nextItem(): T | undefined {
    const item = this.#work.next();
    if (item !== undefined) this.#busy++;
    return item;
  }

  #isSurplus(): boolean {
    return this.#isClosed || this.#count > this.#target;
  }

  /** Returns or resolves to undefined if the lane is no longer counted, and must end. */
  #waitForItem(): undefined | Promise<T | undefined> {
    if (this.#work.isFinished()) {
      this.close();
      this.#count--;
      return undefined;
    }
    const idle = new Promise<T | undefined>((resolve) => this.#idle.push(resolve));
    this.#work.onIdle();
    return idle;
  }
}

/** Checks a concurrency, and returns it.
 *
 * @throws {RangeError} If it is not a whole number from 1 to 100,000. */
export function checkConcurrency(concurrency: number): number {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    const problem = `Cannot use concurrency ${shown(concurrency)}`;
    throw new RangeError(`${problem}: it must be a whole number from 1 to ${MAX_CONCURRENCY}`);
  }
  return concurrency;
}
