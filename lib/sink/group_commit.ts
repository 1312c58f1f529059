/**
 * The two stages of group commit, for `Journal`: lines are collected in batches, each of which
 * takes one write, and one fdatasync makes many batches durable.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { MAX_TURN_MS } from "../timer.ts";
import type { SyncableFile } from "./appender.ts";

export interface SyncerOptions<T> {
  readonly onDurable?: (records: readonly T[]) => void;
  readonly onError: (cause: unknown) => void;
  readonly fsync: "always" | "never";
  readonly maxUnsyncedRows: number;
}

interface Flush extends PromiseWithResolvers<void> {
  readonly rowCount: number;
}

/** Bytes that may be written and not synced, whatever the number of rows. */
export const MAX_UNSYNCED_BYTES = 64 * 1024 * 1024;

/**
 * The pause before each fdatasync, so that a call covers more lines. Rows do not wait for the calls,
 * but frequent calls slow the run: over HTTP, it is 6 % slower with 5 ms than with 20, and no faster
 * with 50.
 */
const MAX_PAUSE_MS = 20;

export class Syncer<T> {
  readonly #file: SyncableFile;
  readonly #options: SyncerOptions<T>;
  #maxUnsyncedRows: number;
  /** Batches for the next fdatasync, oldest first. */
  #written: Batch<T>[] = [];
  #unsyncedRows = 0;
  #unsyncedBytes = 0;
  #durableRows = 0;
  #flushes: Flush[] = [];
  #roomMade: PromiseWithResolvers<void> | undefined;
  #endPause: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #end: Error | undefined;

  /** Operations on one handle wait for each other, so `file` is a handle of its own. */
  constructor(file: SyncableFile, options: SyncerOptions<T>) {
    this.#file = file;
    this.#options = options;
    this.#maxUnsyncedRows = options.maxUnsyncedRows;
  }

  get maxUnsyncedRows(): number {
    return this.#maxUnsyncedRows;
  }

  set maxUnsyncedRows(rows: number) {
    this.#maxUnsyncedRows = rows;
    this.#roomMade?.resolve();
  }

  get durableRows(): number {
    return this.#durableRows;
  }

  add(batch: Batch<T>): void {
    if (this.#options.fsync === "never") return this.#markDurable(batch);
    this.#unsyncedRows += batch.records.length;
    this.#unsyncedBytes += batch.byteLength;
    this.#written.push(batch);
    if (this.#isHalfFull) this.#endPause?.();
    this.#running ??= this.#run();
  }

  /** A batch above the limits may be written once all others are durable. */
  hasRoomFor(batch: Batch<T>): boolean {
    return this.#unsyncedRows === 0 ||
      this.#unsyncedRows + batch.records.length <= this.#maxUnsyncedRows &&
        this.#unsyncedBytes + batch.length <= MAX_UNSYNCED_BYTES;
  }

  /** Resolves when there may be room again for a batch. */
  async untilRoom(): Promise<void> {
    this.#roomMade = Promise.withResolvers<void>();
    this.#endPause?.();
    await this.#roomMade.promise;
    this.#roomMade = undefined;
  }

  /** Resolves once `rowCount` rows in total are durable; rejects after `stop`. */
  untilDurable(rowCount: number): Promise<void> {
    if (this.#durableRows >= rowCount) return Promise.resolve();
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const flush = { rowCount, ...Promise.withResolvers<void>() };
    this.#flushes.push(flush);
    this.#endPause?.();
    return flush.promise;
  }

  stop(reason: Error): void {
    this.#end ??= reason;
    for (const flush of this.#flushes.splice(0)) flush.reject(this.#end);
    this.#roomMade?.resolve();
    this.#endPause?.();
  }

  async untilIdle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#written.length > 0 && this.#end === undefined) {
        await this.#pause();
        if (this.#end === undefined) await this.#syncAll();
      }
    } catch (error) {
      this.#options.onError(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #pause(): Promise<void> {
    if (this.#isHalfFull || this.#isAwaited) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, MAX_PAUSE_MS);
    this.#endPause = resolve;
    await promise;
    this.#endPause = undefined;
    clearTimeout(timer);
  }

  /** Rows might have to wait for room if the next sync began later. */
  get #isHalfFull(): boolean {
    return this.#unsyncedRows >= this.#maxUnsyncedRows / 2 ||
      this.#unsyncedBytes >= MAX_UNSYNCED_BYTES / 2;
  }

  get #isAwaited(): boolean {
    return this.#flushes.length > 0 || this.#roomMade !== undefined;
  }

  async #syncAll(): Promise<void> {
    const batches = this.#written;
    this.#written = [];
    await this.#file.syncData();
    for (const batch of batches) {
      this.#unsyncedRows -= batch.records.length;
      this.#unsyncedBytes -= batch.byteLength;
      this.#markDurable(batch);
    }
    this.#roomMade?.resolve();
  }

  #markDurable(batch: Batch<T>): void {
    if (this.#end !== undefined) return;
    this.#options.onDurable?.(batch.records);
    this.#durableRows += batch.records.length;
    while (this.#flushes.length > 0 && this.#flushes[0].rowCount <= this.#durableRows) {
      this.#flushes.shift()!.resolve();
    }
  }
}

const ENCODER = new TextEncoder();

/** In UTF-16 code units. Longer texts are encoded into memory of their own, which is freed. */
const MAX_REUSED_LENGTH = 1024 * 1024;
/** UTF-8 takes three bytes for a UTF-16 code unit at most. */
const MAX_BYTES_PER_UNIT = 3;

export class Batch<T> {
  readonly records: T[] = [];
  /** In UTF-16 code units, which is close enough to bytes for limits. */
  length = 0;
  /** 0 before `encode`. */
  byteLength = 0;
  readonly written = Promise.withResolvers<void>();
  readonly #lines: string[] = [];

