/**
 * What each option of an export or a conversion may be, for callers without types. What a value means is checked
 * in `export_options.ts`.
 *
 * @module
 */

import {
  flag,
  type OptionRule,
  type OptionRules,
  path,
  paths,
  text,
  texts,
  wholeFrom,
} from "../options.ts";
import { ROW_RULES } from "../run/mod.ts";
import type { ConvertOptions, ExportOptions, WriteOptions } from "./export_options.ts";

const number: OptionRule = { what: "a number", isType: (value) => typeof value === "number" };

const WRITE_RULES: OptionRules<WriteOptions> = {
  ...ROW_RULES,
  output: {
    what: "a path, a file: URL or a WritableStream",
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
  maxRows: wholeFrom(1),
  validation: number,
  replace: flag,
  allowEmpty: flag,
};

/** `exportResults()`. */
export const EXPORT_RULES: OptionRules<ExportOptions> = {
  ...WRITE_RULES,
  results: paths,
  format: text,
  think: text,
  prefer: text,
};

/** `convertFiles()`. */
export const CONVERT_RULES: OptionRules<ConvertOptions> = {
  ...WRITE_RULES,
  input: paths,
  format: text,
  think: text,
};
