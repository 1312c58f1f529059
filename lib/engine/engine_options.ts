/**
 * What an engine is put together from: it knows the others by these interfaces only.
 *
 * @module
 */

import type { Failure, Outcome, Row } from "../row.ts";
import type { Params, Teacher } from "../teacher/teacher.ts";
import type { OnTruncated } from "./acceptance.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Where outcomes go. The lane is free again once the promise resolves. */
export interface OutcomeSink {
  /** Takes an outcome; rejects when it can never be kept, which ends the run. */
  put(outcome: Outcome): Promise<void>;
}

/** What the engine says while it works. Called on the hot path. */
export interface EngineListener {
  /** An attempt is about to be made. */
  attempt(): void;
  /** An attempt failed, or its answer was rejected. */
  attemptFailed(failure: Failure): void;
  /** `state` may have changed. */
  stateChanged(): void;
}

/** What the engine is put together from. */
export interface EngineOptions {
  /** Rows to do, in batches, in input order. */
  source: AsyncIterable<readonly Row[]>;
  /** Who answers. */
  teacher: Teacher;
  /** Where outcomes go. */
  sink: OutcomeSink;
  /** Who counts. */
  listener: EngineListener;
  /** The run's parameters. */
  params: Params;
  /** How many lanes there shall be: 1 to 100,000. */
  concurrency: number;
  /** When to try again. */
  retryPolicy: RetryPolicy;
  /** What becomes of a truncated answer. */
  onTruncated: OnTruncated;
  /** How many rows there are, where that is known: the engine is done once they are settled, and
   * halted before, whatever the source says to one that was stopped. */
  rowCount?: number;
  /** Milliseconds, monotonic. @default performance.now */
  now?: () => number;
}
