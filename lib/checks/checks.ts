/**
 * The checks that a person asks for.
 *
 * @module
 */

import type { Check } from "./check.ts";
import { jsonCheck } from "./json_answer.ts";
import { schemaCheck } from "./json_schema.ts";
import { patternCheck } from "./reject_pattern.ts";
import { type Validate, validateCheck } from "./validate.ts";

export type { Check } from "./check.ts";
export type { AnsweredRow, Validate } from "./validate.ts";

/** Which answers are kept: those that pass all checks. */
export interface CheckOptions {
  /** Keeps only answers that are JSON and nothing else; a tool call without text passes. @default false */
  readonly requireJson?: boolean;
  /** Keeps only answers that are JSON of this JSON Schema: an object or a boolean, of the draft that its
   * `$schema` names. @default none, 2020-12 */
  readonly jsonSchema?: unknown;
  /** Keeps only answers that this does not match; a text is read with the flag `u`. @default none */
  readonly rejectPattern?: string | RegExp;
  /** Keeps only answers for which this gives `true` or nothing. @default none */
  readonly validate?: Validate;
}

/**
 * Makes the checks, in the order in which they are to be made: JSON, pattern, `validate`.
 *
 * @throws {TypeError} when an option is of the wrong type, or the JSON Schema is none
 * @throws {RangeError} when the pattern is no regular expression, or the schema is of an unknown draft
 */
export async function createChecks(options: CheckOptions): Promise<Check[]> {
  const { requireJson = false, jsonSchema, rejectPattern, validate } = options;
  const checks: Check[] = [];
  // The pattern is looked at first: a schema takes its time to compile.
  const pattern = rejectPattern === undefined ? undefined : patternCheck(rejectPattern);
  if (jsonSchema !== undefined) checks.push(await schemaCheck(jsonSchema));
  else if (requireJson) checks.push(jsonCheck());
  if (pattern !== undefined) checks.push(pattern);
  if (validate !== undefined) checks.push(validateCheck(validate));
  return checks;
}
