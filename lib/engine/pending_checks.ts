/**
 * Answers whose checks take their time. They were paid for and are not written yet, so they count as in
 * flight, and the end of the run does not wait for them.
 *
 * @module
 */

import type { Params } from "../teacher/mod.ts";
import type { Rejection } from "./answers/mod.ts";

type Decision = Rejection | undefined;

/** The checks under way. */
export class PendingChecks {
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

  /** Waits for a decision, unless the run is ended before: the row then stays pending with its answer. */
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
