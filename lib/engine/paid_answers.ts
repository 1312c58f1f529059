/**
 * Answers that were paid for: counts their cost, decides whether they are accepted, and keeps one
 * with a row's failure.
 *
 * @module
 */

import type { Ending } from "../answer.ts";
import type { Failure } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import type { Rejection } from "./answers/mod.ts";
import type { AttemptsOptions } from "./attempts.ts";
import type { Work } from "./work.ts";

type PaidAnswersOptions = Pick<AttemptsOptions, "policy" | "budget" | "signal" | "onHalt">;

export class PaidAnswers {
  readonly #options: PaidAnswersOptions;
  /** Functions that end the wait for a check in progress. */
  readonly #pending = new Set<() => void>();

  constructor(options: PaidAnswersOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => {
      for (const leaveUnchecked of this.#pending) leaveUnchecked();
    }, { once: true });
  }

  get pendingChecks(): number {
    return this.#pending.size;
  }

  /** Halts the run once the budget is used up. */
  countCost(work: Work, completion: Completion): void {
    const { budget, onHalt } = this.#options;
    const usd = budget.add(completion, work.endpoint);
    work.costUsd = work.costUsd === null || usd === null ? null : work.costUsd + usd;
    const reason = budget.exhaustedReason;
    if (reason !== undefined) onHalt(reason);
  }

  /** On the hot path: returns a promise only if a check is asynchronous. */
  decide(work: Work, completion: Completion, ending: Ending): DecisionOrPromise {
    work.ending = ending;
    const decision = this.#options.policy.decide(completion, work, ending);
    if (!(decision instanceof Promise)) return decision;
    return this.#wait(decision, uncheckedRejection(completion, work.params));
  }

  /** Resolves to `unchecked` if the run is aborted first: the row stays pending with its answer. */
  #wait(decision: Promise<Decision>, unchecked: Rejection): Promise<Decision> {
    if (this.#options.signal.aborted) return Promise.resolve(unchecked);
    return new Promise((resolve) => {
      const settle = (result: Decision) => {
        this.#pending.delete(leaveUnchecked);
        resolve(result);
      };
      const leaveUnchecked = () => settle(unchecked);
      this.#pending.add(leaveUnchecked);
      void decision.then(settle);
    });
  }

  /** Counts the cost of a partial answer, and keeps it with the row unless a longer one is kept
   * already. Returns whether it was kept. */
  keepPartial(work: Work, partial: Completion, failure: Failure): boolean {
    this.countCost(work, partial);
    const previous = work.rejected?.completion;
    if (previous !== undefined && lengthOf(previous) > lengthOf(partial)) return false;
    work.rejected = { completion: partial, failure };
    work.ending = undefined;
    work.isUnchecked = false;
    return true;
  }
}

function lengthOf({ response, reasoning }: Completion): number {
  return (response?.length ?? 0) + (reasoning?.length ?? 0);
}

type Decision = Rejection | undefined;
type DecisionOrPromise = Decision | Promise<Decision>;

function uncheckedRejection({ kept }: Completion, params: Params): Rejection {
  // Earlier versions recognize an unchecked answer by the message with "answer was", so that
  // message must not change. A failures line has no raw fields (the option `keep`), so an answer
  // with them is requested again.
  const what = kept === undefined ? "answer was" : "answer and its fields were";
  const message = `The run was ended before the ${what} checked`;
  return { failure: { type: "rejected", message, status: null }, action: "repeat", params };
}
