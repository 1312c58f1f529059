/**
 * The interface of checks, the check for answers that must not match a pattern, and the messages between a run
 * and its worker for checks.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";

/** An answer that could not be checked. */
export interface Unchecked {
  /** Why, for the user. */
  readonly unchecked: string;
  /** Whether it never will be: the row has failed. Otherwise it stays pending. */
  readonly isFinal: boolean;
  /** Why the run must not continue; undefined while it may. */
  readonly halt?: string;
}

/** The result of a check: undefined if the answer passes, the reason for its rejection, or that it could not
 * be checked. */
export type Verdict = string | Unchecked | undefined;

/** What the answer cost. */
export interface AnswerCost {
  /** Attempts at the row, this one included. */
  readonly attempts: number;
  /** The duration of the attempt, in milliseconds. */
  readonly latencyMs: number;
  /** The cost of all attempts at the row in US dollars; 0 if no price is known. */
  readonly costUsd: number;
}

/** Checks an answer before it is kept. Returns a promise only if it has to wait. Neither throws nor rejects. */
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
 * Compiles a pattern.
 *
 * @param pattern A string is compiled with the flag `u`; it can hold other flags: `(?i:as an ai)`.
 * @throws {RangeError} when the string is empty or not a regular expression
 * @throws {TypeError} when it is neither a string nor a `RegExp`
 */
export function compilePattern(pattern: string | RegExp): RegExp {
  // A copy, because with the flags `g` and `y` a RegExp remembers its last position.
  return pattern instanceof RegExp ? new RegExp(pattern) : compile(pattern);
}

function compile(text: unknown): RegExp {
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot use the reject pattern: it must be a text or a RegExp: current value is ${
        String(text)
      }`,
    );
  }
  if (text === "") {
    throw new RangeError("Cannot use the reject pattern: it is empty and would match every answer");
  }
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    const reason = (cause as SyntaxError).message.replace(/^Invalid regular expression: /, "");
    throw new RangeError(
      `Cannot use the reject pattern ${JSON.stringify(text)}: it must be a regular expression of ` +
        `JavaScript: ${reason}`,
      { cause },
    );
  }
}

/** The first message to the worker: what to check for. It answers with `Ready`. */
export interface Setup {
  /** The reject pattern, as `source` and `flags`. */
  readonly pattern: readonly [source: string, flags: string] | undefined;
  /** The JSON Schema as JSON. */
  readonly jsonSchema: string | undefined;
  /** Memory in which the worker notes what it is doing: see `Note`. */
  readonly progress: SharedArrayBuffer;
}

/** The worker has started. */
export interface Ready {
  /** Why it cannot check; undefined when it can. */
  readonly problem: string | undefined;
}

/** The other messages to the worker: answers. It replies with `Reasons`. */
export interface Batch {
  /** Their texts. */
  readonly texts: readonly string[];
  /** The indexes of answers with tool calls. */
  readonly withToolCalls: readonly number[];
}

/** Why answers of a batch are rejected, by index; those that are missing pass. */
export type Reasons = ReadonlyMap<number, string>;

/** The indexes of the worker's notes, which are 32-bit integers. */
export const Note = {
  /** The index of the answer that is being checked, or -1 between batches. */
  Answer: 0,
  /** The check that is running: see `Phase`. */
  Phase: 1,
} as const;

/** The number of notes. */
export const NOTES = 2;

/** The checks of a worker. */
export const Phase = { Schema: 0, Pattern: 1 } as const;

/** No answer is being checked. */
export const IDLE = -1;
