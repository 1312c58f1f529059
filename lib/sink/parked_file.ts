/**
 * A journal's file that is closed while no lines arrive, for runs with more outputs than the
 * process may have open files. `OpenFiles` decides which files to close.
 *
 * @module
 */

import { statOf } from "../files.ts";
import type { JournalFile, JournalOptions } from "./appender.ts";
import { type OpenFiles, type Parkable, RecentLines } from "./open_files.ts";
import { createRescuedFile, rescueLines } from "./rescued.ts";
import { repairTail } from "./repair.ts";
import { changedMessage, type ClosedFile, pathProblem, WatchedFile } from "./watched_file.ts";

type ParkedFileOptions = Pick<
  JournalOptions<never>,
  "fsync" | "mode" | "onUnlocked" | "openFile"
>;

/** An output file, which must exist. It is opened for a write, and may be closed afterwards. */
export class ParkedFile implements JournalFile, Parkable {
  readonly #path: string;
  readonly #options: ParkedFileOptions;
  readonly #files: OpenFiles;
  /** `#recentLines` keeps what is written. */
  readonly keepsBytes = true;
  /** Offsets of the journal begin at 0, whatever the size of the file. */
  readonly startSize = 0;
  onSyncError: ((cause: unknown) => void) | undefined;
  #file: JournalFile | undefined;
  #closedFile: ClosedFile | undefined;
  #parking: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  /** The number of bytes that the journal has written. */
  #end = 0;
  /** The offset of a byte in the journal minus its offset in the open file. */
  #shift = 0;
  /** Recent lines that were written since the file was last closed. */
  readonly #recentLines: RecentLines;
  /** Recent lines from before the file was closed. If another program replaces the closed file,
   * these lines exist nowhere else. */
  readonly #closedLines: RecentLines;
  /** A file that a failed `moveAway` has created for `#closedLines`. */
  #unfilledPath: string | undefined;
  #isWriting = false;
  /** Whether the lines of the last write were written completely. */
  #isWhole = true;
  #isSynced = true;
  #hasProblem = false;
  /** Whether lines go to a new file, which stays open until the end. */
  #isMoved = false;
  #isParking = false;
  /** Why nothing more is written. */
  #endReason: Error | undefined;
  /** Ends the wait for a slot. */
  #endWait: ((reason: Error) => void) | undefined;

  constructor(path: string, options: ParkedFileOptions, files: OpenFiles) {
    this.#path = path;
    this.#options = options;
    this.#files = files;
    this.#recentLines = new RecentLines(files.recentMemory);
    this.#closedLines = new RecentLines(files.recentMemory);
  }

  get isWaiting(): boolean {
    return this.#endWait !== undefined;
  }

  /** Whether the file may be closed. It must be open, without a write that is in progress or
   * incomplete, and the last check must have found no problem. A file to which lines were moved
   * stays open. */
  get isIdle(): boolean {
    return this.#file !== undefined && !this.#isWriting && !this.#isMoved && !this.#isParking &&
      !this.#hasProblem && (this.#isWhole || this.#endReason !== undefined);
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.#remember(bytes);
    const file = this.#file ?? await this.#open();
    this.#isWriting = true;
    try {
      if (this.#endReason !== undefined) throw this.#endReason;
      return this.#onWritten(await file.write(bytes), bytes);
    } finally {
      this.#isWriting = false;
      if (this.isIdle) this.#files.onIdle();
    }
  }

  get writeSync(): ((bytes: Uint8Array) => number) | undefined {
    const writeSync = this.#file?.writeSync;
    if (writeSync === undefined) return undefined;
    return (bytes) => {
      this.#remember(bytes);
      const count = this.#onWritten(writeSync(bytes), bytes);
      if (this.isIdle) this.#files.onIdle();
      return count;
    };
  }

  /** Keeps `bytes` as recent lines, unless they are the rest of lines that are already kept. */
  #remember(bytes: Uint8Array): void {
    if (this.#isWhole) this.#recentLines.add(bytes);
    this.#isWhole = false;
    this.#files.onUsed(this);
  }

  #onWritten(count: number, bytes: Uint8Array): number {
    this.#end += count;
    this.#isSynced = false;
    this.#isWhole = count === bytes.length;
    return count;
  }

  async syncData(): Promise<void> {
    await this.#parking;
    await this.#sync(this.#file);
  }

