/**
 * The file operations behind `lock.ts`: opening, recognizing and locking lock files, the text of
 * their notes, and locks on output files.
 *
 * @module
 */

import { dirname, join } from "../deps/std_path.ts";
import { LockedError, SinkError, UsageError } from "../errors.ts";
import { cannotRead, OWN_FOLDER, statOf, systemReason } from "../files.ts";
import { delay } from "../timer.ts";

export interface RunNote {
  readonly pid: number;
  /** When the run began to send, in ISO 8601; "" before that. It distinguishes runs. */
  readonly started: string;
  /** Whether the run is active. It stays true if the run crashed or lost answers. */
  readonly running: boolean;
  /** An upper bound for calls whose answers are not written. */
  readonly in_flight: number;
  /** Part of the names of the run's temporary files. Earlier versions wrote none. */
  readonly token?: string;
  /** The name of the `SharedLock` that the run held instead of this lock. @default none */
  readonly shared?: string;
}

export type RunState = Omit<RunNote, "token" | "shared">;

export const NO_RUN: Omit<RunState, "pid"> = { started: "", running: false, in_flight: 0 };

/** Notes are padded to this length, so that each overwrites the previous one completely. */
export const NOTE_BYTES = 128;
/** A larger file is not a lock file, even if several versions of Retort have written to it. */
const MAX_FILE_BYTES = 256;
const SHARED_NOTE_BYTES = 192;

/** Maximum number of attempts to take a lock that another process holds. */
export const HELD_ATTEMPTS = 3;
export const HELD_PAUSE_MS = 30;
/** Maximum for an output file. It is higher, because many processes may be checking the file. */
const OUTPUT_ATTEMPTS = 12;

/** Returns the path of the shared lock with this name. It is in `.retort/`, next to the lock file
 * at `path`. */
export function sharedPathOf(path: string, name: string): string {
  return join(dirname(path), OWN_FOLDER, `${name}.lock`);
}

/** Opens a lock file, or creates it. An existing file stays unchanged: it may be the user's. */
export async function openLockFile(path: string, mode?: number): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, createNew: true, mode });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if ((await Deno.lstat(path)).isSymlink) throw foreignFile(path);
  return await Deno.open(path, { read: true, write: true });
}

/** Whether a text from `readText` is that of a lock file: a note, part of a note, a number (from
 * the first versions), or nothing (the process crashed before it wrote a note). Other programs
 * have lock files, too: the output `poetry.jsonl` would use Poetry's `poetry.lock`. */
