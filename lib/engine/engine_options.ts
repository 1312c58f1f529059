/**
 * What an engine is put together from: it knows the rest of Retort by these interfaces only.
 *
 * @module
 */

import type { FailedAttempt, ReleasedRow } from "../progress/mod.ts";
import type { Outcome, Row } from "../row.ts";
import type { AskedSchema, Completion, Params } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget } from "./answers/mod.ts";
import type { EndpointOptions } from "./flow/mod.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Where outcomes go. A lane is free again once the promise resolves. */
export interface OutcomeSink {
  /** Takes an outcome; rejects when it can never be written, which ends the run. */
  put(outcome: Outcome): Promise<void>;
  /** Takes an answer that was not accepted, before its row is sent again: the outcome has a `next`, and another
   * one of the row will follow. Resolves once the answer would survive this process.
   * @default `put` takes the last of them when the run ends before its row is finished */
  keep?(outcome: Outcome): Promise<void>;
}

/** What the engine reports while it works. Called on the hot path. */
export interface EngineListener {
  /** An attempt is about to be made. */
  attempt(): void;
  /** An attempt was answered, and the answer is kept. */
  attemptAnswered(completion: Completion): void;
  /** An attempt failed, or its answer was not kept. */
  attemptFailed(failed: FailedAttempt): void;
  /** An attempt that was reported as `failed` was its teacher's fault: its row has not failed. */
  rowReleased(released: ReleasedRow): void;
  /** `state` may have changed. */
  stateChanged(): void;
}

/** What the engine is put together from. */
export interface EngineOptions {
  /** Rows in batches, in input order. */
  source: AsyncIterable<readonly Row[]>;
  /** The teachers, one or more. */
  teachers: readonly EndpointOptions[];
  /** Where outcomes go. */
  sink: OutcomeSink;
  /** Receives every attempt. */
  listener: EngineListener;
  /** The run's parameters. */
  params: Params;
  /** The JSON Schema that requests ask for. @default any text will do */
  askedSchema?: AskedSchema;
  /** The number of lanes: 1 to 100,000. */
  concurrency: number;
  /** Whether each teacher's concurrency limit searches for the number with the highest throughput. */
  isExploring: boolean;
  /** Whether a run starts with one attempt at a time, and grows with the answers. */
  isCareful: boolean;
  /** Whether rows were answered before with the same key, model and parameters. @default false */
  isProven?: boolean;
  /** Whether a teacher has answered a row of the same output before. @default false */
  wasAnswered?: boolean;
  /** How long to wait for a teacher that cannot be reached while no teacher has answered yet, in milliseconds.
   * @default 60,000; 0 if the host does not exist */
  waitForTeacherMs?: number;
  /** Whether rejected rows are held back until it is known whether they or the teacher are the cause.
   * @default true */
  holdsRejections?: boolean;
  /** When to try again. */
  retryPolicy: RetryPolicy;
  /** Which answers are kept. */
  policy: AnswerPolicy;
  /** What may be spent. */
  budget: Budget;
  /** The longest time for one row, in milliseconds. @default no limit */
  rowTimeoutMs?: number;
  /** Sends rows with the same system message and first turn to the same teacher, while it has room.
   * @default any teacher */
  affinity?: "prefix";
  /** The number of rows, where it is known. The run is done when they are all finished, and halted otherwise,
   * even if the source ends early because it was stopped. */
  rowCount?: number;
  /** Called before each attempt with the number of rows that would be lost with this process: those in flight,
   * this one included, and those whose answer the sink has not taken yet. On the hot path. */
  onAttempt?: (unwritten: number) => void;
  /** Receives what the user should know about a teacher: that one of several is halted, or that a field is no
   * longer sent. */
  onNotice?: (message: string) => void;
  /** Milliseconds, monotonic. @default performance.now */
  now?: () => number;
  /** Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}
