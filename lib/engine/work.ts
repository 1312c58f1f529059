/**
 * A row on its way through the engine: what has happened to it so far.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { Failure, Outcome, Row } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import type { Endpoint } from "./flow/mod.ts";
import type { AttemptHistory } from "./retry_policy.ts";

/** A row and its history. The engine alone writes to it. */
export interface Work extends AttemptHistory {
  /** The row. */
  readonly row: Row;
  /** Its place in the order in which rows were first sent. */
  readonly sequence: number;
  /** What is sent beside the messages; a longer answer or another seed may be asked for. */
  params: Params;
  /** Where the attempt under way, or the last one, is made. */
  endpoint: Endpoint | undefined;
  /** Attempts made. */
  attempts: number;
  faults: number;
  timeouts: number;
  loads: number;
  waits: number;
  /** How often its answer was rejected and asked for again. */
  resamples: number;
  /** Milliseconds in flight, all attempts together. */
  busyMs: number;
  /** US dollars, all attempts together. */
  costUsd: number;
  /** The last answer that was not kept: it was paid for, so it stands beside the failure if there will be
   * no better one. */
  rejected: { readonly completion: Completion; readonly failure: Failure } | undefined;
  /** How long it waits for its next attempt, in milliseconds; undefined when there is none to wait for. */
  dueInMs: number | undefined;
  /** When its time is up (on the clock of rows), or undefined while it has all the time. */
  deadlineAt: number | undefined;
  /** When the first attempt failed, in Unix milliseconds. */
  firstFailedAt: number | undefined;
}

/** A row that nothing has happened to. */
export function newWork(row: Row, sequence: number, params: Params): Work {
  return {
    row,
    sequence,
    params: row.params === undefined ? params : { ...params, ...row.params },
    endpoint: undefined,
    attempts: 0,
    faults: 0,
    timeouts: 0,
    loads: 0,
    waits: 0,
    resamples: 0,
    busyMs: 0,
    costUsd: 0,
    rejected: undefined,
    dueInMs: undefined,
    deadlineAt: undefined,
    firstFailedAt: undefined,
  };
}

/** What became of it. */
export function outcomeOf(
  work: Work,
  latencyMs: number,
  completion: Completion | undefined,
  failure: Failure | undefined,
): Outcome {
  return {
    row: work.row,
    sequence: work.sequence,
    attempts: work.attempts,
    busyMs: work.busyMs,
    latencyMs,
    firstFailedAt: work.firstFailedAt,
    settledAt: Date.now(),
    completion: completion ?? work.rejected?.completion,
    failure,
    teacher: work.endpoint?.teacher,
    costUsd: work.costUsd,
  };
}

/** What was thrown, as an error that can be judged. */
export function asTeacherError(thrown: unknown): TeacherError {
  if (thrown instanceof TeacherError) return thrown;
  if (thrown === undefined) {
    return new TeacherError("The teacher gave something that is no completion", {
      type: "response",
    });
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new TeacherError(message, { type: "teacher", cause: thrown });
}
