/**
 * A training set from results or from other files: only columns that are trained on, in input order, the
 * answers to one row behind each other.
 *
 * @module
 */

import type { ConvertOptions, ExportOptions } from "./export_options.ts";
import type { LoaderHint } from "./loaders.ts";

/** What was exported. */
export interface ExportReport {
  /** How many rows the training set holds, those for validation included. */
  readonly rows: number;
  /** How many of them are in the file for validation. */
  readonly validationRows: number;
  /** The columns of each of its rows. */
  readonly columns: readonly string[];
  /** What a trainer may make of the rows that is not what they say, and what was left out. */
  readonly notes: readonly string[];
  /** What trainers have to be told to read the file. */
  readonly hints: readonly LoaderHint[];
}

/**
 * Writes the training set of one or more results files.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only once
 * the new one is whole. A row needs 24 bytes of memory; `dedupe` takes 21 bytes more, `shuffle` 4.
 *
 * @throws {TypeError | RangeError} An option is unknown, missing, of a wrong type or out of range.
 * @throws {UsageError} A file is missing, an option is wrong, the format has no place for a row, or
 * what was sent cannot be made again from the row.
 * @throws {DamagedFileError} A line is no results line of Retort's.
 * @throws {SinkError} The output cannot be written.
 */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  // A script that only runs loads none of it.
  const { exportResults } = await import("./write_set.ts");
  return await exportResults(options);
}

/**
 * Writes the rows of files in another file format, or as a training set where `format` says so. No teacher is
 * asked.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only once
 * the new one is whole. A row needs one bit of memory; `dedupe` takes 21 bytes more, `shuffle` 24.
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
