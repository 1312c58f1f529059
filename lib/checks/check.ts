/**
 * What the engine knows of a check.
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
