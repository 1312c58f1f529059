/**
 * Teachers: one attempt is one POST.
 *
 * In: messages and parameters. Out: a completion, or a `TeacherError` that says what went wrong. Nothing
 * here retries, waits for a limit or knows rows.
 *
 * @module
 */

export { openaiCompatible, type OpenAICompatibleOptions } from "./openai_compatible.ts";
export { checkParams } from "./params.ts";
export type {
  Completion,
  Message,
  Params,
  RateLimit,
  Teacher,
  TeacherRequest,
  Usage,
} from "./teacher.ts";
