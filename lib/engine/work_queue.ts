/**
 * Chooses the next row, a due retry or a new one, and its teacher. Pulls batches from the source
 * only while a lane waits, unless `readsAhead` is set.
 *
 * @module
 */

import { hash32 } from "../hash.ts";
import type { Row } from "../row.ts";
import type { Clock } from "../timer.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint, TeacherPool } from "./flow/mod.ts";
import { RetryQueue } from "./retry_policy.ts";
import { Work } from "./work.ts";

/** A row that no teacher accepts is offered again after this time at most. */
const MAX_OFFER_WAIT_MS = 1_000;
/** The wait if a teacher would accept the row but is full: how long it stays full is unknown. */
const FULL_WAIT_MS = 100;

export class Dispatch {
  readonly #pool: TeacherPool;
  readonly #queue: WorkQueue;
  readonly #affinity: "prefix" | undefined;
  readonly #needsCall: (work: Work) => boolean;
  /** The teacher of the last new row. Other samples of the same input row prefer it. */
  #lastEndpoint: Endpoint | undefined;

  constructor(
    pool: TeacherPool,
    queue: WorkQueue,
    affinity: "prefix" | undefined,
    needsCall: (work: Work) => boolean,
  ) {
    this.#pool = pool;
    this.#queue = queue;
    this.#affinity = affinity;
    this.#needsCall = needsCall;
  }

  /** Returns a row with its teacher, and with a slot there if it needs a call.
   *
   * @param isFull Whether the retry queue is full: then no new row may be taken. */
  next(isFull: boolean): Work | undefined {
    // Lanes often ask when the queue is empty, and `pick()` reads the clock.
    while (!this.#queue.isEmpty) {
      const picked = this.#pool.pick();
      if (picked === undefined) return undefined;
      const work = this.#queue.take(isFull, picked.isDown);
      if (work === undefined) return undefined;
      const endpoint = this.#endpointFor(work, picked);
      if (endpoint === undefined) continue;
      work.endpoint = endpoint;
      if (this.#needsCall(work)) work.takeSlot();
      return work;
    }
    return undefined;
  }

  #endpointFor(work: Work, picked: Endpoint): Endpoint | undefined {
    const { avoided, requestedWaits: waits, row } = work;
    if (work.attempts === 0) {
      // A probe takes any row, because its teacher owns none until it is up again.
      if (picked.isProbed) return picked;
      if (this.#affinity !== undefined) picked = this.#pool.pickForKey(prefixHashOf(row)) ?? picked;
      else if (row.sample > 0) picked = this.#pool.pick(this.#lastEndpoint) ?? picked;
      return this.#lastEndpoint = picked;
    }
    if (waits === undefined) return avoided === picked ? this.#pool.pickOther(picked) : picked;
    const endpoint = this.#pool.pickFor(waits);
    if (endpoint !== undefined) return endpoint;
    const soonestMs = Math.max(1, this.#pool.soonestMs(waits) || FULL_WAIT_MS);
    this.#queue.add(work, Math.min(soonestMs, MAX_OFFER_WAIT_MS));
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

type SourceOptions = Pick<EngineOptions, "source" | "readsAhead" | "params" | "policy">;

interface WorkQueueOptions extends SourceOptions {
  readonly clock: Clock;
  /** Called when a row may have become available, or at the end of the source. */
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
}

/** The minimum capacity of the retry queue, in rows. */
const MIN_CAPACITY = 1_000;
const CAPACITY_PER_LANE = 4;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #buffer: RowBuffer<Row>;
  readonly #retries: RetryQueue<Work>;
  /** Whether the last row that was taken while others waited was a retry. */
  #lastWasRetry = false;
  #taken = 0;
  readonly #onPulled: (error?: unknown) => void;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#onPulled = (error) => error === undefined ? options.onReady() : options.onError(error);
    this.#buffer = new RowBuffer(options.source, options.readsAhead);
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
    const { params, policy, readsAhead } = this.#options;
    if (readsAhead) this.pull();
    const work = new Work(row, this.#taken++, params);
    if (row.earlier !== undefined) work.resume(row.earlier, policy);
    return work;
  }

  add(work: Work, delayMs: number): void {
    this.#retries.add(work, delayMs);
  }

  pull(): void {
    this.#buffer.pull(this.#onPulled);
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
  readonly #readsAhead: boolean;
  #batch: readonly T[] = [];
  #position = 0;
  /** The batch after the current one. */
  #next: readonly T[] = [];
  /** The pull that failed. It is reported once the rows before it are taken. */
  #failed: Promise<IteratorResult<readonly T[]>> | undefined;
  #isPulling = false;
  #isExhausted = false;

  constructor(source: AsyncIterable<readonly T[]>, readsAhead = false) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#readsAhead = readsAhead;
  }

  get isExhausted(): boolean {
    return this.#isExhausted && this.isEmpty;
  }

  get isEmpty(): boolean {
    return this.#position >= this.#batch.length && this.#next.length === 0;
  }

  take(): T | undefined {
    if (this.#position >= this.#batch.length) {
      this.#batch = this.#next;
      this.#next = [];
      this.#position = 0;
    }
    return this.#batch[this.#position++];
  }

  /**
   * Pulls one batch, unless the current one has rows (with `readsAhead`, unless there is a next one)
   * or a pull is in progress.
   *
   * @param onSettled Called with the error of the source, if it failed, once all rows are taken.
   */
  pull(onSettled: (error?: unknown) => void): void {
    const hasEnough = this.#readsAhead ? this.#next.length > 0 : !this.isEmpty;
    if (this.#isPulling || this.#isExhausted || hasEnough) return;
    this.#isPulling = true;
    const pulled = this.#failed ?? this.#iterator.next();
    pulled.then(
      (result) => {
        this.#isPulling = false;
        if (result.done) this.#isExhausted = true;
        else this.#next = result.value;
        onSettled();
      },
      (error) => {
        this.#isPulling = false;
        this.#failed = pulled;
        if (!this.isEmpty) return;
        this.#isExhausted = true;
        onSettled(error);
      },
    );
  }

  async close(): Promise<void> {
    this.#isExhausted = true;
    this.#batch = this.#next = [];
    const closed = this.#iterator.return?.();
    // A caller's source may never answer a pull, so its end is not awaited.
    if (this.#isPulling && !this.#readsAhead) closed?.catch(() => {});
    else await closed;
  }
}
