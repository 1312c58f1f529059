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
import { pathOf, pathsOf } from "../files.ts";
import { ROW_RULES } from "../run/mod.ts";
import { type FileType, fileTypeOf, isTyped } from "../tables/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import type { ConvertOptions, ExportFormat, ExportOptions, WriteOptions } from "./mod.ts";
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
      "Cannot write validation rows: the name of their file is derived from that of the output. Name a " +
        "file with an extension, as in train.jsonl",
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

/** `EXPORT_FORMATS`, without importing the module that loads this one. */
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
