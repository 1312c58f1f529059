/**
 * A row that is to be sent, and its outcome.
 *
 * @module
 */

import type { Ending } from "./answer.ts";
import type { FailureType } from "./errors.ts";
import type { Completion, Message, Params, Teacher } from "./teacher/mod.ts";

/** A row that a caller passed to `distill()` or `generate()`. */
export interface GivenRow {
  /** The value that the caller's iterable yielded. */
  readonly value: unknown;
  /** The position of the value in the iterable, from 0. */
  readonly index: number;
}

/** One input row, ready to be sent. */
export interface Row {
  /** The id of the row in the results file. */
  readonly uid: string;
  /** 16 hex digits of the xxHash64 of the messages and the row's own parameters, as sent. */
  readonly promptHash: string;
  /** The messages to send, oldest first. */
  readonly messages: Message[];
  /** The row's own parameters, which override those of the run. */
  readonly params: Params | undefined;
  /** The JSON of the row as in the input, without the line ending. A bare array becomes
   * `{"messages":[…]}`. */
  readonly text: string;
  /** Fields of the row with names that Retort uses itself (`RESERVED_FIELDS`). Usually, there are
   * none. */
  readonly clashes: readonly string[];
  /** The index of the input among the run's inputs, from 0. */
  readonly input: number;
  /** Where the row comes from, for messages and `distill.source`: `file:line`. */
  readonly source: string;
  /** The index of this sample among the row's `samples`, from 0. */
  readonly sample: number;
  /** The row that the caller passed; undefined for rows from files. */
  readonly given?: GivenRow;
  /** An answer from an earlier run that was paid for but not accepted. */
  readonly earlier?: EarlierAnswer;
  /**
   * Resolves to the messages with the content of the files that they name. Files are read for each
   * attempt, so that they do not stay in memory. Rejects with a `TeacherError` if a file can no
   * longer be read. @default none, because the messages name no files
   */
  readonly readFiles?: () => Promise<readonly Message[]>;
}

/** How a row continues after an answer that was not accepted. */
export interface NextAttempt {
  /** The number of times so far that another answer was requested, because an answer was empty or
   * rejected. */
  readonly resample: number;
  /** The token limit of the next attempt; undefined if the parameters set none. */
  readonly maxTokens: number | undefined;
  /**
   * Whether the last answer has yet to be checked. If it passes, the row is not sent again.
   * @default false
   */
  readonly isUnchecked?: boolean;
}

/** An answer that was paid for but not accepted. */
export interface RejectedAnswer {
  /** The answer that was not accepted. */
  readonly completion: Completion;
  /** Why it was not accepted. */
  readonly failure: Failure;
}

/** The last answer that an earlier run received for a row and did not accept, as the row's failures
 * line describes it. */
export interface EarlierAnswer {
  /** Whether the earlier run used the same parameters. */
  readonly isSame: boolean;
  /**
   * How the row is sent next. Undefined if the row starts over, because the parameters have changed
   * or the failures line does not say how to continue.
   */
  readonly next: NextAttempt | undefined;
  /** The answer that was not accepted; undefined if the failures line contains none. */
  readonly rejected: RejectedAnswer | undefined;
}

/** The failure of a row, as in the `error` of a failures line. */
export interface Failure {
  /** The `error.type` of the failures line. */
  readonly type: FailureType;
  /** What went wrong, for the user. */
  readonly message: string;
  /** The HTTP status; null if no response arrived. */
  readonly status: number | null;
}

/** How a row ended: it was answered, has failed, or is pending. A failed row is data, never an
 * exception. */
export interface Outcome {
  /** The row that was sent. */
  readonly row: Row;
  /** The row's position in the order in which the run took rows from the input, counted from 0. */
  readonly sequence: number;
  /** The number of attempts so far. Each attempt is at most one POST. */
  readonly attempts: number;
  /** The time in flight over all attempts, in milliseconds. */
  readonly busyMs: number;
  /** The time in flight of the last attempt, in milliseconds. */
  readonly latencyMs: number;
  /** When the first attempt failed, in Unix milliseconds; undefined if none did. */
  readonly firstFailedAt: number | undefined;
  /** When the outcome was decided, in Unix milliseconds. */
  readonly settledAt: number;
  /** The answer. If there is a `failure`, this is an answer that was paid for but not accepted.
   * Undefined if there is no answer. */
  readonly completion: Completion | undefined;
  /** How the answer ended, if the finish reason does not show it. For example, an answer that is as
   * long as its token limit was truncated. */
  readonly ending?: Ending;
  /** Why the row failed, or why its answer was not accepted; undefined if the row succeeded. */
  readonly failure: Failure | undefined;
  /** How a pending row is sent next; undefined once the row is answered or has failed. */
  readonly next?: NextAttempt;
  /** The teacher of the last attempt; undefined if there was none. */
  readonly teacher: Teacher | undefined;
  /** The cost of all attempts in US dollars; null if the cost of any attempt is unknown. */
  readonly costUsd: number | null;
}

/** The parts of an outcome that a run's counters need. */
export type RowFigures = Pick<
  Outcome,
  "sequence" | "attempts" | "busyMs" | "latencyMs" | "failure" | "costUsd"
>;

/**
 * A row whose line is written but may not be on disk yet. It contains no texts, because V8 copies
 * what outlives its young generation. Waiting rows with texts and answers would take a fifth of the
 * engine's time.
 */
export interface FinishedRow extends RowFigures {
  readonly uid: string;
  /** The outcome, if there is a listener for outcomes. */
  readonly outcome: Outcome | undefined;
}

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

/** The fields that Retort adds. A row's own fields with these names are moved to
 * `distill.replaced`. */
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
