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

/** Takes outcomes. The lane of a row is free again once the promise resolves. */
export interface OutcomeSink {
  /** Takes the outcome of a finished row or, without `keep`, of a pending one. A rejection means
   * that outcomes can no longer be written, and ends the run. */
  put(outcome: Outcome): Promise<void>;
  /**
   * Takes an answer that was not accepted, before its row is sent again: the outcome has a `next`,
   * and another one of the row will follow. Resolves once the answer would survive this process.
   * @default none: `put` gets the last such answer if the run ends before its row is finished
   */
  keep?(outcome: Outcome): Promise<void>;
}

/** Observes the engine. Called on the hot path. */
export interface EngineListener {
  /** Called before each attempt. */
  attempt(): void;
  /** Called when an answer to an attempt of this run is accepted. */
  attemptAnswered(completion: Completion): void;
  /** Called when an attempt failed, or its answer was not accepted. */
  attemptFailed(failed: FailedAttempt): void;
  /** Called when an attempt was reported as `failed`, but its teacher turned out to be the cause:
   * its row has not failed. */
  rowReleased(released: ReleasedRow): void;
  /** Called when the engine's `state` may have changed. */
  stateChanged(): void;
}

export interface EngineOptions {
  /** Rows in batches, in input order. */
  source: AsyncIterable<readonly Row[]>;
  /** One or more. */
  teachers: readonly EndpointOptions[];
  sink: OutcomeSink;
  listener: EngineListener;
  /** Rows may override them. */
  params: Params;
  /** The JSON Schema that requests ask for. @default none */
  askedSchema?: AskedSchema;
  /** The number of lanes: 1 to 100,000. */
  concurrency: number;
  /**
   * Whether each teacher's concurrency limit searches for the number with the highest throughput.
   */
  isExploring: boolean;
  /** Whether each teacher is sent one attempt at first, and more as its answers arrive. */
  isCareful: boolean;
  /** Whether rows were answered before with the same key, model and parameters. @default false */
  isProven?: boolean;
  /** Whether earlier runs have finished rows of the same outputs, so a teacher has answered before.
   * @default false */
  hasAnsweredBefore?: boolean;
  /**
   * How long to wait for an unreachable teacher while no teacher has answered, in milliseconds.
   * @default 60,000; 0 if the host does not exist
   */
  waitForTeacherMs?: number;
  /**
   * Whether rejected rows are held back until it is known whether they or the teacher are the
   * cause.
   * @default true
   */
  holdsRejections?: boolean;
  /** Decides whether and when a row is sent again. */
  retryPolicy: RetryPolicy;
  /** Decides which answers are kept. */
  policy: AnswerPolicy;
  /** Prices answers, and limits what the run spends. */
  budget: Budget;
  /** The longest time for a row, all its attempts and waits together, in milliseconds. @default no
   * limit */
  rowTimeoutMs?: number;
  /**
   * `prefix` sends rows with the same system message and first turn to the same teacher, while it
   * has room.
   * @default any teacher
   */
  affinity?: "prefix";
  /** The number of rows, if known. A run that ends with fewer finished rows ends as `halted`, even
   * if its source has ended. */
  rowCount?: number;
  /**
   * Called before each attempt, on the hot path, with the number of rows whose answers would be
   * lost with this process: those in flight, this one included, and those whose answer the sink has
   * not taken.
   */
  onAttempt?: (unwritten: number) => void;
  /** Called with messages for the user about a teacher: that one of several is halted, or that a
   * field is no longer sent. */
  onNotice?: (message: string) => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}
