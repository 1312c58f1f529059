/**
 * Retort turns a file of prompts into a distillation dataset with a teacher model.
 *
 * @example A file of prompts in, a dataset out
 * ```ts
 * import { openaiCompatible, ResponseGenerator } from "./mod.ts";
 *
 * async function distil(): Promise<void> {
 *   const teacher = openaiCompatible({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const generator = new ResponseGenerator({ teacher, concurrency: 200 });
 *   const summary = await generator.run({ input: ["prompts.jsonl"], output: "out/" });
 *   console.log(summary.succeeded, summary.failed, summary.pending);
 *   await teacher.close();
 * }
 * ```
 *
 * @example Any iterable, any teacher
 * ```ts
 * import { ResponseGenerator, type Teacher } from "./mod.ts";
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
 * const generator = new ResponseGenerator({ teacher: echo, concurrency: 4 });
 * for await (const outcome of generator.generate([{ prompt: "Hello" }])) {
 *   console.log(outcome.ok ? outcome.row.response : outcome.error);
 * }
 * ```
 *
 * @module
 */

export { ResponseGenerator } from "./lib/response_generator.ts";
export type { GeneratedOutcome, OutputRow } from "./lib/run/generation.ts";
export type {
  AnsweredRow,
  ResponseGeneratorOptions,
  RowOptions,
  RunOptions,
  TeacherPlace,
  ThinkStyle,
  Validate,
} from "./lib/run/options.ts";
export type { Preview } from "./lib/run/preview.ts";
export type { OutcomeListener } from "./lib/run/activity.ts";
export type { Failure, Outcome, Row } from "./lib/row.ts";
export { openaiCompatible, type OpenAICompatibleOptions } from "./lib/teacher/openai_compatible.ts";
export type {
  Completion,
  Message,
  Params,
  RateLimit,
  Teacher,
  TeacherRequest,
  Usage,
} from "./lib/teacher/teacher.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "./lib/simulate/simulated_teacher.ts";
export type { SimulateOptions } from "./lib/simulate/options.ts";
export { type Damage, type Verification, verify, type VerifyOptions } from "./lib/verify.ts";
export {
  type ExportFormat,
  type ExportOptions,
  type ExportReport,
  exportResults,
} from "./lib/export/export_results.ts";
export type {
  ErrorGroup,
  FailureAction,
  Notice,
  Percentiles,
  RunEvent,
  RunListener,
  RunStart,
  RunState,
  Snapshot,
  Summary,
  SummaryFile,
  TeacherStatus,
} from "./lib/progress/events.ts";
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
