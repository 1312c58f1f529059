/**
 * The data that flows through Retort: a row on its way in, and its outcome on its way out.
 *
 * @module
 */

import type { FailureType } from "./errors.ts";
import type { Completion, Message, Params, Teacher } from "./teacher/mod.ts";

/** A value that a caller gave as a row. */
export interface GivenRow {
  /** The value itself. */
  readonly value: unknown;
  /** Its place among all that were given, from 0. */
  readonly index: number;
}

/** One input row, ready to be sent. */
export interface Row {
  /** Its identity in the results file. */
  readonly uid: string;
  /** 16 hex digits of xxHash64 over the messages and row-level parameters as sent. */
  readonly promptHash: string;
  /** The messages to send, oldest first. */
  readonly messages: Message[];
  /** The row's own parameters; they override those of the run. */
  readonly params: Params | undefined;
  /** The row's own JSON object as it is in the input, without the line ending. A bare array of messages becomes
   * `{"messages":[…]}`. */
  readonly text: string;
  /** Names in `text` that Retort writes too; empty for nearly every row. See `lib/sink/line.ts`. */
  readonly clashes: readonly string[];
  /** Which input of the run it comes from, from 0. */
  readonly input: number;
  /** Where it comes from: `file:line`. */
  readonly source: string;
  /** The number of the answer to its input row: 0 for the first or only one. */
  readonly sample: number;
  /** What the caller gave, where rows do not come from files. */
  readonly given?: GivenRow;
  /** Where an earlier run left it, if that run got an answer that was not accepted. */
  readonly earlier?: EarlierAnswer;
  /**
   * Returns the messages with the content of the files that they name. Files are read for each attempt and not
   * kept in memory. Rejects with a `TeacherError` when one can no longer be read.
   *
   * @default the messages name none
   */
  readonly readFiles?: () => Promise<readonly Message[]>;
}

/** How a row is sent again after its answer was not accepted. */
export interface NextAttempt {
  /** How often another answer will have been requested because one was empty or failed a check. */
  readonly resample: number;
  /** The token limit, or undefined if the parameters set none. */
  readonly maxTokens: number | undefined;
}

/** An answer that was paid for and not accepted, and why. */
export interface RejectedAnswer {
  /** The answer. */
  readonly completion: Completion;
  /** Why it was not accepted. */
  readonly failure: Failure;
}

/** The state in which an earlier run left a row that it could not finish. */
export interface EarlierAnswer {
  /** Whether its parameters were those of this run. */
  readonly isSame: boolean;
  /** Where the row continues, or undefined if it starts over: its parameters have changed. */
  readonly next: NextAttempt | undefined;
  /** The last answer, or undefined if its line does not hold it. */
  readonly rejected: RejectedAnswer | undefined;
}

/** The failure of a row, as in the `error` of a failures line. */
export interface Failure {
  /** The kind of failure. */
  readonly type: FailureType;
  /** The message for the user. */
  readonly message: string;
  /** The HTTP status, or null. */
  readonly status: number | null;
}

/** The outcome of a row. A failed row is data, never an exception. */
export interface Outcome {
  /** The row. */
  readonly row: Row;
  /** The number of the row in the order in which rows were first sent, from 0. */
  readonly sequence: number;
  /** How many attempts were made; each is one POST at most. */
  readonly attempts: number;
  /** How long lanes were busy with it, all attempts together, in milliseconds. */
  readonly busyMs: number;
  /** How long the last attempt took, in milliseconds. */
  readonly latencyMs: number;
  /** When the first attempt failed (Unix milliseconds), or undefined when none did. */
  readonly firstFailedAt: number | undefined;
  /** When it was finished, or its answer not accepted (Unix milliseconds). */
  readonly settledAt: number;
  /** The answer; with a failure, an answer that was paid for but not accepted. */
  readonly completion: Completion | undefined;
  /** Why the row failed, or why its answer was not accepted; undefined when it succeeded. */
  readonly failure: Failure | undefined;
  /** How the row is sent next: it has not failed, it is pending. Undefined once it is finished. */
  readonly next?: NextAttempt;
  /** The teacher of the last attempt; undefined before there was one. */
  readonly teacher: Teacher | undefined;
  /** The cost of all attempts in US dollars; 0 if no price is known. */
  readonly costUsd: number;
}

/** What a finished row adds to the counters. */
export type RowFigures = Pick<
  Outcome,
  "sequence" | "attempts" | "busyMs" | "latencyMs" | "failure" | "costUsd"
>;

/**
 * A finished row whose line is written but may not be on disk yet. The garbage collector copies what outlives V8's
 * young generation: with their texts and answers, rows that wait for the disk took a fifth of the engine's time.
 */
export interface FinishedRow extends RowFigures {
  /** The id of the row. */
  readonly uid: string;
  /** The outcome, where a listener takes it. */
  readonly outcome: Outcome | undefined;
}

/** The finished row of an outcome; it holds the outcome itself only if `keepsOutcome`. */
export function finishedRow(outcome: Outcome, keepsOutcome: boolean): FinishedRow {
  const { row: { uid }, sequence, attempts, busyMs, latencyMs, failure, costUsd } = outcome;
  return {
    uid,
    sequence,
    attempts,
    busyMs,
    latencyMs,
    failure,
    costUsd,
    outcome: keepsOutcome ? outcome : undefined,
  };
}

/** Names that Retort writes: a row's own fields with these names are moved to `distill.replaced`. */
export const RESERVED_FIELDS = [
  "uid",
  "prompt_hash",
  "response",
  "reasoning",
  "distill",
  "tool_calls",
  "final_messages",
  "error",
  "partial",
] as const;
