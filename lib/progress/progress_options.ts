/**
 * What a `Progress` is made from.
 *
 * @module
 */

import type { RunState } from "./events.ts";
import { createProcessMeter, type ProcessMeter } from "./process_meter.ts";

/** What the engine is doing at the moment. */
export interface Gauges {
  /** What the run is doing. */
  readonly state: RunState;
  /** Attempts under way. */
  readonly inFlight: number;
  /** Rows in the waiting room. */
  readonly waiting: number;
  /** The target number of lanes. */
  readonly concurrency: number;
}

/** What a `Progress` is made from. */
export interface ProgressOptions {
  /** The number of lanes at the start. */
  concurrency: number;
  /** Rows that finish between two snapshots. @default by concurrency: 5, 10, 20, 50 */
  updateInterval?: number;
  /** Reads what the engine is doing; called ten times a second at most. */
  gauges: () => Gauges;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  now?: () => number;
  /** Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** CPU and memory. @default those of this process */
  meter?: ProcessMeter;
  /** Calls back every `intervalMs` until the function that it returns is called. @default setInterval */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

/** Fills in what was left out. */
export function resolveProgressOptions(options: ProgressOptions): Required<ProgressOptions> {
  return {
    concurrency: options.concurrency,
    updateInterval: options.updateInterval ?? defaultUpdateInterval(options.concurrency),
    gauges: options.gauges,
    now: options.now ?? (() => performance.now()),
    wallClock: options.wallClock ?? Date.now,
    meter: options.meter ?? createProcessMeter(),
    every: options.every ?? everyInterval,
  };
}

/** ModelCall's table: the more lanes, the more rows finish between two looks. */
function defaultUpdateInterval(concurrency: number): number {
  if (concurrency < 10) return 5;
  if (concurrency <= 100) return 10;
  return concurrency <= 500 ? 20 : 50;
}

function everyInterval(intervalMs: number, callback: () => void): () => void {
  const id = setInterval(callback, intervalMs);
  // A run that was dropped must not hold the process; one that goes on has sockets that do.
  Deno.unrefTimer(id);
  return () => clearInterval(id);
}
