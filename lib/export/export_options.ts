/**
 * The options of an export or a conversion, their rules and defaults.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  checkOptions,
  flag,
  number,
  oneOf,
  type OptionRules,
  path,
  paths,
  requireOptions,
  signal,
  text,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import { type PathLike, pathOf, pathsOf } from "../files.ts";
import { ROW_RULES, type RowOptions } from "../run/mod.ts";
import { type FileType, fileTypeOf, isTyped } from "../tables/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import type { ConvertFormat, ExportFormat } from "./mod.ts";
import { FORMATS } from "./formats.ts";
import { standardStreamOf } from "./output.ts";
import { REASONING, type ToolArguments } from "./turns.ts";

/** Options of both `exportResults` and `convertFiles`: which rows are written, and how. */
export interface WriteOptions extends RowOptions {
  /**
   * File to write, or a stream, which is closed at the end. The extension sets the type of a file,
   * as in `train.jsonl`, `train.csv.gz` or `train.parquet`; a stream, or a name without a known
   * extension, gets JSON Lines. The format `dataset` writes a folder.
   */
  output: PathLike | WritableStream<Uint8Array>;
  /**
   * Name of the field for reasoning if `think` is `field`. The template of gpt-oss reads
   * `thinking`.
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
  /** Leaves out rows whose prompt and answers equal those of an earlier row. @default false */
  dedupe?: boolean;
  /** Seed of a shuffle. @default input order */
  shuffle?: number;
  /** Maximum number of rows to write. @default no limit */
  maxRows?: number;
  /**
   * Share of rows, at least 0 and below 1, for a second file: `train.validation.jsonl` for
   * `train.jsonl`; for a `dataset`, a second split. The uid of a row decides, or its prompt if it
   * has no uid, so the split is the same each time, and all answers to a row stay together.
   * @default 0
   */
  validation?: number;
  /**
   * Replaces an output file that is not empty, but never one that a run reads or has written.
   * @default false
   */
  replace?: boolean;
  /** Allows an output without rows. @default false */
  allowEmpty?: boolean;
  /** Aborts the export or conversion, which then throws `signal.reason` and writes no file. */
  signal?: AbortSignal | undefined;
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

export interface ResolvedExport extends WriteOptions {
  readonly format: ExportFormat;
  readonly prefer?: string;
  readonly paths: readonly string[];
  readonly output: string | WritableStream<Uint8Array>;
  readonly fileType: FileType;
  /** How reasoning is written; undefined leaves it as it is. */
  readonly think: ThinkStyle | undefined;
  readonly reasoningField: string;
  readonly toolArguments: ToolArguments;
  readonly validation: number;
  readonly maxRows: number;
  /** Whether this is an export of results, not a conversion. */
  readonly isFromResults: boolean;
}

export function resolveExport(options: ExportOptions): ResolvedExport {
  checkOptions(options, EXPORT_RULES);
  requireOptions("export", options, ["results", "output", "format"], EXPORT_RULES);
  const { format, results } = options;
  const { think = FORMATS[format].rows === "as they are" ? undefined : "wrap" } = options;
  const paths = pathsOf(results);
  if (paths.length === 0) throw new UsageError("Cannot export without a results file: name one");
  if (FORMATS[format].rows === "pairs") checkPreference(options);
  else if (options.prefer !== undefined) {
    const pairs = FORMAT_NAMES.filter((name) => FORMATS[name].rows === "pairs");
    throw new UsageError(`Cannot use prefer without the format ${pairs.join(" or ")}`);
  }
  return resolveWrite(options, { format, think, paths, isFromResults: true });
}

export function resolveConvert(options: ConvertOptions): ResolvedExport {
  checkOptions(options, CONVERT_RULES);
  requireOptions("convert", options, ["input", "output"], CONVERT_RULES);
  const { format = "raw", input } = options;
  const { think = FORMATS[format].reasoning === "text" ? "wrap" : undefined } = options;
  const paths = pathsOf(input);
  if (paths.length === 0) throw new UsageError("Cannot convert without an input: name a file");
  return resolveWrite(options, { format, think, paths, isFromResults: false });
}

function resolveWrite(
  options: WriteOptions,
  resolved: Pick<ResolvedExport, "format" | "think" | "paths" | "isFromResults">,
): ResolvedExport {
  const { format, think } = resolved;
  const { validation = 0, maxRows = Infinity, reasoningField = REASONING } = options;
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
  if (needsText && toolArguments === "object") {
    throw new UsageError(
      `Cannot write arguments of tool calls as objects to .${fileType.kind}: its columns have one type ` +
        "each. Use --tool-arguments string, or .jsonl",
    );
  }
  if (validation > 0 && !isFolder && !(isPath && /\.\w+$/.test(output))) {
    throw new UsageError(
      "Cannot write validation rows: the name of their file is derived from the name of the output. Name " +
        "a file with an extension, as in train.jsonl",
    );
  }
  const defaults = { reasoningField, toolArguments, validation, maxRows };
  return { ...options, ...resolved, ...defaults, output, fileType };
}

function checkReasoning(
  format: ExportFormat,
  think: ThinkStyle | undefined,
  reasoningField: string,
): void {
  if (FORMATS[format].rows === "as they are" && think !== undefined) {
    throw new UsageError(
      `Cannot use think "${think}" with the format ${format}: its rows stay as they are`,
    );
  }
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
      `Cannot use reasoningField "${reasoningField}": it must be a name that no other field of a message has`,
    );
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

/**
 * The same names as `EXPORT_FORMATS`, which cannot be imported here, because its module loads this
 * one.
 */
const FORMAT_NAMES = Object.keys(FORMATS) as readonly ExportFormat[];

const WRITE_RULES: OptionRules<WriteOptions & { think?: ThinkStyle }> = {
  ...ROW_RULES,
  output: {
    expected: "a path, a file: URL or a WritableStream",
    isType: (value) => path.isType(value) || value instanceof WritableStream,
  },
  reasoningField: text,
  think: oneOf(["wrap", "field", "drop"]),
  toolArguments: oneOf(["object", "string"]),
  where: text,
  uids: texts,
  excludeUids: texts,
  columns: texts,
  dedupe: flag,
  shuffle: { ...number, expected: "a whole number", isInRange: Number.isSafeInteger },
  maxRows: wholeNumberFrom(1),
  validation: {
    ...number,
    expected: "a number, at least 0 and below 1",
    isInRange: (value: number) => value >= 0 && value < 1,
  },
  replace: flag,
  allowEmpty: flag,
  signal,
};

const EXPORT_RULES: OptionRules<ExportOptions> = {
  ...WRITE_RULES,
  results: paths,
  format: oneOf(FORMAT_NAMES),
  prefer: text,
};

const CONVERT_RULES: OptionRules<ConvertOptions> = {
  ...WRITE_RULES,
  input: paths,
  // Only results have log probabilities.
  format: oneOf(FORMAT_NAMES.filter((name) => name !== "logprobs")),
};
