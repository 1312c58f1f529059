/**
 * What the engine knows of a check, the check for answers that must not match a pattern, and what the thread of a run and
 * its worker for checks say to each other.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";

/** An answer of which it is not known whether it passes. */
export interface Unchecked {
  /** Why, in words. */
  readonly unchecked: string;
  /** Whether it never will be known: the row has failed. Otherwise it stays pending. */
  readonly isFinal: boolean;
  /** Why the run must not continue; undefined while it may. */
  readonly halt?: string;
}

/** What a check says of an answer: nothing where it passes, why it is rejected, or that it could not be
 * checked. */
export type Verdict = string | Unchecked | undefined;

/** What the answer took. */
export interface AnswerCost {
  /** Attempts at the row, this one included. */
  readonly attempts: number;
  /** How long the attempt took, in milliseconds. */
  readonly latencyMs: number;
  /** What all attempts at the row have cost in US dollars; 0 where no price is known. */
  readonly costUsd: number;
}

/** Checks an answer before it is kept. A promise only where it has to wait. Neither throws nor rejects. */
export type Check = (
  completion: Completion,
  row: Row,
  cost?: AnswerCost,
) => Verdict | Promise<Verdict>;

/** Rejects answers in which a regular expression is found; reasoning and tool calls are not looked at. */
export function patternCheck(regExp: RegExp): Check {
  const reason = `Matches the reject pattern ${regExp}`;
  return ({ response }) => {
    regExp.lastIndex = 0;
    return regExp.test(response ?? "") ? reason : undefined;
  };
}

/**
 * Makes a regular expression of a pattern, which is left as it is.
 *
 * @param pattern A text is read with the flag `u`; other flags are written into it: `(?i:as an ai)`.
 * @throws {RangeError} when the text is empty or no regular expression
 * @throws {TypeError} when it is neither a text nor a `RegExp`
 */
export function compilePattern(pattern: string | RegExp): RegExp {
  // A copy, for with the flags `g` and `y` a RegExp remembers where it has stopped.
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
  /** Where the worker notes what it is doing: see `Note`. */
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
  /** Which of them have tool calls, by their places. */
  readonly withToolCalls: readonly number[];
}

/** Why answers of a batch are rejected, by their places; those that are missing pass. */
export type Reasons = ReadonlyMap<number, string>;

/** The places of the worker's notes: 32-bit integers. */
export const Note = {
  /** Which answer of the batch is checked, or -1 between batches. */
  Answer: 0,
  /** What it is checked for: see `Phase`. */
  Phase: 1,
} as const;

/** How many notes there are. */
export const NOTES = 2;

/** What an answer is checked for. */
export const Phase = { Schema: 0, Pattern: 1 } as const;

/** No answer is checked. */
export const IDLE = -1;
