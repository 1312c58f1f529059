/**
 * What a `Progress` is made from, and what it is told at the end.
 *
 * @module
 */

import type { RunState, Summary, TeacherStatus } from "./events.ts";
import { every } from "../timer.ts";
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
  /** How many attempts may be under way now. */
  readonly limit: number;
  /** When something will be sent again (Unix milliseconds), or null while something is. */
  readonly backingOffUntil: number | null;
  /** Why nothing is sent, or why the run was halted, in words; else null. */
  readonly reason: string | null;
  /** Cost so far in US dollars, or null while no price is known. */
  readonly costUsd: number | null;
  /** What the run may cost in US dollars, or null. */
  readonly maxCostUsd: number | null;
  /** Each teacher of the run; called for snapshots only. */
  readonly teachers: () => readonly TeacherStatus[];
}

/** What a `Progress` is made from. */
export interface ProgressOptions {
  /** The number of lanes at the start. */
  concurrency: number;
  /** Whether the number of attempts under way is looked for. @default false */
  isExploring?: boolean;
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

/** What the run knows and the counters do not. */
export interface SummaryParts extends
  Pick<
    Summary,
    "state" | "reason" | "started" | "total" | "skipped" | "pending" | "files"
  > {
  /** Rows without a result that have a failure, those of earlier runs included. */
  failuresOnDisk: number;
  /** Input lines that are no rows. */
  badRows: number;
  /** Identical rows that were merged into one. */
  mergedDuplicates: number;
  /** Calls that were in flight when the last run over this output crashed, at most. */
  crashedInFlight: number;
}

/** Fills in what was left out. */
export function resolveProgressOptions(options: ProgressOptions): Required<ProgressOptions> {
  return {
    concurrency: options.concurrency,
    isExploring: options.isExploring ?? false,
    updateInterval: options.updateInterval ?? defaultUpdateInterval(options.concurrency),
    gauges: options.gauges,
    now: options.now ?? (() => performance.now()),
    wallClock: options.wallClock ?? Date.now,
    meter: options.meter ?? createProcessMeter(),
    every: options.every ?? every,
  };
}

/** ModelCall's table: the more lanes, the more rows finish between two looks. */
function defaultUpdateInterval(concurrency: number): number {
  if (concurrency < 10) return 5;
  if (concurrency <= 100) return 10;
  return concurrency <= 500 ? 20 : 50;
}
