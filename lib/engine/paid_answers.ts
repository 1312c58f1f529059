/**
 * Answers that were paid for: their cost, whether they are accepted, and which answer of a row is kept with
 * its failure.
 *
 * @module
 */

import type { EarlierAnswer, Failure, Outcome } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import type { AnswerPolicy, Budget, Ending, Rejection } from "./answers/mod.ts";
import { outcomeOf, sentOf, type Work } from "./work.ts";

/** Dependencies of `PaidAnswers`. */
export interface PaidAnswersOptions {
  /** Which answers are kept. */
  readonly policy: AnswerPolicy;
  /** What may be spent. */
  readonly budget: Budget;
  /** Ends the run at once. */
  readonly signal: AbortSignal;
  /** The run has to be halted. */
  readonly onHalt: (reason: string) => void;
}

/** The answers of one run. */
export class PaidAnswers {
  readonly #options: PaidAnswersOptions;
  readonly #checks: PendingChecks;

  /** Nothing is answered yet. */
  constructor(options: PaidAnswersOptions) {
    this.#options = options;
    this.#checks = new PendingChecks(options.signal);
  }

  /** Answers that are being checked. */
  get inCheck(): number {
    return this.#checks.size;
  }

  /** Counts the cost of an answer; halts the run when the budget is used up. */
  pay(work: Work, completion: Completion): void {
    const { budget, onHalt } = this.#options;
    work.costUsd += budget.add(completion, sentOf(work).endpoint.teacher);
    const reason = budget.exhausted;
    if (reason !== undefined) onHalt(reason);
  }

  /** Decides whether an answer is accepted: at once, unless a check takes time. On the hot path. */
  decide(work: Work, completion: Completion, ending: Ending): Decided {
    const { row, params, resamples } = work;
    const decided = this.#options.policy.decide(completion, row, params, resamples, ending, work);
    return decided instanceof Promise ? this.#checks.wait(decided, params) : decided;
  }

  /** The outcome of a row whose answer an earlier run rejected as unfinished, if this run accepts its ending
   * (`acceptEndings`): it was paid for, and is not requested again. */
  async acceptedNow(
    work: Work,
    { rejected, isSame }: EarlierAnswer,
  ): Promise<Outcome | undefined> {
    if (rejected === undefined || !isSame) return undefined;
    const { completion, failure } = rejected;
    const { policy } = this.#options;
    if (failure.type !== "unfinished" || policy.ending(completion, work.params) !== "whole") {
      return undefined;
    }
    if (await this.decide(work, completion, "whole") !== undefined) return undefined;
    return outcomeOf(work, 0, completion, undefined);
  }

  /** Pays for the part of an answer that came before it failed. The longest part of a row is kept with its
   * failure; returns whether that is this one. */
  keepPartial(work: Work, partial: Completion, failure: Failure): boolean {
    this.pay(work, partial);
    const before = work.rejected?.completion;
    if (before !== undefined && lengthOf(before) > lengthOf(partial)) return false;
    work.rejected = { completion: partial, failure };
    return true;
  }
}

function lengthOf({ response, reasoning }: Completion): number {
  return (response?.length ?? 0) + (reasoning?.length ?? 0);
}

type Decision = Rejection | undefined;
type Decided = Decision | Promise<Decision>;

/** The checks in flight. */
class PendingChecks {
  readonly #signal: AbortSignal;
  readonly #open = new Set<() => void>();

  /** `signal` ends the run at once. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => {
      for (const giveUp of this.#open) giveUp();
    }, { once: true });
  }

  /** How many there are. */
  get size(): number {
    return this.#open.size;
  }

  /** Waits for a decision, unless the run is aborted first: the row then stays pending with its answer. */
  wait(decision: Promise<Decision>, params: Params): Promise<Decision> {
    if (this.#signal.aborted) return Promise.resolve(unchecked(params));
    return new Promise((resolve) => {
      const settle = (decided: Decision) => {
        this.#open.delete(giveUp);
        resolve(decided);
      };
      const giveUp = () => settle(unchecked(params));
      this.#open.add(giveUp);
      void decision.then(settle);
    });
  }
}

function unchecked(params: Params): Rejection {
  const message = "The run was ended before the answer was checked";
  return { failure: { type: "rejected", message, status: null }, follow: "repeat", params };
}
