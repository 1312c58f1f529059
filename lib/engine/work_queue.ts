/**
 * Chooses which row is sent next (a due retry or a new row), and to which teacher.
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

/** A row that no teacher accepts yet is offered again after at most this time, because a teacher
 * may have joined. */
const MAX_OFFER_WAIT_MS = 1_000;
/** The wait for a teacher that is up and requests no wait (`soonestMs` is 0) but is at its
 * concurrency or rate limit. */
const FULL_WAIT_MS = 100;

type SourceOptions = Pick<
  EngineOptions,
  "source" | "readsAhead" | "params" | "policy" | "affinity"
>;

interface WorkQueueOptions extends SourceOptions {
  readonly pool: TeacherPool;
  readonly needsCall: (work: Work) => boolean;
  readonly clock: Clock;
  /** Called when a row may have become available, and at the end of the source. */
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
  /** Whether the last row taken was a retry. If so, a new row is preferred. Updated only while
   * retries wait. */
  #lastWasRetry = false;
  #taken = 0;
  /** The teacher of the last new row that was not a probe. The samples of an input row are taken
   * one after the other, and each prefers the teacher of the sample before it. */
  #lastEndpoint: Endpoint | undefined;
  readonly #onPulled: OnPulled;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#onPulled = (failed) =>
      failed === undefined ? options.onReady() : options.onError(failed.error);
    this.#buffer = new RowBuffer(options.source, options.readsAhead);
    this.#retries = new RetryQueue<Work>(options.clock.read, options.onReady);
  }

  get isExhausted(): boolean {
    return this.#buffer.isExhausted;
  }

  /** Whether the buffer and the retry queue are empty. The retry queue also counts retries that are
   * not due yet. The source may have more rows. */
  get isEmpty(): boolean {
    return this.#buffer.isEmpty && this.#retries.size === 0;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#retries.size;
  }

  /** Whether the retry queue has no room for another row.
   *
   * @param inLanes The number of rows in lanes, each of which may return to the queue. */
  isFull(inLanes: number, lanes: number): boolean {
    return this.waiting + inLanes >= Math.max(MIN_CAPACITY, CAPACITY_PER_LANE * lanes);
  }

  /** When the first retry is due, on the engine's clock; Infinity if no retry waits. */
  get dueAt(): number {
    return this.#retries.dueAt;
  }

  /** Returns a row with its teacher, and with a slot at that teacher if the row needs a call.
   * Returns undefined if no row or no teacher is available.
   *
   * @param isFull Whether the retry queue is full. If so, no new row may be taken. */
  next(isFull: boolean): Work | undefined {
    // Lanes often ask while the queue is empty. In that case, this condition avoids a call of
    // `pick()`, which reads the clock.
    while (!this.isEmpty) {
      const picked = this.#options.pool.pick();
      if (picked === undefined) return undefined;
      const work = this.#take(isFull, picked.isDown);
      if (work === undefined) return undefined;
      const endpoint = this.#endpointFor(work, picked);
      if (endpoint === undefined) continue;
      work.endpoint = endpoint;
      if (this.#options.needsCall(work)) work.takeSlot();
      return work;
    }
    return undefined;
  }

  #endpointFor(work: Work, picked: Endpoint): Endpoint | undefined {
    const { pool, affinity } = this.#options;
    const { avoided, requestedWaits: waits, row } = work;
    if (work.attempts === 0) {
      // Any row is suitable as a probe, and `pickForKey` skips teachers that are probed.
      if (picked.isProbed) return picked;
      if (affinity !== undefined) picked = pool.pickForKey(prefixHashOf(row)) ?? picked;
      else if (row.sample > 0) picked = pool.pick(this.#lastEndpoint) ?? picked;
      return this.#lastEndpoint = picked;
    }
    if (waits === undefined) {
      if (avoided !== picked) return picked;
      return pool.pickFor(new Map([[avoided, Infinity]])) ?? avoided;
    }
    const endpoint = pool.pickFor(waits);
    if (endpoint !== undefined) return endpoint;
    const soonestMs = Math.max(1, pool.soonestMs(waits) || FULL_WAIT_MS);
    this.add(work, Math.min(soonestMs, MAX_OFFER_WAIT_MS));
    return undefined;
  }

  /**
   * Takes a due retry or a new row, and alternates between them if there are both.
   *
   * @param isProbe Whether the teacher is down. A new row is then the better probe, because a retry
   * may fail again because of the row.
   */
  #take(isFull: boolean, isProbe: boolean): Work | undefined {
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

/** Returns a hash by which rows with the same system messages and first turn go to one teacher,
 * which can then use its prefix cache. */
function prefixHashOf({ messages }: Row): number {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n`;
    if (role !== "system" && role !== "developer") break;
  }
  return hash32(text);
}

/** `failed` is an object because a source may throw `undefined`, as a stream does after
 * `controller.error()`. */
type OnPulled = (failed?: { readonly error: unknown }) => void;

/** Returns the rows of batches one at a time, without a promise for each row. */
export class RowBuffer<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  readonly #readsAhead: boolean;
  #batch: readonly T[] = [];
  #position = 0;
  /** The batch after the current one. */
  #next: readonly T[] = [];
  /** The failed pull. Its error is reported when all rows that were pulled before are taken. */
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
   * Pulls one batch, unless a pull is in progress or there are enough rows. The current batch is
   * enough if it has rows left; with `readsAhead`, only a next batch is enough.
   *
   * @param onPulled Called without an argument after a batch and at the end of the source. If the
   * source failed, called with its error once no earlier rows are left. Before that, the pull
   * reports nothing, and a later pull reports the error.
   */
  pull(onPulled: OnPulled): void {
    const hasEnough = this.#readsAhead ? this.#next.length > 0 : !this.isEmpty;
    if (this.#isPulling || this.#isExhausted || hasEnough) return;
    this.#isPulling = true;
    const pulled = this.#failed ?? this.#iterator.next();
    pulled.then(
      (result) => {
        this.#isPulling = false;
        if (result.done) this.#isExhausted = true;
        else this.#next = result.value;
        onPulled();
      },
      (error) => {
        this.#isPulling = false;
        this.#failed = pulled;
        if (!this.isEmpty) return;
        this.#isExhausted = true;
        onPulled({ error });
      },
    );
  }

  async close(): Promise<void> {
    this.#isExhausted = true;
    this.#batch = this.#next = [];
    const closed = this.#iterator.return?.();
    // Without `readsAhead`, the source may be the caller's. Its `return()` may wait for the current
    // pull, which may never end, so it is not awaited.
    if (this.#isPulling && !this.#readsAhead) closed?.catch(() => {});
    else await closed;
  }
}
