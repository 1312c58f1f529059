/**
 * Attempts: one call each, and what follows from it for the row and for the run.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { FailureAction } from "../progress/events.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Completion } from "../teacher/teacher.ts";
import { isCompletion, type Rejection } from "./acceptance.ts";
import type { EngineOptions, FailedAttempt } from "./engine_options.ts";
import { judge, type Judgement } from "./judgement.ts";
import { Suspects } from "./suspects.ts";
import { asTeacherError, outcomeOf, type Work } from "./work.ts";

/** What attempts are made with. */
export interface AttemptsOptions extends
  Pick<
    EngineOptions,
    "listener" | "acceptance" | "spending" | "retryPolicy" | "rowTimeoutMs" | "onAttempt"
  > {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** The same without the time in which nothing could be sent. */
  readonly rowNow: () => number;
  /** Ends the calls. */
  readonly signal: AbortSignal;
  /** A teacher has a place free again. */
  readonly onEnd: () => void;
  /** The run has to be halted. */
  readonly onHalt: (reason: string) => void;
  /** A teacher will not be asked again. */
  readonly onChannelHalt: (reason: string) => void;
  /** Whether no further attempt will be made. */
  readonly isOver: () => boolean;
  /** Whether no teacher may be asked for a while. */
  readonly isResting: () => boolean;
}

/** What an attempt has settled: its row, or that and others; undefined when the row is not settled. */
export type Settled = Outcome | readonly Outcome[] | undefined;

