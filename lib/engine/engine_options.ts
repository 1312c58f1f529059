/**
 * What the engine needs from its caller.
 *
 * @module
 */

import type { FailedAttempt, ReleasedRow } from "../progress/mod.ts";
import type { Outcome, Row } from "../row.ts";
import type { AskedSchema, Completion, Params, Teacher } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget } from "./answers/mod.ts";
import type { EndpointOptions } from "./flow/mod.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Takes the outcomes of rows. A row holds its lane until `put` or `keep` resolves. */
export interface OutcomeSink {
  /** Takes the outcome of a finished row or, without `keep`, of a pending row. A rejected promise
   * ends the run. */
  put(outcome: Outcome): Promise<void>;
  /** Takes an answer that was not accepted, before its row is sent again as the outcome's `next`
   * says. Resolves once the answer would survive a crash. @default `put` gets the last answer of
   * each row that is pending at the end */
  keep?(outcome: Outcome): Promise<void>;
}

/** Observes the engine. Called on the hot path. */
export interface EngineListener {
  attempt(): void;
  /** Called when an answer is accepted, except one that an earlier run received. */
  attemptAnswered(completion: Completion): void;
  attemptFailed(failed: FailedAttempt): void;
  /** Called when a row reported as `failed` is sent again, because its teacher was the cause. */
  rowReleased(released: ReleasedRow): void;
  stateChanged(): void;
}

export interface EngineOptions {
  source: AsyncIterable<readonly Row[]>;
  /** Whether to pull the next batch as soon as the first row of the current batch is taken.
   * Otherwise, a batch is pulled when a lane waits for a row, or gets a retry because no new row is
   * buffered.
   * @default false: a caller's iterable may need an outcome to produce its next row */
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
  /** Whether each teacher is sent one attempt at first, and more as its answers arrive. */
  isCareful: boolean;
  /** Whether rows were answered before with the same key, model and parameters. @default false */
  isProven?: boolean;
  /** Whether any teacher answered in an earlier run with the same outputs. @default false */
  hasAnsweredBefore?: boolean;
  /** The model, as the server named it, of the last answer that earlier runs got from a teacher.
   * @default unknown */
  lastModelOf?: (teacher: Teacher) => string | undefined;
  /** How long to wait for an unreachable teacher before any teacher has answered, and for a teacher
   * to join while none can be used, in milliseconds. @default 60,000; 0 for an unreachable teacher
   * whose host does not exist */
  waitForTeacherMs?: number;
  /** Whether rejected rows are held back until it is known whether the row or the teacher is the
   * cause. @default true */
  holdsRejections?: boolean;
  retryPolicy: RetryPolicy;
  policy: AnswerPolicy;
  budget: Budget;
  /** Maximum time for a row, in milliseconds, over all attempts and waits. Waits that a throttling
   * teacher requests, and time during which nothing can be sent, do not count. @default none */
  rowTimeoutMs?: number;
  /** `prefix` sends rows with the same system message and first turn to one teacher, while that
   * teacher has room. @default any teacher */
  affinity?: "prefix";
  /** The number of rows. A run with fewer finished rows ends as `halted`, even if its source has
   * ended. */
  rowCount?: number;
  /** Called before each attempt with the number of rows whose answers a crash would lose: in
   * flight, including this attempt, or not yet taken by the sink. */
  onAttempt?: (unwritten: number) => void;
  /** Called with messages for the user, for example that a teacher is halted or a field is no
   * longer sent. */
  onNotice?: (message: string) => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}
