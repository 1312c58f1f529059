/**
 * What a check is, the check for answers that must not match a pattern, and the messages between a
 * run and its worker for checks.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";

/** The verdict on an answer that could not be checked. */
export interface Unchecked {
  readonly unchecked: string;
  /** Whether the row fails. Otherwise it stays pending, and the next run sends it again. */
  readonly isFinal: boolean;
  /** Why the run is halted; undefined if it continues. */
  readonly halt?: string;
}

/** Why an answer is rejected, or could not be checked; undefined if it passes. */
export type Verdict = string | Unchecked | undefined;

/** What a row has cost so far, this answer included. */
export interface AnswerCost {
  readonly attempts: number;
  /** Of the last attempt. */
  readonly latencyMs: number;
  /** Of all attempts; null if the cost of one is unknown. */
  readonly costUsd: number | null;
}

/**
 * Checks an answer before it is kept. Returns a promise only if it must wait. Neither throws nor
 * rejects.
 */
export type Check = (
  completion: Completion,
  row: Row,
  cost?: AnswerCost,
) => Verdict | Promise<Verdict>;

/** Rejects answers that match a regular expression; reasoning and tool calls are not searched. */
export function patternCheck(regExp: RegExp): Check {
  const reason = `Matches the reject pattern ${regExp}`;
  return ({ response }) => {
    regExp.lastIndex = 0;
    return regExp.test(response ?? "") ? reason : undefined;
  };
}

/**
 * @param pattern A string is compiled with the flag `u`; it can set others itself: `(?i:as an ai)`.
 * @throws {RangeError} when the string is empty or not a regular expression
 */
export function compilePattern(pattern: string | RegExp): RegExp {
  // A copy, because with the flags `g` and `y` a RegExp remembers its last position.
  if (pattern instanceof RegExp) return new RegExp(pattern);
  if (pattern === "") {
    throw new RangeError("Cannot use the reject pattern: it is empty and would match every answer");
  }
  try {
    return new RegExp(pattern, "u");
  } catch (cause) {
    const reason = (cause as SyntaxError).message.replace(/^Invalid regular expression: /, "");
    throw new RangeError(
      `Cannot use the reject pattern ${JSON.stringify(pattern)}: it must be a JavaScript regular ` +
        `expression: ${reason}`,
      { cause },
    );
  }
}

/** The first message to the worker, which replies with the reason why it cannot check answers, or
 * with "" once it can. */
export interface Setup {
  /** `source` and `flags` of the reject pattern. */
  readonly pattern: readonly [source: string, flags: string] | undefined;
  /** As JSON. */
  readonly jsonSchema: string | undefined;
  /** Shared memory with one 32-bit integer: what the worker is doing. It is `IDLE` or, for the
   * answer at `index` in its batch, `2 * index` plus a `Phase`. */
  readonly progress: SharedArrayBuffer;
}

/** A later message to the worker, which replies with `Reasons`. */
export interface Batch {
  readonly texts: readonly string[];
  /** Indexes in `texts` of answers with tool calls. */
  readonly withToolCalls: readonly number[];
}

/** Why answers of a batch are rejected, by index; answers without an entry pass. */
export type Reasons = ReadonlyMap<number, string>;

export const Phase = { Schema: 0, Pattern: 1 } as const;

export const IDLE = -1;
