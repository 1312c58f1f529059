/**
 * A training set from results or from other files: only the columns for training, in input order,
 * with the answers to one row one after the other.
 *
 * @module
 */

import type { ConvertOptions, ExportOptions } from "./export_options.ts";
import type { LoaderHint } from "./trainer_config.ts";

/** What was exported. */
export interface ExportReport {
  /** The number of rows in the training set, validation included. */
  readonly rows: number;
  /** The number of validation rows among them. */
  readonly validationRows: number;
  /** The columns of each of its rows. */
  readonly columns: readonly string[];
  /** Warnings about what trainers may misread, and about what was left out. */
  readonly notes: readonly string[];
  /** The configuration that trainers need to read the file. */
  readonly hints: readonly LoaderHint[];
}

/**
 * Writes the training set of one or more results files.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only
 * once the new one is complete. A row needs 28 bytes of memory; `dedupe` takes 12 bytes more,
 * `shuffle` 4.
 *
 * @throws {TypeError | RangeError} An option is unknown, missing, of a wrong type or out of range.
 * @throws {UsageError} A file is missing, an option is wrong, the format has no place for a row, or
 * the messages that were sent cannot be restored.
 * @throws {DamagedFileError} A line is not a results line of Retort's.
 * @throws {SinkError} The output cannot be written.
 */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  // Scripts that export nothing do not load this.
  const { exportResults } = await import("./write_set.ts");
  return await exportResults(options);
}

/**
 * Writes the rows of files in another file format, or as a training set where `format` says so,
 * without a teacher.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only
 * once the new one is complete. A row needs one bit of memory; `dedupe` takes 12 bytes more,
 * `shuffle` 8.
 *
 * @throws {TypeError | RangeError} An option is unknown, missing, of a wrong type or out of range.
 * @throws {SourceError} A file cannot be read, or holds rows that cannot be written.
 * @throws {UsageError} An option is wrong, or the output must not be written.
 * @throws {SinkError} The output cannot be written.
 */
export async function convertFiles(options: ConvertOptions): Promise<ExportReport> {
  const { convertFiles } = await import("./write_set.ts");
  return await convertFiles(options);
}
