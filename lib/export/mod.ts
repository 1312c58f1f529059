/**
 * Writes training sets from results and other files of conversations, and rows of any file in
 * another file type.
 *
 * In: results files of a run, or inputs of any format. Out: one file, or the folder of a dataset,
 * in the format that a trainer reads or with the rows as they are. It never changes the files of a
 * run.
 *
 * @module
 */

export {
  CONVERT_FORMATS,
  convertFiles,
  type ConvertFormat,
  type ConvertOptions,
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
  type ExportReport,
  exportResults,
  FORMAT_SUMMARIES,
  type WriteOptions,
} from "./export.ts";
export type { LoaderHint } from "./trainers.ts";
export type { ToolArguments } from "./turns.ts";
