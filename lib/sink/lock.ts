/**
 * Prevents two runs from writing to the same output.
 *
 * The lock is on a file of its own, because a lock on the results is lost when an editor renames
 * another file over them. A run never renames or deletes its lock file: one process could hold the
 * lock on the deleted file, and another the lock on a new one. The system releases the lock when
 * the process ends, even by a crash.
 *
 * Users remove lock files that look old. So a process checks the path again once it holds the lock,
 * and a run also locks the results and failures (`lockOutput`), so that a second run fails.
 *
 * The file holds a note of one line: the process with the lock, and the number of calls in flight.
 * The note is overwritten in place, so it survives a crash of the process. A power cut may lose it:
 * it is synced only when a run begins on a network filesystem, for other machines to see.
 *
 * A run with thousands of outputs cannot keep a file open for each. It holds one `SharedLock`, and
 * the lock file of each output names that lock. Another process finds the name in the note, and
 * checks whether the shared lock is held.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { LockedError, RetortError, SinkError } from "../errors.ts";
import { ifThere, makeFolder } from "../files.ts";
import { cannotWrite, orCannotWrite } from "./durable_file.ts";
import { xxHash64Hex } from "../hash.ts";
import {
  foreignFile,
  HELD_ATTEMPTS,
  HELD_PAUSE_MS,
  isLockNote,
  isOverwritten,
  lockedElsewhere,
  lockedError,
  mayBeRemote,
  NO_RUN,
  NOTE_BYTES,
  noteLine,
  noteOf,
  openLockFile,
  readText,
  type RunNote,
  type RunState,
  sharedPathOf,
  tryLock,
} from "./lock_file.ts";
import { randomToken } from "./temporary_file.ts";
import { delay } from "../timer.ts";
import { type FileIdentity, identityOf, pathProblem } from "./watched_file.ts";

export type { RunNote, RunState } from "./lock_file.ts";

export interface LockOptions {
  /** Whether to fail if the filesystem has no locks, instead of working without a lock. @default
   * true */
  required?: boolean;
  /** Removes the previous holder's temporary files: `token` is part of their names. */
  onLeftovers?: (token: string) => Promise<void>;
  /** Permissions of a new lock file, before umask. @default 0o666 */
  mode?: number;
  openFile?: (path: string, mode?: number) => Promise<Deno.FsFile>;
  /** A lock to hold instead. The lock file then only names that lock. @default none */
  shared?: SharedLock;
}

export class Lock implements Disposable {
  /** The previous holder's last note. */
  readonly previous: RunNote | undefined;
  /** Part of the names of this run's temporary files: the next holder can remove them. */
  readonly token: string;
  readonly #path: string;
  /** The lock file; undefined once the lock is released, or if a shared lock is held instead. */
  #file: Deno.FsFile | undefined;
  readonly #identity: FileIdentity;
  /** What the file held before this run wrote its first note. Undefined with a shared lock, or on a
   * local disk, where no other machine can take the lock. */
  readonly #earlierText: string | undefined;
  /** The value of `started` in the last note that was synced. */
  #syncedStart: string | undefined;

  constructor(
    path: string,
    previous: RunNote | undefined,
    token: string,
    held: { file: Deno.FsFile; identity: FileIdentity; earlierText: string | undefined },
  ) {
    this.#path = path;
    this.previous = previous;
    this.token = token;
    this.#file = held.file;
    this.#identity = held.identity;
    this.#earlierText = held.earlierText;
  }

