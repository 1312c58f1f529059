/**
 * Writes training sets from results and other files of conversations, and converts rows of any file
 * to another file type.
 *
 * In: results files of a run, or inputs of any format. Out: one file, or the folder of a dataset.
 * Never changes the files of a run.
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
