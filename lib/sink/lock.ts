/**
 * Keeps two runs from writing to one output.
 *
 * The lock is on a file of its own, which is made once and never renamed or deleted: a lock on the
 * results file is lost when an editor renames over it, and one on a file that is deleted can be held
 * twice. The system frees it when the process ends, however it ends.
 *
 * @module
 */

import { LockedError, SinkError } from "../errors.ts";
import { cannotWrite, reasonOf } from "./durable_file.ts";

/** What a lock can be told. */
export interface LockOptions {
  /** Refuses to go on where the filesystem has no locks. @default true */
  required?: boolean;
  /** Opens the lock file. @default Deno.open */
  openFile?: (path: string) => Promise<Deno.FsFile>;
}

/** A lock that is held. It is freed by `release`, or at the end of a `using` block. */
export class Lock implements Disposable {
  #file: Deno.FsFile | undefined;

  /** Made by `acquireLock`. */
  constructor(file: Deno.FsFile) {
    this.#file = file;
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
      await notePid(file);
      return new Lock(file);
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
        reasonOf(cause)
      }. Where the filesystem has no locks, add --no-lock ` +
        "and make sure that no other run writes there",
      { path, cause },
    );
  }
}

/** For the message to whoever comes second; on a full disk the lock holds without it. */
async function notePid(file: Deno.FsFile): Promise<void> {
  try {
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch {
    // The pid is a courtesy.
  }
}

async function lockedError(file: Deno.FsFile, path: string): Promise<LockedError> {
  const buffer = new Uint8Array(32);
  const count = await file.read(buffer).catch(() => 0) ?? 0;
  const pid = new TextDecoder().decode(buffer.subarray(0, count)).trim();
  const holder = /^\d+$/.test(pid) ? `held by process ${pid}` : "held by another process";
  return new LockedError(
    `Cannot lock "${path}": it is ${holder}, a run that writes to the same output. ` +
      "Wait until that has ended, or name another output with -o",
    { path },
  );
}
