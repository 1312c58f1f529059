/**
 * An output file that another program may replace (an editor, `sed -i`), truncate or remove while a
 * run appends to it. Writes to the open handle would still succeed, but go to a file without a
 * path.
 *
 * `check` compares the path with the handle; callers check twice, because some network filesystems
 * show outdated metadata for a moment. `moveAway` then redirects lines to a new file next to the
 * old one. If the old file was replaced, the new one begins with the lines of the last minute: the
 * other program may have read the old file up to a minute before. If the old file was deleted, the
 * new one begins with all of its lines. The next run adds the lines of the new file to the output.
 *
 * @module
 */

import type { JournalFile, JournalOptions } from "./appender.ts";
import { removeIfThere, statOf } from "../files.ts";
import { orCannotWrite, untilSynced } from "./durable_file.ts";
import { lockOutput, mayBeRemote } from "./lock_file.ts";
import { copyRest, moveJoinedLines } from "./repair.ts";
import { createRescuedFile } from "./rescued.ts";

/** Two handles of one file, because operations on one handle wait for each other in Deno. */
interface Handles {
  readonly write: Deno.FsFile;
  readonly sync: Deno.FsFile;
}

/** The state of a file when it was closed, to detect later changes. */
export interface ClosedFile {
  readonly identity: FileIdentity;
  /** The number of durable bytes: a smaller file was truncated. */
  readonly size: number;
}

interface WatchedFileOptions extends Pick<JournalOptions<never>, "mode" | "onUnlocked"> {
  /** The state in which this run last closed the file. If another file is at the path now, the next
   * `check` reports it. @default the file at the path */
  readonly closedFile?: ClosedFile;
}

/** `moveAway` rescues the lines of this many checks: a minute, at one check a second. */
const RESCUED_CHECKS = 60;

/** An output file of this run that other programs may change. */
export class WatchedFile implements JournalFile {
  readonly #path: string;
  readonly startSize: number;
  readonly #identity: FileIdentity;
  /** Whether the file has the same inode when opened again. FUSE may give it a new number. */
  #keepsInode = true;
  readonly #mode: number | undefined;
  #handles: Handles;
  /** Handles of the original file, once lines go to a new one. */
  #oldHandles: Handles | undefined;
  /** The size that the original file would have if all lines had gone there. All offsets are
   * positions in the file of this size. */
  #end: number;
  #durableEnd: number;
  /** The offset after the last whole line. */
  #wholeEnd: number;
  /** `#wholeEnd` at the last checks without a problem, oldest first. */
  readonly #checkedEnds: number[];
  #rescuedPath: string | undefined;
  /** `#end` minus the size of the current file; 0 until lines go to a new file. */
  #shift = 0;
  #problem: string | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  /** The running `moveAway`, if any. */
  #moving: Promise<unknown> | undefined;

  private constructor(path: string, handles: Handles, info: Deno.FileInfo, expected: ClosedFile) {
    this.#path = path;
    this.#handles = handles;
    this.startSize = this.#end = this.#wholeEnd = info.size;
    this.#checkedEnds = [info.size];
    this.#durableEnd = expected.size;
    this.#identity = expected.identity;
    this.#mode = info.mode ?? undefined;
  }

  /** @throws {LockedError} If another run has locked the file. */
  static async open(
    path: string,
    { mode, closedFile, onUnlocked }: WatchedFileOptions = {},
  ): Promise<WatchedFile> {
    const handles = await openHandles(path, mode);
    try {
      const unlockedReason = await lockOutput(handles.write, path, handles.sync);
      if (unlockedReason !== undefined) onUnlocked?.(path, unlockedReason);
      const info = await handles.write.stat();
      const { size } = info;
      const expectedFile = closedFile ?? { identity: await identityOf(path, info), size };
      const file = new WatchedFile(path, handles, info, expectedFile);
      file.#keepsInode = !(await mayBeRemote(info));
      return file;
    } catch (error) {
      closeHandles(handles);
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#moving;
    const writing = this.#handles.write.write(bytes);
    this.#writing = writing.catch(() => {});
    const count = await writing;
    this.#onWritten(count, bytes);
    return count;
  }

  /** Absent during `moveAway`, for which a synchronous write could not wait. */
  get writeSync(): ((bytes: Uint8Array) => number) | undefined {
    return this.#moving === undefined ? this.#writeSync : undefined;
  }

  readonly #writeSync = (bytes: Uint8Array): number => {
    const count = this.#handles.write.writeSync(bytes);
    this.#onWritten(count, bytes);
    return count;
  };

