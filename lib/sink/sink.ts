/**
 * Writes the outcomes of one input: results to one file, failures to the other. Answers that were not accepted
 * are among the failures until their row is finished.
 *
 * @module
 */

import type { SinkError } from "../errors.ts";
import { type FinishedRow, finishedRow, type Outcome } from "../row.ts";
import { cannotWrite } from "./durable_file.ts";
import type { JournalFile } from "./appender.ts";
import { Journal } from "./journal.ts";
import { type BadRow, badRowLine, failureLine, type LineFormat, resultLine } from "./line.ts";
import { moveAllAway, type OpenFiles } from "./open_files.ts";
import type { JournalLike } from "./parked_journal.ts";

/** The files of a sink. */
export interface SinkFiles {
  /** Finished rows. */
  readonly results: string;
  /** Failed rows, and answers of pending rows that were not accepted. */
  readonly failures: string;
}

/** Options of a sink. */
export interface SinkOptions {
  /** What all lines share. */
  readonly format: LineFormat;
  /** The number of lanes that hand over outcomes; it determines how many rows may be written but not synced. */
  readonly concurrency: number;
  /** Receives rows whose lines are durable, failures included; in order within each file. */
  readonly onDurable?: (rows: readonly FinishedRow[]) => void;
  /** Whether these rows hold their outcomes; asked for each row. @default they do not */
  readonly keepsOutcomes?: () => boolean;
  /** The disk takes no more bytes; writing is tried again until it does, and `put` waits. */
  readonly onStall?: (error: SinkError) => void;
  /** The disk accepts bytes again, for both files. */
  readonly onRecover?: () => void;
  /** Nothing more can be made durable; called once. */
  readonly onBroken?: (error: SinkError) => void;
  /** A file is open and cannot be locked, for a reason in words. */
  readonly onUnlocked?: (path: string, reason: string) => void;
  /** `never`: rows count as durable once they are written, and a power cut may lose some.
   * @default "always" */
  readonly fsync?: "always" | "never";
  /** Waits before the disk is tried again. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The permissions of new files. @default 0o666 */
  readonly mode?: number;
  /** Opens a file for appending. @default Deno.open */
  readonly openFile?: (path: string) => Promise<JournalFile>;
}

/** Writes outcomes to the two files of an output. `Sink.open` creates it; it has to be closed. */
export class Sink implements AsyncDisposable {
  readonly #format: LineFormat;
  readonly #keepsOutcomes: () => boolean;
  readonly #results: JournalLike<FinishedRow>;
  /** Bad rows and pending rows are not finished, so they have no record. */
  readonly #failures: JournalLike<FinishedRow | undefined>;

  private constructor(
    { format, keepsOutcomes = () => false }: SinkOptions,
    results: JournalLike<FinishedRow>,
    failures: JournalLike<FinishedRow | undefined>,
  ) {
    this.#format = format;
    this.#keepsOutcomes = keepsOutcomes;
    this.#results = results;
    this.#failures = failures;
  }

  /**
   * Opens both files, and creates missing ones. They must end with whole lines (see
   * `repairTail`), and the folder must exist.
   *
   * @throws {SinkError} when one cannot be opened
   */
  static async open(files: SinkFiles, options: SinkOptions): Promise<Sink> {
    const { forResults, forFailures } = journalOptions(options);
    const results = await Journal.open<FinishedRow>(files.results, forResults);
    try {
      const failures = await Journal.open<FinishedRow | undefined>(files.failures, forFailures);
      return new Sink(options, results, failures);
    } catch (error) {
      await results.close();
      throw error;
    }
  }

  /**
   * Creates missing files, and opens each when a line comes for it, within the limit of `openFiles`. The caller
   * makes the names of new files durable.
   *
   * @throws {SinkError} when one cannot be opened
   */
  static async park(
    files: SinkFiles,
    options: SinkOptions,
    openFiles: OpenFiles,
  ): Promise<Sink> {
    for (const path of [files.results, files.failures]) {
      try {
        (await Deno.open(path, { append: true, create: true, mode: options.mode })).close();
      } catch (cause) {
        throw cannotWrite(path, cause);
      }
    }
    const { forResults, forFailures } = journalOptions(options);
    // Loaded only by runs with more outputs than files may be open.
    const { ParkedJournal } = await import("./parked_journal.ts");
    return new Sink(
      options,
      new ParkedJournal(files.results, forResults, openFiles),
      new ParkedJournal(files.failures, forFailures, openFiles),
    );
  }

