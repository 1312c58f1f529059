/**
 * Makes attempts: calls the teacher, and decides what happens next to the row and the run.
 *
 * @module
 */

import type { Ending } from "../answer.ts";
import type { TeacherError } from "../errors.ts";
import type { FailedAttempt, FailureAction } from "../progress/mod.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Completion, Teacher } from "../teacher/mod.ts";
import {
  asCompletion,
  type Rejection,
  uncheckedRejection,
  unfinishedError,
} from "./answers/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import { type Classification, classify, isAboutTokenLimit } from "./errors/mod.ts";
import type { TeacherPool } from "./flow/mod.ts";
import { asTeacherError, type AttemptResult, failedWith, NO_OUTCOMES, type Work } from "./work.ts";
import { type Silence, TeacherNotices } from "./engine_state.ts";
import { type FailedCall, UselessAnswers } from "./evidence.ts";
import { RowWaits } from "./retry_policy.ts";
import { TeacherBlame } from "./teacher_blame.ts";

type UsedElsewhere = "source" | "teachers" | "sink" | "params" | "concurrency" | "isExploring";

export interface AttemptsOptions extends Omit<EngineOptions, UsedElsewhere> {
  readonly now: () => number;
  /** Like `now`, but stops while nothing can be sent. */
  readonly rowNow: () => number;
  readonly signal: AbortSignal;
  readonly onAttempt?: () => void;
  readonly onEnd: () => void;
  readonly silence: Silence;
  readonly onHalt: (reason: string) => void;
  readonly onEndpointHalt: (reason: string) => void;
  readonly onSendAgain: (work: Work) => void;
  /** Returns what happens next to a row that has neither succeeded nor failed. */
  readonly unfinishedAction: () => FailureAction;
  readonly pool: Pick<TeacherPool, "soonestMs" | "hasSeveral" | "areOthersAbsent">;
}