  async syncData(): Promise<void> {
    await this.#moving;
    const end = this.#end;
    await untilSynced(this.#handles.sync.syncData());
    // `truncate` may have removed bytes during the sync.
    this.#durableEnd = Math.min(end, this.#end);
  }

  async truncate(length: number): Promise<void> {
    await this.#moving;
    const size = length - this.#shift;
    // Truncating must not enlarge the file, which another program may have truncated further.
    if ((await this.#handles.write.stat()).size > size) await this.#truncateCurrent(size);
    this.#end = this.#wholeEnd = length;
    // A concurrent sync may have counted bytes that are removed now.
    this.#durableEnd = Math.min(this.#durableEnd, length);
  }

  /** Closes all handles. Removes the new file if it holds no lines. */
  async close(): Promise<void> {
    closeHandles(this.#handles);
    if (this.#oldHandles !== undefined) closeHandles(this.#oldHandles);
    if (this.#rescuedPath === undefined || (await statOf(this.#rescuedPath))?.size !== 0) return;
    await removeIfThere(this.#rescuedPath).catch(() => {});
  }

  get closedFile(): ClosedFile {
    const { device, inode } = this.#identity;
    const identity = { device, inode: this.#keepsInode ? inode : "" };
    return { identity, size: this.#durableEnd };
  }

  /** Returns a message if another program has changed the file. Checks nothing once lines go to a
   * new file. */
  async check(): Promise<string | undefined> {
    if (this.#oldHandles !== undefined) return undefined;
    const end = this.#wholeEnd;
    this.#problem = await pathProblem(this.#path, this.#identity, this.#durableEnd);
    if (this.#problem === undefined && this.#checkedEnds.push(end) > RESCUED_CHECKS) {
      this.#checkedEnds.shift();
    }
    return changedMessage(this.#path, this.#problem);
  }

  /**
   * If the last check found a problem, redirects all lines to a new file, once. The new file begins
   * with the lines written since the oldest check in `#checkedEnds`; with all lines if the old file
   * was deleted; with the lines that `moveJoinedLines` finds if the old file was truncated.
   *
   * @param paths Gets the path of the new file, unless another caller gets it.
   */
  async moveAway(paths: string[]): Promise<void> {
    const problem = this.#problem;
    if (problem === undefined || this.#oldHandles !== undefined) return;
    // A second caller waits: moving the same lines twice would leave two files.
    if (this.#moving !== undefined) return void await this.#moving;
    const moving = this.#writing.then(() => this.#move(problem));
    this.#moving = moving.catch(() => {}).finally(() => this.#moving = undefined);
    paths.push(await orCannotWrite(this.#path, () => moving));
  }

  /** Counts written bytes. `bytes` are whole lines, of which the first `count` bytes were
   * written. */
  #onWritten(count: number, bytes: Uint8Array): void {
    this.#end += count;
    if (count === bytes.length) this.#wholeEnd = this.#end;
  }

  /** Truncates the current file. On Windows, a handle for appending cannot do that. */
  async #truncateCurrent(size: number): Promise<void> {
    try {
      await this.#handles.write.truncate(size);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      await this.#handles.sync.truncate(size);
    }
  }

  async #move(problem: string): Promise<string> {
    const old = this.#handles;
    const path = this.#rescuedPath ??= await createRescuedFile(this.#path, this.#mode);
    const handles = await openHandles(path);
    try {
      // An earlier attempt may have written lines before the disk was full.
      await Deno.truncate(path, 0);
      // At Ctrl-C, `make` deletes its target. After that, only the handle can read the file.
      const isDeleted = problem === REMOVED && (await old.sync.stat()).nlink === 0;
      const start = isDeleted ? 0 : this.#checkedEnds[0];
      if (problem === TRUNCATED) await moveJoinedLines(this.#path, handles.write);
      else await copyRest(old.sync, start, handles.write);
      await untilSynced(handles.write.sync());
      this.#shift = this.#end - (await handles.write.stat()).size;
    } catch (error) {
      closeHandles(handles);
      throw error;
    }
    this.#handles = handles;
    this.#oldHandles = old;
    return path;
  }
}

async function openHandles(path: string, mode?: number): Promise<Handles> {
  const write = await Deno.open(path, { append: true, create: true, mode });
  try {
    return { write, sync: await Deno.open(path, { read: true, write: true }) };
  } catch (error) {
    write.close();
    throw error;
  }
}

function closeHandles({ write, sync }: Handles): void {
  write.close();
  sync.close();
}

/** Identifies a file while it exists. Later, another file may get the same numbers. */
export interface FileIdentity {
  readonly device: number;
  /** The inode as text; "" if it is unknown, or if the filesystem is inconsistent. */
  readonly inode: string;
}

/** @param info The `stat()` of the file that was opened at `path`. */
export async function identityOf(path: string, info: Deno.FileInfo): Promise<FileIdentity> {
  const infoByPath = await statOf(path);
  // Some network and overlay filesystems report different numbers for a path and its handle.
  const isInconsistent = infoByPath?.isFile && !isSameFile(infoByPath, info) &&
    await isOpenedAs(path, info);
  return { device: info.dev, inode: isInconsistent ? "" : inodeOf(info) };
}

async function isOpenedAs(path: string, info: Deno.FileInfo): Promise<boolean> {
  using file = await Deno.open(path, { read: true }).catch(() => null);
  if (file === null) return true;
  const opened = await file.stat();
  // Some filesystems report another number at each call.
  return isSameFile(opened, info) || !isSameFile(opened, await file.stat());
}

function isSameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return inodeOf(a) === inodeOf(b) && a.dev === b.dev;
}

/** Returns the inode as text, "" without one. Deno rounds inodes beyond 2^53 (Lustre, NTFS). Files
 * whose rounded inodes are equal differ in their time of creation. */
function inodeOf({ ino, birthtime }: Deno.FileInfo): string {
  if (!ino) return "";
  return Number.isSafeInteger(ino) ? `${ino}` : `${ino} of ${birthtime?.getTime()}`;
}

export function changedMessage(path: string, problem: string | undefined): string | undefined {
  return problem && `Cannot keep writing "${path}": ${problem}`;
}

/** Returns what happened to the file, for a message; undefined if it is the same and has
 * `minBytes`. */
export async function pathProblem(
  path: string,
  { device, inode }: FileIdentity,
  minBytes = 0,
): Promise<string | undefined> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    // Other errors do not prove that the file has changed.
    return error instanceof Deno.errors.NotFound ? REMOVED : undefined;
  }
  const found = inodeOf(info);
  if (inode !== "" && found !== "" && (found !== inode || info.dev !== device)) {
    return "another file has taken its place";
  }
  return info.size < minBytes ? TRUNCATED : undefined;
}

const REMOVED = "it was removed or renamed";
const TRUNCATED = "it was truncated";
