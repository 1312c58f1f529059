/**
 * Adds lines to a file in such a way that it holds whole lines, whatever the disk does.
 *
 * A write that fails half way is trimmed to the last whole line, and the rest is tried again until the
 * disk takes it: what was paid for stays in memory meanwhile.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";

/** What is asked of a file; a `Deno.FsFile` that was opened for appending is one. */
export interface JournalFile {
  /** Adds bytes at the end; gives how many of them were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** The same without leaving the event loop; used while it is quick. */
  writeSync?(bytes: Uint8Array): number;
  /** Makes what was written survive a power cut. */
  syncData(): Promise<void>;
  /** Cuts the file to this many bytes. */
  truncate(length: number): Promise<void>;
  /** How many bytes it holds. */
  stat(): Promise<{ readonly size: number }>;
  /** Frees it. */
  close(): void;
}

/** What an appender says, and what a test controls. */
export interface AppenderOptions {
  /** The disk does not take any more; it is tried again until it does. */
  readonly onStall?: (error: SinkError) => void;
  /** The disk takes more again. */
  readonly onRecover?: () => void;
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
  /** Waits before the next try, in milliseconds, until then or until the signal is aborted. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RETRY_MS = 1_000;
/** A write that takes longer was no copy in memory. */
const SLOW_MS = 5;
/** How long a disk counts as slow after that: the event loop waits for it once in this time at most. */
const SLOW_FOR_MS = 1_000;
/** More than this is no short copy either. */
const MOST_BYTES_AT_ONCE = 1024 * 1024;
const NEWLINE = 10;

/** Adds to one file. */
export class Appender {
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #options: AppenderOptions;
  readonly #givenUp = new AbortController();
  /** The bytes of whole lines. */
  #size: number;
  /** Until then the disk counts as slow: a write has made the event loop wait. */
  #slowUntil = -Infinity;
  readonly #now: () => number;
  /** Whether the file may hold more than `#size` bytes. */
  #isTorn = false;

  /** `size` is what the file holds now, whole lines all of it. */
  constructor(path: string, file: JournalFile, size: number, options: AppenderOptions) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Adds whole lines. Resolves once all of them are written, however long that takes; rejects with the
   * reason of `giveUp`. */
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

  /** Tries no more: what cannot be written now is lost. */
  giveUp(reason: SinkError): void {
    this.#givenUp.abort(reason);
  }

  /** One attempt. Returns the number of bytes that are written, and the error that kept the others out. */
  async #write(lines: Uint8Array): Promise<{ kept: number; problem?: SinkError }> {
    let written = 0;
    try {
      if (this.#isTorn) await this.#trim();
      while (written < lines.length) {
        const count = await this.#take(written === 0 ? lines : lines.subarray(written));
        if (count === 0) throw new Error("the disk took 0 bytes");
        written += count;
      }
      this.#size += written;
      return { kept: written };
    } catch (cause) {
      const kept = written === 0 ? 0 : lines.lastIndexOf(NEWLINE, written - 1) + 1;
      this.#size += kept;
      this.#isTorn = true;
      // Where this fails too, the next try begins with it.
      await this.#trim().catch(() => {});
      return { kept, problem: this.#problemOf(cause) };
    }
  }

  /**
   * Most writes only copy into the memory of the system. Doing that at once costs 6 µs for 20 lines of
   * 1 KB, and through a thread 50 µs, which lanes spend waiting: at concurrency 20 a row takes 9 µs in
   * place of 14. But a disk that is slow must not stop the event loop again and again.
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
