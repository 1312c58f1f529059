/**
 * Writes training sets from results and other files of conversations, and converts rows of any file
 * to another file type.
 *
 * In: results files of a run, or inputs of any format. Out: one file, or the folder of a dataset.
 * Never changes the files of a run.
 *
 * @module
 */

import type { ConvertOptions, ExportOptions } from "./export_options.ts";
import type { LoaderHint } from "./trainers.ts";

export type { ConvertOptions, ExportOptions, WriteOptions } from "./export_options.ts";
export type { LoaderHint } from "./trainers.ts";
export type { ToolArguments } from "./turns.ts";

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
 * @throws {DamagedFileError} If a line is not a results line that Retort wrote.
 * @throws {SinkError} If the output cannot be written.
 */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  // The module is loaded on demand: most scripts export nothing.
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

/** Result of an export or a conversion. */
export interface ExportReport {
  /** Number of rows in the training set, including validation rows. */
  readonly rows: number;
  /** Number of validation rows, which `rows` includes. */
  readonly validationRows: number;
  /** File of the validation rows. @default none: there is no split, or the output is a folder */
  readonly validationPath?: string;
  /** All columns of the output. Empty if rows are copied without reading their fields. */
  readonly columns: readonly string[];
  /** Warnings about what trainers may misread, and about what was left out. */
  readonly notes: readonly string[];
  /** Configuration that trainers need to read the file. */
  readonly hints: readonly LoaderHint[];
}

/** Format of a training set. `retort help export` describes the rows of each. */
export type ExportFormat =
  | "messages"
  | "prompt-completion"
  | "sharegpt"
  | "alpaca"
  | "preference"
  | "preference-sharegpt"
  | "logprobs"
  | "raw"
  | "dataset";

/** Format in which rows of any file can be written. Only results have log probabilities. */
export type ConvertFormat = Exclude<ExportFormat, "logprobs">;

/**
 * Describes each format for the help, in at most 57 characters: what a row holds, and who reads it.
 */
export const FORMAT_SUMMARIES: Readonly<Record<ExportFormat, string>> = {
  "messages": '{"messages"}: TRL, Axolotl, OpenAI',
  "prompt-completion": '{"prompt","completion"}: TRL, loss on the answer only',
  "sharegpt": '{"conversations"}: LLaMA-Factory, Axolotl',
  "alpaca": '{"instruction","input","output"}: LLaMA-Factory, Axolotl',
  "preference": '{"prompt","chosen","rejected"}: TRL (DPO)',
  "preference-sharegpt": "the same with ShareGPT turns: LLaMA-Factory (DPO)",
  "logprobs": "messages and tokens of the answer: logit distillation",
  "raw": "the row as it is: datasets, pyarrow, polars",
  "dataset": "folder of Parquet with a card: datasets, the Hub",
};

/** All formats of `exportResults`. */
export const EXPORT_FORMATS = Object.keys(FORMAT_SUMMARIES) as readonly ExportFormat[];

/** All formats of `convertFiles`. */
export const CONVERT_FORMATS: readonly ConvertFormat[] = EXPORT_FORMATS.filter((format) =>
  format !== "logprobs"
);
