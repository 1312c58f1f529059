/**
 * Retort turns a file of prompts into a distillation dataset with a teacher model.
 *
 * @example A file of prompts in, a dataset out
 * ```ts
 * import { distillFiles, openai } from "./mod.ts";
 *
 * async function answerFile(): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const summary = await distillFiles("prompts.jsonl", "out/", { teacher, concurrency: 200 });
 *   console.log(summary.succeeded, summary.failed, summary.costUsd);
 * }
 * ```
 *
 * @example Any iterable, any teacher
 * ```ts
 * import { distill, type Teacher } from "./mod.ts";
 *
 * const echo: Teacher = {
 *   complete: ({ messages }) =>
 *     Promise.resolve({
 *       response: String(messages.at(-1)!.content),
 *       finishReason: "stop",
 *       usage: null,
 *       model: "echo",
 *     }),
 * };
 * for await (const answer of distill([{ id: 7, prompt: "Hello" }], { teacher: echo })) {
 *   console.log(answer.input.id, answer.ok ? answer.response : answer.error.message);
 * }
 * ```
 *
 * @module
 */

export type { InputFormat, InputOptions } from "./lib/formats/mod.ts";
export {
  distill,
  distillFiles,
  type DistillFilesOptions,
  type DistillOptions,
} from "./lib/distill.ts";
export type { Shard } from "./lib/shards/mod.ts";
export type { PathLike } from "./lib/files.ts";
export { ResponseGenerator } from "./lib/response_generator.ts";
export {
  type Answer,
  type AnsweredRow,
  type Damage,
  type DistillOutcome,
  type FailedRow,
  type GeneratedOutcome,
  type OneOrMany,
  type OutcomeCommon,
  type OutcomeListener,
  type OutputRow,
  type Preview,
  type PreviewedRequest,
  type ResponseGeneratorOptions,
  type RowOptions,
  type RunOptions,
  type RunStatus,
  runStatuses,
  type SharedOptions,
  type StatusError,
  type StatusTeacher,
  type TeacherChange,
  type TeacherList,
  type TeacherPlace,
  type ThinkStyle,
  type Validate,
  type Verification,
  verify,
  type VerifyOptions,
} from "./lib/run/mod.ts";
export type { Ending } from "./lib/answer.ts";
export type {
  EarlierAnswer,
  Failure,
  GivenRow,
  NextAttempt,
  Outcome,
  RejectedAnswer,
  Row,
} from "./lib/row.ts";
export {
  type AskedSchema,
  type Completion,
  disposable,
  type EndpointName,
  type Message,
  openai,
  openaiCompatible,
  type OpenAICompatibleOptions,
  type OpenAITeacher,
  type Params,
  type RateLimit,
  type Teacher,
  type TeacherRequest,
  type Usage,
} from "./lib/teacher/mod.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
  type SimulateOptions,
} from "./lib/simulate/mod.ts";
export {
  convertFiles,
  type ConvertFormat,
  type ConvertOptions,
  type ExportFormat,
  type ExportOptions,
  type ExportReport,
  exportResults,
  type LoaderHint,
  type ToolArguments,
  type WriteOptions,
} from "./lib/export/mod.ts";
export {
  type Clash as MergeClash,
  type MergeOptions,
  type MergeProblem,
  type MergeReport,
  mergeRuns,
  type WaitProgress as MergeProgress,
} from "./lib/merge/mod.ts";
export type {
  CamelCase,
  ErrorGroup,
  FailureAction,
  Notice,
  Percentiles,
  ResultOf,
  RunEvent,
  RunListener,
  RunSnapshot,
  RunStart,
  RunState,
  RunSummary as Summary,
  Snapshot,
  Summary as RunEnd,
  SummaryFile,
  TeacherStatus,
} from "./lib/progress/mod.ts";
export {
  DamagedFileError,
  type FailureType,
  HaltedError,
  LockedError,
  RetortError,
  SinkError,
  type SinkErrorOptions,
  SourceError,
  type SourceErrorOptions,
  TeacherError,
  type TeacherErrorOptions,
  UsageError,
} from "./lib/errors.ts";
export { VERSION } from "./lib/version.ts";
