/**
 * Prevents two runs from writing to the same output.
 *
 * The lock is on a separate file, which is created once and never renamed or deleted: a lock on the results file
 * is lost when an editor renames over it, and one on a deleted file can be held twice. The system releases it
 * when the process ends, however it ends.
 *
 * Users remove lock files that look old. So the path is checked again once the lock is held, and a run also locks
 * the results that it adds to (`holdAlone`): the second of two runs then fails anyway.
 *
 * The file holds one line: which process has the lock, and how many calls the run has in flight. It is
 * overwritten in place and never synced, which is enough to survive the process.
 *
 * A run with thousands of outputs cannot keep a file open for each. It holds one lock for all of them
 * (`SharedLock`), and each output's lock file names it. A note is read and written only by a process that holds
 * the file at that moment, so the next process finds the name and checks whether the shared lock is held.
 *
 * @module
 */

import { basename, dirname, join } from "../deps/std_path.ts";
import { LockedError, SinkError, UsageError } from "../errors.ts";
import { ifThere, makeFolder } from "../files.ts";
import { type FileIdentity, identityOf, pathProblem } from "./file_identity.ts";
import { cannotWrite, randomToken } from "./durable_file.ts";
import { xxHash64Hex } from "../hash.ts";
import { OWN_FOLDER } from "../paths.ts";
import {
  foreignFile,
  isOurs,
  lockedError,
  NOTE_BYTES,
  noteLine,
  noteOf,
  openLockFile,
  readText,
  type RunNote,
  type RunState,
  tryLock,
} from "./lock_file.ts";
import { delay } from "../timer.ts";

export type { RunNote, RunState } from "./lock_file.ts";

/** Options of a lock. */
export interface LockOptions {
  /** Whether to fail where the filesystem has no locks. @default true */
  required?: boolean;
  /** Removes the temporary files that a crashed run left. @default nothing */
  onLeftovers?: (token: string) => Promise<void>;
  /** The permissions of a new lock file. @default 0o666 */
  mode?: number;
  /** Opens the lock file. @default Deno.open */
  openFile?: (path: string, mode?: number) => Promise<Deno.FsFile>;
  /** The lock of all outputs of the run: the lock file then only names it and is not kept open. @default none
   * @default none */
  shared?: SharedLock;
}

/** A lock that is held, by its own file or by a shared one. It is released by `release`, or at the end of a
 * `using` block. */
export class Lock implements Disposable {
  /** The last note of the previous holder; undefined if there is none. */
  readonly previous: RunNote | undefined;
  /** Part of the names of this run's temporary files: the next holder removes what a crash left. */
  readonly token: string;
  readonly #path: string;
  /** Undefined if a shared lock is held instead. */
  #file: Deno.FsFile | undefined;
  readonly #identity: FileIdentity | undefined;

  /** Made by `acquireLock`. */
  constructor(
    path: string,
    previous: RunNote | undefined,
    token: string,
    held?: { file: Deno.FsFile; identity: FileIdentity },
  ) {
    this.#path = path;
    this.previous = previous;
    this.token = token;
    this.#file = held?.file;
    this.#identity = held?.identity;
  }

  /**
   * Replaces the note. It is in the file, though not synced, when this returns. Does nothing once the lock is
   * released, or if the disk does not take it.
   *
   * Synchronous: a microsecond for 128 bytes that are only copied into memory, and notes cannot overtake each
   * other.
   */
  note(state: RunState): void {
    if (this.#file === undefined) return;
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#file.writeSync(new TextEncoder().encode(noteLine(state, this.token)));
    } catch {
      // A run does not end because of a missing note.
    }
  }

