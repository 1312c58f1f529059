/**
 * The options and interfaces through which a caller configures the engine.
 *
 * @module
 */

import type { FailedAttempt, ReleasedRow } from "../progress/mod.ts";
import type { Outcome, Row } from "../row.ts";
import type { AskedSchema, Completion, Params, Teacher } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget } from "./answers/mod.ts";
import type { EndpointOptions } from "./flow/mod.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Receives the outcomes of rows. A row holds its lane until `put` or `keep` resolves. */
export interface OutcomeSink {
  /** Receives the outcome of a finished row. If there is no `keep`, it also receives, at the end of
   * the run, each pending row with an answer that was not accepted. A rejected promise ends the
   * run. */
  put(outcome: Outcome): Promise<void>;
  /** Receives an answer that was not accepted, while its row is unfinished. The outcome's `next`
   * says how the row would be sent again. Resolves once the answer would survive a crash.
   * @default `put` receives the last answer of each row that is still pending at the end */
  keep?(outcome: Outcome): Promise<void>;
}

/** Observes the engine. Its methods are called on the hot path. */
export interface EngineListener {
  attempt(): void;
  /** Called when an answer is accepted, unless an earlier run received that answer. */
  attemptAnswered(completion: Completion): void;
  attemptFailed(failed: FailedAttempt): void;
  /** Called when a row that was reported as `failed` has not failed after all, because the failure
   * was the teacher's fault. It is sent again or, if the run is ending, stays pending. */
  rowReleased(released: ReleasedRow): void;
  stateChanged(): void;
}

export interface EngineOptions {
  source: AsyncIterable<readonly Row[]>;
  /** Whether to pull the next batch as soon as the first row of the current batch is taken. If
   * false, a batch is pulled when a lane has to wait for a row, or gets a retry because no new row
   * is buffered.
   * @default false, because a caller's iterable may need an outcome to produce its next row */
  readsAhead?: boolean;
  teachers: readonly EndpointOptions[];
  /** Whether teachers may join during the run. If so, the run waits while no teacher can be used.
   * @default false */
  mayTeachersJoin?: boolean;
  sink: OutcomeSink;
  listener: EngineListener;
  params: Params;
  /** The JSON Schema of structured output (`response_format`). @default none */
  askedSchema?: AskedSchema;
  concurrency: number;
  /** Whether to search for the concurrency at which each teacher has its highest throughput. */
  isExploring: boolean;
  /** Whether each teacher starts with one attempt and is sent more as its answers arrive. */
  isCareful: boolean;
  /** Whether rows have been answered with the same key, model and parameters before.
   * @default false */
  isProven?: boolean;
  /** Whether any teacher answered in an earlier run with the same outputs. @default false */
  hasAnsweredBefore?: boolean;
  /** Returns the model that a teacher named in the last answer that earlier runs received from it.
   * @default unknown */
  lastModelOf?: (teacher: Teacher) => string | undefined;
  /** How many milliseconds to wait for an unreachable teacher that has not answered yet, and for a
   * teacher to join if none can be used. Once rows are answered, both waits take at least 15
   * minutes. @default 60,000; 0 for an unreachable teacher whose host does not exist */
  waitForTeacherMs?: number;
  /** Whether rejected rows are held back until it is known whether the row or the teacher is the
   * cause. @default true */
  holdsRejections?: boolean;
  retryPolicy: RetryPolicy;
  policy: AnswerPolicy;
  budget: Budget;
  /** Maximum time for a row, in milliseconds, over all attempts and waits. Waits that a throttling
   * teacher requests do not count, nor does the time during which nothing can be sent.
   * @default none */
  rowTimeoutMs?: number;
  /** `prefix` sends rows with the same system message and first turn to the same teacher while that
   * teacher has room. @default any teacher */
  affinity?: "prefix";
  /** The number of rows. A run that finishes fewer rows ends as `halted`, even if its source has
   * ended. */
  rowCount?: number;
  /** Called before each attempt with the number of rows whose answers a crash would lose. The
   * number includes rows in flight, this attempt, and rows whose outcome the sink has not taken
   * yet. */
  onAttempt?: (unwritten: number) => void;
  /** Called with messages for the user, for example when a teacher is halted. */
  onNotice?: (message: string) => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}
