/**
 * The interface of a run that the monitor uses: a part of `ResponseGenerator`.
 *
 * @module
 */

import type { RunListener, RunSnapshot, Snapshot } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";

/** Is called with finished rows, in batches. */
export type OutcomesListener = (outcomes: readonly Outcome[]) => void;

/** A run that can be watched and controlled. A `ResponseGenerator` is one. */
export interface MonitoredRun {
  /** Calls `listener` with every event until the returned function is called. */
  on(listener: RunListener): () => void;
  /** Calls `listener` with finished rows until the returned function is called. */
  onOutcomes(listener: OutcomesListener): () => void;
  /** The state of the current run, or undefined when there is none. */
  snapshot(): Snapshot | RunSnapshot | undefined;
  /** Starts no attempt until `resume()`. */
  pause(): void;
  /** Continues. */
  resume(): void;
  /** Sets the concurrency. Throws `RangeError` when the number is not allowed. */
  setConcurrency(concurrency: number): void;
  /**
   * Sets the budget in US dollars, or null for no limit. Throws `RangeError` or `TypeError` when
   * the value is not allowed.
   */
  setMaxCost(usd: number | null): void;
  /** Finishes what is in flight and starts nothing more. */
  stop(): void;
  /** Stops, and cancels the calls in flight. */
  abort(reason?: unknown): void;
  /** Sends a notice to all listeners, as an event of the run. */
  notice(level: "info" | "warning", message: string): void;
}
