/**
 * Sends requests to teachers. One attempt is one POST.
 *
 * In: messages and parameters. Out: a completion, or a `TeacherError` that says what went wrong.
 * Nothing here retries, waits for limits, or reads rows.
 *
 * @module
 */

export { type EndpointName, endpointProblem, ENDPOINTS } from "./api_format.ts";
export { openai, openaiCompatible, type OpenAITeacher } from "./openai_compatible.ts";
export { checkParams, teacherOptionAdvice } from "./teacher_options.ts";
export { holdsSecret, redactAddress } from "./network.ts";
export type { OpenAICompatibleOptions } from "./teacher_options.ts";
export {
  type AskedSchema,
  type Completion,
  disposable,
  type Message,
  type Params,
  type RateLimit,
  type Teacher,
  type TeacherRequest,
  type Usage,
} from "./teacher.ts";