/** Makes attempts. One run has one. */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #suspects = new Suspects();
  #inFlight = 0;

  /** Nothing is sent yet. */
  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Makes one attempt at a row. Where that does not settle it, `dueInMs` of the work says when the next
   * one may be made; undefined leaves the row pending. Never rejects. */
  async make(work: Work): Promise<Settled> {
    const { listener, now, signal } = this.#options;
    const channel = work.channel!;
    const timeoutMs = this.#timeLeft(work);
    if (timeoutMs !== undefined && timeoutMs <= 0) {
      // Its turn has come too late: teachers were busy with others.
      channel.abandoned();
      return outcomeOf(work, 0, undefined, this.#lateness(work));
    }
    // The time at which its place was taken.
    const startedAt = channel.now;
    work.attempts++;
    work.dueInMs = undefined;
    this.#inFlight++;
    this.#options.onAttempt?.(this.#inFlight);
    listener.attempt();
    let completion: Completion | undefined;
    let thrown: unknown;
    try {
      completion = await channel.teacher.complete({
        uid: work.row.uid,
        messages: work.row.messages,
        params: work.params,
        timeoutMs,
      }, signal);
    } catch (error) {
      thrown = error ?? new Error("The teacher threw nothing");
    }
    this.#inFlight--;
    const latencyMs = now() - startedAt;
    work.busyMs += latencyMs;
    if (!isCompletion(completion)) {
      const settled = this.#refused(work, startedAt, latencyMs, thrown);
      // Not before it is known whether more may be sent at all.
      this.#options.onEnd();
      return settled;
    }
    channel.answered(startedAt, latencyMs, completion);
    this.#pay(work, completion);
    this.#options.onEnd();
    const { row, params, resamples } = work;
    const judged = this.#options.acceptance.judge(completion, row, params, resamples);
    const rejection = judged instanceof Promise ? await judged : judged;
    if (rejection !== undefined) return this.#rejected(work, latencyMs, completion, rejection);
    listener.attemptAnswered(completion);
    const outcome = outcomeOf(work, latencyMs, completion, undefined);
    const cleared = this.#suspects.succeeded();
    return cleared.length === 0 ? outcome : [...cleared, outcome];
  }

  /** The run is over: gives back the rows that are settled by that. Where it was halted because of what
   * they were refused for, they stay pending. */
  leave(): readonly Outcome[] {
    return this.#suspects.clear();
  }

  /** How long a row may still take in milliseconds; undefined while it has all the time. */
  #timeLeft(work: Work): number | undefined {
    const { rowTimeoutMs, rowNow } = this.#options;
    if (rowTimeoutMs === undefined) return undefined;
    const now = rowNow();
    work.deadlineAt ??= now + rowTimeoutMs;
    return work.deadlineAt - now;
  }

  #pay(work: Work, completion: Completion): void {
    const { spending } = this.#options;
    work.costUsd += spending.add(completion, work.channel!.teacher);
    const reason = spending.exhausted;
    if (reason !== undefined) this.#options.onHalt(reason);
  }

  /** An answer that is not kept: the row has failed, or it is asked again. */
  #rejected(
    work: Work,
    latencyMs: number,
    completion: Completion,
    rejection: Rejection,
  ): Settled {
    const { failure, follow, params } = rejection;
    const action = params === undefined ? "failed" : this.#again;
    this.#note(work, { failure, action, completion });
    if (params === undefined) return outcomeOf(work, latencyMs, completion, failure);
    work.rejected = completion;
    if (follow === "resample") work.resamples++;
    work.params = params;
    work.dueInMs = 0;
    return undefined;
  }

  /** The row waits for another attempt, or it has failed. */
  #refused(work: Work, startedAt: number, latencyMs: number, thrown: unknown): Settled {
    const channel = work.channel!;
    if (this.#options.signal.aborted) {
      channel.abandoned();
      return undefined;
    }
    const error = asTeacherError(thrown);
    const judgement = judgeFor(work, error);
    const counts = channel.failed(startedAt, error, judgement, work.sequence);
    const { type, message, status = null } = error;
    const failure: Failure = { type, message, status };
    if (judgement.action === "halt") return this.#halted(work, failure, judgement);
    const isLoad = judgement.cause === "load";
    if (judgement.action === "retry" && this.#waits(work, error, judgement, counts)) {
      this.#note(work, { failure, action: this.#again, isLoad });
      return undefined;
    }
    this.#note(work, { failure, action: "failed", isLoad });
    if (work.dueInMs !== undefined) {
      return outcomeOf(work, latencyMs, undefined, this.#lateness(work, message));
    }
    const outcome = outcomeOf(work, latencyMs, undefined, failure);
    return judgement.action === "fail" ? this.#suspect({ ...outcome, failure }) : outcome;
  }

  /** Whether there will be another attempt; `dueInMs` says when. One that would come after the row's time
   * is up is none. */
  #waits(work: Work, error: TeacherError, judgement: Judgement, counts: boolean): boolean {
    if (counts) {
      if (judgement.cause === "load") work.loads++;
      else if (judgement.cause !== "unreachable") work.faults++;
      if (judgement.cause === "timeout") work.timeouts++;
    }
    work.dueInMs = this.#options.retryPolicy.delayMs(judgement, error, work);
    if (counts) work.waits++;
    if (work.dueInMs === undefined) return false;
    // The time of an outage is not the row's, and neither is that of a cool-down.
    if (!counts || judgement.cause === "unreachable") work.deadlineAt = undefined;
    const waitMs = Math.max(0, work.dueInMs - (judgement.coolDownMs ?? 0));
    // Somebody else may be asked meanwhile.
    if (!this.#options.isResting()) work.dueInMs = waitMs;
    const leftMs = this.#timeLeft(work);
    return leftMs === undefined || waitMs < leftMs;
  }

  /** The row's time is up. */
  #lateness(work: Work, last?: string): Failure {
    const seconds = this.#options.rowTimeoutMs! / 1_000;
    const attempts = work.attempts === 1 ? "1 attempt" : `${work.attempts} attempts`;
    const message = `The row was not answered within ${seconds} s (--row-timeout), in ${attempts}`;
    const end = last === undefined ? "" : `; the last one: ${last}`;
    return { type: "timeout", message: message + end, status: null };
  }

  /** The teacher will not answer any row; this one waits for another teacher, or stays pending. */
  #halted(work: Work, failure: Failure, { advice }: Judgement): undefined {
    const channel = work.channel!;
    if (!channel.isHalted) {
      const place = channel.teacher.address ? ` at ${channel.teacher.address}` : "";
      const status = failure.status === null ? "" : ` (${failure.status})`;
      const words = `The teacher${place} refuses all rows${status}: ${failure.message}`;
      const reason = advice === undefined ? words : `${words}. ${advice}`;
      channel.halt(reason);
      this.#options.onChannelHalt(reason);
    }
    this.#note(work, { failure, action: this.#again });
    work.dueInMs = 0;
    return undefined;
  }

  /** What follows for a row that is not settled. */
  get #again(): FailureAction {
    return this.#options.isOver() ? "halted" : "retried";
  }

  #suspect(outcome: Outcome & { readonly failure: Failure }): readonly Outcome[] {
    const cleared = this.#suspects.add(outcome);
    if (this.#suspects.isConclusive) {
      const { message, status } = outcome.failure;
      this.#options.onHalt(
        `The teacher refused ${this.#suspects.count} rows in a row with the same words` +
          `${status === null ? "" : ` (${status})`}: ${message}`,
      );
    }
    return cleared;
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
function judgeFor(work: Work, error: TeacherError): Judgement {
  const judgement = judge(error);
  const isOwnModel = judgement.isAboutModel && work.row.params?.model !== undefined;
  return isOwnModel ? { action: "fail", cause: "request" } : judgement;
}
