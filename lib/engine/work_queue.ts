/**
 * Chooses the next row, a due retry or a new one, and its teacher. Pulls batches from the source
 * only while a lane waits, unless `pullsEarly` is set.
 *
 * @module
 */

import { BinaryHeap } from "../deps/std_data_structures.ts";
import { hash32 } from "../hash.ts";
import type { Row } from "../row.ts";
import { type Clock, MAX_TIMER_MS } from "../timer.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint, TeacherPool } from "./flow/mod.ts";
import { newWork, resume, send, type Work } from "./work.ts";

/** A row that no teacher accepts is offered again after this time at most. */
const MAX_OFFER_WAIT_MS = 1_000;

export class Dispatch {
  readonly #pool: TeacherPool;
  readonly #queue: WorkQueue;
  readonly #affinity: "prefix" | undefined;
  /** The teacher of the last new row, and of the other samples of the same input row. */
  #lastEndpoint: Endpoint | undefined;

  constructor(pool: TeacherPool, queue: WorkQueue, affinity?: "prefix") {
    this.#pool = pool;
    this.#queue = queue;
    this.#affinity = affinity;
  }

  /** @param isFull Whether the retry queue is full: then no new row may be taken. */
  next(isFull: boolean): Work | undefined {
    // Lanes often ask when the queue is empty, and `pick()` reads the clock.
    while (!this.#queue.isEmpty) {
      const picked = this.#pool.pick();
      if (picked === undefined) return undefined;
      const work = this.#queue.take(isFull, picked.isDown);
      if (work === undefined) return undefined;
      const endpoint = this.#endpointFor(work, picked);
      if (endpoint === undefined) continue;
      send(work, endpoint);
      return work;
    }
    return undefined;
  }

  #endpointFor(work: Work, picked: Endpoint): Endpoint | undefined {
    const { avoided, requestedWaits: waits, row } = work;
    if (work.attempts === 0) {
      if (this.#affinity !== undefined) picked = this.#pool.pickForKey(prefixHashOf(row)) ?? picked;
      else if (row.sample > 0) picked = this.#pool.pick(this.#lastEndpoint) ?? picked;
      return this.#lastEndpoint = picked;
    }
    if (waits === undefined) return avoided === picked ? this.#pool.pickOther(picked) : picked;
    const endpoint = this.#pool.pickFor(waits);
    if (endpoint !== undefined) return endpoint;
    this.#queue.add(work, Math.min(Math.max(1, this.#pool.soonestMs(waits)), MAX_OFFER_WAIT_MS));
    return undefined;
  }
}

/** Rows with the same system messages and first turn go to one teacher, for its prefix cache. */
function prefixHashOf({ messages }: Row): number {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n`;
    if (role !== "system" && role !== "developer") break;
  }
  return hash32(text);
}

type SourceOptions = Pick<EngineOptions, "source" | "pullsEarly" | "params" | "policy">;

interface WorkQueueOptions extends SourceOptions {
  readonly clock: Clock;
  /** Called when a row may have become available, or at the end of the source. */
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
}

/** The capacity of the retry queue, even with few lanes. */
const MIN_CAPACITY = 1_000;
const CAPACITY_PER_LANE = 4;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #buffer: RowBuffer<Row>;
  readonly #retries: RetryQueue<Work>;
  /** Whether the last row that was taken while others waited was a retry. */
  #lastWasRetry = false;
  #taken = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#buffer = new RowBuffer(options.source);
    this.#retries = new RetryQueue<Work>(options.clock.read, options.onReady);
  }

  get isExhausted(): boolean {
    return this.#buffer.isExhausted;
  }

  /** Whether no row is at hand. The source may have more. */
  get isEmpty(): boolean {
    return this.#buffer.isEmpty && this.#retries.size === 0;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#retries.size;
  }

  /** @param inLanes Rows in lanes, each of which may return to the retry queue. */
  isFull(inLanes: number, lanes: number): boolean {
    return this.waiting + inLanes >= Math.max(MIN_CAPACITY, CAPACITY_PER_LANE * lanes);
  }

  /** When the first retry is due, on the engine's clock; Infinity if no row waits. */
  get dueAt(): number {
    return this.#retries.dueAt;
  }

  /**
   * Takes a due retry or a new row, in turns.
   *
   * @param isProbe Whether the teacher is down. A new row then proves more than a row that failed
   * there.
   */
  take(isFull: boolean, isProbe: boolean): Work | undefined {
    if (this.#retries.size > 0) {
      const isNewFirst = !isFull && (isProbe || this.#lastWasRetry);
      const due = isNewFirst && !this.#buffer.isEmpty ? undefined : this.#retries.takeDue();
      this.#lastWasRetry = due !== undefined;
      if (due !== undefined) {
        if (isNewFirst) this.pull();
        return due;
      }
      if (isFull) return undefined;
    }
    const row = this.#buffer.take();
    if (row === undefined) return undefined;
    const { params, policy, pullsEarly } = this.#options;
    if (pullsEarly && this.#buffer.isEmpty) this.pull();
    const work = newWork(row, this.#taken++, params);
    if (row.earlier !== undefined) resume(work, row.earlier, policy);
    return work;
  }

  add(work: Work, delayMs: number): void {
    this.#retries.add(work, delayMs);
  }

  pull(): void {
    this.#buffer.pull((error) => {
      if (error === undefined) this.#options.onReady();
      else this.#options.onError(error);
    });
  }

  clear(): Work[] {
    return this.#retries.clear();
  }

  async close(): Promise<void> {
    await this.#buffer.close();
  }
}

/** Hands out the rows of a batch without a promise for each. */
export class RowBuffer<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  #batch: readonly T[] = [];
  #position = 0;
  #isPulling = false;
  #isExhausted = false;

  constructor(source: AsyncIterable<readonly T[]>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  get isExhausted(): boolean {
    return this.#isExhausted && this.#position >= this.#batch.length;
  }

  get isEmpty(): boolean {
    return this.#position >= this.#batch.length;
  }

  take(): T | undefined {
    return this.#position < this.#batch.length ? this.#batch[this.#position++] : undefined;
  }

  /**
   * Pulls one batch, unless the current one has rows or a pull is in progress.
   *
   * @param onSettled Called with the error of the source, if it failed.
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

  async close(): Promise<void> {
    this.#isExhausted = true;
    this.#batch = [];
    this.#position = 0;
    const closed = this.#iterator.return?.();
    // A source may never answer a pull, so its end is not awaited.
    if (this.#isPulling) closed?.catch(() => {});
    else await closed;
  }
}

interface Waiting<T> {
  readonly item: T;
  readonly dueAt: number;
}

/** Items in the order in which they are due, with one timer for all. */
export class RetryQueue<T> {
  readonly #heap = new BinaryHeap<Waiting<T>>((a, b) => a.dueAt - b.dueAt);
  readonly #now: () => number;
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The due time of the timer. Setting the same time twice would spin while every lane is busy. */
  #timerAt = Infinity;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** When the first item is due; Infinity if there is none. */
  get dueAt(): number {
    return this.#heap.peek()?.dueAt ?? Infinity;
  }

  add(item: T, delayMs: number): void {
    this.#heap.push({ item, dueAt: this.#now() + delayMs });
    this.#arm();
  }

  takeDue(): T | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.dueAt > this.#now()) return undefined;
    this.#heap.pop();
    this.#arm();
    return first.item;
  }

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
