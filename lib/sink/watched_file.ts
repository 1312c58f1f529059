/**
 * An output file that a run adds to, and what happens to its lines when the file is taken away: an editor or
 * `sed -i` replaces it, a shell empties or removes it. The open handle would still take lines, into a file that
 * no path leads to.
 *
 * `check` compares the path with the handle. Callers check twice before they act: some network filesystems
 * answer late. `moveAway` then directs all lines to a new file next to the old one, beginning with those that
 * were written since a minute before the last check without a problem: whatever replaced the file had read it
 * some time before. Lines that are in both files are added to the output once.
 *
 * @module
 */

import type { JournalFile } from "./appender.ts";
import { removeIfThere, statOf, writeAll } from "../files.ts";
import { type FileIdentity, identityOf, pathProblem, WAS_CUT } from "./file_identity.ts";
import { holdAlone } from "./lock_file.ts";
import { takeGluedLines } from "./rewrite.ts";
import { createRescuedFile } from "./rescued.ts";

/** Two handles for one file: operations on the same handle wait for each other. */
interface Handles {
  readonly write: Deno.FsFile;
  /** Also reads. */
  readonly sync: Deno.FsFile;
}

/** The state of a file when it was closed. */
export interface KnownFile {
  /** The file's identity. */
  readonly identity: FileIdentity;
  /** Its size, all of it durable. */
  readonly size: number;
}

const BLOCK_BYTES = 64 * 1024;
/** Checks that are looked back on, one a second. */
const CHECKS_KEPT = 60;

/** One output file, open for appending. Closing both handles closes it. */
export class WatchedFile {
  /** Why the file is not locked; undefined where it is. */
  readonly unlockedReason: string | undefined;
  readonly #path: string;
  /** The size of the file that was opened. */
  readonly #startSize: number;
  readonly #identity: FileIdentity;
  readonly #mode: number | undefined;
  #handles: Handles;
  /** Handles of the file that was taken away. */
  #oldHandles: Handles | undefined;
  /** The size after all writes so far. */
  #end: number;
  /** The part of that which is durable. */
  #acknowledged: number;
  /** The end of its last whole line. */
  #wholeEnd: number;
  /** What that was at each of the last checks without a problem, the oldest first. */
  readonly #seen: number[];
  /** The new file. */
  #rescuedPath: string | undefined;
  /** The number of bytes of the old file that are not in the new one. */
  #shift = 0;
  /** The problem that the last check found. */
  #problem: string | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #moving: Promise<unknown> | undefined;

  private constructor(
    path: string,
    handles: Handles,
    info: Deno.FileInfo,
    known: KnownFile,
    unlockedReason: string | undefined,
  ) {
    this.#path = path;
    this.unlockedReason = unlockedReason;
    this.#handles = handles;
    this.#startSize = this.#end = this.#wholeEnd = info.size;
    this.#seen = [info.size];
    this.#acknowledged = known.size;
    this.#identity = known.identity;
    this.#mode = info.mode ?? undefined;
  }

  /** Opens the file, or creates it. If it is not the `known` one, the next check reports that. */
  static async open(path: string, mode?: number, known?: KnownFile): Promise<WatchedFile> {
    const handles = await openHandles(path, mode);
    try {
      const unlockedReason = await holdAlone(handles.write, path, handles.sync);
      const info = await handles.write.stat();
      const { size } = info;
      known ??= { identity: await identityOf(path, info), size };
      return new WatchedFile(path, handles, info, known, unlockedReason);
    } catch (error) {
      closeHandles(handles);
      throw error;
    }
  }

