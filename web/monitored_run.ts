/**
 * What the monitor needs of a run: the part of `ResponseGenerator` that it uses.
 *
 * @module
 */

import type { RunListener, RunSnapshot, Snapshot } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";

/** Hears of rows that were settled, in batches. */
export type OutcomesListener = (outcomes: readonly Outcome[]) => void;

/** A run that can be watched and steered. A `ResponseGenerator` is one. */
export interface MonitoredRun {
  /** Calls `listener` with every event until the function that it gives back is called. */
  on(listener: RunListener): () => void;
  /** Calls `listener` with settled rows until the function that it gives back is called. */
  onOutcomes(listener: OutcomesListener): () => void;
  /** The state of what is under way, or undefined when nothing is. */
  snapshot(): Snapshot | RunSnapshot | undefined;
  /** Starts no attempt until `resume()`. */
  pause(): void;
  /** Continues. */
  resume(): void;
  /** Another concurrency. Throws `RangeError` when it cannot be. */
  setConcurrency(concurrency: number): void;
  /** What the run may cost in US dollars, or null for no limit. Throws `RangeError` or `TypeError` when
   * that cannot be. */
  setMaxCost(usd: number | null): void;
  /** Finishes what is in flight and starts nothing more. */
  stop(): void;
  /** Stops, and gives up the calls in flight. */
  abort(reason?: unknown): void;
  /** Says something to all listeners, as an event of the run. */
  notice(level: "info" | "warning", message: string): void;
}
