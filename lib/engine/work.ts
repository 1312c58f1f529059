/**
 * A row on its way through the engine: its history, and how its outcome reaches the sink.
 *
 * @module
 */

import type { Ending } from "../answer.ts";
import { tokenLimitOf } from "../params.ts";
import { changedError, TeacherError } from "../errors.ts";
import type { EarlierAnswer, Failure, Outcome, RejectedAnswer, Row } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import { type AnswerPolicy, asCompletion } from "./answers/mod.ts";
import type { OutcomeSink } from "./engine_options.ts";
import type { Endpoint, RequestedWait, Sent } from "./flow/mod.ts";

/** A wait that throttling teachers requested: the row's time limit excludes it. */
export interface ExcludedWait {
  /** By the clock `rowNow`. */
  readonly since: number;
  /** The wait until the first teacher accepts the row; later waiting counts. */
  readonly maxMs: number;
}

interface SentRow extends Sent {
  readonly kind: "sent";
  readonly endpoint: Endpoint;
  readonly excludedWait: ExcludedWait | undefined;
}

type WorkState =
  | { readonly kind: "new" }
  | SentRow
  | {
    readonly kind: "waiting";
    readonly endpoint: Endpoint;
    readonly excludedWait: ExcludedWait | undefined;
  };

const NEW: WorkState = { kind: "new" };

/** A row and its history. Only the engine changes it. */
export interface Work {
  readonly row: Row;
  /** The row's position in the order of first attempts, from 0. */
  readonly sequence: number;
  /** The parameters of the next attempt. A retry may have a higher token limit or another seed. */
  params: Params;
  state: WorkState;
  /** The teacher whose last answer had no known finish reason. Another one is preferred next. */
  avoided: Endpoint | undefined;
  attempts: number;
  /** Failed attempts that count against `maxAttempts`, without throttling, refused connections,
   * outages and fields that Retort added. */
  faults: number;
  /** Included in `faults`. */
  timeouts: number;
  /** Throttled attempts have a limit of their own. */
  throttled: number;
  /** Waits after attempts that count. Their number is the exponent of the backoff. */
  waits: number;
  /** Answers requested because one was empty or rejected. */
  resamples: number;
  /** Time in flight over all attempts. */
  busyMs: number;
  /** Time in flight of the last attempt. */
  latencyMs: number;
  /** US dollars for all attempts; null once the cost of one is unknown. */
  costUsd: number | null;
  /** The last answer that was not accepted. It is written with the failure. */
  rejected: RejectedAnswer | undefined;
  /** How the last answer ended; undefined if its finish reason and failure tell. */
  ending: Ending | undefined;
  /** Whether `rejected` has yet to be checked. */
  isUnchecked: boolean;
  requestedWaits: RequestedWait[] | undefined;
  /** When the row's time is up, by `rowNow`; undefined before its first attempt, and without a
   * limit. */
  deadlineAt: number | undefined;
  /** Unix time of the first failure, in milliseconds. */
  firstFailedAt: number | undefined;
}

export function newWork(row: Row, sequence: number, params: Params): Work {
  return {
    row,
    sequence,
    params: row.params === undefined ? params : { ...params, ...row.params },
    state: NEW,
    avoided: undefined,
    attempts: 0,
    faults: 0,
    timeouts: 0,
    throttled: 0,
    waits: 0,
    resamples: 0,
    busyMs: 0,
    latencyMs: 0,
    costUsd: 0,
    rejected: undefined,
    ending: undefined,
    isUnchecked: false,
    requestedWaits: undefined,
    deadlineAt: undefined,
    firstFailedAt: undefined,
  };
}

export function send(work: Work, endpoint: Endpoint): void {
  const excludedWait = work.state.kind === "waiting" ? work.state.excludedWait : undefined;
  const ticket = endpoint.take();
  const { now: startedAt, inFlight: inFlightAtStart } = endpoint;
  work.state = { kind: "sent", endpoint, ticket, startedAt, inFlightAtStart, excludedWait };
}

export function sentOf({ state, row }: Work): SentRow {
  if (state.kind !== "sent") throw new Error(`The row ${row.uid} was not sent`);
  return state;
}

