/**
 * Results as training files.
 *
 * In: results files of a run. Out: one file in the format that a trainer reads. An export never changes
 * what a run has written.
 *
 * @module
 */

export type { ExportOptions } from "./export_options.ts";
export { type ExportReport, exportResults } from "./export.ts";
export { EXPORT_FORMATS, type ExportFormat } from "./formats.ts";
export type { LoaderHint } from "./loaders.ts";
export type { ToolArguments } from "./tool_arguments.ts";
