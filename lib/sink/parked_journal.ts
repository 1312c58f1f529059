/**
 * A journal whose file is closed while no lines come, for runs with more outputs than the process
 * may have open files. `OpenFiles` decides which files to close.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { statOf } from "../files.ts";
import { type JournalOptions, RETRY_DELAY_MS } from "./appender.ts";
import { Journal } from "./journal.ts";
import { type OpenFiles, type Parkable, RecentLines } from "./open_files.ts";
import { createRescuedFile, LastResort, rescueLines } from "./rescued.ts";
import { repairTail } from "./repair.ts";
import { type ClosedFile, pathProblem } from "./watched_file.ts";
import { delay } from "../timer.ts";

export type JournalLike<T> = Omit<
  Journal<T>,
  "closedFile" | "lastResort" | "flush" | typeof Symbol.asyncDispose
>;

interface WaitingLine<T> extends PromiseWithResolvers<void> {
  readonly line: string;
  readonly record: T;
}

/** A journal for a file that exists. Opens the file for a line, and may close it afterwards. */
export class ParkedJournal<T> implements JournalLike<T>, Parkable {
  readonly #path: string;
  readonly #options: JournalOptions<T>;
  readonly #files: OpenFiles;
  #maxUnsyncedRows: number | undefined;
  #journal: Journal<T> | undefined;
  #waitingLines: WaitingLine<T>[] = [];
  #opening: Promise<void> | undefined;
  #parking: Promise<void> | undefined;
  #closedFile: ClosedFile | undefined;
  /** Recent lines that were added since the file was last closed. */
  readonly #recentLines: RecentLines;
  /** Recent lines from before the file was closed. If another program replaces the closed file,
   * they are nowhere else. */
  readonly #closedLines: RecentLines;
  /** A file that a failed `moveAway` has created for `#closedLines`. */
  #unfilledPath: string | undefined;
  #appendedRows = 0;
  /** Rows that were rejected, and rows that a closed journal may not have written. */
  #missingRows = 0;
  #unwrittenRows = 0;
  #rejection: SinkError | undefined;
  /** The first `SinkError` of a `Journal` of this file, or of `rescue`. */
  #failure: SinkError | undefined;
  /** Where lines go once there is a `#failure`. */
  #lastResort: LastResort | undefined;
  #hasProblem = false;
  /** Whether lines go to a new file, which stays open until the end. */
  #isMoved = false;
  #isParking = false;
  #isAbandoned = false;

  constructor(path: string, options: JournalOptions<T>, files: OpenFiles) {
    this.#path = path;
    this.#options = options;
    this.#files = files;
    this.#recentLines = new RecentLines(files.recentMemory);
    this.#closedLines = new RecentLines(files.recentMemory);
    this.#maxUnsyncedRows = options.maxUnsyncedRows;
  }

  get appendedRows(): number {
    return this.#appendedRows;
  }

  /** Rows that may be in no file, including those that wait for the file to be opened. */
  get missingRows(): number {
    return this.#missingRows + this.#waitingLines.length + (this.#journal?.missingRows ?? 0);
  }

