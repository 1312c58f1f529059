/**
 * Keeps two runs from writing to one output.
 *
 * The lock is on a file of its own, which is made once and never renamed or deleted: a lock on the
 * results file is lost when an editor renames over it, and one on a file that is deleted can be held
 * twice. The system frees it when the process ends, however it ends.
 *
 * Users remove lock files that look old. So the path is looked at again once the lock is held, and a run also
 * locks the results that it adds to (`holdAlone`): of two runs the second one then fails all the same.
 *
 * The file holds one line: who has the lock, and how many calls the run has in flight. It is written
 * over in place and never synced, which is enough to outlive the process that wrote it.
 *
 * @module
 */

import { LockedError, SinkError, UsageError } from "../errors.ts";
import { ifThere, systemReason } from "../files.ts";
import {
  cannotWrite,
  type FileIdentity,
  identityOf,
  pathProblem,
  randomToken,
} from "./durable_file.ts";

/** What a lock can be told. */
export interface LockOptions {
  /** Refuses to continue where the filesystem has no locks. @default true */
  required?: boolean;
  /** Removes what a crashed run has left under its temporary names. @default nothing */
  onLeftovers?: (token: string) => Promise<void>;
  /** The permissions of a lock file that is made now. @default 0o666 */
  mode?: number;
  /** Opens the lock file. @default Deno.open */
  openFile?: (path: string, mode?: number) => Promise<Deno.FsFile>;
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
  /** Stands in the names of the run's temporary files; absent in notes of earlier versions. */
  readonly token?: string;
}

/** What a run says in its note; the lock knows the rest. */
export type RunState = Omit<RunNote, "token">;

/** Longer than any note; they are filled up with spaces, so that each covers the one before it. */
const NOTE_BYTES = 128;
/** More is in no file of ours, not even one that was written by several versions. */
const MOST_BYTES = 256;

/** A lock that is held. It is freed by `release`, or at the end of a `using` block. */
export class Lock implements Disposable {
  /** The last note of the run that had the lock before; undefined where there is none. */
  readonly previous: RunNote | undefined;
  /** Stands in the names of this run's temporary files: the next holder removes what a crash leaves. */
  readonly token: string = randomToken();
  readonly #path: string;
  readonly #identity: FileIdentity;
  #file: Deno.FsFile | undefined;

  /** Made by `acquireLock`. */
  constructor(
    path: string,
    file: Deno.FsFile,
    identity: FileIdentity,
    previous: RunNote | undefined,
  ) {
    this.#path = path;
    this.#file = file;
    this.#identity = identity;
    this.previous = previous;
  }

  /**
   * Leaves a note instead of the last one. It is in the file, though not synced, when this returns.
   * Does nothing once the lock is released, or when the disk will not have it.
   *
   * Without leaving the event loop: a microsecond for 128 bytes that are only copied into memory, and
   * notes cannot overtake each other.
   */
  note(state: RunState): void {
    if (this.#file === undefined) return;
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#file.writeSync(new TextEncoder().encode(noteLine(state, this.token)));
    } catch {
      // A run does not end for want of a note.
    }
  }

  /** Whether others can take it, because the file is gone or another one: says so; else undefined. */
  async check(): Promise<string | undefined> {
    const problem = this.#file && await pathProblem(this.#path, this.#identity);
    return problem &&
      `Cannot keep the lock "${this.#path}": ${problem}, so that another run may write to the same output`;
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
 * @throws {UsageError} when the file there is not ours; it is not touched then
 * @throws {SinkError} when the file cannot be opened, or its filesystem has no locks
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const lock = await acquire(path, options);
    // It may have been removed, and made anew by another run, before it was locked.
    if (await lock.check() === undefined) return lock;
    lock.release();
  }
  throw new SinkError(`Cannot lock "${path}": it is removed again and again`, { path });
}

/** How often a lock file is made anew whose path leads elsewhere once it is locked. */
const ATTEMPTS = 10;

