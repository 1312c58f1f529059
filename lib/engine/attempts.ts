/**
 * Makes attempts: calls the teacher, and decides what happens to the row and the run next.
 *
 * @module
 */

import type { Ending } from "../answer.ts";
import type { TeacherError } from "../errors.ts";
import type { FailedAttempt, FailureAction } from "../progress/mod.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { asCompletion, type Rejection, unfinishedError } from "./answers/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import { type Classification, classify } from "./errors/mod.ts";
import { asTeacherError, type AttemptResult, failedWith, NO_OUTCOMES, type Work } from "./work.ts";
import { AnsweringModels, type Silence } from "./engine_state.ts";
import { UselessAnswers } from "./evidence.ts";
import { PaidAnswers } from "./paid_answers.ts";
import { type RowWait, RowWaits } from "./retry_policy.ts";
import { type FailedCall, TeacherBlame } from "./teacher_blame.ts";

type UsedElsewhere = "source" | "teachers" | "sink" | "params" | "concurrency" | "isExploring";

export interface AttemptsOptions extends Omit<EngineOptions, UsedElsewhere> {
  readonly now: () => number;
  /** `now` minus the time during which nothing could be sent. */
  readonly rowNow: () => number;
  readonly signal: AbortSignal;
  readonly onAttempt?: () => void;
  readonly onEnd: () => void;
  readonly silence: Silence;
  readonly onHalt: (reason: string) => void;
  readonly onEndpointHalt: (reason: string) => void;
  readonly onSendAgain: (work: Work) => void;
  readonly isOver: () => boolean;
  /** Milliseconds until some teacher accepts the row; 0 if one does now. */
  readonly soonestMs: (work: Work) => number;
  readonly hasSeveralTeachers: () => boolean;
}

interface AttemptFailure extends FailedCall {
  /** The partial answer, to be written before the row is sent again; undefined if there is none, or
   * a longer one was kept before. */
  readonly paidAnswer: Outcome | undefined;
}

