/**
 * The line of an outcome, whatever its answer holds: it was paid for.
 *
 * @module
 */

import type { Outcome } from "../row.ts";
import { failureLine, type LineFormat, resultLine } from "./line.ts";

/** What was written of an outcome, and its line. */
export interface WrittenOutcome {
  /** The outcome as it was written. */
  readonly outcome: Outcome;
  /** Its line, without the line ending. */
  readonly line: string;
}

/**
 * The line of an outcome, in the file that is its place. Where the answer holds what JSON cannot (a teacher
 * that was plugged in gave a `BigInt` or a circle), the row has failed, with the text as `partial`.
 */
export function outcomeLine(outcome: Outcome, format: LineFormat): WrittenOutcome {
  try {
    return written(outcome, format);
  } catch (cause) {
    const { completion } = outcome;
    if (completion === undefined) throw cause;
    const message = `The answer cannot be written as JSON: ${(cause as Error).message}`;
    const failure = outcome.failure ?? { type: "response", message, status: null };
    const partial = { ...completion, toolCalls: undefined, kept: undefined };
    try {
      return written({ ...outcome, completion: partial, failure }, format);
    } catch {
      return written({ ...outcome, completion: undefined, failure }, format);
    }
  }
}

function written(outcome: Outcome, format: LineFormat): WrittenOutcome {
  const isFailure = outcome.failure !== undefined;
  return { outcome, line: isFailure ? failureLine(outcome, format) : resultLine(outcome, format) };
}
