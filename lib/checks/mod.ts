/**
 * The checks that an answer must pass before it is kept: JSON, a JSON Schema, a pattern, the
 * caller's own.
 *
 * In: a completion and its row. Out: the reason for its rejection, or nothing. A check never
 * changes an answer and never calls the teacher. A worker matches answers against patterns and
 * schemas; it is terminated when one answer takes more than a second.
 *
 * @module
 */

export { askedSchemaOf, compilePattern } from "./built_in_checks.ts";
export {
  type AnswerCost,
  type AnsweredRow,
  type Check,
  type Checks,
  createChecks,
  type Validate,
  validateCheck,
  type Verdict,
  verdictCheck,
} from "./checks.ts";
