/**
 * The counters that a run's snapshots and its summary are made from.
 *
 * @module
 */

import type { Outcome } from "../row.ts";
import { DurationHistogram } from "./histogram.ts";

/** Counts rows, attempts and tokens. Adding costs a few increments and no allocation. */
export class Counters {
  /** Attempts made. */
  attempts = 0;
  /** Rows whose result is on disk. */
  succeeded = 0;
  /** Rows whose failure is on disk. */
  failed = 0;
  /** Attempts beyond the first, of the rows above. */
  retries = 0;
  /** Prompt tokens that were paid for. */
  promptTokens = 0;
  /** Completion tokens that were paid for. */
  completionTokens = 0;
  /** Of those, the completion tokens of rows that failed. */
  wastedCompletionTokens = 0;
  /** Latency of the attempts that succeeded. */
  readonly latency = new DurationHistogram();

  /** Rows that are done, one way or the other. */
  get settled(): number {
    return this.succeeded + this.failed;
  }

  /** Adds one row that is done. */
  add(outcome: Outcome): void {
    const usage = outcome.completion?.usage;
    if (usage) {
      this.promptTokens += usage.promptTokens;
      this.completionTokens += usage.completionTokens;
    }
    if (outcome.attempts > 1) this.retries += outcome.attempts - 1;
    if (outcome.failure === undefined) {
      this.succeeded++;
      this.latency.record(outcome.latencyMs);
    } else {
      this.failed++;
      if (usage) this.wastedCompletionTokens += usage.completionTokens;
    }
  }
}
