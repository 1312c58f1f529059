/**
 * Group commit on one file.
 *
 * Lines go through two stages, each busy with one call at a time:
 *
 * ```
 * append ──> open batch ──write──> written ──fdatasync──> durable
 *            (grows while a         (promise               (onDurable)
 *             write is in progress)    resolves)
 * ```
 *
 * The writer takes everything that has come during its last call, so the size of batches adapts: one line on
 * an idle disk, hundreds on a busy one, without any timer. The syncer does the same with what was written.
 * They use two handles because in Deno operations on one handle wait for each other. 64 lanes that wait for
 * fdatasync reach 77,000 rows/s, this 117,000.
 *
 * A fast disk is written to directly, a slow one through a thread. A failed write is tried again (see
 * `appender.ts`) while appends wait. A failed fdatasync is not: the kernel may have dropped the pages and would
 * report success the next time. The journal is broken then, and what was not synced never counts as durable.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { Appender, type AppenderOptions, Gathering, type JournalFile } from "./appender.ts";
import { Batch, KeptBytes, MAX_UNSYNCED_BYTES, Syncer } from "./syncer.ts";
import { systemReason } from "../files.ts";
import { cannotWrite, syncFolderOf } from "./durable_file.ts";
import { type KnownFile, WatchedFile } from "./watched_file.ts";

/** Options of a journal. */
export interface JournalOptions<T> extends AppenderOptions {
  /** Receives records that are durable, in the order of the appends. */
  readonly onDurable?: (records: readonly T[]) => void;
  /** Nothing more can be made durable; called once. */
  readonly onBroken?: (error: SinkError) => void;
  /** The file is open and cannot be locked, for a reason in words. */
  readonly onUnlocked?: (path: string, reason: string) => void;
  /** At most this many rows are written but not synced: 1 and more. @default 1024 */
  readonly maxUnsyncedRows?: number;
  /** `never`: a row counts as durable once it is written. @default "always" */
  readonly fsync?: "always" | "never";
  /** The permissions of a new file. @default 0o666 */
  readonly mode?: number;
  /** Whether the file exists and its name survives a power cut. @default false */
  readonly isNamed?: boolean;
  /** The state of the file when it was closed. @default it was not open before */
  readonly known?: KnownFile;
  /** Opens the file for appending; called twice. @default Deno.open */
  readonly openFile?: (path: string) => Promise<JournalFile>;
}

/** Appends lines to one file and says when they are durable. */
export class Journal<T> implements AsyncDisposable {
  readonly #path: string;
  readonly #options: JournalOptions<T>;
  readonly #appender: Appender;
  readonly #gathering: Gathering;
  /** Used by one write at a time, because the writer makes one at a time. */
  readonly #bytes = new KeptBytes();
  /** One for the writer, one for the syncer. */
  readonly #files: readonly [JournalFile, JournalFile];
  readonly #syncer: Syncer<T>;
  readonly #watched: WatchedFile | undefined;
  /** Batches that the writer has not taken yet, oldest first; only the last one grows. */
  readonly #waiting: Batch<T>[] = [];
  #appendedRows = 0;
  #writtenRows = 0;
  #writer: Promise<void> | undefined;
  /** Why nothing more can be appended: the journal is closed, broken or abandoned. */
  #refusal: SinkError | undefined;
  /** Why nothing more becomes durable: the journal is broken or abandoned. */
  #end: SinkError | undefined;
  #isAbandoned = false;
  /** Whether fdatasync has failed, so that the disk may not hold what was written. */
  #isSyncBroken = false;
  #closing: Promise<void> | undefined;

