/**
 * A run over files, or over an iterable of rows. A run over files checks the inputs, claims the
 * outputs, sends the rows, and returns a summary.
 *
 * In: options, and input files or an iterable. Out: results and failures on disk and a summary, or
 * outcomes. This folder connects source, index, engine and sink. It also verifies outputs, and
 * reads the status of runs. It never prints, and never reads the environment.
 *
 * @module
 */

export { ActiveRun, type OutcomeListener } from "./active_run.ts";
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
export { compressedCopyOf, makeFolders } from "./claim.ts";
export {
  checkSameIdentity,
  type Identity,
  identityDifferences,
  identityOf,
  jsonId,
  readRunFile,
  rowOptionsOf,
  type RunFile,
  writeRunFile,
} from "./run_file.ts";
export { InputSequence } from "./input_rows.ts";
export { BadLines } from "./findings.ts";
export { type BadInput, emptyMessage, listBadLines } from "./input_report.ts";
export { checkReadableTwice, stampOf } from "./input_files.ts";
export { findInputs, inputFilesOf, pathsMatching, PATTERN } from "./inputs.ts";
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
export { checkOutputs, filesOf, type OutputFiles, outputFilesOf, sharedOutput } from "./outputs.ts";
export type { Preview, PreviewedRequest } from "./notices.ts";
export {
  checkGeneratorOptions,
  GENERATOR_RULES,
  lineFormat,
  type ResolvedOptions,
  resolveOptions,
  ROW_RULES,
} from "./resolve_options.ts";
export { missingUidsNotices, parseUids, UidSelection } from "./retry.ts";
export { pendingIdentity, type ResolvedRunOptions, RUN_RULES } from "./run_options.ts";
export { Run } from "./run.ts";
export { abortedByReturn, checkRows, streamOutcomes } from "./iterable_run.ts";
export { type Damage, type Verification, verify, type VerifyOptions } from "./verify.ts";
export {
  parseStatus,
  readStatus,
  type RunStatus,
  runStatuses,
  type StatusError,
  statusPathOf,
  type StatusTeacher,
  writeFailedStatus,
  writeStatus,
} from "./run_status.ts";
