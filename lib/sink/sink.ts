/**
 * Writes the outcomes of one input to a results and a failures file. A rejected answer to a pending
 * row is kept as a failures line until the row is finished.
 *
 * @module
 */

import type { SinkError } from "../errors.ts";
import { type FinishedRow, finishedRow, type Outcome } from "../row.ts";
import type { JournalOptions } from "./appender.ts";
import { Journal } from "./journal.ts";
import { type BadRow, badRowLine, failureLine, type LineFormat, resultLine } from "./line.ts";
import { moveAllAway, type OpenFiles } from "./open_files.ts";

export interface SinkFiles {
  readonly results: string;
  /** Holds failed rows, bad rows, and rejected answers to pending rows. */
  readonly failures: string;
}

/** Options of both files. `onStall` is called for each file that stalls, `onRecover` once both
 * write again, and `onBroken` only for the first file that breaks. */
export interface SinkOptions extends Omit<JournalOptions<FinishedRow>, "maxUnsyncedRows" | "now"> {
  readonly format: LineFormat;
  /** The number of lanes, which decides how many rows may be written but not synced. */
  readonly concurrency: number;
  /** Whether `onDurable` also gets the outcome; called once for each row. @default () => false */
  readonly keepsOutcomes?: () => boolean;
}

/** The results and failures files of one output. Call `close` after use. */
export class Sink {
  readonly #format: LineFormat;
  readonly #keepsOutcomes: () => boolean;
  readonly #results: Journal<FinishedRow>;
  /** Bad and pending rows have no record for `onDurable`. */
  readonly #failures: Journal<FinishedRow | undefined>;

  private constructor(
    { format, keepsOutcomes = () => false }: SinkOptions,
    results: Journal<FinishedRow>,
    failures: Journal<FinishedRow | undefined>,
  ) {
    this.#format = format;
    this.#keepsOutcomes = keepsOutcomes;
    this.#results = results;
    this.#failures = failures;
  }

  /**
   * Opens the files in an existing folder. Existing files must end with whole lines (see
   * `repairTail`). The caller must make the names of new files durable.
   *
   * @param openFiles Limits how many files are open: missing files are created, but a file is
   * opened only when it has lines to write.
   * @default no limit
   */
  static async open(
    files: SinkFiles,
    options: SinkOptions,
    openFiles?: OpenFiles,
  ): Promise<Sink> {
    const { forResults, forFailures } = journalOptions(options);
    const results = await openJournal(files.results, forResults, openFiles);
    try {
      return new Sink(options, results, await openJournal(files.failures, forFailures, openFiles));
    } catch (error) {
      await results.close();
      throw error;
    }
  }

