/**
 * Appends lines to a file so that it always ends with a whole line, whatever the disk does.
 *
 * A write that fails halfway is trimmed to the last whole line, and the rest is tried again until the disk
 * takes it: what was paid for stays in memory until then.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { LONGEST_TURN_MS } from "../timer.ts";

/** The file of an appender; a `Deno.FsFile` that was opened for appending is one. */
export interface JournalFile {
  /** Appends bytes; returns how many were written. */
  write(bytes: Uint8Array): Promise<number>;
  /** The same without a thread; used while the disk is fast. */
  writeSync?(bytes: Uint8Array): number;
  /** Makes what was written survive a power cut. */
  syncData(): Promise<void>;
  /** Truncates the file to this many bytes. */
  truncate(length: number): Promise<void>;
  /** The size of the file. */
  stat(): Promise<{ readonly size: number }>;
  /** Closes the file. */
  close(): void;
}

/** Callbacks of an appender, and what tests control. */
export interface AppenderOptions {
  /** The disk takes no more bytes; writing is tried again until it does. */
  readonly onStall?: (error: SinkError) => void;
  /** The disk takes bytes again. */
  readonly onRecover?: () => void;
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
  /** Waits `ms` milliseconds before the next try, or until the signal is aborted. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RETRY_MS = 1_000;
/** A write that takes longer, in milliseconds, did more than copy into memory. */
const SLOW_MS = 5;
/** How long a disk counts as slow after that, in milliseconds: the event loop waits for it at most once in this
 * time. */
const SLOW_FOR_MS = 1_000;
/** Larger writes take long to copy and always go through a thread. */
const MOST_BYTES_AT_ONCE = 1024 * 1024;
const NEWLINE = 10;

/** Appends to one file. */
export class Appender {
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #options: AppenderOptions;
  readonly #givenUp = new AbortController();
  /** The size of all whole lines, in bytes. */
  #size: number;
  /** Until then the disk counts as slow, because a write blocked the event loop. */
  #slowUntil = -Infinity;
  readonly #now: () => number;
  /** Whether the file may hold more than `#size` bytes. */
  #isTorn = false;

  /** `size` is the size of the file, which holds only whole lines. */
  constructor(path: string, file: JournalFile, size: number, options: AppenderOptions) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Appends whole lines. Resolves once all are written, however long that takes; rejects with the reason of
   * `giveUp`. */
  async append(lines: Uint8Array): Promise<void> {
    const { delay = wait, onStall, onRecover } = this.#options;
    const { signal } = this.#givenUp;
    let rest = lines;
    let isStalled = false;
    while (true) {
      const { kept, problem } = await this.#write(rest);
      if (problem === undefined) break;
      signal.throwIfAborted();
      rest = rest.subarray(kept);
      if (!isStalled) onStall?.(problem);
      isStalled = true;
      await delay(RETRY_MS, signal);
      signal.throwIfAborted();
    }
    if (isStalled) onRecover?.();
  }

  /** Stops trying: what is not written by now is lost. */
  giveUp(reason: SinkError): void {
    this.#givenUp.abort(reason);
  }

  /** One attempt. Returns the number of bytes that were kept, and the error that prevented the rest. */
  async #write(lines: Uint8Array): Promise<{ kept: number; problem?: SinkError }> {
    let written = 0;
    try {
      if (this.#isTorn) await this.#trim();
      while (written < lines.length) {
        const count = await this.#takeUninterrupted(lines, written);
        if (count === 0) throw new Error("the disk took 0 bytes");
        written += count;
      }
      this.#size += written;
      return { kept: written };
    } catch (cause) {
      const kept = written === 0 ? 0 : lines.lastIndexOf(NEWLINE, written - 1) + 1;
      this.#size += kept;
      this.#isTorn = true;
      // If this fails too, the next attempt begins with it.
      await this.#trim().catch(() => {});
      return { kept, problem: this.#problemOf(cause) };
    }
  }

  /** A signal may interrupt a write to a network filesystem before it has begun: that says nothing about the disk. */
  async #takeUninterrupted(lines: Uint8Array, written: number): Promise<number> {
    while (true) {
      try {
        return await this.#take(written === 0 ? lines : lines.subarray(written));
      } catch (error) {
        if (!(error instanceof Deno.errors.Interrupted)) throw error;
      }
    }
  }

  /**
   * Most writes only copy into the system's memory. Directly, that costs 6 µs for 20 lines of 1 KB, and through
   * a thread 50 µs, during which lanes wait: at concurrency 20 a row takes 9 µs instead of 14. But a slow disk
   * must not block the event loop again and again.
   */
  #take(bytes: Uint8Array): number | Promise<number> {
    const startedAt = this.#now();
    const isQuick = startedAt >= this.#slowUntil && bytes.length <= MOST_BYTES_AT_ONCE;
    if (!isQuick || this.#file.writeSync === undefined) return this.#file.write(bytes);
    try {
      return this.#file.writeSync(bytes);
    } finally {
      const endedAt = this.#now();
      if (endedAt - startedAt > SLOW_MS) this.#slowUntil = endedAt + SLOW_FOR_MS;
    }
  }

  async #trim(): Promise<void> {
    await this.#file.truncate(this.#size);
    this.#isTorn = false;
  }

  #problemOf(cause: unknown): SinkError {
    return new SinkError(
      `Cannot write "${this.#path}": ${systemReason(cause)}. Trying again until it can be written`,
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

/** This many rows are written without waiting for more: a write costs 6 µs, whatever its size. */
const ENOUGH_ROWS = 8;

/** How long the writer waits for more lines. */
export class Gathering {
  readonly #now: () => number;
  /** Ends the wait. */
  #hurry: (() => void) | undefined;
  /** From then on the event loop has to have a turn. */
  #turnAt = 0;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** There is one row more. */
  grown(rows: number): void {
    if (rows >= ENOUGH_ROWS) this.#hurry?.();
  }

  /** Waits until a call is worth it, or the turn of the event loop has ended. Lanes that wait for the end of
   * the turn send their next requests a turn later, and the teacher is idle meanwhile. */
  async enough(rows: number): Promise<void> {
    const isTurnDue = this.#now() >= this.#turnAt;
    if (!isTurnDue && rows >= ENOUGH_ROWS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!isTurnDue) this.#hurry = resolve;
    setImmediate(() => {
      this.#turnAt = this.#now() + LONGEST_TURN_MS;
      resolve();
    });
    await promise;
    this.#hurry = undefined;
  }
}
