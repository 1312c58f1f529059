/**
 * Attempts: one call each, and what follows from it for the row and for the run.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { FailedAttempt, FailureAction } from "../progress/mod.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { type Ending, isCompletion, type Rejection, unfinished } from "./answers/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import { type Classification, classify, isAboutRow } from "./errors/mod.ts";
import {
  asTeacherError,
  type AttemptResult,
  failedWith,
  NO_OTHERS,
  outcomeOf,
  pendingOutcome,
  sentOf,
  type Work,
} from "./work.ts";
import { PaidAnswers } from "./paid_answers.ts";
import { RowWaits } from "./retry_policy.ts";
import { TeacherBlame } from "./teacher_blame.ts";

/** What attempts are made with. */
export interface AttemptsOptions extends
  Pick<
    EngineOptions,
    | "listener"
    | "policy"
    | "budget"
    | "retryPolicy"
    | "rowTimeoutMs"
    | "onNotice"
    | "askedSchema"
    | "isCareful"
    | "isProven"
    | "waitForTeacherMs"
    | "wasAnswered"
    | "holdsRejections"
  >,
  Partial<Pick<EngineOptions, "teachers">> {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** The same without the time in which nothing could be sent. */
  readonly rowNow: () => number;
  /** Ends the calls. */
  readonly signal: AbortSignal;
  /** An attempt is about to be made. On the hot path. */
  readonly onAttempt?: () => void;
  /** A teacher has a place free again. */
  readonly onEnd: () => void;
  /** The run has to be halted. */
  readonly onHalt: (reason: string) => void;
  /** A teacher will not be asked again. */
  readonly onEndpointHalt: (reason: string) => void;
  /** A row that was held back is to be asked again. */
  readonly onAgain: (work: Work) => void;
  /** Whether no further attempt will be made. */
  readonly isOver: () => boolean;
  /** How long no teacher may be asked for a row, in milliseconds; 0 while one may. */
  readonly soonestMs: (work: Work) => number;
}

