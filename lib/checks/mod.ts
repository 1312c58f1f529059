/**
 * The checks that an answer has to pass before it is kept: JSON, a JSON Schema, a pattern, the caller's own.
 *
 * In: a completion and its row. Out: the reason why it is turned down, or nothing. A check never changes
 * an answer and never asks the teacher. Patterns and schemas are checked in a worker, which is ended when
 * one answer takes more than a second.
 *
 * @module
 */

export type { AnswerCost, Check, Unchecked, Verdict } from "./check.ts";
export { Checks, createChecks } from "./checks.ts";
export { compilePattern } from "./reject_pattern.ts";
export { askedSchemaOf } from "./json_schema.ts";
export { type AnsweredRow, type Validate, verdictCheck } from "./validate.ts";
