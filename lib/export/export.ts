/**
 * A training set from results or from other files: only the columns for training, in input order,
 * with all answers to a row together.
 *
 * @module
 */

import type { ConvertOptions, ExportOptions } from "./export_options.ts";
import type { LoaderHint } from "./trainer_config.ts";

/** Result of an export or a conversion. */
export interface ExportReport {
  /** Rows in the training set, including validation rows. */
  readonly rows: number;
  /** Validation rows among them. */
  readonly validationRows: number;
  /** The file of the validation rows. @default none: there is no split, or the output is a folder */
  readonly validationPath?: string;
  /** Columns of every row. */
  readonly columns: readonly string[];
  /** Warnings about what trainers may misread, and about what was left out. */
  readonly notes: readonly string[];
  /** Configuration that trainers need to read the file. */
  readonly hints: readonly LoaderHint[];
}

/**
 * Writes the training set of one or more results files.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only
 * once the new one is complete. A row needs 28 bytes of memory; `dedupe` adds 12 bytes, `shuffle`
 * 4.
 *
 * @throws {TypeError | RangeError} If an option is unknown, missing, of a wrong type or out of
 * range.
 * @throws {UsageError} If a file is missing, an option is wrong, the output must not be written,
 * the format has no place for a row, or the messages that were sent cannot be restored.
 * @throws {DamagedFileError} If a line is not a results line of Retort's.
 * @throws {SinkError} If the output cannot be written.
 */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  // Imported only when called: most scripts export nothing.
  const { exportResults } = await import("./write_set.ts");
  return await exportResults(options);
}

/**
 * Writes the rows of files in another file format or, with `format`, as a training set. No teacher
 * is called.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only
 * once the new one is complete. A row needs one bit of memory; `dedupe` adds 12 bytes, `shuffle` 8.
 *
 * @throws {TypeError | RangeError} If an option is unknown, missing, of a wrong type or out of
 * range.
 * @throws {SourceError} If a file cannot be read, or holds rows that cannot be written.
 * @throws {UsageError} If an option is wrong, or the output must not be written.
 * @throws {SinkError} If the output cannot be written.
 */
export async function convertFiles(options: ConvertOptions): Promise<ExportReport> {
  const { convertFiles } = await import("./write_set.ts");
  return await convertFiles(options);
}
