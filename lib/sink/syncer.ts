/**
 * The second stage of group commit: makes what was written durable, many rows with each call.
 *
 * @module
 */

import type { JournalFile } from "./appender.ts";

/** Options of a syncer. */
export interface SyncerOptions<T> {
  /** Receives records that are durable, in the order in which they were written. */
  readonly onDurable?: (records: readonly T[]) => void;
  /** fdatasync has failed: nothing more becomes durable. */
  readonly onError: (cause: unknown) => void;
  /** `never`: what is written counts as durable. */
  readonly fsync: "always" | "never";
  /** At most this many rows are written but not synced. */
  readonly maxUnsyncedRows: number;
}

/** A caller that waits until this number of rows is durable. */
interface Flush extends PromiseWithResolvers<void> {
  readonly at: number;
}

/** The most bytes that are written but not synced, however few rows that are. */
export const MAX_UNSYNCED_BYTES = 64 * 1024 * 1024;

/** How long a call waits for more lines, in milliseconds. No row waits for it, and each call takes time from rows: at
 * 5 ms a run over HTTP is 6 % slower, at 50 ms no faster. Answers that arrive within this time share one call. */
const INTERVAL_MS = 20;

/** Syncs one file, through its own handle. */
export class Syncer<T> {
  readonly #file: JournalFile;
  readonly #options: SyncerOptions<T>;
  #maxUnsyncedRows: number;
  /** Batches that were written and are not being synced yet, oldest first. */
  #written: Batch<T>[] = [];
  #unsyncedRows = 0;
  #unsyncedBytes = 0;
  #durableRows = 0;
  #flushes: Flush[] = [];
  #roomMade: PromiseWithResolvers<void> | undefined;
  /** Ends the pause before a call. */
  #hurry: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #end: Error | undefined;

  /** Nothing runs before the first batch. */
  constructor(file: JournalFile, options: SyncerOptions<T>) {
    this.#file = file;
    this.#options = options;
    this.#maxUnsyncedRows = options.maxUnsyncedRows;
  }

  /** At most this many rows are written but not synced. May be set at any time. */
  get maxUnsyncedRows(): number {
    return this.#maxUnsyncedRows;
  }

  set maxUnsyncedRows(rows: number) {
    this.#maxUnsyncedRows = rows;
    this.#roomMade?.resolve();
  }

  /** Rows that are durable. */
  get durableRows(): number {
    return this.#durableRows;
  }

  /** Takes a batch that was written. */
  add(batch: Batch<T>): void {
    if (this.#options.fsync === "never") return this.#settle(batch);
    this.#unsyncedRows += batch.records.length;
    this.#unsyncedBytes += batch.byteLength;
    this.#written.push(batch);
    if (this.#isHalfFull) this.#hurry?.();
    this.#running ??= this.#run();
  }

  /** Whether a batch may be written now. One above the limit is written alone. */
  hasRoomFor(batch: Batch<T>): boolean {
    return this.#unsyncedRows === 0 ||
      this.#unsyncedRows + batch.records.length <= this.#maxUnsyncedRows &&
        this.#unsyncedBytes + batch.length <= MAX_UNSYNCED_BYTES;
  }

  /** Resolves when there may be room again. */
  async room(): Promise<void> {
    this.#roomMade = Promise.withResolvers<void>();
    this.#hurry?.();
    await this.#roomMade.promise;
    this.#roomMade = undefined;
  }

  /** Resolves once `rows` rows are durable, counted from the start. */
  durable(rows: number): Promise<void> {
    if (this.#durableRows >= rows) return Promise.resolve();
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const flush = { at: rows, ...Promise.withResolvers<void>() };
    this.#flushes.push(flush);
    this.#hurry?.();
    return flush.promise;
  }

  /** Makes nothing more durable; callers that wait for that are rejected with the reason. */
  stop(reason: Error): void {
    this.#end ??= reason;
    for (const flush of this.#flushes.splice(0)) flush.reject(this.#end);
    this.#roomMade?.resolve();
    this.#hurry?.();
  }

  /** Resolves when no call is in flight any more. */
  async idle(): Promise<void> {
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

  /** Waits before a call, unless a caller waits for it. */
  async #pause(): Promise<void> {
    if (this.#isHalfFull || this.#isAwaited) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, INTERVAL_MS);
    this.#hurry = resolve;
    await promise;
    this.#hurry = undefined;
    clearTimeout(timer);
  }

  /** Whether rows may have to wait for room if the next call begins later. */
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
      this.#settle(batch);
    }
    this.#roomMade?.resolve();
  }

  #settle(batch: Batch<T>): void {
    if (this.#end !== undefined) return;
    this.#options.onDurable?.(batch.records);
    this.#durableRows += batch.records.length;
    while (this.#flushes.length > 0 && this.#flushes[0].at <= this.#durableRows) {
      this.#flushes.shift()!.resolve();
    }
  }
}

const ENCODER = new TextEncoder();

/** Longer texts get their own memory. */
const MAX_KEPT_LENGTH = 1024 * 1024;
/** One UTF-16 unit takes three bytes at most. */
const BYTES_PER_UNIT = 3;

/** Lines of one write, with their records. */
export class Batch<T> {
  /** The record of each line. */
  readonly records: T[] = [];
  /** The length in UTF-16 units: near enough to bytes to size a batch. */
  length = 0;
  /** The size as written. */
  byteLength = 0;
  /** Settled for all lines at once. */
  readonly written = Promise.withResolvers<void>();

  readonly #lines: string[] = [];

  /** Starts without lines. */
  constructor() {
    // Not an unhandled rejection where no caller waits: `onBroken` reports it.
    this.written.promise.catch(ignore);
  }

  /** Adds a line, given without its ending. */
  add(line: string, record: T): void {
    this.#lines.push(line);
    this.records.push(record);
    this.length += line.length + 1;
  }

  /** The lines as bytes, in the memory of `bytes` if they fit; the texts are released. */
  encode(bytes: KeptBytes): Uint8Array {
    this.#lines.push(""); // Ends the last line without another copy of the text.
    const encoded = bytes.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = encoded.length;
    return encoded;
  }
}

/** Memory for encoding one text after another. New memory for each write would be 130 MB a second at full
 * speed, which the garbage collector frees late. */
export class KeptBytes {
  #bytes = new Uint8Array(0);

  /** The text as UTF-8; valid until the next call. */
  encode(text: string): Uint8Array {
    if (text.length > MAX_KEPT_LENGTH) return ENCODER.encode(text);
    const needed = text.length * BYTES_PER_UNIT;
    if (needed > this.#bytes.length) this.#bytes = new Uint8Array(needed * 2);
    const { written } = ENCODER.encodeInto(text, this.#bytes);
    return this.#bytes.subarray(0, written);
  }
}

function ignore(): void {}
