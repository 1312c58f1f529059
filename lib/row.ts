/**
 * What flows through the picture: a row on its way in, and the outcome on its way out.
 *
 * @module
 */

import type { FailureType } from "./errors.ts";
import type { Completion, Message, Params, Teacher } from "./teacher/mod.ts";

/** One input row, ready to be sent. */
export interface Row {
  /** Its identity in the results file. */
  readonly uid: string;
  /** 16 hex digits of xxHash64 over the messages and row-level parameters as sent. */
  readonly promptHash: string;
  /** What is sent, oldest first. */
  readonly messages: Message[];
  /** Parameters that this row sets for itself; they win over those of the run. */
  readonly params: Params | undefined;
  /** The row's own JSON object as it stood in the input, without the line ending. A bare array of
   * messages stands here as `{"messages":[…]}`. */
  readonly text: string;
  /** Names in `text` that Retort writes too; empty for nearly every row. See `lib/sink/line.ts`. */
  readonly clashes: readonly string[];
  /** Which input of the run it comes from, from 0. */
  readonly input: number;
  /** Where it comes from: `file:line`. */
  readonly source: string;
  /** Which answer to its input row it is for: 0 for the first or only one. */
  readonly sample: number;
}

/** What a failures line says under `error`. */
export interface Failure {
  /** What kind of failure it is. */
  readonly type: FailureType;
  /** What happened, in words. */
  readonly message: string;
  /** The HTTP status, or null. */
  readonly status: number | null;
}

/** What happened to a row. A failed row is data, never an exception. */
export interface Outcome {
  /** The row. */
  readonly row: Row;
  /** The place of the row in the order in which rows were first sent, from 0. */
  readonly sequence: number;
  /** How many attempts were made; each is one POST at most. */
  readonly attempts: number;
  /** How long lanes were busy with it, all attempts together, in milliseconds. */
  readonly busyMs: number;
  /** How long the last attempt took, in milliseconds. */
  readonly latencyMs: number;
  /** When the first attempt failed (Unix milliseconds), or undefined when none did. */
  readonly firstFailedAt: number | undefined;
  /** When it was settled (Unix milliseconds). */
  readonly settledAt: number;
  /** The answer; where there is a failure too, what was paid for all the same. */
  readonly completion: Completion | undefined;
  /** Why the row failed; undefined when it succeeded. */
  readonly failure: Failure | undefined;
  /** Whom the last attempt was made at; undefined before there was one. */
  readonly teacher: Teacher | undefined;
  /** What all attempts have cost in US dollars; 0 where no price is known. */
  readonly costUsd: number;
}
