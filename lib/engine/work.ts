/**
 * A row during a run, with its history, and the delivery of its outcome to the sink.
 *
 * @module
 */

import type { Ending } from "../answer.ts";
import { tokenLimitOf } from "../params.ts";
import { changedError, TeacherError } from "../errors.ts";
import type { EarlierAnswer, Failure, Outcome, RejectedAnswer, Row } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import { type AnswerPolicy, asCompletion, unfinishedError } from "./answers/mod.ts";
import type { OutcomeSink } from "./engine_options.ts";
import type { Endpoint, RequestedWaits, SentAttempt } from "./flow/mod.ts";

/** A wait that throttling teachers requested. The row's time limit excludes this wait. */
interface ExcludedWait {
  /** When the wait began, on the clock `rowNow`, which stops while nothing can be sent. */
  readonly since: number;
  /** The maximum that is excluded: the time until a teacher accepts the row. */
  readonly maxMs: number;
}

/** A row and its history. Only the engine changes this object. */
export class Work implements SentAttempt {
  readonly row: Row;
  /** The row's position in the order in which rows were taken from the source, counted from 0. */
  readonly sequence: number;
  /** The parameters of the next attempt. A retry may have a higher token limit or another seed. */
  params: Params;
  /** Whether the row holds a slot of its teacher: an attempt is about to be made, or in flight. */
  hasSlot = false;
  ticket = 0;
  startedAt = 0;
  inFlightAtStart = 0;
  /** The teacher whose last answer to the row had no known finish reason. The next attempt prefers
   * another teacher. */
  avoided: Endpoint | undefined;
  attempts = 0;
  /** The number of failed attempts that count against `maxAttempts`. Throttling, failed
   * connections, outages and rejections of fields that Retort added do not count. */
  faults = 0;
  /** The number of timeouts among `faults`. Reset to 0 if the teacher turns out to be down. */
  timeouts = 0;
  throttled = 0;
  /** The number of waits so far, except those during outages or while a quota was used up. The
   * backoff grows with this number. */
  waits = 0;
  /** The number of answers requested because an earlier one was empty, rejected or a refusal. */
  resamples = 0;
  /** The total time in flight over all attempts, in milliseconds. */
  busyMs = 0;
  /** The time in flight of the last attempt, in milliseconds. */
  latencyMs = 0;
  /** The cost of all attempts in US dollars; null if the cost of any attempt is unknown. */
  costUsd: number | null = 0;
  /** The last answer that was not accepted. A partial answer does not replace a longer answer. */
  rejected: RejectedAnswer | undefined;
  /** An answer from an earlier run that this run may accept. It is checked before the row is
   * sent. */
  undecided: Completion | undefined;
  /** How the last answer ended; undefined if that follows from its finish reason and failure. */
  ending: Ending | undefined;
  /** Whether `rejected` has yet to be checked. */
  isUnchecked = false;
  requestedWaits: RequestedWaits | undefined;
  excludedWait: ExcludedWait | undefined;
  /** When the row's time is up, on the clock `rowNow`; undefined without a limit, or before the
   * row's time starts. */
  deadlineAt: number | undefined;
  /** The milliseconds that were left of the row's time when the row got its teacher; undefined
   * without a limit. */
  timeoutMs: number | undefined;
  /** Unix time of the first failure, in milliseconds. */
  firstFailedAt: number | undefined;
  /** The teacher of the current attempt or, while the row waits, of the last attempt. Set before
   * the first attempt. */
  endpoint!: Endpoint;

  constructor(row: Row, sequence: number, params: Params) {
    this.row = row;
    this.sequence = sequence;
    this.params = row.params === undefined ? params : { ...params, ...row.params };
  }

  takeSlot(): void {
    const { endpoint } = this;
    this.hasSlot = true;
    this.ticket = endpoint.takeSlot();
    this.startedAt = endpoint.now;
    this.inFlightAtStart = endpoint.inFlight;
  }

  /** Continues with the last answer from an earlier run. This run may accept the answer if the
   * earlier run did not check it or did not accept its finish reason (`acceptEndings`). */
  resume({ isSame, next, rejected }: EarlierAnswer, policy: AnswerPolicy): void {
    this.rejected = rejected;
    if (next !== undefined) {
      this.resamples = next.resample;
      this.isUnchecked = next.isUnchecked ?? false;
      this.params = policy.resumedParams(this.row, this.params, next);
    }
    if (rejected === undefined || !isSame) return;
    const { completion, failure } = rejected;
    const ending = policy.ending(completion, this.params);
    // A truncated answer may also have been waiting for its check (`onTruncated: "keep"`).
    const mayBeAccepted = this.isUnchecked
      ? unfinishedError(completion, ending) === undefined
      : failure.type === "unfinished" && ending === "whole";
    if (!mayBeAccepted) return;
    // A failures line does not contain the model that the row itself chose.
    const { model } = this.params;
    this.undecided = typeof model === "string" ? { ...completion, modelAsked: model } : completion;
  }

