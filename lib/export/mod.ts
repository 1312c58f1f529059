/**
 * Writes training sets from results and other files of conversations, and converts rows of any file
 * to another file type.
 *
 * In: results files of a run, or inputs of any format. Out: one file, or the folder of a dataset.
 * Never changes the files of a run.
 *
 * @module
 */

import type { PathLike } from "../files.ts";
import type { RowOptions } from "../run/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import type { LoaderHint } from "./trainers.ts";
import type { ToolArguments } from "./turns.ts";

export type { LoaderHint, ToolArguments };

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
  // Loaded on demand: most scripts export nothing.
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
  /** Number of validation rows among them. */
  readonly validationRows: number;
  /** File of the validation rows. @default none: there is no split, or the output is a folder */
  readonly validationPath?: string;
  /** Columns of every row. */
  readonly columns: readonly string[];
  /** Warnings about what trainers may misread, and about what was left out. */
  readonly notes: readonly string[];
  /** Configuration that trainers need to read the file. */
  readonly hints: readonly LoaderHint[];
}

/** Which rows are written, and how; for `exportResults` and `convertFiles`. */
export interface WriteOptions extends RowOptions {
  /**
   * File to write, or a stream, which is closed at the end. The extension sets the type of a file,
   * as in `train.jsonl`, `train.csv.gz` or `train.parquet`; a stream, or a name without a known
   * extension, gets JSON Lines. The format `dataset` writes a folder.
   */
  output: PathLike | WritableStream<Uint8Array>;
  /**
   * Name of the field for reasoning, with think `field`. gpt-oss reads `thinking`.
   * @default "reasoning_content"
   */
  reasoningField?: string;
  /**
   * How arguments of tool calls are written: as an object for chat templates, or as JSON text for
   * columns of one type.
   * @default "object", in Parquet "string"
   */
  toolArguments?: ToolArguments;
  /**
   * Selects rows that meet this condition, as in `completion_tokens < 4000 and lang == "en"`. Names
   * are fields of the row and, for a results line, of `distill`. @default all rows
   */
  where?: string;
  /** Selects rows with one of these values in the field `uid`. @default all rows */
  uids?: readonly string[];
  /** Leaves out rows with one of these values in the field `uid`. @default none */
  excludeUids?: readonly string[];
  /** Columns to write, in this order. @default all columns */
  columns?: readonly string[];
  /** Leaves out rows with the prompt and answers of an earlier row. @default false */
  dedupe?: boolean;
  /** Seed of a shuffle. @default input order */
  shuffle?: number;
  /** Maximum number of rows to write. @default no limit */
  maxRows?: number;
  /**
   * Share of rows, at least 0 and below 1, for a second file: `train.validation.jsonl` for
   * `train.jsonl`; for a `dataset`, a second split. The uid of a row decides, or the prompt of a
   * row without one, so the split is the same each time, and all answers to a row stay together.
   * @default 0
   */
  validation?: number;
  /**
   * Replaces an output file that is not empty, but never one that a run reads or has written.
   * @default false
   */
  replace?: boolean;
  /** Accepts inputs without rows. @default false */
  allowEmpty?: boolean;
  /** Ends the export or conversion: it throws `signal.reason`, and writes no file. */
  signal?: AbortSignal;
}

/** Options of `exportResults`. Row options that are omitted come from the run file
 * (`<name>.run.json`). */
export interface ExportOptions extends WriteOptions {
  /** One or more results files, whose rows are concatenated. */
  results: PathLike | readonly PathLike[];
  /** Format of the training set. */
  format: ExportFormat;
  /** How reasoning is written in the answer. Formats that hold the answer as text, such as
   * `alpaca`, have no place for `field`. @default "wrap" */
  think?: ThinkStyle;
  /** Decides which answer of a pair is chosen: `shortest`, `longest`, or a field whose larger
   * number wins. Required for formats of pairs, such as `preference`. */
  prefer?: string;
}

/** Options of `convertFiles`. */
export interface ConvertOptions extends WriteOptions {
  /**
   * One or more files, whose rows are concatenated. A folder stands for the files in it, a pattern
   * for the files that match.
   */
  input: PathLike | readonly PathLike[];
  /**
   * Format of the rows. Conversations are read in every shape that a run reads, with their answers.
   * @default "raw": rows stay as they are
   */
  format?: ConvertFormat;
  /** How reasoning is written in the answers. @default as in the row; "wrap" in formats that hold
   * the answer as text, such as `alpaca` */
  think?: ThinkStyle;
}

/** Format of a training set. `retort help export` says what a row of each holds. */
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

/** What a row of each format holds, and what reads it, for the help: at most 57 characters. */
export const FORMAT_SUMMARIES: Readonly<Record<ExportFormat, string>> = {
  "messages": '{"messages"}: TRL, Axolotl, OpenAI',
  "prompt-completion": '{"prompt","completion"}: TRL, loss on the answer only',
  "sharegpt": '{"conversations"}: LLaMA-Factory, Axolotl',
  "alpaca": '{"instruction","input","output"}: LLaMA-Factory, Axolotl',
  "preference": '{"prompt","chosen","rejected"}, with --prefer: TRL (DPO)',
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