async function acquire(path: string, options: LockOptions): Promise<Lock> {
  const { required = true, openFile = openLockFile } = options;
  const file = await openFile(path, options.mode).catch((cause) => {
    throw cause instanceof UsageError ? cause : cannotWrite(path, cause);
  });
  try {
    // Windows lets no one read a file that another process has locked.
    const before = await readText(file).catch(() => undefined);
    if (before !== undefined && !isOurs(before)) throw foreignFile(path);
    if (!(await tryLock(file, path, required))) throw lockedError(path, noteOf(before));
    // Read again: the run that had the lock until now may have said more.
    const text = await readText(file);
    if (!isOurs(text)) throw foreignFile(path);
    const previous = noteOf(text);
    if (previous?.token !== undefined) await options.onLeftovers?.(previous.token);
    const lock = new Lock(path, file, await identityOf(path, await file.stat()), previous);
    // What a crashed run has left stays until this one sends something: it may end before that.
    lock.note({ ...(previous ?? NO_RUN), pid: Deno.pid });
    await file.truncate(NOTE_BYTES).catch(() => {});
    return lock;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Locks an output file that is open for writing, where the system can: it stays so until the file is closed.
 * On Windows a lock would keep others from reading what is there.
 *
 * @throws {LockedError} when another run holds it
 */
export async function holdAlone(file: Deno.FsFile, path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  if (!(await file.tryLock(true).catch(() => true))) throw lockedError(path, undefined);
}

/**
 * Makes sure that no run adds to a file now.
 *
 * @throws {LockedError} when one does
 */
export async function refuseHeld(path: string): Promise<void> {
  if (!(await ifThere(Deno.stat(path)))?.isFile) return;
  // What may not be written is reported by the one that writes to it.
  using file = await Deno.open(path, { append: true }).catch(() => null);
  if (file !== null) await holdAlone(file, path);
}

/** Opens the file, or makes it. What is there may be the user's and is not touched. */
async function openLockFile(path: string, mode?: number): Promise<Deno.FsFile> {
  const options = { read: true, write: true };
  try {
    return await Deno.open(path, { ...options, createNew: true, mode });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if ((await Deno.lstat(path)).isSymlink) throw foreignFile(path);
  return await Deno.open(path, options);
}

/** A file called `poetry.lock` may be that of Poetry. Ours holds a note, or half of one; one of the first
 * versions a number; and one that was made just before a crash nothing, or the NUL bytes of a power cut. */
function isOurs(text: string): boolean {
  return text.length <= MOST_BYTES && (text.startsWith('{"pid":') || /^\d*$/.test(text));
}

function foreignFile(path: string): UsageError {
  return new UsageError(
    `Cannot lock "${path}": the file there is no lock file of Retort. ` +
      "Name another output, or move the file away",
  );
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

const NO_RUN: Omit<RunState, "pid"> = { started: "", running: false, in_flight: 0 };

function noteLine({ pid, started, running, in_flight }: RunState, token: string): string {
  const line = JSON.stringify({ pid, started, running, in_flight, token });
  return `${line.padEnd(NOTE_BYTES - 1)}\n`;
}

/** The start of the file, without the white space and NUL bytes at its end. */
async function readText(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(MOST_BYTES + 1);
  await file.seek(0, Deno.SeekMode.Start);
  const count = await file.read(buffer) ?? 0;
  const text = new TextDecoder().decode(buffer.subarray(0, count));
  return count > MOST_BYTES ? text : text.replace(/[\s\0]+$/, "");
}

/** What the text says; undefined where that is no note. */
function noteOf(text = ""): RunNote | undefined {
  try {
    const note: unknown = JSON.parse(text);
    return isRunNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isRunNote(value: unknown): value is RunNote {
  if (typeof value !== "object" || value === null) return false;
  const { pid, started, running, in_flight, token } = value as Partial<RunNote>;
  return Number.isSafeInteger(pid) && typeof started === "string" && started.length <= 40 &&
    typeof running === "boolean" && Number.isSafeInteger(in_flight) && in_flight! >= 0 &&
    (token === undefined || /^[0-9a-f]{16}$/.test(token));
}

function lockedError(path: string, note: RunNote | undefined): LockedError {
  const holder = note === undefined ? "held by another process" : `held by process ${note.pid}`;
  return new LockedError(
    `Cannot lock "${path}": it is ${holder}, a run that writes to the same output. ` +
      "Wait until that has ended, or name another output with -o",
    { path },
  );
}
