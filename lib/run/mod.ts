/**
 * One run over files: preparation, first pass, plan, work, summary.
 *
 * In: options, input files. Out: results and failures on disk, and a summary. This is where source, index,
 * engine and sink are put together.
 *
 * @module
 */

export { ActiveRun, type OutcomeListener } from "./active_run.ts";
export { engineOptions, lineFormat, type RunContext } from "./context.ts";
export { type GeneratedOutcome, Generation, type OutputRow } from "./generation.ts";
export { readRunFile, type RunFile } from "./identity.ts";
export { emptyMessage } from "./input_problems.ts";
export type {
  AnsweredRow,
  ResponseGeneratorOptions,
  RowOptions,
  RunOptions,
  TeacherPlace,
  ThinkStyle,
  Validate,
} from "./options.ts";
export type { Preview, PreviewedRequest } from "./preview.ts";
export { type ResolvedOptions, resolveOptions, rowParserOf } from "./resolve_options.ts";
export { Run } from "./run.ts";
export { MOST_SAMPLES, parseSampleUid } from "./samples.ts";
export {
  type Damage,
  rowOptionsOf,
  type Verification,
  verify,
  type VerifyOptions,
} from "./verify.ts";
export { teacherNotices } from "./start_notices.ts";
