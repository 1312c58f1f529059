/**
 * Results as training files.
 *
 * In: results files of a run. Out: one file in the format that a trainer reads. An export never changes
 * what a run has written.
 *
 * @module
 */

export {
  type ExportFormat,
  type ExportOptions,
  type ExportReport,
  exportResults,
} from "./export_results.ts";
export type { LoaderHint } from "./loaders.ts";
export type { ToolArguments } from "./tool_arguments.ts";
