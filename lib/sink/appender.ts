/**
 * Appends lines to a file. After a failed write, truncates the file to the last whole line and
 * retries. Unwritten lines stay in memory until then, because their answers are paid for.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { delay } from "../timer.ts";
import { cannotWrite, orCannotWrite } from "./durable_file.ts";
import { mayBeRemote } from "./lock_file.ts";

/** A file whose writes do not wait for `syncData`. */
export interface JournalFile {
  write(bytes: Uint8Array): Promise<number>;
  /** Like `write`, but blocks this thread. Absent while only `write` may be used. */
  readonly writeSync?: (bytes: Uint8Array) => number;
  /** Calls fdatasync: what was written survives a power cut. */
  syncData(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** The size of the file when it was opened. The file must have ended with a whole line then. */
  readonly startSize: number;
  /** Whether `write` keeps its bytes: their memory must not be used again. @default false */
  readonly keepsBytes?: boolean;
  /** Whether a write waits to open the file, because too many are open. @default false */
  readonly isWaiting?: boolean;
  /** A callback that the journal sets, for the error of a sync that the file itself has started. */
  onSyncError?: ((cause: unknown) => void) | undefined;
  /** Ends the wait of a write, after which nothing more is written. */
  giveUp?(reason: Error): void;
  /** Returns a message if another program has changed the file. */
  check?(): Promise<string | undefined>;
  /** If the last check found a problem, redirects lines to a new file, and adds that file to
   * `paths`. */
  moveAway?(paths: string[]): Promise<void>;
  close(): void | Promise<void>;
}

export interface JournalOptions<T> {
  /** Called when a write fails and will be retried; not again before `onRecover`. */
  readonly onStall?: (error: SinkError) => void;
  readonly onRecover?: () => void;
  /** Returns the time of a monotonic clock, in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** Waits before a retry, at most until the signal is aborted. @default a timer */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called with durable records, in the order of the appends. */
  readonly onDurable?: (records: readonly T[]) => void;
  /** Called once, when nothing more can become durable. */
  readonly onBroken?: (error: SinkError) => void;
  /** Called when lines go to another file, because fdatasync has failed or the run no longer waits
   * for disk space. `isTemporary` says whether that file is in the folder for temporary files. */
  readonly onRescue?: (path: string, isTemporary: boolean) => void;
  /** Called if the file cannot be locked; `reason` is for a message. */
  readonly onUnlocked?: (path: string, reason: string) => void;
  /** Maximum number of rows written but not synced; at least 1. @default 1024 */
  readonly maxUnsyncedRows?: number;
  /** With "never", rows are reported as durable once they are written. @default "always" */
  readonly fsync?: "always" | "never";
  /** Permissions of a new file, before umask. @default 0o666 */
  readonly mode?: number;
  /** Opens the file, whose name must be durable. @default opens a `WatchedFile` */
  readonly openFile?: (path: string) => Promise<JournalFile>;
}

type AppenderOptions = Pick<JournalOptions<never>, "onStall" | "onRecover" | "now" | "delay">;

export const RETRY_DELAY_MS = 1_000;
/** A longer write was not only a copy into the page cache, which shows that the disk is slow. */
const SLOW_WRITE_MS = 5;
/** How long writes use another thread after a slow write: a slow disk then blocks this thread at
 * most once a second. */
const SLOW_FOR_MS = 1_000;
/** Larger writes always use another thread, because copying them takes too long. */
const MAX_BLOCKING_BYTES = 1024 * 1024;
const NEWLINE = 10;
/** ENODEV, ENOTCONN and ESTALE (Linux; macOS): the mount of an open file is gone, as after a crash of
 * sshfs. A new mount does not bring its handles back. */
const LOST = /\(os error (?:19|107|116|57|70)\)/;

/** The only writer of a file. Call `append` again only after the last call has resolved. */
export class Appender {
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #options: AppenderOptions;
  readonly #giveUp = new AbortController();
  /** The size of all whole lines, in bytes. */
  #size: number;
  /** Until when writes use another thread, on the clock `#now`. */
  #slowUntil = -Infinity;
  readonly #now: () => number;
  /** Why the last write failed; undefined unless it is retried. */
  problem: SinkError | undefined;
  /** Whether part of a line may follow the first `#size` bytes. */
  #isTorn = false;

