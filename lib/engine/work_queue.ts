/**
 * Chooses the next row: one whose retry is due, or a new one. Pulls batches from the source only
 * while a lane waits, so the source never runs ahead.
 *
 * @module
 */

import { BinaryHeap } from "../deps/std_data_structures.ts";
import type { Row } from "../row.ts";
import type { Params } from "../teacher/mod.ts";
import { type Clock, MAX_TIMER_MS } from "../timer.ts";
import type { AnswerPolicy } from "./answers/mod.ts";
import { newWork, resume, type Work } from "./work.ts";

export interface WorkQueueOptions {
  /** Rows in batches, in input order. */
  readonly source: AsyncIterable<readonly Row[]>;
  /** The parameters of the run, which rows may override. */
  readonly params: Params;
  /** Continues rows that an earlier run left between two attempts. */
  readonly policy: AnswerPolicy;
  readonly clock: Clock;
  /** Called when a row may have become available, or when the source has ended. */
  readonly onReady: () => void;
  /** Called when the source has failed. */
  readonly onError: (error: unknown) => void;
}

/** The least capacity of the retry queue, in rows. */
const MIN_CAPACITY = 1_000;
/** The capacity of the retry queue for each lane, in rows. */
const CAPACITY_PER_LANE = 4;

/** New rows and retries on their way to the lanes. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #buffer: RowBuffer<Row>;
  readonly #retries: RetryQueue<Work>;
  /** Whether the last row that was taken while others waited for a retry was itself a retry. */
  #wasLastRetry = false;
  #taken = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#buffer = new RowBuffer(options.source);
    this.#retries = new RetryQueue<Work>(options.clock.read, options.onReady);
  }

  /** Whether there will be no new rows. */
  get isExhausted(): boolean {
    return this.#buffer.isExhausted;
  }

  /** Whether neither the buffer nor the retry queue has a row, due or not. The source may have
   * more. */
  get isEmpty(): boolean {
    return this.#buffer.isEmpty && this.#retries.size === 0;
  }

  /** How many new rows were taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Rows in the retry queue, between two attempts. */
  get waiting(): number {
    return this.#retries.size;
  }

  /**
   * Whether the retry queue is full: then no new rows may be taken.
   *
   * @param inLanes The rows in lanes, each of which may return to the retry queue.
   * @param lanes The number of lanes, which sets the capacity.
   */
  isFull(inLanes: number, lanes: number): boolean {
    return this.waiting + inLanes >= Math.max(MIN_CAPACITY, CAPACITY_PER_LANE * lanes);
  }

  /** When the first retry is due, on the engine's clock; Infinity if none waits. */
  get dueAt(): number {
    return this.#retries.dueAt;
  }

  /**
   * Takes a row that may be sent now; undefined if there is none. Due retries and new rows take
   * turns, so that neither waits for the other to end.
   *
   * @param isFull Whether the retry queue is full: then no new row may be taken.
   * @param isProbe Whether the row is for a teacher that is down: a new row proves more than one
   * that has failed there.
   */
  take(isFull: boolean, isProbe: boolean): Work | undefined {
    if (this.#retries.size > 0) {
      const isNewFirst = !isFull && (isProbe || this.#wasLastRetry);
      const due = isNewFirst && !this.#buffer.isEmpty ? undefined : this.#retries.takeDue();
      this.#wasLastRetry = due !== undefined;
      if (due !== undefined) {
        if (isNewFirst) this.pull();
        return due;
      }
      if (isFull) return undefined;
    }
    const row = this.#buffer.take();
    if (row === undefined) return undefined;
    const { params, policy } = this.#options;
    const work = newWork(row, this.#taken++, params);
    if (row.earlier !== undefined) resume(work, row.earlier, policy);
    return work;
  }

  /** Puts a row into the retry queue for `delayMs` milliseconds. */
  add(work: Work, delayMs: number): void {
    this.#retries.add(work, delayMs);
  }

  /** Pulls more rows, unless the buffer has some. */
  pull(): void {
    this.#buffer.pull((error) => {
      if (error === undefined) this.#options.onReady();
      else this.#options.onError(error);
    });
  }

  /** Removes and returns all waiting rows. */
  clear(): Work[] {
    return this.#retries.clear();
  }

  /** Lets the source free its resources. */
  async close(): Promise<void> {
    await this.#buffer.close();
  }
}

