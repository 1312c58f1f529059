/**
 * The checks that an answer must pass before it is kept: JSON, a JSON Schema, a pattern, the
 * caller's own.
 *
 * In: a completion and its row. Out: why the completion is rejected or could not be checked, or
 * nothing. A check never changes an answer and never calls the teacher. By default, patterns and
 * schemas run in a worker, which gives up on an answer after a second.
 *
 * @module
 */

export { askedSchemaOf, compilePattern } from "./built_in_checks.ts";
export {
  type AnswerCost,
  type AnsweredRow,
  type Check,
  type CheckOptions,
  type Checks,
  createChecks,
  type Validate,
  validateCheck,
  type Verdict,
  verdictCheck,
} from "./checks.ts";
