/**
 * The interface of checks, the check for answers that must not match a pattern, and the messages
 * between a run and its worker for checks.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";

/** The verdict on an answer that could not be checked. */
export interface Unchecked {
  /** Why, as a message to the user. */
  readonly unchecked: string;
  /** Whether the row fails. Otherwise it stays pending, and the next run sends it again. */
  readonly isFinal: boolean;
  /** Why the run is halted; undefined if it continues. */
  readonly halt?: string;
}

/**
 * The result of a check: undefined if the answer passes, the reason for its rejection, or why it
 * could not be checked.
 */
export type Verdict = string | Unchecked | undefined;

/** What a row has cost so far, this answer included. */
export interface AnswerCost {
  /** Attempts at the row, including the one that returned this answer. */
  readonly attempts: number;
  /** Duration of the last attempt, in milliseconds. */
  readonly latencyMs: number;
  /** The cost of all attempts at the row in US dollars; null if the cost of one is unknown. */
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
 * Compiles a pattern.
 *
 * @param pattern A string is compiled with the flag `u`; it can set others itself: `(?i:as an ai)`.
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
      `Cannot use the reject pattern: it must be a string or a RegExp: current value is ${
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
      `Cannot use the reject pattern ${JSON.stringify(text)}: it must be a JavaScript regular ` +
        `expression: ${reason}`,
      { cause },
    );
  }
}

/** The first message to the worker: what to check for. The worker replies with `Ready`. */
export interface Setup {
  /** `source` and `flags` of the reject pattern; undefined if there is none. */
  readonly pattern: readonly [source: string, flags: string] | undefined;
  /** JSON text of the schema; undefined if there is none. */
  readonly jsonSchema: string | undefined;
  /** Shared memory in which the worker notes what it is doing: see `Note`. */
  readonly progress: SharedArrayBuffer;
}

/** The worker's reply to `Setup`. */
export interface Ready {
  /** Why the worker cannot check answers; undefined if it can. */
  readonly problem: string | undefined;
}

/** A later message to the worker: answers to check. The worker replies with `Reasons`. */
export interface Batch {
  /** The text of each answer; "" if it has none. */
  readonly texts: readonly string[];
  /** Indexes in `texts` of answers with tool calls. */
  readonly withToolCalls: readonly number[];
}

/** Why answers of a batch are rejected, by index; answers without an entry pass. */
export type Reasons = ReadonlyMap<number, string>;

/** Indexes into the array of 32-bit integers in which the worker notes what it is doing. */
export const Note = {
  /** The answer that is being checked, as an index in its batch, or `IDLE`. */
  Answer: 0,
  /** Which check is running: a value of `Phase`. */
  Phase: 1,
} as const;

/** The length of the array that `Note` describes. */
export const NOTE_COUNT = 2;

/** Values of `Note.Phase`. */
export const Phase = { Schema: 0, Pattern: 1 } as const;

/** The value of `Note.Answer` between batches. */
export const IDLE = -1;