  /** Writes a note. Does nothing if the lock is released, or if a shared lock is held instead.
   * Synchronous, so that notes cannot overtake each other: copying 128 bytes into the page cache
   * takes a microsecond. */
  note(state: RunState): void {
    if (this.#file === undefined) return;
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#file.writeSync(new TextEncoder().encode(noteLine(state, this.token)));
      if (this.#earlierText === undefined || this.#syncedStart === state.started) return;
      this.#syncedStart = state.started;
      this.#file.syncDataSync();
    } catch {
      // A missing note must not end the run.
    }
  }

  /** Writes the name of the shared lock to the file, and closes the file. Throws if it cannot write
   * the name: other runs could then use the output. */
  replaceBy(sharedName: string): void {
    using file = this.#file!;
    this.#file = undefined;
    const state = { ...(this.previous ?? NO_RUN), pid: Deno.pid };
    const line = new TextEncoder().encode(noteLine(state, this.token, sharedName));
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(line);
      file.truncateSync(line.length);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Returns a message if the lock no longer protects the output. Returns undefined if a shared
   * lock is held instead, which has a check of its own. */
  async check(): Promise<string | undefined> {
    const problem = this.#file && (await pathProblem(this.#path, this.#identity) ??
      (await this.#isTaken() ? "another machine has taken it" : undefined));
    return problem &&
      `Cannot keep the lock "${this.#path}": ${problem}. Another run may write to the same output`;
  }

  /** @throws {LockedError} If a process on another machine has also taken the lock. */
  async requireNotTaken(): Promise<void> {
    if (await this.#isTaken()) throw lockedElsewhere(this.#path);
  }

  async #isTaken(): Promise<boolean> {
    return this.#file !== undefined && this.#earlierText !== undefined &&
      await isOverwritten(this.#path, this.token, this.#earlierText);
  }

  release(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Takes a lock. Retries for 60 ms if another process holds it.
 *
 * @param path The lock file, such as `out/x.lock` for `out/x.jsonl`, in an existing folder.
 * @throws {LockedError} If another run or a merge holds it.
 * @throws {UsageError} If the file is not a lock file of Retort; it is not changed.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  let heldAttempts = 0;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    try {
      const lock = await acquire(path, options);
      // Before it was locked, the file may have been removed, and created again by another run.
      if (await lock.check() === undefined) {
        if (options.shared !== undefined) lock.replaceBy(options.shared.name);
        return lock;
      }
      lock.release();
    } catch (error) {
      // Another run may be reading the note, or the last holder has forked a child process, which
      // keeps the file open until it executes its program.
      if (!(error instanceof LockedError) || ++heldAttempts === HELD_ATTEMPTS) throw error;
      await delay(HELD_PAUSE_MS);
    }
  }
  throw new SinkError(`Cannot lock "${path}": other programs keep removing or replacing it`, {
    path,
  });
}

const MAX_ATTEMPTS = 10;

async function acquire(path: string, options: LockOptions): Promise<Lock> {
  const { required = true, openFile = openLockFile } = options;
  const file = await orCannotWrite(path, () => openFile(path, options.mode));
  try {
    // On Windows, a file locked by another process cannot be read.
    const textBefore = await readText(file).catch(() => undefined);
    if (textBefore !== undefined && !isLockNote(textBefore)) throw foreignFile(path);
    if (!(await tryLock(file, path, { required }))) throw lockedError(path, noteOf(textBefore));
    // The previous holder may have written a later note.
    const text = await readText(file);
    if (!isLockNote(text)) throw foreignFile(path);
    const note = noteOf(text);
    const previous = await lastNote(path, note, options);
    if (note?.token !== undefined) await options.onLeftovers?.(note.token);
    const info = await file.stat(), identity = await identityOf(path, info);
    const token = options.shared?.lock.token ?? randomToken();
    const earlierText = !options.shared && await mayBeRemote(info) ? text : undefined;
    const lock = new Lock(path, previous, token, { file, identity, earlierText });
    // Keeps the note of a crashed run until this run sends something.
    lock.note({ ...(previous ?? NO_RUN), pid: Deno.pid });
    await file.truncate(NOTE_BYTES).catch(() => {});
    return lock;
  } catch (error) {
    file.close();
    throw error instanceof RetortError ? error : cannotWrite(path, error);
  }
}

/** One lock for all outputs of a run: `.retort/<hash of their names>.lock` next to them. */
export class SharedLock implements Disposable {
  readonly lock: Lock;
  /** 16 hex digits, written to the lock files of the outputs. */
  readonly name: string;

  private constructor(lock: Lock, name: string) {
    this.lock = lock;
    this.name = name;
  }

  /**
   * @param paths The lock files of the outputs, in one folder.
   * @throws {LockedError} If another run with the same outputs holds it.
   */
  static async acquire(paths: readonly string[], options: LockOptions = {}): Promise<SharedLock> {
    const path = this.pathFor(paths);
    await makeFolder(dirname(path));
    return new SharedLock(await acquireLock(path, options), basename(path, ".lock"));
  }

  static pathFor(paths: readonly string[]): string {
    const names = paths.map((path) => basename(path)).toSorted();
    return sharedPathOf(paths[0], xxHash64Hex(names.join("\n")));
  }

  [Symbol.dispose](): void {
    this.lock.release();
  }
}

/**
 * Returns `note`, which is from the output's lock file, or a later note from the shared lock that
 * it names.
 *
 * @throws {LockedError} If the shared lock is held.
 */
async function lastNote(
  path: string,
  note: RunNote | undefined,
  { required = true, shared }: LockOptions,
): Promise<RunNote | undefined> {
  if (note?.shared === undefined) return note;
  const isOurs = note.shared === shared?.name;
  const { isHeld, note: later } = isOurs
    ? { isHeld: false, note: shared.lock.previous }
    : await readSharedLock(path, note.shared, required);
  if (isHeld) throw lockedError(path, later);
  return later !== undefined && later.started > note.started ? later : note;
}

/** Whether a run holds the lock at `path`, or the shared lock that its note names. Many processes
 * may check at once. */
export async function isLockHeld(path: string): Promise<boolean> {
  using file = await Deno.open(path, { read: true, write: true }).catch(() => null);
  if (file === null) return false;
  if (!(await tryLock(file, path, { required: false, isExclusive: false }))) return true;
  const { shared } = noteOf(await readText(file)) ?? {};
  return shared !== undefined && (await readSharedLock(path, shared, false)).isHeld;
}

/** Returns whether a run holds the shared lock that the lock file at `path` names, and the last
 * note of that lock. */
async function readSharedLock(
  path: string,
  name: string,
  required: boolean,
): Promise<{ isHeld: boolean; note: RunNote | undefined }> {
  const sharedPath = sharedPathOf(path, name);
  using file = await ifThere(
    Deno.open(sharedPath, { read: true, write: true }),
    (cause) => cannotWrite(sharedPath, cause),
  );
  if (file === undefined) return { isHeld: false, note: undefined };
  // The lock is not exclusive, so that several runs can check at the same time.
  const isHeld = !(await tryLock(file, sharedPath, { required, isExclusive: false }));
  // On Windows, a file locked by another process cannot be read.
  const text = await readText(file).catch((error) => isHeld ? undefined : Promise.reject(error));
  return { isHeld, note: noteOf(text) };
}
