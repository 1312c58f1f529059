/**
 * Results, and other files of conversations, as training files.
 *
 * In: results files of a run, or inputs of any format. Out: one file, or the folder of a dataset,
 * in the format that a trainer reads. It never changes the files of a run.
 *
 * @module
 */

export type { ConvertOptions, ExportOptions, WriteOptions } from "./export_options.ts";
export { convertFiles, type ExportReport, exportResults } from "./export.ts";
export {
  CONVERT_FORMATS,
  type ConvertFormat,
  EXPORT_FORMATS,
  type ExportFormat,
  FORMAT_SUMMARIES,
} from "./format_names.ts";
export type { LoaderHint } from "./trainer_config.ts";
export type { ToolArguments } from "./training_row.ts";