  constructor() {
    // The rejection would be unhandled if no caller waited; `onBroken` reports the error anyway.
    this.written.promise.catch(ignore);
  }

  /** @param line Without line feed. */
  add(line: string, record: T): void {
    this.#lines.push(line);
    this.records.push(record);
    this.length += line.length + 1;
  }

  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** The lines in UTF-8, valid until `bytes` is used again. Releases the texts. */
  encode(bytes: ReusedBytes): Uint8Array {
    // Makes `join` end the text with a line feed; appending one would copy the text again.
    this.#lines.push("");
    const encoded = bytes.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = encoded.length;
    return encoded;
  }
}

/** Memory that is reused for one text after another. New memory for each write would be 130 MB a
 * second at full speed, which the garbage collector frees late. */
export class ReusedBytes {
  #bytes = new Uint8Array(0);

  /** The text in UTF-8, valid until the next call. */
  encode(text: string): Uint8Array {
    if (text.length > MAX_REUSED_LENGTH) return ENCODER.encode(text);
    const maxBytes = text.length * MAX_BYTES_PER_UNIT;
    if (maxBytes > this.#bytes.length) this.#bytes = new Uint8Array(maxBytes * 2);
    const { written } = ENCODER.encodeInto(text, this.#bytes);
    return this.#bytes.subarray(0, written);
  }
}

/** A batch with this many rows is full: a write costs about 6 µs, whatever its size. */
const FULL_BATCH_ROWS = 8;

/** Makes the writer wait for more rows, at most until the event loop's turn ends. */
export class BatchDelay {
  readonly #now: () => number;
  /** Undefined if `wait` must last until the turn ends. */
  #endWait: (() => void) | undefined;
  /** When the turn of the event loop must end, by `#now`: timers and sockets wait for that. */
  #turnDueAt = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  onRowAdded(rowCount: number): void {
    if (rowCount >= FULL_BATCH_ROWS) this.#endWait?.();
  }

  /**
   * Waits until the batch is full or the event loop's turn ends. If a full batch always waited for
   * the end of the turn, its lanes would send their next requests late, and the teacher would be
   * idle. But if no call has waited for the end of a turn for `MAX_TURN_MS`, even a full batch waits,
   * because timers and sockets are due.
   */
  async wait(rowCount: number): Promise<void> {
    const isTurnDue = this.#now() >= this.#turnDueAt;
    if (!isTurnDue && rowCount >= FULL_BATCH_ROWS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!isTurnDue) this.#endWait = resolve;
    setImmediate(() => {
      this.#turnDueAt = this.#now() + MAX_TURN_MS;
      resolve();
    });
    await promise;
    this.#endWait = undefined;
  }
}

function ignore(): void {}
