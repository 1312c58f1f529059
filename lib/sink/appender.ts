/**
 * Appends lines to a file, which ends with a whole line even after a failed write: it is truncated
 * to its last whole line, and the write of the remaining lines is retried until it succeeds. They
 * stay in memory until then, because their answers are paid for.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { MAX_TURN_MS } from "../timer.ts";
import type { KnownFile } from "./watched_file.ts";

/** An open file to append to. A `Deno.FsFile` opened with `append` is one. */
export interface JournalFile {
  /** Appends bytes; returns how many were written. */
  write(bytes: Uint8Array): Promise<number>;
  /** Like `write`, but blocks this thread. Used while the disk is fast. */
  writeSync?(bytes: Uint8Array): number;
  /** fdatasync: what was written survives a power cut. */
  syncData(): Promise<void>;
  /** Truncates the file to `length` bytes. */
  truncate(length: number): Promise<void>;
  /** `size` is in bytes. */
  stat(): Promise<{ readonly size: number }>;
  close(): void;
}

export interface AppenderOptions {
  /** Called when a write fails, and not again before `onRecover`. The write is retried. */
  readonly onStall?: (error: SinkError) => void;
  /** Called when the write has succeeded after a stall. */
  readonly onRecover?: () => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** Waits before a retry, or until the signal is aborted. @default a timer */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RETRY_DELAY_MS = 1_000;
/** A write that takes longer did more than copy into the page cache: the disk counts as slow. */
const SLOW_WRITE_MS = 5;
/** How long a disk counts as slow after a slow write: it blocks this thread once in this time. */
const SLOW_FOR_MS = 1_000;
/** Larger writes take long to copy, so they always go through another thread. */
const MAX_BLOCKING_BYTES = 1024 * 1024;
const NEWLINE = 10;

export interface JournalOptions<T> extends AppenderOptions {
  /** Called with records that have become durable, in the order of the appends. */
  readonly onDurable?: (records: readonly T[]) => void;
  /** Called once, when nothing more can be made durable. */
  readonly onBroken?: (error: SinkError) => void;
  /** Called when lines go to another file because fdatasync has failed. */
  readonly onRescue?: (path: string, isTemporary: boolean) => void;
  /** Called when the file was opened but cannot be locked; `reason` is for a message. */
  readonly onUnlocked?: (path: string, reason: string) => void;
  /** Maximum number of rows that are written but not synced; at least 1. @default 1024 */
  readonly maxUnsyncedRows?: number;
  /** With "never", rows count as durable once they are written. @default "always" */
  readonly fsync?: "always" | "never";
  /** The permissions of a new file, before umask. @default 0o666 */
  readonly mode?: number;
  /** Whether the file's name is durable, so that `open` need not sync the folder. @default false */
  readonly isNameDurable?: boolean;
  /** The file as it was last closed, to notice changes since. @default it was not open before */
  readonly known?: KnownFile;
  /** Opens a handle for appending; called twice. The file is not watched. @default Deno.open */
  readonly openFile?: (path: string) => Promise<JournalFile>;
}

export class Appender {
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #options: AppenderOptions;
  readonly #giveUp = new AbortController();
  /** The size of all whole lines, in bytes. */
  #size: number;
  /** The time, by `#now`, from which the disk no longer counts as slow. */
  #slowUntil = -Infinity;
  readonly #now: () => number;
  /** Whether the file may hold part of a line after `#size` bytes. */
  #isTorn = false;

  /** @param size The size of the file, which must hold only whole lines. */
  constructor(path: string, file: JournalFile, size: number, options: AppenderOptions) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Appends whole lines. Resolves once all are written, however long that takes; rejects with the
   * reason of `giveUp`.
   */
  async append(lines: Uint8Array): Promise<void> {
    const { delay = wait, onStall, onRecover } = this.#options;
    const { signal } = this.#giveUp;
    let rest = lines;
    let isStalled = false;
    while (true) {
      const { byteCount, problem } = await this.#writeLines(rest);
      if (problem === undefined) break;
      signal.throwIfAborted();
      rest = rest.subarray(byteCount);
      if (!isStalled) onStall?.(problem);
      isStalled = true;
      await delay(RETRY_DELAY_MS, signal);
      signal.throwIfAborted();
    }
    if (isStalled) onRecover?.();
  }

