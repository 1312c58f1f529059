/**
 * Keeps two runs from writing to one output.
 *
 * The lock is on a file of its own, which is made once and never renamed or deleted: a lock on the
 * results file is lost when an editor renames over it, and one on a file that is deleted can be held
 * twice. The system frees it when the process ends, however it ends.
 *
 * The file holds one line: who has the lock, and how many calls the run has in flight. It is written
 * over in place and never synced, which is enough to outlive the process that wrote it.
 *
 * @module
 */

import { LockedError, SinkError } from "../errors.ts";
import { systemReason } from "../system_error.ts";
import { cannotWrite } from "./durable_file.ts";

/** What a lock can be told. */
export interface LockOptions {
  /** Refuses to go on where the filesystem has no locks. @default true */
  required?: boolean;
  /** Opens the lock file. @default Deno.open */
  openFile?: (path: string) => Promise<Deno.FsFile>;
}

/** What a run leaves in its lock file for the next one. */
export interface RunNote {
  /** The process. */
  readonly pid: number;
  /** When the run began to send, ISO 8601; "" before that. It tells runs apart. */
  readonly started: string;
  /** Whether the run was at work. True in the note of an earlier run means that it has crashed, or that it
   * had to give up answers. */
  readonly running: boolean;
  /** Calls that were in flight, or whose answers were not written, at most. */
  readonly in_flight: number;
}

/** Longer than any note; they are filled up with spaces, so that each covers the one before it. */
const NOTE_BYTES = 128;

/** A lock that is held. It is freed by `release`, or at the end of a `using` block. */
export class Lock implements Disposable {
  /** The last note of the run that had the lock before; undefined where there is none. */
  readonly previous: RunNote | undefined;
  #file: Deno.FsFile | undefined;

  /** Made by `acquireLock`. */
  constructor(file: Deno.FsFile, previous: RunNote | undefined) {
    this.#file = file;
    this.previous = previous;
  }

  /**
   * Leaves a note in place of the last one. It is in the file, though not synced, when this returns.
   * Does nothing once the lock is released, or when the disk will not have it.
   *
   * Without leaving the event loop: a microsecond for 128 bytes that are only copied into memory, and
   * notes cannot overtake each other.
   */
  note(note: RunNote): void {
    if (this.#file === undefined) return;
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#file.writeSync(new TextEncoder().encode(noteLine(note)));
    } catch {
      // A run does not end for want of a note.
    }
  }

  /** Lets others take it. Once is enough. */
  release(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Lets others take it. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Takes the lock `path` (`out/x.lock` for the results `out/x.jsonl`) without waiting. The folder must
 * be there.
 *
 * @throws {LockedError} when another run holds it
 * @throws {SinkError} when the file cannot be opened, or its filesystem has no locks
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const { required = true, openFile = openLockFile } = options;
  const file = await openFile(path).catch((cause) => {
    throw cannotWrite(path, cause);
  });
  try {
    if (await tryLock(file, path, required)) {
      const previous = await readNote(file);
      const lock = new Lock(file, previous);
      // What a crashed run has left stays until this one sends something: it may end before that.
      lock.note({ ...(previous ?? NO_RUN), pid: Deno.pid });
      await file.truncate(NOTE_BYTES).catch(() => {});
      return lock;
    }
    throw await lockedError(file, path);
  } catch (error) {
    file.close();
    throw error;
  }
}

function openLockFile(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { read: true, write: true, create: true });
}

async function tryLock(file: Deno.FsFile, path: string, required: boolean): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch (cause) {
    if (!required) return true;
    throw new SinkError(
      `Cannot lock "${path}": ${
        systemReason(cause)
      }. Where the filesystem has no locks, add --no-lock ` +
        "and make sure that no other run writes there",
      { path, cause },
    );
  }
}

const NO_RUN: Omit<RunNote, "pid"> = { started: "", running: false, in_flight: 0 };

function noteLine({ pid, started, running, in_flight }: RunNote): string {
  const line = JSON.stringify({ pid, started, running, in_flight });
  return `${line.padEnd(NOTE_BYTES - 1)}\n`;
}

/** What the file says; undefined where that is no note. */
async function readNote(file: Deno.FsFile): Promise<RunNote | undefined> {
  try {
    const buffer = new Uint8Array(NOTE_BYTES);
    const count = await file.read(buffer) ?? 0;
    const note: unknown = JSON.parse(new TextDecoder().decode(buffer.subarray(0, count)));
    return isRunNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isRunNote(value: unknown): value is RunNote {
  if (typeof value !== "object" || value === null) return false;
  const { pid, started, running, in_flight } = value as Partial<RunNote>;
  return Number.isSafeInteger(pid) && typeof started === "string" && started.length <= 40 &&
    typeof running === "boolean" && Number.isSafeInteger(in_flight) && in_flight! >= 0;
}

async function lockedError(file: Deno.FsFile, path: string): Promise<LockedError> {
  const note = await readNote(file);
  const holder = note === undefined ? "held by another process" : `held by process ${note.pid}`;
  return new LockedError(
    `Cannot lock "${path}": it is ${holder}, a run that writes to the same output. ` +
      "Wait until that has ended, or name another output with -o",
    { path },
  );
}
