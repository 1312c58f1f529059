/** What the monitor uses of a run: a part of `ResponseGenerator`. @module */

import type { RunListener, RunSnapshot, Snapshot } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";

/** Called with finished rows, in batches. */
export type OutcomesListener = (outcomes: readonly Outcome[]) => void;

/** A run that can be watched and controlled. A `ResponseGenerator` is one. */
export interface MonitoredRun {
  /** Calls `listener` with every event until the returned function is called. */
  on(listener: RunListener): () => void;
  /** Calls `listener` with finished rows until the returned function is called. */
  onOutcomes(listener: OutcomesListener): () => void;
  /** Returns the state of the current run; undefined if none is active. */
  snapshot(): Snapshot | RunSnapshot | undefined;
  /** Starts no attempt until `resume()`. */
  pause(): void;
  /** Starts attempts again after `pause()`. */
  resume(): void;
  /** Sets the concurrency. Throws a `RangeError` if the number is not allowed. */
  setConcurrency(concurrency: number): void;
  /**
   * Sets the budget in US dollars; null for no limit. Throws a `RangeError` unless it is above 0,
   * and a `UsageError` if no price is known.
   */
  setMaxCost(usd: number | null): void;
  /** Finishes calls in flight and starts no others. */
  stop(): void;
  /** Stops, and cancels the calls in flight. */
  abort(reason?: unknown): void;
  /** Sends a notice to all listeners, as an event of the run. */
  notice(level: "info" | "warning", message: string): void;
}
