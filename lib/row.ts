/**
 * What flows through the picture: a row on its way in, and the outcome on its way out.
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
  /** What the caller gave, where rows do not come from files. */
  readonly given?: GivenRow;
  /** Where an earlier run left it, if that run got an answer to it which was not accepted. */
  readonly earlier?: EarlierAnswer;
  /**
   * Returns the messages with the files that they name read in; these are read for each attempt and kept
   * nowhere. Rejects with a `TeacherError` when one cannot be read any more.
   *
   * @default the messages name none
   */
  readonly readFiles?: () => Promise<readonly Message[]>;
}

/** What a row is asked with next, where its answer was not accepted and another one is asked for. */
export interface NextAttempt {
  /** How often the row will have been asked again for an answer that was empty or failed a check. */
  readonly resample: number;
  /** The token limit, or undefined where the parameters set none. */
  readonly maxTokens: number | undefined;
}

/** An answer that was paid for and not accepted, and why. */
export interface RejectedAnswer {
  /** The answer. */
  readonly completion: Completion;
  /** Why it was not accepted. */
  readonly failure: Failure;
}

/** What an earlier run left of a row that it could not finish. */
export interface EarlierAnswer {
  /** Whether it was asked with the parameters that this run asks it with. */
  readonly isSame: boolean;
  /** Where the row continues, or undefined where it starts over: its parameters have changed. */
  readonly next: NextAttempt | undefined;
  /** The last answer, or undefined where its line does not hold it. */
  readonly rejected: RejectedAnswer | undefined;
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
  /** The answer; where there is a failure too, what was paid for anyway. */
  readonly completion: Completion | undefined;
  /** Why the row failed, or why its answer was not accepted; undefined when it succeeded. */
  readonly failure: Failure | undefined;
  /** What the row is asked with next: it has not failed, it is pending. Undefined once it is finished. */
  readonly next?: NextAttempt;
  /** Whom the last attempt was made at; undefined before there was one. */
  readonly teacher: Teacher | undefined;
  /** What all attempts have cost in US dollars; 0 where no price is known. */
  readonly costUsd: number;
}

/** A row's own fields of these names are moved to `distill.replaced`. */
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
