/**
 * What a journal is opened with: the file that it appends to, and its options.
 *
 * @module
 */

import type { SinkError } from "../errors.ts";
import type { ClosedFile } from "./watched_file.ts";

/** An open file to append to. A `Deno.FsFile` opened with `append` is one. */
export interface JournalFile {
  /** Appends bytes; returns how many were written. */
  write(bytes: Uint8Array): Promise<number>;
  /** Like `write`, but blocks this thread; absent if the file must not be written to that way. */
  writeSync?(bytes: Uint8Array): number;
  /** fdatasync: what was written survives a power cut. */
  syncData(): Promise<void>;
  /** Truncates the file to `length` bytes. */
  truncate(length: number): Promise<void>;
  /** Returns the size in bytes. */
  stat(): Promise<{ readonly size: number }>;
  close(): void;
}

/** How an `Appender` retries failed writes. */
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

/** Options of a `Journal` whose lines have records of type `T`. */
export interface JournalOptions<T> extends AppenderOptions {
  /** Called with records that have become durable, in the order of the appends. */
  readonly onDurable?: (records: readonly T[]) => void;
  /** Called once, when nothing more can be made durable. Not called for `abandon`. */
  readonly onBroken?: (error: SinkError) => void;
  /**
   * Called with each other file that lines go to once fdatasync has failed; `isTemporary`: it is
   * in the folder for temporary files.
   */
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
  /** The file as it was when last closed, to notice changes since. @default it is first opened */
  readonly closedFile?: ClosedFile;
  /**
   * Opens a handle for appending; called twice. The file is then neither locked nor watched.
   * @default by `WatchedFile`
   */
  readonly openFile?: (path: string) => Promise<JournalFile>;
}