/** The current batch of the source, handed out row by row without a promise for each. */
export class RowBuffer<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  #batch: readonly T[] = [];
  #position = 0;
  #isPulling = false;
  #isExhausted = false;

  /** Pulls nothing before the first `pull()`. */
  constructor(source: AsyncIterable<readonly T[]>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Whether no row is left and none will come. */
  get isExhausted(): boolean {
    return this.#isExhausted && this.#position >= this.#batch.length;
  }

  /** Whether the current batch has no row left. */
  get isEmpty(): boolean {
    return this.#position >= this.#batch.length;
  }

  /** The next row of the current batch; undefined if none is left. */
  take(): T | undefined {
    return this.#position < this.#batch.length ? this.#batch[this.#position++] : undefined;
  }

  /**
   * Pulls one batch, unless the current one has rows or a pull is in progress.
   *
   * @param onSettled Called when the batch has arrived or the source has ended, or with the error
   * of the source.
   */
  pull(onSettled: (error?: unknown) => void): void {
    if (this.#isPulling || this.#isExhausted || !this.isEmpty) return;
    this.#isPulling = true;
    this.#iterator.next().then(
      (result) => {
        this.#isPulling = false;
        if (result.done) {
          this.#isExhausted = true;
        } else {
          this.#batch = result.value;
          this.#position = 0;
        }
        onSettled();
      },
      (error) => {
        this.#isPulling = false;
        this.#isExhausted = true;
        onSettled(error);
      },
    );
  }

  /** Lets the source free its resources. */
  async close(): Promise<void> {
    this.#isExhausted = true;
    this.#batch = [];
    this.#position = 0;
    const closed = this.#iterator.return?.();
    // A source may never answer a pull, so its end is not waited for.
    if (this.#isPulling) closed?.catch(() => {});
    else await closed;
  }
}

interface Waiting<T> {
  readonly item: T;
  readonly dueAt: number;
}

/** Items ordered by the time at which they are due, with one timer for all. */
export class RetryQueue<T> {
  readonly #heap = new BinaryHeap<Waiting<T>>((a, b) => a.dueAt - b.dueAt);
  readonly #now: () => number;
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The due time for which the timer is set or has fired. The timer fires once for each due time:
   * if it fired again while every lane is busy, it would spin. */
  #timerAt = Infinity;

  /**
   * @param now A monotonic clock, in milliseconds.
   * @param onDue Called when at least one item has become due.
   */
  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** When the first item is due, on the clock of `now`; Infinity if none waits. */
  get dueAt(): number {
    return this.#heap.peek()?.dueAt ?? Infinity;
  }

  add(item: T, delayMs: number): void {
    this.#heap.push({ item, dueAt: this.#now() + delayMs });
    this.#arm();
  }

  /** Takes the item that has been due the longest; undefined if none is due. */
  takeDue(): T | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.dueAt > this.#now()) return undefined;
    this.#heap.pop();
    this.#arm();
    return first.item;
  }

  /** Removes all items and returns them by due time; frees the timer. */
  clear(): T[] {
    const items = [...this.#heap.drain()].map(({ item }) => item);
    this.#arm();
    return items;
  }

  #arm(): void {
    const { dueAt } = this;
    if (dueAt === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    if (dueAt === Infinity) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(dueAt - this.#now())));
    this.#timer = setTimeout(() => {
      if (this.dueAt < Infinity && this.dueAt > this.#now()) {
        // The timer was limited to `MAX_TIMER_MS`, or fired early.
        this.#timerAt = Infinity;
        return this.#arm();
      }
      this.#onDue();
    }, delayMs);
  }
}
