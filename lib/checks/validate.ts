/**
 * Answers that a function of the library's user judges.
 *
 * @module
 */

import { inspect } from "node:util";
import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import type { AnswerCost, Check } from "./check.ts";

/** A row with its answer, as `validate` sees it: the row's own fields, numbers as `JSON.parse` reads
 * them, and these in place of own ones of the same name. */
export interface AnsweredRow {
  /** Its identity. */
  uid: string;
  /** The answer. */
  response: string;
  /** The reasoning, or "". */
  reasoning: string;
  /** Why the answer ended. */
  finish_reason: string;
  /** Tool calls, where there are any. */
  tool_calls?: readonly unknown[];
  /** The row's own fields. */
  [field: string]: unknown;
}

/** Judges an answer before it is kept. `false` or a text (the reason) rejects it, and so does what it
 * throws. */
export type Validate = (
  row: AnsweredRow,
) => boolean | string | void | Promise<boolean | string | void>;

/**
 * Makes a check of `validate`. The row is parsed for it and for no one else.
 *
 * @throws {TypeError} when it is no function
 */
export function validateCheck(validate: Validate): Check {
  if (typeof validate !== "function") {
    throw new TypeError(
      `Cannot use "validate": it must be a function: current value is ${String(validate)}`,
    );
  }
  return verdictCheck((completion, row) => validate(answeredRow(row, completion)));
}

const FIRST_ATTEMPT: AnswerCost = Object.freeze({ attempts: 1, latencyMs: 0, costUsd: 0 });

/** Makes a check of a function that gives what `validate` may give, and may throw. */
export function verdictCheck(judge: (...answer: Required<Parameters<Check>>) => unknown): Check {
  return (completion, row, cost = FIRST_ATTEMPT) => {
    try {
      const verdict = judge(completion, row, cost);
      return isPromiseLike(verdict)
        ? Promise.resolve(verdict).then(reasonOf, thrownReason)
        : reasonOf(verdict);
    } catch (error) {
      return thrownReason(error);
    }
  };
}

function answeredRow(row: Row, completion: Completion): AnsweredRow {
  // Spread defines fields, so that one named `__proto__` is a field like any other.
  const { tool_calls: _, ...own } = JSON.parse(row.text) as Record<string, unknown>;
  const answered: AnsweredRow = {
    ...own,
    uid: row.uid,
    response: completion.response ?? "",
    reasoning: completion.reasoning ?? "",
    finish_reason: completion.finishReason ?? "",
  };
  const { toolCalls } = completion;
  if (toolCalls !== undefined && toolCalls.length > 0) answered.tool_calls = toolCalls;
  return answered;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function reasonOf(verdict: unknown): string | undefined {
  if (verdict === true || verdict === undefined || verdict === null) return undefined;
  if (verdict === false || verdict === "") return "validate() said no";
  if (typeof verdict === "string") return verdict;
  return `validate() must give true, false or a text: it gave ${
    Array.isArray(verdict) ? "an array" : `a value of type ${typeof verdict}`
  }`;
}

function thrownReason(error: unknown): string {
  // Anything can be thrown; not everything can be made a text by String().
  if (error instanceof Error) return `validate() threw: ${error.name}: ${error.message}`;
  return `validate() threw: ${typeof error === "string" ? JSON.stringify(error) : inspect(error)}`;
}
