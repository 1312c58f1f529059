/**
 * A row on its way in, and its outcome on its way out.
 *
 * @module
 */

import type { Ending } from "./answer.ts";
import type { FailureType } from "./errors.ts";
import type { Completion, Message, Params, Teacher } from "./teacher/mod.ts";

/** A row that a caller passed to `distill()` or `generate()`. */
export interface GivenRow {
  /** What the caller's iterable yielded. */
  readonly value: unknown;
  /** Its position in the iterable, from 0. */
  readonly index: number;
}

/** One input row, ready to be sent. */
export interface Row {
  /** The identity of the row in the results file. */
  readonly uid: string;
  /** 16 hex digits of xxHash64 over the messages and row-level parameters as sent. */
  readonly promptHash: string;
  /** The messages to send, oldest first. */
  readonly messages: Message[];
  /** The row's own parameters override the run's. */
  readonly params: Params | undefined;
  /** The JSON as in the input, without the line ending. A bare array becomes `{"messages":[…]}`. */
  readonly text: string;
  /** Fields whose names Retort uses itself (`RESERVED_FIELDS`); nearly always none. */
  readonly clashes: readonly string[];
  /** The index of the input among the run's inputs, from 0. */
  readonly input: number;
  /** Where the row comes from, for messages and `distill.source`: `file:line`. */
  readonly source: string;
  /** Which of the row's `samples` this is, from 0. */
  readonly sample: number;
  /** What the caller passed; undefined for rows from files. */
  readonly given?: GivenRow;
  /** An answer of an earlier run that was paid for but not accepted. */
  readonly earlier?: EarlierAnswer;
  /**
   * Resolves to the messages with the content of the files that they name. Files are read for each
   * attempt, to keep them out of memory. Rejects with a `TeacherError` if a file can no longer be
   * read. @default none: the messages name no files
   */
  readonly readFiles?: () => Promise<readonly Message[]>;
}

/** How a row continues after an answer that was not accepted. */
export interface NextAttempt {
  /** How many answers were empty or rejected so far, each followed by a request for another. */
  readonly resample: number;
  /** The token limit of the next attempt; undefined if the parameters set none. */
  readonly maxTokens: number | undefined;
  /**
   * Whether the last answer has yet to be checked; if it passes, the row is not sent again.
   * @default false
   */
  readonly isUnchecked?: boolean;
}

/** An answer that was paid for but not accepted. */
export interface RejectedAnswer {
  /** The answer that was rejected. */
  readonly completion: Completion;
  /** Why it was not accepted. */
  readonly failure: Failure;
}

/** The last answer of an earlier run to a row that is pending, or has failed as `unfinished`. */
export interface EarlierAnswer {
  /** Whether that run used the same parameters. */
  readonly isSame: boolean;
  /**
   * How the row is sent next; undefined if it starts over: the parameters have changed, or the
   * failures line does not say.
   */
  readonly next: NextAttempt | undefined;
  /** The answer that was not accepted; undefined if the failures line holds none. */
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
  /** The row's position in the order in which the run took rows from the input, from 0. */
  readonly sequence: number;
  /** Attempts so far; each is one POST at most. */
  readonly attempts: number;
  /** The time in flight over all attempts, in milliseconds. */
  readonly busyMs: number;
  /** The time in flight of the last attempt, in milliseconds. */
  readonly latencyMs: number;
  /** When the first attempt failed, in Unix milliseconds; undefined if none did. */
  readonly firstFailedAt: number | undefined;
  /** When the outcome was decided, in Unix milliseconds. */
  readonly settledAt: number;
  /** With a `failure`, an answer that was paid for but not accepted; undefined if there is none. */
  readonly completion: Completion | undefined;
  /** How the answer ended, if the finish reason does not say it: an answer as long as its token
   * limit was truncated. */
  readonly ending?: Ending;
  /** Why the row failed, or its answer was not accepted; undefined if it succeeded. */
  readonly failure: Failure | undefined;
  /** How a pending row is sent again; undefined once it is answered or failed. */
  readonly next?: NextAttempt;
  /** The teacher of the last attempt; undefined if there was none. */
  readonly teacher: Teacher | undefined;
  /** US dollars for all attempts; null if the cost of any attempt is unknown. */
  readonly costUsd: number | null;
}

/** The parts of an outcome that a run's counters need. */
export type RowFigures = Pick<
  Outcome,
  "sequence" | "attempts" | "busyMs" | "latencyMs" | "failure" | "costUsd"
>;

/**
 * A row whose line is written but may not be on disk yet. Contains no texts: V8 copies what
 * outlives its young generation, and waiting rows with texts and answers would take a fifth of the
 * engine's time.
 */
export interface FinishedRow extends RowFigures {
  readonly uid: string;
  /** Set if a listener takes outcomes. */
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

/** Fields that Retort adds. A row's own fields with these names move to `distill.replaced`. */
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