  constructor(path: string, file: JournalFile, options: AppenderOptions) {
    this.#path = path;
    this.#file = file;
    this.#size = file.startSize;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Appends whole lines. Retries until they are written, or until `giveUp`. Rejects at once if the
   * handle can never be used again. */
  async append(lines: Uint8Array): Promise<void> {
    const { delay: wait = delay, onStall, onRecover } = this.#options;
    const { signal } = this.#giveUp;
    let rest = lines;
    let isStalled = false;
    while (true) {
      const { byteCount, problem } = await this.#writeLines(rest);
      this.problem = problem;
      if (problem === undefined) break;
      signal.throwIfAborted();
      if (LOST.test(String(problem.cause))) throw problem;
      rest = rest.subarray(byteCount);
      if (!isStalled) onStall?.(problem);
      isStalled = true;
      await wait(RETRY_DELAY_MS, signal);
      signal.throwIfAborted();
    }
    if (isStalled) onRecover?.();
  }

  /** Ends retries: `append` rejects with the reason. */
  giveUp(reason: SinkError): void {
    this.#giveUp.abort(reason);
  }

  /** Tries to write lines once. Returns how many bytes of whole lines were written, and why the
   * rest was not. */
  async #writeLines(lines: Uint8Array): Promise<{ byteCount: number; problem?: SinkError }> {
    let writtenBytes = 0;
    try {
      if (this.#isTorn) await this.#trim();
      while (writtenBytes < lines.length) {
        const count = await this.#writeUninterrupted(lines, writtenBytes);
        if (count === 0) throw new Error("the disk accepted 0 bytes");
        writtenBytes += count;
      }
      this.#size += writtenBytes;
      return { byteCount: writtenBytes };
    } catch (cause) {
      const byteCount = writtenBytes === 0 ? 0 : lines.lastIndexOf(NEWLINE, writtenBytes - 1) + 1;
      this.#size += byteCount;
      this.#isTorn = true;
      // If truncating fails, the next attempt begins by truncating.
      await this.#trim().catch(() => {});
      return { byteCount, problem: this.#problemOf(cause) };
    }
  }

  /** Repeats a write that a signal has interrupted before it began, as on network filesystems. */
  async #writeUninterrupted(lines: Uint8Array, start: number): Promise<number> {
    while (true) {
      try {
        return await this.#write(start === 0 ? lines : lines.subarray(start));
      } catch (error) {
        if (!(error instanceof Deno.errors.Interrupted)) throw error;
      }
    }
  }

  /**
   * Writes on this thread while the disk is fast, otherwise through one of Deno's threads. Most
   * writes only copy into the page cache: 20 lines of 1 KB take 6 µs on this thread and 50 µs
   * through another. Lanes wait for writes: at concurrency 20, a row takes 9 µs instead of 14.
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
    if (cause instanceof SinkError) return cause;
    return new SinkError(
      `Cannot write "${this.#path}": ${systemReason(cause)}. Retrying until the write succeeds`,
      { path: this.#path, cause },
    );
  }
}

/**
 * Appends a byte to an existing file and removes it. A mounted bucket may open a file that it
 * cannot append to, and fail only at the first write, after calls were paid for. Does nothing on a
 * local disk.
 *
 * @throws {SinkError} If the filesystem cannot append to a file or truncate it.
 */
export async function tryAppend(path: string, open = Deno.open): Promise<void> {
  using file = await orCannotWrite(path, () => open(path, { append: true }));
  const info = await file.stat();
  if (!(await mayBeRemote(info))) return;
  try {
    // If the process is killed now, an empty line stays, which readers skip.
    await file.write(new Uint8Array([NEWLINE]));
  } catch (cause) {
    // Other problems, such as a full disk, may go away, and the run waits for that.
    if (isPermanent(cause)) throw cannotAppend(path, cause);
    return;
  }
  await file.truncate(info.size).catch((cause) => {
    throw isPermanent(cause) ? cannotAppend(path, cause) : cannotWrite(path, cause);
  });
}

const PERMANENT_CODES = ["EBADF", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

function isPermanent(cause: unknown): boolean {
  return PERMANENT_CODES.includes((cause as { code?: string }).code ?? "");
}

function cannotAppend(path: string, cause: unknown): SinkError {
  const reason = "its filesystem cannot append to a file or truncate it";
  return new SinkError(
    `Cannot write "${path}": ${reason} (${systemReason(cause)}). ` +
      "Name an output on another disk, and copy it when the run has ended",
    { path, cause },
  );
}
