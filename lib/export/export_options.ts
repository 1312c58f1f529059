/**
 * Validates the options of an export or a conversion, and sets their defaults.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  checkOptions,
  flag,
  number,
  type OptionRules,
  path,
  paths,
  requireOptions,
  signal,
  text,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import { pathOf, pathsOf } from "../files.ts";
import { ROW_RULES } from "../run/mod.ts";
import { type FileType, fileTypeOf, isTyped } from "../tables/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import type { ConvertOptions, ExportFormat, ExportOptions, WriteOptions } from "./export.ts";
import { FORMATS } from "./formats.ts";
import { standardStreamOf } from "./output.ts";
import { REASONING, type ToolArguments } from "./turns.ts";

export interface ResolvedExport extends WriteOptions {
  readonly format: ExportFormat;
  readonly prefer?: string;
  readonly paths: readonly string[];
  readonly output: string | WritableStream<Uint8Array>;
  readonly fileType: FileType;
  /** Undefined leaves reasoning as it is. */
  readonly think: ThinkStyle | undefined;
  readonly reasoningField: string;
  readonly toolArguments: ToolArguments;
  readonly validation: number;
  readonly maxRows: number;
  /** False for a conversion of inputs. */
  readonly isFromResults: boolean;
}

export function resolveExport(options: ExportOptions): ResolvedExport {
  checkOptions(options, EXPORT_RULES);
  requireOptions("export", options, ["results", "output", "format"], EXPORT_RULES);
  const { format, think = "wrap", results } = options;
  checkChoice("Cannot export as", format, FORMAT_NAMES);
  checkChoice("Cannot export with think", think, THINK_STYLES);
  const paths = pathsOf(results);
  if (paths.length === 0) throw new UsageError("Cannot export without a results file: name one");
  if (FORMATS[format].rows === "pairs") checkPreference(options);
  else if (options.prefer !== undefined) {
    const pairs = FORMAT_NAMES.filter((name) => FORMATS[name].rows === "pairs");
    throw new UsageError(`Cannot use prefer without the format ${pairs.join(" or ")}`);
  }
  return { ...options, ...resolveWrite(options, { format, think, paths, isFromResults: true }) };
}

export function resolveConvert(options: ConvertOptions): ResolvedExport {
  checkOptions(options, CONVERT_RULES);
  requireOptions("convert", options, ["input", "output"], CONVERT_RULES);
  const { format = "raw", input } = options;
  // Only results have log probabilities.
  const names = FORMAT_NAMES.filter((name) => name !== "logprobs");
  checkChoice("Cannot convert to", format, names);
  const { think = FORMATS[format].reasoning === "text" ? "wrap" : undefined } = options;
  if (think !== undefined) checkChoice("Cannot convert with think", think, THINK_STYLES);
  const paths = pathsOf(input);
  if (paths.length === 0) throw new UsageError("Cannot convert without an input: name a file");
  return { ...options, ...resolveWrite(options, { format, think, paths, isFromResults: false }) };
}

/** `EXPORT_FORMATS`, without importing the module that loads this one. */
const FORMAT_NAMES = Object.keys(FORMATS) as readonly ExportFormat[];
const THINK_STYLES: readonly ThinkStyle[] = ["wrap", "field", "drop"];

function resolveWrite(
  options: WriteOptions,
  resolved: Pick<ResolvedExport, "format" | "think" | "paths" | "isFromResults">,
): ResolvedExport {
  const { format, think } = resolved;
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
  checkNumbers(validation, shuffle);
  if (validation > 0 && !isFolder && !(isPath && /\.\w+$/.test(output))) {
    throw new UsageError(
      "Cannot write validation rows: the name of their file is derived from that of the output. Name a " +
        "file with an extension, as in train.jsonl",
    );
  }
  return { ...resolved, output, fileType, reasoningField, toolArguments, validation, maxRows };
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

function checkNumbers(validation: number, shuffle: number | undefined): void {
  if (!(validation >= 0 && validation < 1)) {
    throw new UsageError(
      `Cannot write with validation ${validation}: it must be at least 0 and below 1`,
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
  signal,
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
