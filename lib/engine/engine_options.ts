/**
 * The interfaces by which the engine knows the rest of Retort.
 *
 * @module
 */

import type { FailedAttempt, ReleasedRow } from "../progress/mod.ts";
import type { Outcome, Row } from "../row.ts";
import type { AskedSchema, Completion, Params } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget } from "./answers/mod.ts";
import type { EndpointOptions } from "./flow/mod.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Takes outcomes. A row holds its lane until the returned promise resolves. */
export interface OutcomeSink {
  /** Takes the outcome of a finished row or, without `keep`, of a pending one. A rejection means
   * that outcomes can no longer be written, and ends the run. */
  put(outcome: Outcome): Promise<void>;
  /** Takes an answer that was not accepted, before its row is sent again. The outcome has a `next`:
   * the row is not finished, and another outcome follows. Resolves once the answer would survive a
   * crash. @default `put` gets the last such answer if the run ends before its row is finished */
  keep?(outcome: Outcome): Promise<void>;
}

/** Observes the engine. Called on the hot path. */
export interface EngineListener {
  attempt(): void;
  /** Called when an answer is accepted, unless an earlier run paid for it. */
  attemptAnswered(completion: Completion): void;
  /** Called when an attempt has failed, or its answer was not accepted. */
  attemptFailed(failed: FailedAttempt): void;
  /** Called when a row that was reported as `failed` is sent again, because its teacher turned out
   * to be the cause. */
  rowReleased(released: ReleasedRow): void;
  stateChanged(): void;
}

export interface EngineOptions {
  source: AsyncIterable<readonly Row[]>;
  teachers: readonly EndpointOptions[];
  sink: OutcomeSink;
  listener: EngineListener;
  params: Params;
  /** The JSON Schema that requests ask for. @default none */
  askedSchema?: AskedSchema;
  concurrency: number;
  /** Whether to search for the concurrency at which each teacher has the highest throughput. */
  isExploring: boolean;
  /** Whether each teacher is sent one attempt at first, and more as its answers arrive. */
  isCareful: boolean;
  /** Whether rows were answered before with the same key, model and parameters. @default false */
  isProven?: boolean;
  /** Whether earlier runs with the same outputs have finished rows, so that a teacher has answered
   * before. @default false */
  hasAnsweredBefore?: boolean;
  /** How long to wait for an unreachable teacher while none has answered, in milliseconds. @default
   * 60,000; 0 if the host does not exist */
  waitForTeacherMs?: number;
  /** Whether rejected rows are held back until it is known whether they or the teacher are the
   * cause. @default true */
  holdsRejections?: boolean;
  retryPolicy: RetryPolicy;
  policy: AnswerPolicy;
  budget: Budget;
  /** The limit for all attempts and waits of a row together. @default none */
  rowTimeoutMs?: number;
  /** `prefix` sends rows with the same system message and first turn to the same teacher, while it
   * has room. @default any teacher */
  affinity?: "prefix";
  /** The number of rows. A run that ends with fewer finished rows ends as `halted`, even if its
   * source has ended. */
  rowCount?: number;
  /** Called before each attempt with the number of rows whose answers would be lost with this
   * process: those in flight, this one included, and those whose answer the sink has not taken. */
  onAttempt?: (unwritten: number) => void;
  /** Called with messages for the user: that one of several teachers is halted, or that a field is
   * no longer sent. */
  onNotice?: (message: string) => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}