  /** Writes an outcome. Resolves once its line is written, before `onDurable` is called. Rejects
   * with a `SinkError` if the line cannot be written. */
  put(outcome: Outcome): Promise<void> {
    const { outcome: lineOutcome, line } = outcomeLine(outcome, this.#format);
    const journal = lineOutcome.failure === undefined ? this.#results : this.#failures;
    return journal.append(line, finishedRow(lineOutcome, this.#keepsOutcomes()));
  }

  /** Writes the rejected answer to a pending row, without a call of `onDurable`. Resolves once the
   * line would survive a crash of this process. */
  putPending(outcome: Outcome): Promise<void> {
    return this.#failures.append(outcomeLine(outcome, this.#format).line, undefined);
  }

  get failureLines(): number {
    return this.#failures.appendedRows;
  }

  /** The number of lines that may not be in any file. */
  get missingLines(): number {
    return this.#results.missingRows + this.#failures.missingRows;
  }

  putBadRow(badRow: BadRow): Promise<void> {
    return this.#failures.append(badRowLine(badRow), undefined);
  }

  setConcurrency(concurrency: number): void {
    const rows = maxUnsyncedRows(concurrency);
    this.#results.maxUnsyncedRows = rows;
    this.#failures.maxUnsyncedRows = rows;
  }

  async check(): Promise<string | undefined> {
    const problems = await Promise.all([this.#results.check(), this.#failures.check()]);
    return problems.find((problem) => problem !== undefined);
  }

  async moveAway(paths: string[]): Promise<void> {
    await moveAllAway([this.#results, this.#failures], paths);
  }

  /** Ends the wait for disk space at once. Lines that cannot be written to any file are lost. */
  abandon(): void {
    this.#results.abandon();
    this.#failures.abandon();
  }

  /** Writes lines that wait for disk space, and all later lines, to other files. */
  rescue(): void {
    this.#results.rescue();
    this.#failures.rescue();
  }

  /** @throws {SinkError} If something could not be made durable. */
  async close(): Promise<void> {
    const closings = await Promise.allSettled([this.#results.close(), this.#failures.close()]);
    for (const closing of closings) if (closing.status === "rejected") throw closing.reason;
  }
}

async function openJournal<T>(
  path: string,
  options: JournalOptions<T>,
  openFiles: OpenFiles | undefined,
): Promise<Journal<T>> {
  if (openFiles === undefined) return await Journal.open(path, options);
  // This module is loaded only if a run has more outputs than the process may have open files.
  const { ParkedFile } = await import("./parked_file.ts");
  const create = { append: true, create: true, mode: options.mode };
  const openFile = async () => {
    (await Deno.open(path, create)).close();
    return new ParkedFile(path, options, openFiles);
  };
  return await Journal.open(path, { ...options, openFile });
}

/** Returns the options of both journals, with the callbacks as `SinkOptions` describes them.
 * `onStall` is called for each file: the second one may stall after `rescue` has ended the wait of
 * the first. */
function journalOptions(options: SinkOptions) {
  const { onStall, onRecover, onBroken, onDurable, concurrency } = options;
  let stalledFiles = 0;
  let isBroken = false;
  const forResults = {
    ...options,
    maxUnsyncedRows: maxUnsyncedRows(concurrency),
    onStall: (error: SinkError) => {
      stalledFiles++;
      onStall?.(error);
    },
    onRecover: () => {
      if (--stalledFiles === 0) onRecover?.();
    },
    onBroken: (error: SinkError) => {
      if (!isBroken) onBroken?.(error);
      isBroken = true;
    },
  };
  return {
    forResults,
    forFailures: {
      ...forResults,
      onDurable: (records: readonly (FinishedRow | undefined)[]) =>
        onDurable?.(records.filter((record) => record !== undefined)),
    },
  };
}

/** Returns the maximum number of unsynced rows for each file. Further rows wait for fdatasync. With
 * a maximum of 1,024, a teacher that answers at once was idle half of the time. */
function maxUnsyncedRows(concurrency: number): number {
  return Math.max(8_192, 4 * concurrency);
}

export interface WrittenOutcome {
  readonly outcome: Outcome;
  /** The line without the trailing newline. */
  readonly line: string;
}

/** Returns the line of an outcome. If a custom teacher's answer has parts that JSON cannot
 * represent (a `BigInt` or a cycle), the row fails, and `partial` holds the answer without them. */
export function outcomeLine(outcome: Outcome, format: LineFormat): WrittenOutcome {
  try {
    return writeOutcome(outcome, format);
  } catch (cause) {
    const { completion } = outcome;
    if (completion === undefined) throw cause;
    const message = `The answer cannot be written as JSON: ${(cause as Error).message}`;
    const failure = outcome.failure ?? { type: "response", message, status: null };
    const partial = { ...completion, toolCalls: undefined, kept: undefined };
    try {
      return writeOutcome({ ...outcome, completion: partial, failure }, format);
    } catch {
      return writeOutcome({ ...outcome, completion: undefined, failure }, format);
    }
  }
}

function writeOutcome(outcome: Outcome, format: LineFormat): WrittenOutcome {
  const isFailure = outcome.failure !== undefined;
  return { outcome, line: isFailure ? failureLine(outcome, format) : resultLine(outcome, format) };
}
