/**
 * What an export is told.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { type PathLike, pathOf, pathsOf } from "../paths.ts";
import type { RowOptions } from "../run/mod.ts";
import { isTableOfType, type TableFormat, tableFormatOf } from "../tables/mod.ts";
import type { ThinkStyle } from "../think.ts";
import { EXPORT_FORMATS, type ExportFormat } from "./formats.ts";
import { standardStreamOf } from "./output_guard.ts";
import type { ToolArguments } from "./tool_arguments.ts";

/** What is exported. Row options that are not given are those that `run.json` remembers. */
export interface ExportOptions extends RowOptions {
  /** The results file, or several: their rows follow one another. */
  results: PathLike | readonly PathLike[];
  /** The file to write, or a stream, which is closed at the end. The extension of a file says what is
   * written: `.jsonl`, `.json`, `.csv` (each also `.gz` or `.zst`) or `.parquet`; a stream, or any other
   * name, gets JSON Lines. */
  output: PathLike | WritableStream<Uint8Array>;
  /** The format of the training set. */
  format: ExportFormat;
  /** How reasoning stands in the answer; `alpaca` has no place for `field`. @default "wrap" */
  think?: ThinkStyle;
  /** How the arguments of tool calls stand in `messages`, `prompt-completion` and `preference`: as an
   * object, which chat templates read, or as JSON text, which a column of one type needs.
   * @default "object", in Parquet "string" */
  toolArguments?: ToolArguments;
  /** Only rows that meet this condition, as in `completion_tokens < 4000 and lang == "en"`. Names are
   * fields of the results line or of its `distill`. */
  where?: string;
  /** Only these columns, in this order. */
  columns?: readonly string[];
  /** Leaves out rows whose prompt and answer are those of an earlier one. @default false */
  dedupe?: boolean;
  /** Shuffles the rows; the same number gives the same order. */
  shuffle?: number;
  /** Writes no more rows than this. */
  maxRows?: number;
  /** The share of rows, from 0 to 1, that goes into a second file: `train.validation.jsonl` for
   * `train.jsonl`. The uid of a row decides, so that it is the same rows each time, and all answers to a
   * row stay together. @default 0 */
  validation?: number;
  /** For `preference`: which of two answers is chosen, the shortest, the longest, or the one with the
   * larger number in this field. */
  prefer?: string;
  /** Replaces an output file that holds something; never one that a run reads or has written.
   * @default false */
  replace?: boolean;
  /** Takes results files without a result. @default false */
  allowEmpty?: boolean;
}

/** The options once they were checked. */
export interface ResolvedExport extends ExportOptions {
  readonly paths: readonly string[];
  readonly output: string | WritableStream<Uint8Array>;
  readonly table: TableFormat;
  readonly think: ThinkStyle;
  readonly toolArguments: ToolArguments;
  readonly validation: number;
  readonly maxRows: number;
}

/**
 * Checks the options.
 *
 * @throws {UsageError} with the option that cannot be used
 */
export function resolveExport(options: ExportOptions): ResolvedExport {
  const { results, format, think = "wrap", validation = 0 } = options;
  const output = options.output instanceof URL ? pathOf(options.output) : options.output;
  const { maxRows = Infinity, shuffle } = options;
  checkChoice("as", format, EXPORT_FORMATS);
  checkChoice("with think", think, ["wrap", "field", "drop"]);
  if (format === "alpaca" && think === "field") {
    throw new UsageError("Cannot export reasoning as a field of alpaca: use think wrap or drop");
  }
  const paths = pathsOf(results);
  if (paths.length === 0) throw new UsageError("Cannot export without a results file: name one");
  const isPath = typeof output === "string" && standardStreamOf(output) === undefined;
  const table: TableFormat = isPath ? tableFormatOf(output) : { kind: "jsonl" };
  const needsText = isTableOfType(table);
  const { toolArguments = needsText ? "string" : "object" } = options;
  checkChoice("with toolArguments", toolArguments, ["object", "string"]);
  if (needsText && toolArguments === "object") {
    throw new UsageError(
      "Cannot export arguments of tool calls as objects to Parquet: its columns have one type each. " +
        "Use --tool-arguments string, or .jsonl",
    );
  }
  if (!(validation >= 0 && validation < 1)) {
    throw new UsageError(
      `Cannot export with validation ${validation}: it must be at least 0 and below 1`,
    );
  }
  if (validation > 0 && !(isPath && /\.\w+$/.test(output))) {
    throw new UsageError("Cannot export validation rows without a file to name theirs after");
  }
  if (maxRows !== Infinity && !(Number.isSafeInteger(maxRows) && maxRows > 0)) {
    throw new UsageError(
      `Cannot export with maxRows ${maxRows}: it must be a whole number above 0`,
    );
  }
  if (shuffle !== undefined && !Number.isSafeInteger(shuffle)) {
    throw new UsageError(`Cannot export with shuffle ${shuffle}: it must be a whole number`);
  }
  if (format === "preference") checkPreference(options);
  else if (options.prefer !== undefined) {
    throw new UsageError("Cannot use prefer without the format preference");
  }
  return { ...options, output, paths, table, think, toolArguments, validation, maxRows };
}

function checkPreference({ prefer, shuffle }: ExportOptions): void {
  if (prefer === undefined) {
    throw new UsageError(
      "Cannot export preference without --prefer: add --prefer shortest, longest, or a field of numbers",
    );
  }
  if (shuffle !== undefined) {
    throw new UsageError("Cannot shuffle preference: the answers to a row have to stay together");
  }
}

function checkChoice(what: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new UsageError(`Cannot export ${what} "${value}": it must be ${words}`);
}