  /** Leaves the name of the shared lock that is held instead of this one, and closes the file.
   *
   * @throws {SinkError} when the disk does not take it: other runs could use the output then */
  refer({ name, lock: { token } }: SharedLock): Lock {
    using file = this.#file!;
    this.#file = undefined;
    const state = { ...(this.previous ?? NO_RUN), pid: Deno.pid };
    const line = new TextEncoder().encode(noteLine(state, token, name));
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(line);
      file.truncateSync(line.length);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
    return new Lock(this.#path, this.previous, token);
  }

  /** Why other runs can take it, because the file is gone or replaced; undefined while they cannot. */
  async check(): Promise<string | undefined> {
    const problem = this.#file && await pathProblem(this.#path, this.#identity!);
    return problem &&
      `Cannot keep the lock "${this.#path}": ${problem}, so that another run may write to the same output`;
  }

  /** Releases the lock; further calls do nothing. */
  release(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Releases the lock. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Takes the lock `path` (`out/x.lock` for the results `out/x.jsonl`) without waiting. The folder must
 * exist.
 *
 * @throws {LockedError} when another run holds it
 * @throws {UsageError} when Retort did not write the file there; it is not changed then
 * @throws {SinkError} when the file cannot be opened, or its filesystem has no locks
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const lock = await acquire(path, options);
    // The file may have been removed, and created by another run, before it was locked.
    if (await lock.check() === undefined) {
      return options.shared === undefined ? lock : lock.refer(options.shared);
    }
    lock.release();
  }
  throw new SinkError(`Cannot lock "${path}": it is removed again and again`, { path });
}

/** Attempts to lock a file that is replaced before it is locked. */
const ATTEMPTS = 10;

async function acquire(path: string, options: LockOptions): Promise<Lock> {
  const { required = true, openFile = openLockFile } = options;
  const file = await openFile(path, options.mode).catch((cause) => {
    throw cause instanceof UsageError ? cause : cannotWrite(path, cause);
  });
  try {
    // On Windows a file that another process has locked cannot be read.
    const before = await readText(file).catch(() => undefined);
    if (before !== undefined && !isOurs(before)) throw foreignFile(path);
    if (!(await tryLock(file, path, required))) throw lockedError(path, noteOf(before));
    // Read again: the previous holder may have written a later note.
    const text = await readText(file);
    if (!isOurs(text)) throw foreignFile(path);
    const note = noteOf(text);
    const previous = await standingNote(path, note, options);
    if (note?.token !== undefined) await options.onLeftovers?.(note.token);
    const identity = await identityOf(path, await file.stat());
    const lock = new Lock(path, previous, randomToken(), { file, identity });
    // The note of a crashed run stays until this run sends something, because it may end before that.
    lock.note({ ...(previous ?? NO_RUN), pid: Deno.pid });
    await file.truncate(NOTE_BYTES).catch(() => {});
    return lock;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** One lock for all outputs of a run, in the folder of its first one. */
export class SharedLock implements Disposable {
  /** The lock that is held. */
  readonly lock: Lock;
  /** Its name in the lock files of the outputs. */
  readonly name: string;

  private constructor(lock: Lock, name: string) {
    this.lock = lock;
    this.name = name;
  }

  /**
   * Takes it. Its name follows from the lock files of the outputs, all in one folder: the same run has the same name.
   *
   * @throws {LockedError} when another run with these outputs is active
   * @throws {UsageError | SinkError} when it cannot be created
   */
  static async acquire(paths: readonly string[], options: LockOptions = {}): Promise<SharedLock> {
    const name = xxHash64Hex(paths.map((path) => basename(path)).toSorted().join("\n"));
    const path = sharedPathOf(paths[0], name);
    await makeFolder(dirname(path));
    for (let attempt = 1;; attempt++) {
      try {
        return new SharedLock(await acquireLock(path, options), name);
      } catch (error) {
        // A run that checks whether it is held holds it for a moment.
        if (!(error instanceof LockedError) || attempt === LOOKS) throw error;
        await delay(LOOK_MS);
      }
    }
  }

  /** Releases all outputs. */
  [Symbol.dispose](): void {
    this.lock.release();
  }
}

const LOOKS = 3;
const LOOK_MS = 30;

function sharedPathOf(path: string, name: string): string {
  return join(dirname(path), OWN_FOLDER, `${name}.lock`);
}

/**
 * The note of the last run for an output: that in its lock file, or a later one in the shared lock that this
 * names.
 *
 * @throws {LockedError} when the shared lock is held
 */
async function standingNote(
  path: string,
  note: RunNote | undefined,
  { required = true, shared }: LockOptions,
): Promise<RunNote | undefined> {
  if (note?.shared === undefined) return note;
  const later = note.shared === shared?.name
    ? shared.lock.previous
    : await noteOfShared(path, note.shared, required);
  return later !== undefined && later.started > note.started ? later : note;
}

async function noteOfShared(
  path: string,
  name: string,
  required: boolean,
): Promise<RunNote | undefined> {
  const sharedPath = sharedPathOf(path, name);
  using file = await ifThere(
    Deno.open(sharedPath, { read: true, write: true }),
    (cause) => cannotWrite(sharedPath, cause),
  );
  if (file === undefined) return undefined;
  // A shared lock, so that other runs can check at the same time.
  if (!(await tryLock(file, sharedPath, required, false))) {
    throw lockedError(path, noteOf(await readText(file).catch(() => undefined)));
  }
  return noteOf(await readText(file));
}

const NO_RUN: Omit<RunState, "pid"> = { started: "", running: false, in_flight: 0 };