  set maxUnsyncedRows(rows: number) {
    this.#maxUnsyncedRows = rows;
    if (this.#journal !== undefined) this.#journal.maxUnsyncedRows = rows;
  }

  /** Whether the file may be closed: all lines are written, and the last check found no problem. */
  get isIdle(): boolean {
    return this.#journal !== undefined && this.#unwrittenRows === 0 && !this.#hasProblem &&
      !this.#isMoved && !this.#isParking;
  }

  append(line: string, record: T): Promise<void> {
    if (this.#lastResort !== undefined) return this.#rescue(line);
    if (this.#rejection !== undefined) return Promise.reject(this.#rejection);
    this.#appendedRows++;
    this.#unwrittenRows++;
    this.#recentLines.add(line);
    const writing = this.#journal === undefined
      ? this.#appendLater(line, record)
      : this.#journal.append(line, record);
    this.#files.onUsed(this);
    return writing.finally(() => {
      if (--this.#unwrittenRows === 0) this.#files.onIdle();
    });
  }

  async check(): Promise<string | undefined> {
    const problem = await (this.#journal?.check() ?? this.#checkClosed());
    this.#hasProblem = problem !== undefined;
    if (this.isIdle) this.#files.onIdle();
    return problem;
  }

  age(): boolean {
    this.#recentLines.age();
    this.#closedLines.age();
    return !this.#closedLines.isEmpty;
  }

  /** Like `Journal.moveAway`. Also saves recent lines from before the file was closed. */
  async moveAway(paths: string[]): Promise<void> {
    if (this.#hasProblem && !this.#closedLines.isEmpty) {
      const lines = this.#closedLines.takeAll();
      let rescuedPath = this.#unfilledPath;
      // A concurrent call must not use this file, too.
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
    await this.#journal?.moveAway(movedPaths);
    if (movedPaths.length === 0) return;
    paths.push(...movedPaths);
    this.#isMoved = true;
    this.#files.remove(this);
  }

  async #checkClosed(): Promise<string | undefined> {
    if (this.#closedFile === undefined) return undefined;
    const { identity, size } = this.#closedFile;
    const problem = await pathProblem(this.#path, identity, size);
    return problem && `Cannot keep writing "${this.#path}": ${problem}`;
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.rescue();
    this.#lastResort?.giveUp();
    const message =
      `Gave up writing "${this.#path}" with ${this.#waitingLines.length} rows waiting`;
    this.#stop(new SinkError(message, { path: this.#path }));
    this.#journal?.abandon();
  }

  rescue(): void {
    this.#journal?.rescue();
    if (this.#waitingLines.length === 0) return;
    const path = this.#path, { mode, onRescue: onFile } = this.#options;
    this.#lastResort = new LastResort(path, { mode, onFile, retries: true });
    this.#failure ??= new SinkError(
      `Cannot write "${path}": it cannot be opened. Check the disk, then run the same command again`,
      { path },
    );
    this.#stop(this.#failure);
    this.#options.onBroken?.(this.#failure);
  }

  /**
   * @throws {SinkError} If something could not be made durable, now or when the file was last
   * closed, unless abandoned.
   */
  async close(): Promise<void> {
    await this.#opening;
    this.#rejection ??= new SinkError(`Cannot write "${this.#path}": it is closed`, {
      path: this.#path,
    });
    await this.#parking;
    if (this.#journal !== undefined) {
      this.#files.remove(this);
      await this.#close(this.#journal);
    }
    if (this.#failure !== undefined && !this.#isAbandoned) throw this.#failure;
  }

  /** Closes the file until the next line. Returns false and leaves the file open if a line has come
   * meanwhile, or if a check finds a problem: lines can be rescued only from an open file. */
  async park(): Promise<boolean> {
    this.#isParking = true;
    await this.check();
    this.#isParking = false;
    // Otherwise, this file would keep its slot until the run ends.
    if (this.#hasProblem && this.#files.hasMovedAway) {
      await this.moveAway(this.#files.unreportedPaths).catch(() => {});
    }
    if (!this.isIdle) return false;
    this.#closedLines.takeOver(this.#recentLines);
    await (this.#parking = this.#close(this.#journal!));
    this.#parking = undefined;
    return true;
  }

  /** Closes the journal. If lines could not be made durable, the file is never opened again. */
  async #close(journal: Journal<T>): Promise<void> {
    this.#journal = undefined;
    try {
      await journal.close();
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      this.#failure ??= error;
      this.#lastResort = journal.lastResort;
      this.#stop(error);
    }
    this.#missingRows += journal.missingRows;
    this.#closedFile = journal.closedFile;
  }

  /** Rejects later lines. Lines that wait go to the last resort if there is one; else, they are
   * rejected, too. */
  #stop(error: SinkError): void {
    this.#rejection ??= error;
    const waiting = this.#waitingLines.splice(0);
    if (this.#lastResort === undefined) this.#missingRows += waiting.length;
    for (const { line, resolve, reject } of waiting) {
      if (this.#lastResort === undefined) reject(this.#rejection);
      else resolve(this.#rescue(line));
    }
  }

  async #rescue(line: string): Promise<void> {
    try {
      await this.#lastResort!.append(`${line}\n`);
    } catch (error) {
      this.#missingRows++;
      throw error;
    }
  }

  #appendLater(line: string, record: T): Promise<void> {
    const waiting = { line, record, ...Promise.withResolvers<void>() };
    this.#waitingLines.push(waiting);
    this.#opening ??= this.#open().finally(() => this.#opening = undefined);
    return waiting.promise;
  }

  async #open(): Promise<void> {
    await this.#parking;
    await this.#files.acquireSlot();
    const journal = await this.#openJournal();
    if (journal === undefined) return this.#files.releaseSlot();
    this.#journal = journal;
    // The next check is of the open file: an earlier problem concerned the closed one.
    this.#hasProblem = false;
    this.#files.onOpened(this);
    for (const { line, record, resolve, reject } of this.#waitingLines.splice(0)) {
      journal.append(line, record).then(resolve, reject);
    }
    // `abandon` or `rescue` may have taken all lines meanwhile.
    if (this.isIdle) this.#files.onIdle();
  }

  /** Retries until the file is open, because the answers are paid for. Returns undefined if
   * `abandon` or `rescue` has taken all lines. */
  async #openJournal(): Promise<Journal<T> | undefined> {
    const { onStall, onRecover } = this.#options;
    const closedFile = this.#closedFile;
    let isStalled = false;
    while (this.#waitingLines.length > 0) {
      try {
        // If another program has changed the file, the next check reports it. But the last line may
        // be truncated now, and must be whole before lines are appended.
        if (closedFile !== undefined && (await statOf(this.#path))?.size !== closedFile.size) {
          await repairTail(this.#path);
        }
        const maxUnsyncedRows = this.#maxUnsyncedRows;
        const options = { ...this.#options, maxUnsyncedRows, closedFile, isNameDurable: true };
        const journal = await Journal.open<T>(this.#path, options);
        if (isStalled) onRecover?.();
        return journal;
      } catch (error) {
        if (!isStalled) onStall?.(error as SinkError);
        isStalled = true;
        await delay(RETRY_DELAY_MS);
      }
    }
  }
}
