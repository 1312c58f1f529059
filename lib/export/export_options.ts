/**
 * Options of an export or a conversion.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  checkOptions,
  flag,
  type OptionRule,
  type OptionRules,
  path,
  paths,
  requireOptions,
  text,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import { type PathLike, pathOf, pathsOf } from "../paths.ts";
import { ROW_RULES, type RowOptions } from "../run/mod.ts";
import { type FileType, fileTypeOf, isTyped } from "../tables/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import { FORMATS } from "./formats.ts";
import {
  CONVERT_FORMATS,
  type ConvertFormat,
  EXPORT_FORMATS,
  type ExportFormat,
} from "./format_names.ts";
import { standardStreamOf } from "./output.ts";
import type { ToolArguments } from "./training_row.ts";
import { REASONING } from "./turns.ts";

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
  /** How the arguments of tool calls are written in messages: as an object, which chat templates
   * read, or as JSON text, which a column of one type needs.
   * @default "object", in Parquet "string" */
  toolArguments?: ToolArguments;
  /** Selects rows that meet this condition, as in `completion_tokens < 4000 and lang == "en"`.
   * Names are fields of the row and, for a results line, of its `distill`. @default all rows */
  where?: string;
  /** Selects rows by the uids of their results lines. @default all rows */
  uids?: readonly string[];
  /** Uids of rows to leave out. @default none */
  excludeUids?: readonly string[];
  /** Columns to write, in this order. @default all columns */
  columns?: readonly string[];
  /** Leaves out rows whose prompt and answers are those of an earlier row. @default false */
  dedupe?: boolean;
  /** Shuffles the rows; the same number gives the same order. @default input order */
  shuffle?: number;
  /** Maximum number of rows to write. @default no limit */
  maxRows?: number;
  /**
   * Share of rows, at least 0 and below 1, that goes into a second file: `train.validation.jsonl`
   * for `train.jsonl`; into a second split in the folder of a `dataset`. The uid of a row decides,
   * so the split is the same each time, and all answers to a row stay together. @default 0
   */
  validation?: number;
  /**
   * Replaces an output file that is not empty, but never one that a run reads or has written.
   * @default false
   */
  replace?: boolean;
  /** Accepts inputs without rows. @default false */
  allowEmpty?: boolean;
}

/** Options of `exportResults`. Row options that are omitted come from `run.json`. */
export interface ExportOptions extends WriteOptions {
  /** One or more results files, whose rows are concatenated. */
  results: PathLike | readonly PathLike[];
  /** Format of the training set. */
  format: ExportFormat;
  /** How reasoning is written in the answer. Formats that hold the answer as text, such as
   * `alpaca`, have no place for `field`. @default "wrap" */
  think?: ThinkStyle;
  /** For formats of pairs, such as `preference`: which answer is chosen. `shortest`, `longest`, or
   * a field, whose larger number wins. Required for these formats. */
  prefer?: string;
}