  /** Stops retrying: lines that are not written yet are lost. */
  giveUp(reason: SinkError): void {
    this.#giveUp.abort(reason);
  }

  /**
   * Tries once to write these lines. Returns the bytes of the lines that are in the file now, and
   * why the others are not.
   */
  async #writeLines(lines: Uint8Array): Promise<{ byteCount: number; problem?: SinkError }> {
    let written = 0;
    try {
      if (this.#isTorn) await this.#trim();
      while (written < lines.length) {
        const count = await this.#writeUninterrupted(lines, written);
        if (count === 0) throw new Error("the disk accepted 0 bytes");
        written += count;
      }
      this.#size += written;
      return { byteCount: written };
    } catch (cause) {
      const byteCount = written === 0 ? 0 : lines.lastIndexOf(NEWLINE, written - 1) + 1;
      this.#size += byteCount;
      this.#isTorn = true;
      // If truncating fails too, the next attempt begins with it.
      await this.#trim().catch(() => {});
      return { byteCount, problem: this.#problemOf(cause) };
    }
  }

  /**
   * Repeats a write that a signal interrupted before it began, as happens on network filesystems:
   * the disk is fine.
   */
  async #writeUninterrupted(lines: Uint8Array, written: number): Promise<number> {
    while (true) {
      try {
        return await this.#write(written === 0 ? lines : lines.subarray(written));
      } catch (error) {
        if (!(error instanceof Deno.errors.Interrupted)) throw error;
      }
    }
  }

  /**
   * Writes on this thread while the disk is fast, otherwise through one of Deno's threads. Most
   * writes only copy into the page cache: 20 lines of 1 KB take 6 µs here and 50 µs through a
   * thread. Lanes wait for writes, so a row takes 9 µs here instead of 14 at concurrency 20.
   */
  #write(bytes: Uint8Array): number | Promise<number> {
    const startedAt = this.#now();
    const mayBlock = startedAt >= this.#slowUntil && bytes.length <= MAX_BLOCKING_BYTES;
    if (!mayBlock || this.#file.writeSync === undefined) return this.#file.write(bytes);
    try {
      return this.#file.writeSync(bytes);
    } finally {
      const endedAt = this.#now();
      if (endedAt - startedAt > SLOW_WRITE_MS) this.#slowUntil = endedAt + SLOW_FOR_MS;
    }
  }

  async #trim(): Promise<void> {
    await this.#file.truncate(this.#size);
    this.#isTorn = false;
  }

  #problemOf(cause: unknown): SinkError {
    return new SinkError(
      `Cannot write "${this.#path}": ${systemReason(cause)}. Retrying until the write succeeds`,
      { path: this.#path, cause },
    );
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });

    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
  });
}

/** A batch with this many rows is full: a write costs about 6 µs, whatever its size. */
const FULL_BATCH_ROWS = 8;

/** Makes the writer wait for more rows, at most until the event loop's turn ends. */
export class BatchDelay {
  readonly #now: () => number;
  /** Ends `wait`. */
  #endWait: (() => void) | undefined;
  /** From this time on, by `#now`, even a full batch waits for the end of the event loop's turn. */
  #turnDueAt = 0;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Called when a row was added; the batch has `rowCount` rows now. */
  onRowAdded(rowCount: number): void {
    if (rowCount >= FULL_BATCH_ROWS) this.#endWait?.();
  }

  /**
   * Waits until the batch is full or the event loop's turn ends. A full batch does not wait for the
   * end: its lanes would send their next requests a turn later, and the teacher would be idle.
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
