/**
 * One run over files: checks the inputs, claims the outputs, sends the rows, and sums up.
 *
 * In: options, input files. Out: results and failures on disk, and a summary. This folder puts
 * source, index, engine and sink together.
 *
 * @module
 */

export { ActiveRun, type OutcomeListener } from "./active_run.ts";
export { lineFormat, type RunContext } from "./context.ts";
export {
  type Answer,
  type DistillOutcome,
  type FailedRow,
  type GeneratedOutcome,
  LineOutcomes,
  type OutcomeCommon,
  type OutputRow,
  RowOutcomes,
} from "./outcomes.ts";
export { identityDifferences } from "./claim.ts";
export { readRunFile, type RunFile, writeRunFile } from "./run_file.ts";
export { InputSequence } from "./input_sequence.ts";
export { type BadInput, BadLines, emptyMessage, listBadLines } from "./input_problems.ts";
export { checkReadableTwice, findInputs, stampOf } from "./inputs.ts";
export type {
  AnsweredRow,
  OneOrMany,
  ResponseGeneratorOptions,
  RowOptions,
  RunOptions,
  SharedOptions,
  TeacherChange,
  TeacherList,
  TeacherPlace,
  ThinkStyle,
  Validate,
} from "./options.ts";
export {
  filesOf,
  inputFilesOf,
  makeFolders,
  type OutputFiles,
  outputFilesOf,
  sharedOutput,
} from "./outputs.ts";
export { checkOutputs } from "./output_checks.ts";
export type { Preview, PreviewedRequest } from "./preview.ts";
export { type ResolvedOptions, resolveOptions } from "./resolve_options.ts";
export { GENERATOR_RULES, type ResolvedRunOptions, ROW_RULES, RUN_RULES } from "./option_rules.ts";
export {
  missingUidsMessage,
  parseSampleUid,
  parseUids,
  sampleUid,
  UidSelection,
} from "./admission.ts";
export { Run } from "./run.ts";
export { abortedByReturn, checkRows, streamOutcomes } from "./generation.ts";
export { rowOptionsOf, type Verification, verify, type VerifyOptions } from "./verify.ts";
export type { Damage } from "./audit.ts";
export {
  parseStatus,
  readStatus,
  type RunStatus,
  runStatuses,
  type StatusError,
  statusPathOf,
  type StatusTeacher,
  writeFailedStatus,
} from "./run_status.ts";