  /** Takes an outcome. Resolves once its line is written; `onDurable` is called when it is on disk. Rejects
   * with a `SinkError` when it never will be written. */
  put(outcome: Outcome): Promise<void> {
    const written = outcomeLine(outcome, this.#format);
    const journal = written.outcome.failure === undefined ? this.#results : this.#failures;
    return journal.append(written.line, finishedRow(written.outcome, this.#keepsOutcomes()));
  }

  /** Takes an answer that was not accepted, of a row that is sent again. Resolves once its line is written,
   * which is enough to survive this process; `onDurable` is not called for it. */
  putPending(outcome: Outcome): Promise<void> {
    return this.#failures.append(outcomeLine(outcome, this.#format).line, undefined);
  }

  /** Lines that were given to the failures file. */
  get failureLines(): number {
    return this.#failures.appendedRows;
  }

  /** Lines that may not be in the files: 0 unless the sink was broken or abandoned. */
  get missingLines(): number {
    return this.#results.missingRows + this.#failures.missingRows;
  }

  /** Takes an input line that is not a row. */
  putBadRow(badRow: BadRow): Promise<void> {
    return this.#failures.append(badRowLine(badRow), undefined);
  }

  /** Adapts to another concurrency of the run. */
  setConcurrency(concurrency: number): void {
    const rows = maxUnsyncedRows(concurrency);
    this.#results.maxUnsyncedRows = rows;
    this.#failures.maxUnsyncedRows = rows;
  }

  /** Resolves once all that was put until now is durable. */
  async flush(): Promise<void> {
    await Promise.all([this.#results.flush(), this.#failures.flush()]);
  }

  /** What has happened to the files, if one was replaced, truncated or removed by others. */
  async check(): Promise<string | undefined> {
    const problems = await Promise.all([this.#results.check(), this.#failures.check()]);
    return problems.find((problem) => problem !== undefined);
  }

  /** See `Journal`: for both files, also where it fails for one. */
  async moveAway(paths: string[]): Promise<void> {
    await moveAllAway([this.#results, this.#failures], paths);
  }

  /** Gives up what is not written yet: `put` rejects, and `close` does not wait for a full disk. */
  abandon(): void {
    this.#results.abandon();
    this.#failures.abandon();
  }

  /** Makes everything durable and closes both files.
   *
   * @throws {SinkError} when something could not be made durable */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([this.#results.close(), this.#failures.close()]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Closes. `onBroken` was called for what could not be made durable. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using _results = this.#results;
    await using _failures = this.#failures;
  }
}

function journalOptions(options: SinkOptions) {
  const { onDurable, onUnlocked, concurrency, fsync, delay, mode, openFile } = options;
  const shared = {
    ...sharedReports(options),
    maxUnsyncedRows: maxUnsyncedRows(concurrency),
    ...{ onUnlocked, fsync, delay, mode, openFile },
  };
  return {
    forResults: { ...shared, onDurable },
    forFailures: {
      ...shared,
      onDurable: (records: readonly (FinishedRow | undefined)[]) =>
        onDurable?.(records.filter((record) => record !== undefined)),
    },
  };
}

/** The limit of each file. Rows beyond it wait for fdatasync: with 1,024, a teacher that answers at once was idle half of
 * the time. */
function maxUnsyncedRows(concurrency: number): number {
  return Math.max(8_192, 4 * concurrency);
}

/** A full disk stops both files, but is reported once. */
function sharedReports(options: SinkOptions) {
  let stalled = 0;
  let isBroken = false;
  return {
    onStall: (error: SinkError) => {
      if (++stalled === 1) options.onStall?.(error);
    },
    onRecover: () => {
      if (--stalled === 0) options.onRecover?.();
    },
    onBroken: (error: SinkError) => {
      if (!isBroken) options.onBroken?.(error);
      isBroken = true;
    },
  };
}

/** An outcome as it is written, and its line. */
export interface WrittenOutcome {
  /** The outcome as it was written. */
  readonly outcome: Outcome;
  /** Its line, without the line ending. */
  readonly line: string;
}

/**
 * The line of an outcome, for the file that it belongs to. If the answer holds what JSON cannot (a `BigInt` or a
 * cycle of a custom teacher), the row has failed, with the text as `partial`.
 */
export function outcomeLine(outcome: Outcome, format: LineFormat): WrittenOutcome {
  try {
    return written(outcome, format);
  } catch (cause) {
    const { completion } = outcome;
    if (completion === undefined) throw cause;
    const message = `The answer cannot be written as JSON: ${(cause as Error).message}`;
    const failure = outcome.failure ?? { type: "response", message, status: null };
    const partial = { ...completion, toolCalls: undefined, kept: undefined };
    try {
      return written({ ...outcome, completion: partial, failure }, format);
    } catch {
      return written({ ...outcome, completion: undefined, failure }, format);
    }
  }
}

function written(outcome: Outcome, format: LineFormat): WrittenOutcome {
  const isFailure = outcome.failure !== undefined;
  return { outcome, line: isFailure ? failureLine(outcome, format) : resultLine(outcome, format) };
}
