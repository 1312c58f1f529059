/**
 * The checks that an answer has to pass before it is kept: JSON, a JSON Schema, a pattern, the caller's own.
 *
 * In: a completion and its row. Out: the reason why it is turned down, or nothing. A check never changes
 * an answer and never asks the teacher.
 *
 * @module
 */

export type { Check } from "./check.ts";
export { createChecks } from "./checks.ts";
export { askedSchemaOf } from "./schema_file.ts";
export type { AnsweredRow, Validate } from "./validate.ts";