  private constructor(
    path: string,
    files: readonly [JournalFile, JournalFile],
    size: number,
    options: JournalOptions<T>,
    watched: WatchedFile | undefined,
  ) {
    this.#path = path;
    this.#watched = watched;
    this.#files = files;
    this.#options = options;
    this.#gathering = new Gathering(options.now ?? (() => performance.now()));
    this.#appender = new Appender(path, files[0], size, options);
    this.#syncer = new Syncer(files[1], {
      onDurable: options.onDurable,
      onError: (cause) => this.#break(cause, "sync"),
      fsync: options.fsync ?? "always",
      maxUnsyncedRows: options.maxUnsyncedRows ?? 1_024,
    });
  }

  /**
   * Opens the file, which ends with a whole line or is new.
   *
   * @throws {SinkError} when it cannot be opened
   */
  static async open<T>(path: string, options: JournalOptions<T> = {}): Promise<Journal<T>> {
    const opened: JournalFile[] = [];
    const { openFile, mode, known, isNamed = false } = options;
    try {
      const watched = openFile ? undefined : await WatchedFile.open(path, mode, known);
      if (watched?.unlockedReason !== undefined) options.onUnlocked?.(path, watched.unlockedReason);
      const writeFile = watched?.writer ?? await openFile!(path);
      opened.push(writeFile);
      const syncFile = watched?.syncer ?? await openFile!(path);
      opened.push(syncFile);
      const { size } = await writeFile.stat();
      if (size === 0 && !isNamed) await syncFolderOf(path);
      return new Journal(path, [writeFile, syncFile], size, options, watched);
    } catch (cause) {
      for (const file of opened) file.close();
      throw cause instanceof SinkError ? cause : cannotWrite(path, cause);
    }
  }

  /** At most this many rows are written but not synced. May be set at any time. */
  get maxUnsyncedRows(): number {
    return this.#syncer.maxUnsyncedRows;
  }

  set maxUnsyncedRows(rows: number) {
    this.#syncer.maxUnsyncedRows = rows;
  }

  /** What has happened to the file meanwhile; undefined if nothing has. See `WatchedFile`. */
  async check(): Promise<string | undefined> {
    const problem = await this.#watched?.check();
    return problem && `Cannot keep writing "${this.#path}": ${problem}`;
  }

  /** If the last check found a problem, directs all lines to a new file and adds its path to `paths`. */
  async moveAway(paths: string[]): Promise<void> {
    try {
      const path = await this.#watched?.moveAway();
      if (path !== undefined) paths.push(path);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** The state of the file, for opening it again. */
  get known(): KnownFile | undefined {
    return this.#watched?.known;
  }

  /** Lines that were appended. */
  get appendedRows(): number {
    return this.#appendedRows;
  }

  /** Lines that were appended and may not be in the file: 0 unless the journal was broken or abandoned. */
  get missingRows(): number {
    if (this.#end === undefined) return 0;
    const safe = this.#isSyncBroken ? this.#syncer.durableRows : this.#writtenRows;
    return this.#appendedRows - safe;
  }

  /** Appends a line, given without its ending. Resolves once it is written, for all lines of a batch at once;
   * rejects with a `SinkError` when it never will be. */
  append(line: string, record: T): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    let batch = this.#waiting.at(-1);
    if (batch === undefined || this.#isFull(batch)) {
      batch = new Batch<T>();
      this.#waiting.push(batch);
      this.#writer ??= this.#runWriter();
    }
    batch.add(line, record);
    this.#appendedRows++;
    this.#gathering.grown(batch.records.length);
    return batch.written.promise;
  }

  /** Resolves once all that was appended until now is durable. */
  flush(): Promise<void> {
    return this.#syncer.durable(this.#appendedRows);
  }

  /** Gives up what is not written yet; nothing more becomes durable. For a user who does not want to wait for a
   * full disk. */
  abandon(): void {
    this.#isAbandoned = true;
    const lost = this.#waiting.reduce((rows, batch) => rows + batch.records.length, 0);
    const message = `Gave up writing "${this.#path}" with ${lost} rows waiting`;
    this.#stop(new SinkError(message, { path: this.#path }));
  }

  /** Makes everything durable and closes the file. Waits until the disk takes it, unless `abandon` was called.
   *
   * @throws {SinkError} when something could not be made durable */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes. `onBroken` was called for what could not be made durable; it must not hide the error that ends the
   * block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch((error) => {
      if (!(error instanceof SinkError)) throw error;
    });
  }

  async #close(): Promise<void> {
    const message = `Cannot write "${this.#path}": it is closed`;
    this.#refusal ??= new SinkError(message, { path: this.#path });
    try {
      await this.flush();
    } catch (error) {
      // A caller that gives up knows what is lost.
      if (!this.#isAbandoned) throw error;
    } finally {
      await this.#writer;
      await this.#syncer.idle();
      for (const file of this.#files) file.close();
      await this.#watched?.removeEmpty();
    }
  }

  #isFull(batch: Batch<T>): boolean {
    return batch.records.length >= this.maxUnsyncedRows || batch.length >= MAX_UNSYNCED_BYTES;
  }

  /** Ends in the same turn in which it finds nothing to do, so that no append is missed. */
  async #runWriter(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#gathering.enough(this.#waiting[0].records.length);
        if (this.#waiting.length === 0) return;
        if (this.#syncer.hasRoomFor(this.#waiting[0])) await this.#writeNext();
        else await this.#syncer.room();
      }
    } catch (error) {
      this.#break(error, "write");
    } finally {
      this.#writer = undefined;
    }
  }

  async #writeNext(): Promise<void> {
    const batch = this.#waiting.shift()!;
    try {
      await this.#appender.append(batch.encode(this.#bytes));
    } catch (error) {
      batch.written.reject(error);
      throw error;
    }
    this.#writtenRows += batch.records.length;
    batch.written.resolve();
    this.#syncer.add(batch);
  }

  #break(cause: unknown, what: string): void {
    if (this.#end !== undefined) return;
    this.#isSyncBroken = what === "sync";
    const error = new SinkError(
      `Cannot ${what} "${this.#path}": ${systemReason(cause)}. The last rows may not be on disk; ` +
        "check the disk, then run the same command again",
      { path: this.#path, cause },
    );
    this.#stop(error);
    this.#options.onBroken?.(error);
  }

  #stop(error: SinkError): void {
    this.#end ??= error;
    this.#refusal ??= error;
    this.#appender.giveUp(error);
    for (const batch of this.#waiting.splice(0)) batch.written.reject(error);
    this.#syncer.stop(this.#end);
  }
}