export function markWaiting(work: Work, excludedWait?: ExcludedWait): void {
  if (work.state.kind === "new") return;
  work.state = { kind: "waiting", endpoint: work.state.endpoint, excludedWait };
}

export function resume(work: Work, { next, rejected }: EarlierAnswer, policy: AnswerPolicy): void {
  work.rejected = rejected;
  if (next === undefined) return;
  work.resamples = next.resample;
  work.isUnchecked = next.isUnchecked ?? false;
  work.params = policy.resumedParams(work.row, work.params, next);
}

/** The outcome of a row that is sent again because its answer was not accepted. Written first,
 * so the answer survives a crash. */
export function pendingOutcome(work: Work, latencyMs: number): Outcome {
  const { completion, failure } = work.rejected!;
  const { resamples: resample, isUnchecked } = work;
  const maxTokens = tokenLimitOf(work.params)?.tokens;
  const next = { resample, maxTokens, ...isUnchecked && { isUnchecked } };
  return { ...outcomeOf(work, latencyMs, completion, failure), next };
}

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
    ending: work.ending,
    failure,
    teacher: work.state.kind === "new" ? undefined : work.state.endpoint.teacher,
    costUsd: work.costUsd,
  };
}

export function asTeacherError(thrown: unknown): TeacherError {
  if (thrown instanceof TeacherError) {
    const partial = asCompletion(thrown.partial);
    return partial === thrown.partial ? thrown : changedError(thrown, { partial });
  }
  if (thrown === undefined) {
    return new TeacherError("The teacher returned something that is not a completion", {
      type: "response",
    });
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new TeacherError(message, { type: "teacher", cause: thrown });
}

export type AttemptResult =
  | {
    readonly kind: "answered";
    readonly outcome: Outcome;
    /** Failures of held rows: their teacher was not the cause. */
    readonly others: readonly Outcome[];
  }
  | {
    readonly kind: "failed";
    /** Failures of this row, unless it is held back, and of rows that were held back. */
    readonly outcomes: readonly Outcome[];
    /** The partial answer of a held row; written now. */
    readonly paidAnswer?: Outcome;
  }
  | {
    readonly kind: "retry";
    readonly delayMs: number;
    readonly excludedWait?: ExcludedWait;
    /** An answer that was not accepted; written before the row is sent again. */
    readonly paidAnswer?: Outcome;
  }
  | { readonly kind: "pending" };

export const NO_OUTCOMES: readonly Outcome[] = [];

export function failedWith(outcome: Outcome): AttemptResult {
  return { kind: "failed", outcomes: [outcome] };
}

/** Hands outcomes to the sink, and counts finished rows. */
export class Delivery {
  readonly #sink: OutcomeSink;
  /** Pending rows whose answer the sink does not have. */
  readonly #undelivered: Work[] = [];
  #finished = 0;

  constructor(sink: OutcomeSink) {
    this.#sink = sink;
  }

  get finished(): number {
    return this.#finished;
  }

  /** Not `async`, because a second promise for every row takes time. */
  put(outcome: Outcome): Promise<void> {
    this.#finished++;
    return this.#sink.put(outcome);
  }

  async putAll(outcomes: readonly Outcome[]): Promise<void> {
    for (const outcome of outcomes) {
      await (outcome.next === undefined ? this.put(outcome) : this.keep(outcome));
    }
  }

  /** Writes an answer that was not accepted. Its row may be sent again once this resolves. */
  async keep(outcome: Outcome): Promise<void> {
    await this.#sink.keep?.(outcome);
  }

  async deliver(work: Work, result: AttemptResult): Promise<void> {
    switch (result.kind) {
      case "answered":
        await this.putAll(result.others);
        return await this.put(result.outcome);
      case "failed":
        await this.putAll(result.outcomes);
        break;
      case "pending":
        return this.leavePending(work);
    }
    if (result.paidAnswer !== undefined) await this.keep(result.paidAnswer);
  }

  leavePending(work: Work): void {
    const isDelivered = work.rejected === undefined || this.#sink.keep !== undefined;
    if (!isDelivered) this.#undelivered.push(work);
  }

  /** Gives a sink without `keep` the last answer of each pending row. */
  async end(): Promise<void> {
    for (const work of this.#undelivered) await this.#sink.put(pendingOutcome(work, 0));
  }
}