  /** Calls fdatasync, unless it was called since the last write. */
  async #sync(file: JournalFile | undefined): Promise<void> {
    if (file !== undefined && !this.#isSynced) {
      this.#isSynced = true;
      this.#syncing = file.syncData();
    }
    await this.#syncing;
  }

  async truncate(length: number): Promise<void> {
    await this.#file?.truncate(length - this.#shift);
    this.#end = length;
  }

  giveUp(reason: Error): void {
    this.#endReason = reason;
    this.#endWait?.(reason);
    if (this.isIdle) this.#files.onIdle();
  }

  async close(): Promise<void> {
    await this.#parking;
    if (this.#file === undefined) return;
    this.#files.remove(this);
    await this.#close(this.#file);
  }

  async check(): Promise<string | undefined> {
    const problem = await (this.#file === undefined ? this.#checkClosed() : this.#file.check?.());
    this.#hasProblem = problem !== undefined;
    if (this.isIdle) this.#files.onIdle();
    return problem;
  }

  async #checkClosed(): Promise<string | undefined> {
    if (this.#closedFile === undefined) return undefined;
    const { identity, size } = this.#closedFile;
    return changedMessage(this.#path, await pathProblem(this.#path, identity, size));
  }

  age(): boolean {
    this.#recentLines.age();
    this.#closedLines.age();
    return !this.#closedLines.isEmpty;
  }

  /** Like `WatchedFile.moveAway`. Also saves recent lines from before the file was closed. */
  async moveAway(paths: string[]): Promise<void> {
    if (this.#hasProblem && !this.#closedLines.isEmpty) {
      const lines = this.#closedLines.takeAll();
      let rescuedPath = this.#unfilledPath;
      // A concurrent call must not also use this file.
      this.#unfilledPath = undefined;
      try {
        rescuedPath ??= await createRescuedFile(this.#path, this.#options.mode);
        await rescueLines(rescuedPath, lines);
        paths.push(rescuedPath);
      } catch (error) {
        // The disk may be full: the next call tries again.
        this.#closedLines.putBack(lines);
        this.#unfilledPath = rescuedPath;
        throw error;
      }
    }
    // Concurrent calls may add to `paths`.
    const movedPaths: string[] = [];
    await this.#file?.moveAway?.(movedPaths);
    if (movedPaths.length === 0) return;
    paths.push(...movedPaths);
    this.#isMoved = true;
    this.#files.remove(this);
  }

  /** Closes the file until the next line. Returns false and leaves the file open if a line is being
   * written, or if a check finds a problem: lines can be rescued only from an open file. */
  async park(): Promise<boolean> {
    this.#isParking = true;
    await this.check();
    this.#isParking = false;
    // Lines are moved away at once: otherwise, this file would keep its slot until the run ends.
    if (this.#hasProblem && this.#files.hasMovedAway) {
      await this.moveAway(this.#files.unreportedPaths).catch(() => {});
    }
    if (!this.isIdle) return false;
    this.#closedLines.takeOver(this.#recentLines);
    await (this.#parking = this.#close(this.#file!));
    this.#parking = undefined;
    return true;
  }

  async #close(file: JournalFile): Promise<void> {
    this.#file = undefined;
    if (this.#options.fsync !== "never") await this.#sync(file).catch(this.onSyncError);
    await file.close();
    this.#closedFile = file instanceof WatchedFile ? file.closedFile : undefined;
  }

  async #open(): Promise<JournalFile> {
    await this.#parking;
    await this.#untilSlot();
    const path = this.#path, closedFile = this.#closedFile;
    const { openFile } = this.#options;
    try {
      // If another program has changed the file, the next check reports it. But the last line may
      // be truncated now, and must be whole before lines are appended.
      if (closedFile !== undefined && (await statOf(path))?.size !== closedFile.size) {
        await repairTail(path);
      }
      const file = await (openFile?.(path) ??
        WatchedFile.open(path, { ...this.#options, closedFile }));
      this.#shift = this.#end - file.startSize;
      // `check` now looks at the open file, but an earlier problem was that of the closed file.
      this.#hasProblem = false;
      this.#files.onOpened(this);
      return this.#file = file;
    } catch (error) {
      this.#files.releaseSlot();
      throw error;
    }
  }

  async #untilSlot(): Promise<void> {
    const slot = this.#files.acquireSlot();
    const ending = Promise.withResolvers<never>();
    this.#endWait = ending.reject;
    try {
      await Promise.race([slot, ending.promise]);
    } catch (reason) {
      slot.then(() => this.#files.releaseSlot());
      throw reason;
    } finally {
      this.#endWait = undefined;
    }
  }
}