/** Makes attempts. One run has one. */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #blame: TeacherBlame;
  readonly #answers: PaidAnswers;
  readonly #waits: RowWaits;
  #inFlight = 0;
  #abandoned = 0;

  /** Nothing is sent yet. */
  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#blame = new TeacherBlame(options);
    this.#answers = new PaidAnswers(options);
    this.#waits = new RowWaits(options);
  }

  /** Attempts under way, and answers that are being checked. */
  get inFlight(): number {
    return this.#inFlight + this.#answers.inCheck;
  }

  /** Attempts that were given up before they were answered; they may have been billed. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Makes one attempt at a row that was sent. Never rejects. */
  async make(work: Work): Promise<AttemptResult> {
    const { listener, now, signal } = this.#options;
    const { endpoint, startedAt } = sentOf(work);
    const timeoutMs = this.#waits.begin(work);
    if (timeoutMs !== undefined && timeoutMs <= 0) {
      // Its turn has come too late: teachers were busy with others.
      endpoint.returned();
      return failedWith(outcomeOf(work, 0, undefined, this.#waits.lateness(work)));
    }
    if (work.attempts === 0 && work.row.earlier !== undefined) {
      const outcome = await this.#answers.acceptedNow(work, work.row.earlier);
      if (outcome !== undefined) {
        endpoint.returned();
        return { kind: "answered", outcome, others: NO_OTHERS };
      }
    }
    work.attempts++;
    this.#inFlight++;
    this.#options.onAttempt?.();
    listener.attempt();
    let completion: Completion | undefined, thrown: unknown;
    try {
      const { uid, messages, readFiles } = work.row;
      completion = await endpoint.teacher.complete({
        uid,
        messages: readFiles === undefined ? messages : await readFiles(),
        params: work.params,
        jsonSchema: this.#options.askedSchema,
        timeoutMs,
      }, signal);
    } catch (error) {
      thrown = error ?? new Error("The teacher threw nothing");
    }
    this.#inFlight--;
    const latencyMs = now() - startedAt;
    work.busyMs += latencyMs;
    work.latencyMs = latencyMs;
    const ending = isCompletion(completion)
      ? this.#options.policy.ending(completion, work.params)
      : undefined;
    if (ending !== undefined) thrown = unfinished(completion!, ending);
    if (ending !== undefined && thrown === undefined) {
      return this.#answered(work, completion!, ending);
    }
    const result = this.#refused(work, latencyMs, thrown);
    // Not before it is known whether more may be sent at all.
    this.#options.onEnd();
    return result;
  }

  /** A whole answer. It is no promise unless a check takes time: every row takes this way. */
  #answered(
    work: Work,
    completion: Completion,
    ending: Ending,
  ): AttemptResult | Promise<AttemptResult> {
    const sent = sentOf(work);
    sent.endpoint.answered(sent, completion);
    this.#blame.answered();
    if (completion.notice !== undefined) this.#options.onNotice?.(completion.notice);
    this.#answers.pay(work, completion);
    this.#options.onEnd();
    if (ending === "whole") this.#blame.wasWhole(sent.endpoint);
    const decided = this.#answers.decide(work, completion, ending);
    return decided instanceof Promise
      ? decided.then((rejection) => this.#decided(work, completion, rejection))
      : this.#decided(work, completion, decided);
  }

  #decided(
    work: Work,
    completion: Completion,
    rejection: Rejection | undefined,
  ): AttemptResult {
    const { latencyMs } = work;
    if (rejection !== undefined) return this.#rejected(work, latencyMs, completion, rejection);
    this.#options.listener.attemptAnswered(completion);
    const outcome = outcomeOf(work, latencyMs, completion, undefined);
    const failed = this.#blame.succeeded(sentOf(work).endpoint);
    return { kind: "answered", outcome, others: failed.length === 0 ? NO_OTHERS : failed };
  }

  /** The run is over: gives back the rows that were held back and have failed. Where a teacher was halted
   * because of what they were refused for, they stay pending. */
  leave(): readonly Outcome[] {
    return this.#blame.clear();
  }

  /** An answer that is not accepted: the row has failed, or it is asked again. */
  #rejected(
    work: Work,
    latencyMs: number,
    completion: Completion,
    rejection: Rejection,
  ): AttemptResult {
    const { failure, follow, params, halt } = rejection;
    if (halt !== undefined) this.#options.onHalt(halt);
    const action = params === undefined ? "failed" : this.#again;
    this.#note(work, { failure, action, completion });
    if (params === undefined) return failedWith(outcomeOf(work, latencyMs, completion, failure));
    work.rejected = { completion, failure };
    if (follow === "resample") work.resamples++;
    work.params = params;
    return { kind: "retry", delayMs: 0, kept: pendingOutcome(work, latencyMs) };
  }

  /** The row waits for another attempt, or it has failed. */
  #refused(work: Work, latencyMs: number, thrown: unknown): AttemptResult {
    const sent = sentOf(work);
    const { endpoint } = sent;
    const error = asTeacherError(thrown);
    const { type, message, status = null, partial } = error;
    if (this.#options.signal.aborted && partial === undefined) {
      endpoint.abandoned();
      this.#abandoned++;
      return { kind: "pending" };
    }
    const notice = error.notice ?? partial?.notice;
    if (notice !== undefined) this.#options.onNotice?.(notice);
    const classification = classifyFor(work, error);
    const isFirst = work.faults === 0 && work.loads === 0;
    const effect = endpoint.failed(sent, error, classification, isFirst);
    if (partial === undefined) this.#blame.failed(endpoint, error);
    else this.#blame.answered();
    const failure: Failure = { type, message, status };
    if (classification.cause === "ending") work.avoided = endpoint;
    const isKept = partial !== undefined && this.#answers.keepPartial(work, partial, failure);
    const kept = isKept ? pendingOutcome(work, latencyMs) : undefined;
    if (classification.action === "halt") {
      this.#halted(work, failure, classification, partial);
      return { kind: "retry", delayMs: 0, kept };
    }
    const isLoad = classification.cause === "load";
    const wait = classification.action === "retry"
      ? this.#waits.failed(work, error, classification, effect)
      : undefined;
    if (wait?.kind === "again") {
      const isElsewhere = this.#blame.again(work, error, classification);
      this.#note(work, { failure, action: this.#again, isLoad, completion: partial });
      return isElsewhere
        ? { kind: "retry", delayMs: 0, kept }
        : { kind: "retry", delayMs: wait.delayMs, heldBack: wait.heldBack, kept };
    }
    this.#note(work, { failure, action: "failed", isLoad, completion: partial });
    if (wait?.kind === "late") {
      const lateness = this.#waits.lateness(work, message);
      return failedWith(outcomeOf(work, latencyMs, undefined, lateness));
    }
    return this.#failed(work, error, classification, failure, kept);
  }

  /** The row has failed, unless its teacher may be to blame. */
  #failed(
    work: Work,
    error: TeacherError,
    classification: Classification,
    failure: Failure,
    kept: Outcome | undefined,
  ): AttemptResult {
    const outcome = { ...outcomeOf(work, work.latencyMs, undefined, failure), failure };
    const mayBeTeachersFault = classification.action === "fail" && !isAboutRow(error);
    if (mayBeTeachersFault) {
      return { kind: "failed", outcomes: this.#blame.rejected(work, outcome) };
    }
    const outcomes = this.#blame.last(work, error, classification, outcome);
    return { kind: "failed", outcomes, kept: outcomes.includes(outcome) ? undefined : kept };
  }

  /** The teacher will not answer any row; this one waits for another teacher, or stays pending. */
  #halted(
    work: Work,
    failure: Failure,
    { advice }: Classification,
    completion: Completion | undefined,
  ): void {
    this.#blame.refusesAll(sentOf(work).endpoint, failure, advice);
    this.#note(work, { failure: { ...failure, type: "account" }, action: this.#again, completion });
  }

  /** What follows for a row that is not settled. */
  get #again(): FailureAction {
    return this.#options.isOver() ? "halted" : "retried";
  }

  #note(
    work: Work,
    failed: Omit<FailedAttempt, "uid" | "isLoad"> & Partial<Pick<FailedAttempt, "isLoad">>,
  ): void {
    work.firstFailedAt ??= Date.now();
    this.#options.listener.attemptFailed({ isLoad: false, uid: work.row.uid, ...failed });
  }
}

/** A row that names a model of its own fails alone when that is not there. */
function classifyFor(work: Work, error: TeacherError): Classification {
  const classification = classify(error);
  const isOwnModel = classification.isAboutModel && work.row.params?.model !== undefined;
  return isOwnModel ? { action: "fail", cause: "request" } : classification;
}
