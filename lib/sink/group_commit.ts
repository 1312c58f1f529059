/**
 * The two stages of group commit, for `Journal`: one write for a batch of lines, and one fdatasync
 * for many batches.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { MAX_TURN_MS } from "../timer.ts";
import type { JournalFile, JournalOptions } from "./appender.ts";

type SyncerOptions<T> = Pick<JournalOptions<T>, "fsync" | "maxUnsyncedRows" | "onDurable">;

/** Maximum number of bytes written but not synced, whatever the number of rows. */
export const MAX_UNSYNCED_BYTES = 64 * 1024 * 1024;

/** The pause before each fdatasync, so that one call covers more lines. Rows do not wait for it.
 * Over HTTP, a run is 6 % slower with 5 ms than with 20 ms, and no faster with 50 ms. */
const MAX_PAUSE_MS = 20;

/** The second stage: makes written batches durable, and limits the rows and bytes that are not
 * durable yet. */
export class Syncer<T> {
  readonly #file: JournalFile;
  readonly #options: SyncerOptions<T>;
  readonly #onError: (cause: unknown) => void;
  #maxUnsyncedRows: number;
  /** Batches for the next fdatasync, oldest first. */
  #writtenBatches: Batch<T>[] = [];
  #unsyncedRows = 0;
  #unsyncedBytes = 0;
  #durableRows = 0;
  #isFlushing = false;
  #roomMade: PromiseWithResolvers<void> | undefined;
  #endPause: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #end: Error | undefined;

  constructor(file: JournalFile, options: SyncerOptions<T>, onError: (cause: unknown) => void) {
    this.#file = file;
    this.#options = options;
    this.#onError = onError;
    this.#maxUnsyncedRows = options.maxUnsyncedRows ?? 1_024;
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
    this.#writtenBatches.push(batch);
    if (this.#isHalfFull) this.#endPause?.();
    this.#running ??= this.#run();
  }

  /** Whether the batch may be written now, because it is within the limits or all others are
   * durable. */
  hasRoomFor(batch: Batch<T>): boolean {
    return this.#unsyncedRows === 0 ||
      this.#unsyncedRows + batch.records.length <= this.#maxUnsyncedRows &&
        this.#unsyncedBytes + batch.length <= MAX_UNSYNCED_BYTES;
  }

  async untilRoom(): Promise<void> {
    this.#roomMade = Promise.withResolvers<void>();
    this.#endPause?.();
    await this.#roomMade.promise;
    this.#roomMade = undefined;
  }

  /** Resolves once all batches are durable, or after `stop`. */
  async flush(): Promise<void> {
    this.#isFlushing = true;
    this.#endPause?.();
    await this.#running;
    this.#isFlushing = false;
  }

  stop(reason: Error): void {
    this.#end ??= reason;
    this.#roomMade?.resolve();
    this.#endPause?.();
  }

  async #run(): Promise<void> {
    try {
      while (this.#writtenBatches.length > 0 && this.#end === undefined) {
        await this.#pause();
        if (this.#end === undefined) await this.#syncAll();
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #pause(): Promise<void> {
    if (this.#isHalfFull || this.#isFlushing || this.#roomMade !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, MAX_PAUSE_MS);
    this.#endPause = resolve;
    await promise;
    this.#endPause = undefined;
    clearTimeout(timer);
  }

  /** Whether rows may have to wait for room if the next fdatasync is delayed. */
  get #isHalfFull(): boolean {
    return this.#unsyncedRows >= this.#maxUnsyncedRows / 2 ||
      this.#unsyncedBytes >= MAX_UNSYNCED_BYTES / 2;
  }

  async #syncAll(): Promise<void> {
    const batches = this.#writtenBatches;
    this.#writtenBatches = [];
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
  }
}

export const ENCODER = new TextEncoder();

/** The longest text, in UTF-16 code units, for which memory is reused. */
const MAX_REUSED_LENGTH = 1024 * 1024;
/** A UTF-16 code unit takes at most three bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

export class Batch<T> {
  readonly records: T[] = [];
  /** The length in UTF-16 code units, which is close enough to bytes for limits. */
  length = 0;
  /** The length in UTF-8 bytes; 0 before `encode`. */
  byteLength = 0;
  readonly written = Promise.withResolvers<void>();
  readonly #lines: string[] = [];

  constructor() {
    // This avoids an unhandled rejection if no caller waits: `onBroken` reports the error.
    this.written.promise.catch(ignore);
  }

  /** @param line Without the trailing newline. */
  add(line: string, record: T): void {
    this.#lines.push(line);
    this.records.push(record);
    this.length += line.length + 1;
  }

  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** Returns the lines in UTF-8, valid until `memory` is used again. `text` is empty afterwards. */
  encode(memory: Pick<ReusedBytes, "encode">): Uint8Array {
    // With this empty line, `join` adds the last newline without copying the text again.
    this.#lines.push("");
    const encoded = memory.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = encoded.length;
    return encoded;
  }
}

/** Memory that is reused for each text. At full speed, new memory for each text would be 130 MB a
 * second, which the garbage collector frees late. */
export class ReusedBytes {
  #bytes = new Uint8Array(0);

  /** Returns the text in UTF-8. The bytes are valid until the next call. */
  encode(text: string): Uint8Array {
    if (text.length > MAX_REUSED_LENGTH) return ENCODER.encode(text);
    const maxBytes = text.length * MAX_BYTES_PER_UNIT;
    if (maxBytes > this.#bytes.length) this.#bytes = new Uint8Array(maxBytes * 2);
    const { written } = ENCODER.encodeInto(text, this.#bytes);
    return this.#bytes.subarray(0, written);
  }
}

/** From this size on, waiting for more rows saves little: a write takes about 6 µs at any size. */
const FULL_BATCH_ROWS = 8;

/** Lets a batch grow, at most until the event loop's turn ends. */
export class BatchDelay {
  readonly #now: () => number;
  /** Ends the wait of a batch that has become full. Undefined if no batch waits, or if even a full
   * batch waits for the end of the turn. */
  #endWait: (() => void) | undefined;
  /** Ends the wait of the batch that waits, if any, when the turn ends. */
  #onTurnEnd: (() => void) | undefined;
  /** When the turn must end, on the clock `#now`. Undefined before the turn's first batch. */
  #turnDueAt: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  onRowAdded(rowCount: number): void {
    if (rowCount >= FULL_BATCH_ROWS) this.#endWait?.();
  }

  /** Waits until the event loop's turn ends. A full batch usually does not wait, because its lanes
   * would send their next requests late. It waits only if the turn has lasted for `MAX_TURN_MS`:
   * timers and sockets are served only between turns. */
  async wait(rowCount: number): Promise<void> {
    const now = this.#now();
    this.#turnDueAt ??= this.#beginTurn(now);
    const isTurnDue = now >= this.#turnDueAt;
    if (!isTurnDue && rowCount >= FULL_BATCH_ROWS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onTurnEnd = resolve;
    if (!isTurnDue) this.#endWait = resolve;
    await promise;
    this.#onTurnEnd = this.#endWait = undefined;
  }

  /** Returns when the turn must end. */
  #beginTurn(now: number): number {
    setImmediate(() => {
      this.#turnDueAt = undefined;
      this.#onTurnEnd?.();
    });
    return now + MAX_TURN_MS;
  }
}

function ignore(): void {}