/** Options of `convertFiles`. */
export interface ConvertOptions extends WriteOptions {
  /**
   * One or more files, whose rows are concatenated. Folders and patterns are replaced by the files
   * in them.
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

/** Validated options, with defaults. */
export interface ResolvedExport extends WriteOptions {
  readonly format: ExportFormat;
  readonly prefer?: string;
  /** The results or inputs that are read. */
  readonly paths: readonly string[];
  readonly output: string | WritableStream<Uint8Array>;
  readonly fileType: FileType;
  /** How reasoning is written in the answers; undefined if it stays as it is. */
  readonly think: ThinkStyle | undefined;
  readonly reasoningField: string;
  readonly toolArguments: ToolArguments;
  readonly validation: number;
  readonly maxRows: number;
  /** Whether the rows are results of runs, which are exported, or inputs, which are converted. */
  readonly isFromResults: boolean;
}

/**
 * Validates the options of an export.
 *
 * @throws {TypeError | RangeError} if one is unknown, missing, of a wrong type or out of range
 * @throws {UsageError} with the option that cannot be used
 */
export function resolveExport(options: ExportOptions): ResolvedExport {
  checkOptions(options, EXPORT_RULES);
  requireOptions("export", options, ["results", "output", "format"], EXPORT_RULES);
  const { format, think = "wrap", results } = options;
  checkChoice("Cannot export as", format, EXPORT_FORMATS);
  checkChoice("Cannot export with think", think, THINK_STYLES);
  const paths = pathsOf(results);
  if (paths.length === 0) throw new UsageError("Cannot export without a results file: name one");
  if (FORMATS[format].rows === "pairs") checkPreference(options);
  else if (options.prefer !== undefined) {
    const pairs = EXPORT_FORMATS.filter((name) => FORMATS[name].rows === "pairs");
    throw new UsageError(`Cannot use prefer without the format ${pairs.join(" or ")}`);
  }
  return { ...options, ...resolveWrite(options, { format, think, paths, isFromResults: true }) };
}

/**
 * Validates the options of a conversion.
 *
 * @throws {TypeError | RangeError} if one is unknown, missing, of a wrong type or out of range
 * @throws {UsageError} with the option that cannot be used
 */
export function resolveConvert(options: ConvertOptions): ResolvedExport {
  checkOptions(options, CONVERT_RULES);
  requireOptions("convert", options, ["input", "output"], CONVERT_RULES);
  const { format = "raw", input } = options;
  checkChoice("Cannot convert to", format, CONVERT_FORMATS);
  const { think = FORMATS[format].reasoning === "text" ? "wrap" : undefined } = options;
  if (think !== undefined) checkChoice("Cannot convert with think", think, THINK_STYLES);
  const paths = pathsOf(input);
  if (paths.length === 0) throw new UsageError("Cannot convert without an input: name a file");
  return { ...options, ...resolveWrite(options, { format, think, paths, isFromResults: false }) };
}

const THINK_STYLES: readonly ThinkStyle[] = ["wrap", "field", "drop"];

function resolveWrite(
  options: WriteOptions,
  chosen: Pick<ResolvedExport, "format" | "think" | "paths" | "isFromResults">,
): ResolvedExport {
  const { format, think } = chosen;
  const { validation = 0, maxRows = Infinity, shuffle, reasoningField = REASONING } = options;
  const output = options.output instanceof URL ? pathOf(options.output) : options.output;
  checkReasoning(format, think, reasoningField);
  const isPath = typeof output === "string" && standardStreamOf(output) === undefined;
  const isFolder = FORMATS[format].target === "folder";
  if (isFolder && !isPath) {
    throw new UsageError(`Cannot write a ${format} to a stream: name a folder, as in dataset/`);
  }
  const fileType: FileType = isFolder
    ? { kind: "parquet" }
    : isPath
    ? fileTypeOf(output)
    : { kind: "jsonl" };
  const needsText = isTyped(fileType);
  const { toolArguments = needsText ? "string" : "object" } = options;
  checkChoice("Cannot write with toolArguments", toolArguments, ["object", "string"]);
  if (needsText && toolArguments === "object") {
    throw new UsageError(
      `Cannot write arguments of tool calls as objects to .${fileType.kind}: its columns have one type ` +
        "each. Use --tool-arguments string, or .jsonl",
    );
  }
  checkNumbers(validation, maxRows, shuffle);
  if (validation > 0 && !isFolder && !(isPath && /\.\w+$/.test(output))) {
    throw new UsageError(
      "Cannot write validation rows: the name of their file is derived from that of the output. Name a " +
        "file with an extension, as in train.jsonl",
    );
  }
  return { ...chosen, output, fileType, reasoningField, toolArguments, validation, maxRows };
}

function checkReasoning(
  format: ExportFormat,
  think: ThinkStyle | undefined,
  reasoningField: string,
): void {
  if (FORMATS[format].reasoning === "text" && think === "field") {
    throw new UsageError(`Cannot write reasoning as a field of ${format}: use think wrap or drop`);
  }
  if (reasoningField !== REASONING && think !== "field") {
    throw new UsageError(
      `Cannot use reasoningField "${reasoningField}" without think "field": add --think field, or omit it`,
    );
  }
  if (["", "role", "content", "tool_calls", "tool_call_id", "name"].includes(reasoningField)) {
    throw new UsageError(
      `Cannot use reasoningField "${reasoningField}": it must be a name that messages do not have`,
    );
  }
}

function checkNumbers(validation: number, maxRows: number, shuffle: number | undefined): void {
  if (!(validation >= 0 && validation < 1)) {
    throw new UsageError(
      `Cannot write with validation ${validation}: it must be at least 0 and below 1`,
    );
  }
  if (maxRows !== Infinity && !(Number.isSafeInteger(maxRows) && maxRows > 0)) {
    throw new UsageError(
      `Cannot write with maxRows ${maxRows}: it must be a whole number above 0`,
    );
  }
  if (shuffle !== undefined && !Number.isSafeInteger(shuffle)) {
    throw new UsageError(`Cannot write with shuffle ${shuffle}: it must be a whole number`);
  }
}

function checkPreference({ prefer, shuffle }: ExportOptions): void {
  if (prefer === undefined) {
    throw new UsageError(
      "Cannot export pairs without --prefer: add --prefer shortest, longest, or a numeric field",
    );
  }
  if (shuffle !== undefined) {
    throw new UsageError("Cannot shuffle pairs: the answers to a row must stay together");
  }
}

function checkChoice(what: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new UsageError(`${what} "${value}": it must be ${words}`);
}

const number: OptionRule = { expected: "a number", isType: (value) => typeof value === "number" };

const WRITE_RULES: OptionRules<WriteOptions> = {
  ...ROW_RULES,
  output: {
    expected: "a path, a file: URL or a WritableStream",
    isType: (value) => path.isType(value) || value instanceof WritableStream,
  },
  reasoningField: text,
  toolArguments: text,
  where: text,
  uids: texts,
  excludeUids: texts,
  columns: texts,
  dedupe: flag,
  shuffle: number,
  maxRows: wholeNumberFrom(1),
  validation: number,
  replace: flag,
  allowEmpty: flag,
};

const EXPORT_RULES: OptionRules<ExportOptions> = {
  ...WRITE_RULES,
  results: paths,
  format: text,
  think: text,
  prefer: text,
};

const CONVERT_RULES: OptionRules<ConvertOptions> = {
  ...WRITE_RULES,
  input: paths,
  format: text,
  think: text,
};