  /** The handle to write to. */
  readonly writer: JournalFile = writerOf(this, {
    take: (bytes) => {
      const count = this.#handles.write.writeSync(bytes);
      this.#added(count, bytes);
      return count;
    },
    takeLater: async (bytes) => {
      await this.#moving;
      const writing = this.#handles.write.write(bytes);
      this.#writing = writing.catch(() => {});
      const count = await writing;
      this.#added(count, bytes);
      return count;
    },
    truncate: async (length) => {
      await this.#moving;
      const size = length - this.#shift;
      // Never enlarges the file: others may have truncated it.
      if ((await this.#handles.write.stat()).size > size) await this.#truncate(size);
      this.#end = this.#wholeEnd = length;
      // A concurrent sync may have counted bytes that are now removed.
      this.#acknowledged = Math.min(this.#acknowledged, length);
    },
    close: () => {
      this.#handles.write.close();
      this.#oldHandles?.write.close();
    },
  });

  /** The handle to sync. */
  readonly syncer: JournalFile = {
    write: () => Promise.reject(new Error("It is not for writing")),
    truncate: () => Promise.reject(new Error("It is not for writing")),
    stat: () => Promise.resolve({ size: this.#startSize }),
    syncData: async () => {
      await this.#moving;
      const end = this.#end;
      await this.#handles.sync.syncData();
      // Bytes that were removed meanwhile do not count.
      this.#acknowledged = Math.min(end, this.#end);
    },
    close: () => {
      this.#handles.sync.close();
      this.#oldHandles?.sync.close();
    },
  };

  /** Whether writes have to wait. */
  get isMoving(): boolean {
    return this.#moving !== undefined;
  }

  /** The state of the file, for opening it again. */
  get known(): KnownFile {
    return { identity: this.#identity, size: this.#acknowledged };
  }

  /** The size of the file that was opened. */
  get startSize(): number {
    return this.#startSize;
  }

  /** What is wrong with the file at the path; undefined if it is the one that is written to. */
  async check(): Promise<string | undefined> {
    if (this.#oldHandles !== undefined) return undefined;
    const end = this.#wholeEnd;
    this.#problem = await pathProblem(this.#path, this.#identity, this.#acknowledged);
    if (this.#problem === undefined && this.#seen.push(end) > CHECKS_KEPT) this.#seen.shift();
    return this.#problem;
  }

  /**
   * Directs all lines to a new file from now on, beginning with those that were written since the oldest
   * check that is remembered. Does nothing if the last check found no problem, or if lines go to a new file already.
   *
   * @returns The path of that file, for the first caller.
   */
  async moveAway(): Promise<string | undefined> {
    if (this.#problem === undefined || this.#oldHandles !== undefined) return undefined;
    // A second caller waits for the first: moving the same lines twice would leave two files.
    if (this.#moving !== undefined) return void await this.#moving;
    const wasCut = this.#problem === WAS_CUT;
    const moved = this.#writing.then(() => this.#move(wasCut));
    this.#moving = moved.catch(() => {}).finally(() => this.#moving = undefined);
    return await moved;
  }

  /** Removes the new file if it has no line. Both handles must be closed. */
  async removeEmpty(): Promise<void> {
    if (this.#rescuedPath === undefined || (await statOf(this.#rescuedPath))?.size !== 0) return;
    await removeIfThere(this.#rescuedPath).catch(() => {});
  }

  /** Bytes were written. What is given ends with a whole line, but the disk may take a part of it. */
  #added(count: number, bytes: Uint8Array): void {
    this.#end += count;
    if (count === bytes.length) this.#wholeEnd = this.#end;
  }

  /** Windows does not allow an append handle to truncate; there an open file keeps its path. */
  async #truncate(size: number): Promise<void> {
    try {
      await this.#handles.write.truncate(size);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      await Deno.truncate(this.#path, size);
    }
  }

  async #move(wasCut: boolean): Promise<string> {
    const old = this.#handles;
    const path = this.#rescuedPath ??= await createRescuedFile(this.#path, this.#mode);
    const handles = await openHandles(path);
    try {
      // It may have been begun when the disk was full.
      await handles.write.truncate(0);
      if (wasCut) await takeGluedLines(this.#path, handles.write);
      else await copyFrom(old.sync, this.#seen[0], handles.write);
      await handles.write.sync();
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

interface WriterParts {
  take(bytes: Uint8Array): number;
  takeLater(bytes: Uint8Array): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): void;
}

function writerOf(file: WatchedFile, parts: WriterParts): JournalFile {
  return {
    get writeSync() {
      return file.isMoving ? undefined : parts.take;
    },
    write: parts.takeLater,
    truncate: parts.truncate,
    close: parts.close,
    stat: () => Promise.resolve({ size: file.startSize }),
    syncData: () => Promise.reject(new Error("It is not for syncing")),
  };
}

async function openHandles(path: string, mode?: number): Promise<Handles> {
  const write = await Deno.open(path, { append: true, create: true, mode });
  try {
    return { write, sync: await Deno.open(path, { read: true, append: true }) };
  } catch (error) {
    write.close();
    throw error;
  }
}

function closeHandles({ write, sync }: Handles): void {
  write.close();
  sync.close();
}

/** Copies a file from `start` on. */
async function copyFrom(from: Deno.FsFile, start: number, to: Deno.FsFile): Promise<void> {
  await from.seek(start, Deno.SeekMode.Start);
  const block = new Uint8Array(BLOCK_BYTES);
  for (let count = await from.read(block); count !== null; count = await from.read(block)) {
    await writeAll(to, block.subarray(0, count));
  }
}
