/**
 * What an engine is put together from: it knows the rest of Retort by these interfaces only. Also its clock, and what
 * it tells the user of teachers that are lost or found.
 *
 * @module
 */

import type { FailedAttempt } from "../progress/mod.ts";
import type { Outcome, Row } from "../row.ts";
import type { AskedSchema, Completion, Params } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget } from "./answers/mod.ts";
import type { Endpoint, EndpointOptions } from "./flow/mod.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** Where outcomes go. The lane is free again once the promise resolves. */
export interface OutcomeSink {
  /** Takes an outcome; rejects when it can never be kept, which ends the run. */
  put(outcome: Outcome): Promise<void>;
  /** Takes an answer that was not accepted before its row is asked again: the outcome has a `next`, and
   * more of the row will follow. Resolves once the answer would outlive this process.
   * @default `put` takes the last of them when the run ends before its row is finished */
  keep?(outcome: Outcome): Promise<void>;
}

/** What the engine says while it works. Called on the hot path. */
export interface EngineListener {
  /** An attempt is about to be made. */
  attempt(): void;
  /** An attempt was answered, and the answer is kept. */
  attemptAnswered(completion: Completion): void;
  /** An attempt failed, or its answer was not kept. */
  attemptFailed(failed: FailedAttempt): void;
  /** `state` may have changed. */
  stateChanged(): void;
}

/** What the engine is put together from. */
export interface EngineOptions {
  /** Rows to do, in batches, in input order. */
  source: AsyncIterable<readonly Row[]>;
  /** Who answers: one or more. */
  teachers: readonly EndpointOptions[];
  /** Where outcomes go. */
  sink: OutcomeSink;
  /** Who counts. */
  listener: EngineListener;
  /** The run's parameters. */
  params: Params;
  /** The JSON Schema that teachers are asked for. @default any text will do */
  askedSchema?: AskedSchema;
  /** How many lanes there shall be: 1 to 100,000. */
  concurrency: number;
  /** Whether the limit of each teacher looks for the number that serves best. */
  isExploring: boolean;
  /** Whether a run starts with one attempt at a time. */
  isCareful: boolean;
  /** Whether rows were answered before with the same key, model and parameters. @default false */
  isProven?: boolean;
  /** Whether a teacher has answered a row of the same output before. @default false */
  wasAnswered?: boolean;
  /** How long a teacher is waited for that cannot be reached while none has answered yet, in milliseconds.
   * @default 60,000; 0 where the host does not exist */
  waitForTeacherMs?: number;
  /** Whether rows that were refused are held back until it is known who is to blame. @default true */
  holdsRejections?: boolean;
  /** When to try again. */
  retryPolicy: RetryPolicy;
  /** Which answers are kept. */
  policy: AnswerPolicy;
  /** What may be spent. */
  budget: Budget;
  /** The longest that one row may take, in milliseconds. */
  rowTimeoutMs?: number;
  /** Keeps rows with the same system message and first turn at one teacher, while that has room.
   * @default any teacher */
  affinity?: "prefix";
  /** How many rows there are, where that is known: the engine is done once they are settled, and
   * halted before, whatever the source says to one that was stopped. */
  rowCount?: number;
  /** Called with each attempt before it is made, with the rows that would be lost with this process: those
   * in flight, itself included, and those whose answer the sink has not taken yet. On the hot path. */
  onAttempt?: (unwritten: number) => void;
  /** Hears what the user should know of a teacher: that one of several will not be asked again, or that a
   * field is left out from now on. */
  onNotice?: (message: string) => void;
  /** Milliseconds, monotonic. @default performance.now */
  now?: () => number;
  /** Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Random numbers in [0, 1). @default Math.random */
  random?: () => number;
}

/** A clock that remembers when it was last looked at. A look costs 0.15 µs, more than most of what goes
 * by it; what happens in one turn of the event loop happens at one time. */
export class Clock {
  readonly #now: () => number;
  #lastMs: number;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#lastMs = now();
  }

  /** Looks at the clock. */
  readonly read = (): number => this.#lastMs = this.#now();

  /** The time of the last look. */
  readonly last = (): number => this.#lastMs;
}

/** Tells what the user would not see otherwise: that one of several teachers is gone or back, or that there may
 * be none at an address. */
export function noteHealth(
  endpoint: Endpoint,
  { onNotice, teachers }: Pick<EngineOptions, "onNotice" | "teachers">,
): void {
  const notice = healthNotice(endpoint, teachers.length > 1);
  if (notice !== undefined) onNotice?.(notice);
}

function healthNotice(
  { isDown, hasAnswered, reason, teacher, now, probedBy }: Endpoint,
  isOneOfSeveral: boolean,
): string | undefined {
  const place = teacher.address ? `the teacher at ${teacher.address}` : "the teacher";
  if (isDown && !hasAnswered) {
    const seconds = Math.round((probedBy - now) / 1_000);
    const howLong = seconds < Infinity ? ` for ${seconds} s (--wait waits longer)` : "";
    return `No response from ${place} (${reason}). Is it running there? Retrying${howLong}; ` +
      "Ctrl-C stops";
  }
  if (!isOneOfSeveral) return undefined;
  return isDown ? `Lost ${place} (${reason}); the others continue` : `Found ${place} again`;
}
