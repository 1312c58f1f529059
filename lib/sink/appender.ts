/**
 * Appends lines to a file. After a failed write, the file is truncated to its last whole line, and
 * the write of the other lines is retried until it succeeds. They stay in memory until then,
 * because their answers are paid for.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";
import type { AppenderOptions, JournalFile } from "./journal_options.ts";

const RETRY_DELAY_MS = 1_000;
/** A write that takes longer did more than copy into the page cache: the disk counts as slow. */
const SLOW_WRITE_MS = 5;
/** How long a disk counts as slow after a slow write. It can block this thread once in this time. */
const SLOW_FOR_MS = 1_000;
/** Larger writes take long to copy, so they always go through another thread. */
const MAX_BLOCKING_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** The only writer of one file. One `append` at a time. */
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