type ResultOrPromise = AttemptResult | Promise<AttemptResult>;

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #blame: TeacherBlame;
  readonly #useless: UselessAnswers;
  readonly #answers: PaidAnswers;
  readonly #waits: RowWaits;
  readonly #models: AnsweringModels;
  /** The notices of teachers so far: each is shown once. */
  readonly #notices = new Set<string>();
  #inFlight = 0;
  #abandoned = 0;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#models = new AnsweringModels(options.lastModelOf);
    this.#blame = new TeacherBlame({
      ...options,
      onSendAgain: (work, failure) => {
        options.listener.rowReleased({ failure, action: this.#unfinishedAction });
        options.onSendAgain(work);
      },
    });
    this.#useless = new UselessAnswers(options);
    this.#answers = new PaidAnswers(options);
    this.#waits = new RowWaits(options);
  }

  get inFlight(): number {
    return this.#inFlight + this.#answers.pendingChecks;
  }

  /** Aborted attempts. They may have been billed. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Called when a row gets its teacher. Returns false if the row's time is up, or if the answer of
   * an earlier run is to be decided first. */
  needsCall(work: Work): boolean {
    this.#waits.begin(work);
    const { timeoutMs = Infinity, undecided } = work;
    return timeoutMs > 0 && undecided === undefined;
  }

  /** Makes one attempt, if the row needs a call. Never rejects. */
  async make(work: Work): Promise<AttemptResult> {
    if (!work.hasSlot) return this.#withoutCall(work);
    work.attempts++;
    this.#inFlight++;
    this.#options.onAttempt?.();
    this.#options.listener.attempt();
    let completion: Completion | undefined, thrown: unknown;
    try {
      const { uid, messages, readFiles } = work.row;
      completion = asCompletion(
        await work.endpoint.teacher.complete({
          uid,
          messages: readFiles === undefined ? messages : await readFiles(),
          params: work.params,
          jsonSchema: this.#options.askedSchema,
          timeoutMs: work.timeoutMs,
          resamples: work.resamples,
        }, this.#options.signal),
      );
    } catch (error) {
      thrown = error ?? new Error("The teacher threw nothing");
    }
    this.#end(work);
    const ending = completion && this.#options.policy.ending(completion, work.params);
    if (ending !== undefined) thrown = unfinishedError(completion!, ending);
    if (ending !== undefined && thrown === undefined) {
      return this.#answered(work, completion!, ending);
    }
    const result = this.#attemptFailed(work, asTeacherError(thrown));
    // Called last, because the failure may have halted the teacher or the run.
    this.#options.onEnd();
    return result;
  }

  async #withoutCall(work: Work): Promise<AttemptResult> {
    const { undecided: completion, isUnchecked } = work;
    if (completion === undefined) {
      return failedWith(work.outcome(undefined, this.#waits.timeoutFailure(work)));
    }
    work.undecided = undefined;
    const ending = this.#options.policy.ending(completion, work.params);
    const rejection = await this.#answers.decide(work, completion, ending);
    if (rejection === undefined) {
      const outcome = work.outcome(completion, undefined);
      return { kind: "answered", outcome, others: NO_OUTCOMES };
    }
    // An earlier run rejected this answer for its ending, so the row is sent again without counting
    // another rejection.
    if (!isUnchecked) return { kind: "retry", delayMs: 0 };
    return this.#rejected(work, completion, rejection);
  }

  #end(work: Work): void {
    this.#inFlight--;
    work.hasSlot = false;
    work.latencyMs = this.#options.now() - work.startedAt;
    work.busyMs += work.latencyMs;
  }

  /** Handles a finished or truncated answer. On the hot path: returns a promise only if a check
   * is asynchronous. */
  #answered(work: Work, completion: Completion, ending: Ending): ResultOrPromise {
    const { endpoint } = work;
    this.#options.silence.reset();
    endpoint.answered(work, completion);
    this.#blame.answered();
    this.#notify(work, completion);
    this.#answers.countCost(work, completion);
    this.#options.onEnd();
    if (ending === "whole") this.#blame.answeredCompletely(endpoint);
    const decision = this.#answers.decide(work, completion, ending);
    return decision instanceof Promise
      ? decision.then((rejection) => this.#decided(work, completion, rejection))
      : this.#decided(work, completion, decision);
  }

  #notify(work: Work, completion: Completion): void {
    const { onNotice } = this.#options;
    this.#notifyOnce(completion.notice);
    if (work.row.params?.model !== undefined) return;
    const change = this.#models.noticeOf(work.endpoint.teacher, completion);
    if (change !== undefined) onNotice?.(change);
  }

  #notifyOnce(notice: string | undefined): void {
    if (notice === undefined || this.#notices.has(notice)) return;
    this.#notices.add(notice);
    this.#options.onNotice?.(notice);
  }

  #decided(work: Work, completion: Completion, rejection: Rejection | undefined): AttemptResult {
    if (rejection !== undefined) return this.#rejected(work, completion, rejection);
    this.#useless.answeredWell();
    this.#options.listener.attemptAnswered(completion);
    const outcome = work.outcome(completion, undefined);
    return { kind: "answered", outcome, others: this.#blame.succeeded(work.endpoint) };
  }

  /** Called at the end of the run: fails the rows held back, and returns their outcomes. */
  failHeldAtEnd(): readonly Outcome[] {
    return this.#blame.failHeldAtEnd();
  }

  #rejected(work: Work, completion: Completion, rejection: Rejection): AttemptResult {
    const { failure, action, params, halt } = rejection;
    if (halt !== undefined) this.#options.onHalt(halt);
    // Without an attempt in this run, the answer is from an earlier run, which has counted its
    // attempt and tokens.
    if (work.attempts > 0) {
      const reported = params === undefined ? "failed" : this.#unfinishedAction;
      this.#report(work, { failure, action: reported, isThrottled: false, completion });
    }
    if (params === undefined) {
      this.#useless.failed(failure);
      return failedWith(work.outcome(completion, failure));
    }
    work.rejected = { completion, failure };
    // The failures file does not keep raw fields (the option `keep`), so an answer with raw fields
    // is requested again.
    work.isUnchecked = action === "repeat" && completion.kept === undefined;
    if (action === "resample") work.resamples++;
    work.params = params;
    return { kind: "retry", delayMs: 0, paidAnswer: work.pendingOutcome() };
  }

  #attemptFailed(work: Work, error: TeacherError): AttemptResult {
    const { endpoint } = work;
    const { message, status = null, partial } = error;
    if (this.#options.signal.aborted && partial === undefined) {
      endpoint.abandoned();
      this.#abandoned++;
      return { kind: "pending" };
    }
    this.#notifyOnce(error.notice ?? partial?.notice);
    const classification = classifyFor(work, error);
    const failure: Failure = { type: classification.type, message, status };
    this.#options.silence.failed(failure);
    const isFirstFailure = work.faults === 0 && work.throttled === 0;
    const effect = endpoint.failed(work, error, classification, isFirstFailure);
    if (partial === undefined) this.#blame.failed(endpoint, { error, classification, failure });
    else this.#blame.answered();
    if (classification.cause === "ending") work.avoided = endpoint;
    const isKept = partial !== undefined && this.#answers.keepPartial(work, partial, failure);
    const paidAnswer = isKept ? work.pendingOutcome() : undefined;
    const attempt: AttemptFailure = { error, classification, failure, paidAnswer };
    if (classification.action === "halt") return this.#halted(work, attempt);
    if (classification.action !== "retry") return this.#failed(work, attempt);
    return this.#retried(work, attempt, this.#waits.failed(work, classification, effect));
  }

  #retried(work: Work, attempt: AttemptFailure, wait: RowWait): AttemptResult {
    if (wait.kind === "spent") return this.#failed(work, attempt);
    const { error, paidAnswer } = attempt;
    if (wait.kind === "late") {
      this.#reportFailure(work, attempt, "failed");
      const timeoutFailure = this.#waits.timeoutFailure(work, error.message);
      return failedWith(work.outcome(undefined, timeoutFailure));
    }
    const isTeacherHalted = this.#blame.sentAgain(work, attempt);
    this.#reportFailure(work, attempt, this.#unfinishedAction);
    return { kind: "retry", delayMs: isTeacherHalted ? 0 : wait.delayMs, paidAnswer };
  }

  /** Fails the row, unless it is held back because its teacher may be the cause. */
  #failed(work: Work, attempt: AttemptFailure): AttemptResult {
    const { failure, paidAnswer } = attempt;
    this.#reportFailure(work, attempt, "failed");
    const outcome = work.outcome(undefined, failure);
    const outcomes = this.#blame.spent(work, attempt, outcome);
    if (outcomes.includes(outcome)) return { kind: "failed", outcomes };
    return { kind: "failed", outcomes, paidAnswer };
  }

  /** Halts the teacher. The row goes to another teacher, or stays pending. */
  #halted(work: Work, attempt: AttemptFailure): AttemptResult {
    const { classification, failure, paidAnswer } = attempt;
    this.#blame.allRowsRejected(work.endpoint, failure, classification.advice);
    this.#reportFailure(work, attempt, this.#unfinishedAction);
    return { kind: "retry", delayMs: 0, paidAnswer };
  }

  /** What happens next to a row that has neither succeeded nor failed. */
  get #unfinishedAction(): FailureAction {
    return this.#options.isOver() ? "halted" : "retried";
  }

  #reportFailure(work: Work, attempt: AttemptFailure, action: FailureAction): void {
    const { error: { partial: completion }, classification: { cause }, failure } = attempt;
    this.#report(work, { failure, action, isThrottled: cause === "load", completion });
  }

  #report(work: Work, failed: Omit<FailedAttempt, "uid">): void {
    work.firstFailedAt ??= Date.now();
    this.#options.listener.attemptFailed({ uid: work.row.uid, ...failed });
  }
}

/** If the model is the problem, and the row itself names it, only that row fails. */
function classifyFor(work: Work, error: TeacherError): Classification {
  const classification = classify(error, work.endpoint.hasAnswered, work.latencyMs);
  if (!classification.isAboutModel || work.row.params?.model === undefined) return classification;
  return { action: "fail", cause: "request", type: "request" };
}
