/**
 * The checks that the options of a run ask for.
 *
 * @module
 */

import type { Check } from "./check.ts";
import { jsonCheck, schemaCheck } from "./json_schema.ts";
import { compilePattern, patternCheck } from "./reject_pattern.ts";
import { type Validate, validateCheck } from "./validate.ts";
import { WorkerCheck } from "./worker_check.ts";

export type { Check, Unchecked, Verdict } from "./check.ts";
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
  /** A check that is ready to be used. @default none */
  readonly check?: Check;
  /** Checks patterns and schemas in this thread: a bundle has no file for a worker. @default false */
  readonly isWithoutWorker?: boolean;
}

/** The checks of a run. Dispose of them when it has ended. */
export class Checks implements Disposable {
  /** They are made in this order. */
  readonly list: readonly Check[];
  readonly #worker: WorkerCheck | undefined;

  /** Made by `createChecks`. */
  constructor(list: readonly Check[], worker?: WorkerCheck) {
    this.list = list;
    this.#worker = worker;
  }

  /** Ends their worker, whatever it is doing. */
  [Symbol.dispose](): void {
    this.#worker?.close();
  }
}

/**
 * Makes the checks, in the order in which they are to be made: JSON, pattern, `validate`.
 *
 * A regular expression can take hours for one answer, also inside of a JSON Schema, and nothing can end
 * it but the end of its thread: patterns and schemas are checked in a worker, unless it is asked for none.
 *
 * @throws {TypeError} when an option is of the wrong type, the JSON Schema is none, or no worker can be
 * started
 * @throws {RangeError} when the pattern is no regular expression, or the schema is of an unknown draft
 */
export async function createChecks(options: CheckOptions): Promise<Checks> {
  const { requireJson = false, jsonSchema, rejectPattern, validate, check } = options;
  // The pattern is looked at first: a schema takes its time to compile.
  const pattern = rejectPattern === undefined ? undefined : compilePattern(rejectPattern);
  const own = validate === undefined ? [] : [validateCheck(validate)];
  if (check !== undefined) own.push(check);
  // Also made where the worker checks: what is wrong with it is said here.
  const schema = jsonSchema === undefined ? undefined : await schemaCheck(jsonSchema);
  const json = schema === undefined && requireJson ? [jsonCheck()] : [];
  if (pattern === undefined && schema === undefined) return new Checks([...json, ...own]);
  if (options.isWithoutWorker) {
    const here = [schema, pattern && patternCheck(pattern)].filter((check) => check !== undefined);
    return new Checks([...json, ...here, ...own]);
  }
  const worker = await WorkerCheck.start({ pattern, jsonSchema });
  return new Checks([...json, worker.check, ...own], worker);
}