export function isLockNote(text: string): boolean {
  return text.length <= MAX_FILE_BYTES && /^(?:\{"(?:pid|shared)":.*|\d*)$/s.test(text);
}

export function foreignFile(path: string): UsageError {
  return new UsageError(
    `Cannot lock "${path}": that file is not a lock file of Retort. ` +
      "Name another output, or move the file",
  );
}

/** Tries to lock a file. Returns false if another process has the lock. If the filesystem has no
 * locks, throws if `required`, otherwise returns true. */
export async function tryLock(
  file: Deno.FsFile,
  path: string,
  { required, isExclusive = true }: { required: boolean; isExclusive?: boolean },
): Promise<boolean> {
  try {
    return await file.tryLock(isExclusive);
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

/** Returns the text of a note. A note that names a shared lock begins differently and is longer, so
 * that versions that do not know shared locks report a foreign file instead of locking it. */
export function noteLine(
  { pid, started, running, in_flight }: RunState,
  token: string,
  shared?: string,
): string {
  const line = JSON.stringify({ shared, pid, started, running, in_flight, token });
  return `${line.padEnd((shared === undefined ? NOTE_BYTES : SHARED_NOTE_BYTES) - 1)}\n`;
}

/** Returns the text of a lock file, without white space at its end and the NULs that a power cut
 * leaves. Returns only the start of a file that is too large for a lock file. */
export async function readText(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(MAX_FILE_BYTES + 1);
  await file.seek(0, Deno.SeekMode.Start);
  const count = await file.read(buffer) ?? 0;
  const text = new TextDecoder().decode(buffer.subarray(0, count));
  return count > MAX_FILE_BYTES ? text : text.replace(/[\s\0]+$/, "");
}

/** Reads a lock file; "" if it cannot be read. Network filesystems ask the server only at an open. */
async function textAt(path: string): Promise<string> {
  using file = await Deno.open(path).catch(() => null);
  return file === null ? "" : await readText(file).catch(() => "");
}

/**
 * Whether another process has written its note over the note with this token.
 *
 * @param earlierText What the file held before the note with this token was written. Some
 *   filesystems show this text until the lock file is closed.
 */
export async function isOverwritten(
  path: string,
  token: string,
  earlierText: string,
): Promise<boolean> {
  const text = await textAt(path);
  return text !== earlierText && (noteOf(text)?.token ?? token) !== token;
}

/** Parses a note. Returns undefined if the text is not a whole note. */
export function noteOf(text = ""): RunNote | undefined {
  try {
    const note: unknown = JSON.parse(text);
    return isRunNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isRunNote(value: unknown): value is RunNote {
  if (typeof value !== "object" || value === null) return false;
  const { pid, started, running, in_flight, token, shared } = value as Partial<RunNote>;
  return Number.isSafeInteger(pid) && typeof started === "string" && started.length <= 40 &&
    typeof running === "boolean" && Number.isSafeInteger(in_flight) && in_flight! >= 0 &&
    [token, shared].every((name) => name === undefined || /^[0-9a-f]{16}$/.test(name));
}

export function lockedError(path: string, note: RunNote | undefined): LockedError {
  const holder = note === undefined ? "held by another process" : `held by process ${note.pid}`;
  return new LockedError(
    `Cannot lock "${path}": it is ${holder}, which is writing to the same output (a run or a merge). ` +
      "Wait until it ends, or name another output with -o",
    { path },
  );
}

export function lockedElsewhere(path: string): LockedError {
  return new LockedError(
    `Cannot lock "${path}": a run on another machine is writing to the same output, and locks of ` +
      "this filesystem hold on one machine only. Wait until that run ends, or name another output " +
      "with -o",
    { path },
  );
}

/**
 * Whether a file may be on a network filesystem or in a bucket. Locks there may hold on one machine
 * only, without an error: those of BeeGFS, of NFS with `nolock`, of Lustre with `localflock`, of
 * SMB with `nobrl`, and of most FUSE filesystems (sshfs, buckets). This is known only on Linux,
 * where such filesystems have the major device number 0. Overlay, tmpfs and btrfs have it, too, but
 * are taken as local if they hold `/` or `/tmp`.
 */
export async function mayBeRemote({ dev }: Pick<Deno.FileInfo, "dev">): Promise<boolean> {
  if (Deno.build.os !== "linux" || (dev >>> 8 & 0xfff) !== 0) return false;
  const local = await Promise.all(["/", "/tmp"].map(statOf));
  return local.every((info) => info?.dev !== dev);
}

const SILENT_MS = 8_000; // A run writes its status at least every 5 s.

export interface ElsewhereOptions {
  readonly signal?: AbortSignal;
  /** Waits for the time in milliseconds. @default a timer */
  readonly delay?: (ms: number, signal?: AbortSignal) => Promise<unknown>;
  /** Whether the folder may be on a remote filesystem. @default its device number decides */
  readonly mayBeRemote?: (info: Deno.FileInfo) => Promise<boolean>;
}

/**
 * Refuses outputs to which a run on another machine is writing. Locks of remote filesystems may not
 * show whether the last run has crashed or is active. So this waits for 8 s to see whether a file
 * changes. It changes nothing itself.
 *
 * @param locks Lock files in one folder. Waits only if one has the note of an unfinished run.
 * @param written Files that an active run writes.
 * @returns Whether this has waited.
 * @throws {LockedError} If one of the files changes, or a run on this machine holds a lock.
 */
export async function refuseRunElsewhere(
  locks: readonly string[],
  written: readonly string[],
  { signal, delay: wait = delay, mayBeRemote: isRemote = mayBeRemote }: ElsewhereOptions = {},
): Promise<boolean> {
  const folder = await statOf(dirname(locks[0]));
  if (folder === undefined || !(await isRemote(folder))) return false;
  const texts = await Promise.all(locks.map(textAt));
  if (!texts.some((text) => noteOf(text)?.running)) return false;
  await Promise.all(locks.map(requireUnlocked));
  const stamps = async () => (await Promise.all([...locks, ...written].map(stampOf))).join();
  const before = await stamps();
  await wait(SILENT_MS, signal);
  signal?.throwIfAborted();
  // A run on this machine may have started in the meantime.
  await Promise.all(locks.map(requireUnlocked));
  if (await stamps() !== before) throw lockedElsewhere(locks[0]);
  return true;
}

/** Returns a text that changes with the file. It has the content, because sshfs shows old sizes and
 * times for 20 s, but no inode of a filesystem that reports another one at each call. */
async function stampOf(path: string): Promise<string> {
  using file = await Deno.open(path).catch(() => null);
  if (file === null) return "";
  const stat = () => file.stat().catch((cause) => Promise.reject(cannotRead(path, cause)));
  const { ino, size, mtime } = await stat(), again = await stat();
  return [again.ino === ino && ino, size, mtime?.getTime(), await readText(file).catch(() => "")]
    .join(":");
}

/**
 * Locks an open output file until it is closed. A run can continue without this lock, because its
 * lock file keeps other runs away, too. On Windows, does nothing: a lock would keep all other
 * handles from reading the file.
 *
 * @param reader Another handle of the file: if the lock keeps it from reading, the lock is
 * released.
 * @returns Why the file could not be locked; otherwise undefined.
 * @throws {LockedError} If another run or a merge has locked it.
 */
export async function lockOutput(
  file: Deno.FsFile,
  path: string,
  reader?: Pick<Deno.FsFile, "read">,
): Promise<string | undefined> {
  if (Deno.build.os === "windows") return undefined;
  let isOurs: boolean;
  try {
    isOurs = await lockPatiently(file);
  } catch (cause) {
    return systemReason(cause);
  }
  if (!isOurs) throw lockedError(path, undefined);
  if (reader === undefined || await canRead(reader)) return undefined;
  await file.unlock();
  return "its lock would keep others from reading it, as on SMB shares";
}

/** Locks a file, or returns false. Retries, because `requireUnlocked` of other processes takes the
 * lock briefly. Hundreds of shards may start at once, on a file server that takes milliseconds for
 * a lock. */
async function lockPatiently(file: Deno.FsFile): Promise<boolean> {
  for (let attempt = 1; !(await file.tryLock(true)); attempt++) {
    if (attempt === OUTPUT_ATTEMPTS) return false;
    await delay(HELD_PAUSE_MS);
  }
  return true;
}

/** Whether another handle of a locked file can read it. On SMB mounts, `flock` on one handle keeps
 * all others from reading. */
async function canRead(reader: Pick<Deno.FsFile, "read">): Promise<boolean> {
  try {
    await reader.read(new Uint8Array(1));
    return true;
  } catch {
    return false;
  }
}

/** Whether a run or a merge is writing to an output file. Takes the lock briefly, but not
 * exclusively: a hundred shards may check one file at once, and must not take each other for a
 * run. */
export async function isOutputLocked(path: string): Promise<boolean> {
  // Other problems are reported when the file is read or written.
  if (Deno.build.os === "windows" || !(await statOf(path))?.isFile) return false;
  using file = await Deno.open(path).catch(() => null);
  return file !== null && !(await file.tryLock(false).catch(() => true));
}

/** @throws {LockedError} If `isOutputLocked`. */
export async function requireUnlocked(path: string): Promise<void> {
  if (await isOutputLocked(path)) throw lockedError(path, undefined);
}