  /** Keeps a partial answer unless a longer one is already kept. Returns whether it was kept. */
  keepPartial(partial: Completion, failure: Failure): boolean {
    const previous = this.rejected?.completion;
    if (previous !== undefined && lengthOf(previous) > lengthOf(partial)) return false;
    this.rejected = { completion: partial, failure };
    this.ending = undefined;
    this.isUnchecked = false;
    return true;
  }

  /** Returns the outcome of an unfinished row, with its last answer that was not accepted. A sink
   * with `keep` receives it before the row is sent again, so that the answer survives a crash. */
  pendingOutcome(): Outcome {
    const { completion, failure } = this.rejected!;
    const { resamples: resample, isUnchecked } = this;
    const maxTokens = tokenLimitOf(this.params)?.tokens;
    const next = { resample, maxTokens, ...isUnchecked && { isUnchecked } };
    return { ...this.outcome(completion, failure), next };
  }

  outcome<F extends Failure | undefined>(
    completion: Completion | undefined,
    failure: F,
  ): Outcome & { readonly failure: F } {
    return {
      row: this.row,
      sequence: this.sequence,
      attempts: this.attempts,
      busyMs: this.busyMs,
      latencyMs: this.latencyMs,
      firstFailedAt: this.firstFailedAt,
      settledAt: Date.now(),
      completion: completion ?? this.rejected?.completion,
      ending: this.ending,
      failure,
      // The row has no teacher if none was chosen for it yet.
      teacher: (this.endpoint as Endpoint | undefined)?.teacher,
      costUsd: this.costUsd,
    };
  }
}

function lengthOf({ response, reasoning }: Completion): number {
  return (response?.length ?? 0) + (reasoning?.length ?? 0);
}

export function asTeacherError(thrown: unknown): TeacherError {
  if (isTeacherError(thrown)) {
    const partial = asCompletion(thrown.partial);
    const isUsable = thrown instanceof TeacherError && partial === thrown.partial;
    return isUsable ? thrown : changedError(thrown, { partial });
  }
  if (thrown === undefined) {
    return new TeacherError("The teacher returned something that is not a completion", {
      type: "response",
    });
  }
  return new TeacherError(describeThrown(thrown), { type: "teacher", cause: thrown });
}

/** Whether an error is a TeacherError. A custom teacher may use another copy of Retort, whose
 * errors are instances of that copy's class. */
function isTeacherError(thrown: unknown): thrown is TeacherError {
  return thrown instanceof TeacherError ||
    thrown instanceof Error && thrown.name === "TeacherError";
}

/** Describes a thrown value. For an object, only the name and the message are shown, because other
 * fields may contain a key. */
function describeThrown(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  const { name, message } = thrown as Partial<Error>;
  if (typeof message !== "string") return "The teacher threw an object without a message";
  return typeof name === "string" ? `${name}: ${message}` : message;
}

export type AttemptResult =
  | {
    readonly kind: "answered";
    readonly outcome: Outcome;
    /** Failures of rows that `TeacherBlame` held back until this answer showed that their teacher
     * works. */
    readonly others: readonly Outcome[];
  }
  | {
    readonly kind: "failed";
    /** The failures of this row, unless `TeacherBlame` holds it back, and of rows held back
     * earlier. */
    readonly outcomes: readonly Outcome[];
    /** The partial answer of a row that is held back, to be written at once. */
    readonly paidAnswer?: Outcome;
  }
  | {
    readonly kind: "retry";
    readonly delayMs: number;
    /** An answer that was not accepted. It is to be written before the row is sent again. */
    readonly paidAnswer?: Outcome;
  }
  | { readonly kind: "pending" };

export const NO_OUTCOMES: readonly Outcome[] = [];

export function failedWith(outcome: Outcome): AttemptResult {
  return { kind: "failed", outcomes: [outcome] };
}

/** Delivers outcomes to the sink, and counts finished rows. */
export class Delivery {
  readonly #sink: OutcomeSink;
  /** Pending rows whose last answer the sink has not received. */
  readonly #undelivered: Work[] = [];
  #finished = 0;

  constructor(sink: OutcomeSink) {
    this.#sink = sink;
  }

  get finished(): number {
    return this.#finished;
  }

  /** This is not `async` because a second promise for every row takes time. */
  put(outcome: Outcome): Promise<void> {
    this.#finished++;
    return this.#sink.put(outcome);
  }

  async putAll(outcomes: readonly Outcome[]): Promise<void> {
    for (const outcome of outcomes) await this.put(outcome);
  }

  async deliver(work: Work, result: AttemptResult): Promise<void> {
    if (result.kind === "pending") return this.leavePending(work);
    if (result.kind === "answered") {
      await this.putAll(result.others);
      return await this.put(result.outcome);
    }
    if (result.kind === "failed") await this.putAll(result.outcomes);
    if (result.paidAnswer !== undefined) await this.#sink.keep?.(result.paidAnswer);
  }

  leavePending(work: Work): void {
    const isDelivered = work.rejected === undefined || this.#sink.keep !== undefined;
    if (!isDelivered) this.#undelivered.push(work);
  }

  /** Gives a sink without `keep` the last answer of each pending row. */
  async end(): Promise<void> {
    for (const work of this.#undelivered) await this.#sink.put(work.pendingOutcome());
  }
}
