/**
 * Answers that were paid for: their cost, whether they are accepted, and which answer of a row is kept with
 * its failure.
 *
 * @module
 */

import type { EarlierAnswer, Failure } from "../row.ts";
import type { Completion, Params } from "../teacher/mod.ts";
import {
  type AnswerPolicy,
  type Budget,
  type Ending,
  type Rejection,
  unfinished,
} from "./answers/mod.ts";
import { sentOf, type Work } from "./work.ts";

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
    const { endpoint } = sentOf(work);
    const costUsd = budget.add(completion, endpoint.teacher);
    work.costUsd += costUsd;
    endpoint.paid(costUsd);
    const reason = budget.exhausted;
    if (reason !== undefined) onHalt(reason);
  }

  /** Decides whether an answer is accepted: at once, unless a check takes time. On the hot path. */
  decide(work: Work, completion: Completion, ending: Ending): Decided {
    const { row, params, resamples } = work;
    const decided = this.#options.policy.decide(completion, row, params, resamples, ending, work);
    if (!(decided instanceof Promise)) return decided;
    const message = completion.kept === undefined ? UNCHECKED : UNCHECKED_WITH_FIELDS;
    return this.#checks.wait(decided, unchecked(message, params));
  }

  /** Decides on the answer of an earlier run where that run did not: it ended before the check, or this one accepts
   * an ending that it did not accept (`acceptEndings`). The answer was paid for, and is not requested again. */
  async decideEarlier(
    work: Work,
    { rejected, isSame }: EarlierAnswer,
  ): Promise<EarlierDecision | undefined> {
    // This run may have decided on it already.
    if (rejected === undefined || work.rejected !== rejected || !isSame) return undefined;
    const { completion, failure } = rejected;
    const isUnchecked = failure.message === UNCHECKED;
    if (!isUnchecked && failure.type !== "unfinished") return undefined;
    const ending = this.#options.policy.ending(completion, work.params);
    // One that was cut off may have waited for its check, too (`onTruncated: "keep"`).
    const isEnded = isUnchecked ? unfinished(completion, ending) === undefined : ending === "whole";
    if (!isEnded) return undefined;
    const rejection = await this.decide(work, completion, ending);
    return rejection === undefined || isUnchecked ? { completion, rejection } : undefined;
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

/** What becomes of an answer of an earlier run. */
interface EarlierDecision {
  readonly completion: Completion;
  /** Why it is not accepted. @default it is */
  readonly rejection: Rejection | undefined;
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
  wait(decision: Promise<Decision>, unchecked: Rejection): Promise<Decision> {
    if (this.#signal.aborted) return Promise.resolve(unchecked);
    return new Promise((resolve) => {
      const settle = (decided: Decision) => {
        this.#open.delete(giveUp);
        resolve(decided);
      };
      const giveUp = () => settle(unchecked);
      this.#open.add(giveUp);
      void decision.then(settle);
    });
  }
}

/** The next run reads this in the failures line, and checks the answer. */
const UNCHECKED = "The run was ended before the answer was checked";
/** A failures line does not hold the further fields of an answer (`keep`), so it is requested again. */
const UNCHECKED_WITH_FIELDS = "The run was ended before the answer and its fields were checked";

function unchecked(message: string, params: Params): Rejection {
  return { failure: { type: "rejected", message, status: null }, follow: "repeat", params };
}
