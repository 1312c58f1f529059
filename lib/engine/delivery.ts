/**
 * Hands outcomes to the sink, and answers that were paid for before their row is asked again.
 *
 * @module
 */

import type { Outcome } from "../row.ts";
import type { OutcomeSink } from "./engine_options.ts";
import { pendingOutcome, type Work } from "./work.ts";

/** The way from the engine to its sink. */
export class Delivery {
  readonly #sink: OutcomeSink;
  /** Rows that stay pending, with an answer that the sink has not been given. */
  readonly #left: Work[] = [];
  #finished = 0;

  /** Nothing is handed over yet. */
  constructor(sink: OutcomeSink) {
    this.#sink = sink;
  }

  /** Finished rows that were handed over. */
  get finished(): number {
    return this.#finished;
  }

  /** Hands over a finished row. Adds no promise to that of the sink: every row takes this way. */
  put(outcome: Outcome): Promise<void> {
    this.#finished++;
    return this.#sink.put(outcome);
  }

  /** Hands over several, one after the other: finished rows, and answers of rows that may be asked again. */
  async putAll(outcomes: readonly Outcome[]): Promise<void> {
    for (const outcome of outcomes) {
      await (outcome.next === undefined ? this.put(outcome) : this.keep(outcome));
    }
  }

  /** Hands over an answer that was not accepted; its row may be asked again once this resolves. */
  async keep(outcome: Outcome): Promise<void> {
    await this.#sink.keep?.(outcome);
  }

  /** The row stays pending when the run ends. */
  leave(work: Work): void {
    const isKept = work.rejected === undefined || this.#sink.keep !== undefined;
    if (!isKept) this.#left.push(work);
  }

  /** The run is over: a sink that takes no answers in between gets the last one of each pending row. */
  async end(): Promise<void> {
    for (const work of this.#left) await this.#sink.put(pendingOutcome(work, 0));
  }
}