type Decision = Rejection | undefined;

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #blame: TeacherBlame;
  readonly #useless: UselessAnswers;
  readonly #waits: RowWaits;
  readonly #notices: TeacherNotices;
  /** Functions that end the wait for a check, one for each check in progress. */
  readonly #checks = new Set<() => void>();
  #inFlight = 0;
  /** The number of aborted attempts, which may have been billed. */
  abandoned = 0;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#notices = new TeacherNotices(options);
    this.#blame = new TeacherBlame(options);
    this.#useless = new UselessAnswers(options);
    this.#waits = new RowWaits(options);
    options.signal.addEventListener("abort", () => {
      for (const leaveUnchecked of this.#checks) leaveUnchecked();
    }, { once: true });
  }

  get inFlight(): number {
    return this.#inFlight + this.#checks.size;
  }

  /** Called when a row gets its teacher. Returns false if the row's time is up, or if an answer
   * from an earlier run must be checked first. */
  needsCall(work: Work): boolean {
    this.#waits.begin(work);
    const { timeoutMs = Infinity, undecided } = work;
    return timeoutMs > 0 && undecided === undefined;
  }

  /** Makes one attempt if the row needs a call. Never rejects. */
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
    if (completion !== undefined) {
      const ending = this.#options.policy.ending(completion, work.params);
      thrown = unfinishedError(completion, ending);
      if (thrown === undefined) return this.#answered(work, completion, ending);
    }
    const result = this.#attemptFailed(work, asTeacherError(thrown));
    // Called last, because `#attemptFailed` may have halted the teacher or the run.
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
    const rejection = await this.#decide(work, completion, ending);
    if (rejection === undefined) {
      const outcome = work.outcome(completion, undefined);
      return { kind: "answered", outcome, others: NO_OUTCOMES };
    }
    // An earlier run rejected this answer because of its finish reason and counted the rejection,
    // so it is not counted again.
    if (!isUnchecked) return { kind: "retry", delayMs: 0 };
    return this.#rejected(work, completion, rejection);
  }

  #end(work: Work): void {
    this.#inFlight--;
    work.hasSlot = false;
    work.latencyMs = this.#options.now() - work.startedAt;
    work.busyMs += work.latencyMs;
  }

  /** Handles a finished or truncated answer. This is on the hot path, so it returns a promise only
   * if a check is asynchronous. */
  #answered(
    work: Work,
    completion: Completion,
    ending: Ending,
  ): AttemptResult | Promise<AttemptResult> {
    const { endpoint } = work;
    this.#options.silence.reset();
    endpoint.answered(work, completion);
    this.#blame.answered();
    this.#notices.answered(work, completion);
    this.#countCost(work, completion);
    this.#options.onEnd();
    if (ending === "whole") this.#blame.answeredCompletely(endpoint);
    const decision = this.#decide(work, completion, ending);
    return decision instanceof Promise
      ? decision.then((rejection) => this.#decided(work, completion, rejection))
      : this.#decided(work, completion, decision);
  }

  /** Counts the cost of an answer, and halts the run if the budget is used up. */
  #countCost(work: Work, completion: Completion): void {
    const { budget, onHalt } = this.#options;
    const usd = budget.add(completion, work.endpoint);
    work.costUsd = work.costUsd === null || usd === null ? null : work.costUsd + usd;
    const reason = budget.exhaustedReason;
    if (reason !== undefined) onHalt(reason);
  }

  #decide(work: Work, completion: Completion, ending: Ending): Decision | Promise<Decision> {
    work.ending = ending;
    const decision = this.#options.policy.decide(completion, work, ending);
    if (!(decision instanceof Promise)) return decision;
    const unchecked = () => uncheckedRejection(completion, work.params);
    if (this.#options.signal.aborted) return unchecked();
    // If the run is aborted during the check, the row stays pending and keeps its answer.
    return new Promise((resolve) => {
      const settle = (result: Decision) => {
        this.#checks.delete(leaveUnchecked);
        resolve(result);
      };
      const leaveUnchecked = () => settle(unchecked());
      this.#checks.add(leaveUnchecked);
      void decision.then(settle);
    });
  }

  #decided(work: Work, completion: Completion, rejection: Rejection | undefined): AttemptResult {
    if (rejection !== undefined) return this.#rejected(work, completion, rejection);
    this.#useless.accepted();
    this.#options.listener.attemptAnswered(completion);
    const outcome = work.outcome(completion, undefined);
    return { kind: "answered", outcome, others: this.#blame.succeeded(work.endpoint) };
  }

  teacherJoins(teacher: Teacher): void {
    this.#blame.joins(teacher);
  }

  /** Called at the end of the run. Fails the rows held back, and returns their outcomes. */
  failHeldAtEnd(): readonly Outcome[] {
    return this.#blame.failHeldAtEnd();
  }

  #rejected(work: Work, completion: Completion, rejection: Rejection): AttemptResult {
    const { failure, action, params, halt } = rejection;
    if (halt !== undefined) this.#options.onHalt(halt);
    // A row without attempts has an answer from an earlier run, which has counted the attempt and
    // the tokens.
    if (work.attempts > 0) {
      const reported = params === undefined ? "failed" : this.#options.unfinishedAction();
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
      this.abandoned++;
      return { kind: "pending" };
    }
    this.#notices.passOnOnce(error.notice ?? partial?.notice);
    const classification = classifyFor(work, error);
    const failure: Failure = { type: classification.type, message, status };
    const call: FailedCall = { error, classification, failure };
    this.#options.silence.failed(failure);
    const isFirstFailure = work.faults === 0 && work.throttled === 0;
    const effect = endpoint.failed(work, error, classification, isFirstFailure);
    let paidAnswer: Outcome | undefined;
    if (partial === undefined) this.#blame.failed(endpoint, call);
    else {
      this.#blame.answered();
      this.#countCost(work, partial);
      if (work.keepPartial(partial, failure)) paidAnswer = work.pendingOutcome();
    }
    if (classification.cause === "ending") work.avoided = endpoint;
    if (classification.action === "halt") {
      this.#blame.allRowsRejected(endpoint, failure, classification.advice);
      this.#reportFailure(work, call, this.#options.unfinishedAction());
      return { kind: "retry", delayMs: 0, paidAnswer };
    }
    if (classification.action === "fail") return this.#failed(work, call, paidAnswer);
    const delayMs = this.#waits.failed(work, classification, effect);
    if (delayMs === "spent") return this.#failed(work, call, paidAnswer);
    if (delayMs === "late") {
      this.#reportFailure(work, call, "failed");
      return failedWith(work.outcome(undefined, this.#waits.timeoutFailure(work, message)));
    }
    const isTeacherHalted = this.#blame.sentAgain(work, call);
    this.#reportFailure(work, call, this.#options.unfinishedAction());
    return { kind: "retry", delayMs: isTeacherHalted ? 0 : delayMs, paidAnswer };
  }

  /** Fails the row, or holds it back if its teacher may be the cause. */
  #failed(work: Work, call: FailedCall, paidAnswer: Outcome | undefined): AttemptResult {
    this.#reportFailure(work, call, "failed");
    if (work.rejected !== undefined) this.#useless.failed(work.rejected.failure);
    const outcome = work.outcome(undefined, call.failure);
    const outcomes = this.#blame.spent(work, call, outcome), isHeld = !outcomes.includes(outcome);
    return isHeld ? { kind: "failed", outcomes, paidAnswer } : { kind: "failed", outcomes };
  }

  #reportFailure(work: Work, call: FailedCall, action: FailureAction): void {
    const { error: { partial: completion }, classification: { cause }, failure } = call;
    this.#report(work, { failure, action, isThrottled: cause === "load", completion });
  }

  #report(work: Work, failed: Omit<FailedAttempt, "uid">): void {
    work.firstFailedAt ??= Date.now();
    this.#options.listener.attemptFailed({ uid: work.row.uid, ...failed });
  }
}

/** Classifies an error. If the error is about the model and the row itself chose the model, the row
 * is rejected instead of halting the teacher. If the teacher rejects a token limit that `escalate`
 * raised for this row, only the row is to blame. */
function classifyFor(work: Work, error: TeacherError): Classification {
  const classification = classify(error, work.endpoint.hasAnswered, work.latencyMs);
  const hasRaisedLimit = work.rejected?.failure.type === "truncated";
  if (hasRaisedLimit && classification.cause === "request" && isAboutTokenLimit(error.message)) {
    return { ...classification, cause: "row" };
  }
  if (!classification.isAboutModel || work.row.params?.model === undefined) return classification;
  return { action: "fail", cause: "request", type: "request" };
}
