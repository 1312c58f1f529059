/**
 * The file of a lock: what is ours, the note that it holds, and locking it.
 *
 * @module
 */

import { LockedError, SinkError, UsageError } from "../errors.ts";
import { systemReason } from "../files.ts";

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
  /** Names the lock that the run held for all of its outputs. @default it held this one */
  readonly shared?: string;
}

/** What a run says in its note; the lock knows the rest. */
export type RunState = Omit<RunNote, "token" | "shared">;

/** Longer than any note; they are filled up with spaces, so that each covers the one before it. */
export const NOTE_BYTES = 128;
/** More is in no file of ours, not even one that was written by several versions. */
const MOST_BYTES = 256;
/** A note that names a shared lock is longer. */
const SHARED_NOTE_BYTES = 192;

/** Opens the file, or makes it. What is there may be the user's and is not touched. */
export async function openLockFile(path: string, mode?: number): Promise<Deno.FsFile> {
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
export function isOurs(text: string): boolean {
  return text.length <= MOST_BYTES && (text.startsWith('{"pid":') || /^\d*$/.test(text));
}

/** The error for a file that is not ours. */
export function foreignFile(path: string): UsageError {
  return new UsageError(
    `Cannot lock "${path}": the file there is no lock file of Retort. ` +
      "Name another output, or move the file away",
  );
}

/** Takes the lock of a file without waiting; false where another process has it. Without `isExclusive` others may
 * take it in the same way. */
export async function tryLock(
  file: Deno.FsFile,
  path: string,
  required: boolean,
  isExclusive = true,
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

/** The line that a lock file holds. A note that names a shared lock is longer than others. */
export function noteLine(
  { pid, started, running, in_flight }: RunState,
  token: string,
  shared?: string,
): string {
  const line = JSON.stringify({ pid, started, running, in_flight, token, shared });
  return `${line.padEnd((shared === undefined ? NOTE_BYTES : SHARED_NOTE_BYTES) - 1)}\n`;
}

/** The start of the file, without the white space and NUL bytes at its end. */
export async function readText(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(MOST_BYTES + 1);
  await file.seek(0, Deno.SeekMode.Start);
  const count = await file.read(buffer) ?? 0;
  const text = new TextDecoder().decode(buffer.subarray(0, count));
  return count > MOST_BYTES ? text : text.replace(/[\s\0]+$/, "");
}

/** What the text says; undefined where that is no note. */
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

/** The error for a lock that is held. */
export function lockedError(path: string, note: RunNote | undefined): LockedError {
  const holder = note === undefined ? "held by another process" : `held by process ${note.pid}`;
  return new LockedError(
    `Cannot lock "${path}": it is ${holder}, a run that writes to the same output. ` +
      "Wait until that has ended, or name another output with -o",
    { path },
  );
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
  // What may not be read or written is reported by the one that does so.
  if (!(await Deno.stat(path).catch(() => undefined))?.isFile) return;
  using file = await Deno.open(path, { append: true }).catch(() => null);
  if (file !== null) await holdAlone(file, path);
}
