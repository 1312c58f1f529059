/**
 * Options and listeners of `Progress`, and the meter of CPU and memory.
 *
 * @module
 */

import process from "node:process";
import { every } from "../timer.ts";
import type { Summary } from "./events.ts";
import type { RunState, TeacherStatus } from "./snapshot.ts";

/** The state of the engine at one moment. */
export interface Gauges {
  readonly state: RunState;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Rows in the retry queue. */
  readonly waiting: number;
  /** Maximum number of rows in flight at once. */
  readonly concurrency: number;
  /** How many attempts may be in flight now, over all teachers. */
  readonly limit: number;
  /** Attempts per second that `rpm` and `tpm` allow; Infinity without limits. */
  readonly maxPerSecond: number;
  /** When the next attempt is due, in Unix milliseconds; null unless the run waits for it. */
  readonly backingOffUntil: number | null;
  /** Why nothing is sent, or why the run was halted; null otherwise. */
  readonly reason: string | null;
  /** US dollars so far; null if no price is known. */
  readonly costUsd: number | null;
  /** What the run may cost in US dollars; null without a budget. */
  readonly maxCostUsd: number | null;
  /** The budget as it was set; of all shards together, if the run is one of several. */
  readonly budgetUsd: number | null;
  /** A budget must be above this, or the run ends; null if no price is known. */
  readonly minBudgetUsd: number | null;
  /** Each teacher; called for snapshots and the summary only. */
  readonly teachers: () => readonly TeacherStatus[];
}

/** Options of `Progress`. */
export interface ProgressOptions {
  /** The number of lanes at the start. */
  concurrency: number;
  /** Whether Retort searches for the best concurrency. @default false */
  isExploring?: boolean;
  /** Finished rows after which a snapshot is due. @default 5, 10, 20 or 50, by concurrency */
  updateInterval?: number;
  /** Reads the state of the engine: at the start and the end, two to ten times a second, and for
   * each snapshot. */
  gauges: () => Gauges;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Measures CPU and memory. @default those of this process */
  meter?: ProcessMeter;
  /** Calls back every `intervalMs`; returns the function that stops it. @default a timer */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

/** The fields of a summary that come from the run, not from the counters. */
export type SummaryParts = Pick<
  Summary,
  | "state"
  | "reason"
  | "started"
  | "total"
  | "skipped"
  | "pending"
  | "failures_on_disk"
  | "bad_rows"
  | "merged_duplicates"
  | "crashed_in_flight"
  | "files"
>;

/** Fills in the defaults. */
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

/** The more lanes, the more rows finish between two snapshots. */
function defaultUpdateInterval(concurrency: number): number {
  if (concurrency < 10) return 5;
  if (concurrency <= 100) return 10;
  return concurrency <= 500 ? 20 : 50;
}

/** Listeners whose failures cannot affect the run. */
export class Listeners<T> {
  #listeners: readonly ((value: T) => void)[] = [];

  get count(): number {
    return this.#listeners.length;
  }

  /** Adds a listener; returns the function that removes it. */
  add(listener: (value: T) => void): () => void {
    // Wrapped, so that a listener that was added twice can be removed once.
    const entry = (value: T) => listener(value);
    this.#listeners = [...this.#listeners, entry];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
    };
  }

  /** Calls all listeners with the same value. What they throw is ignored. */
  emit(value: T): void {
    // The list is replaced, never changed: listeners may add and remove others during the loop.
    for (const listener of this.#listeners) {
      try {
        const result: unknown = listener(value);
        if (isThenable(result)) result.then(undefined, () => {});
      } catch {
        // A failing listener must not affect the run.
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

/** What a process uses. */
export interface ProcessReading {
  /** CPU time since the previous reading, in percent of one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
}

/** Measures CPU and memory; tests inject their own. */
export interface ProcessMeter {
  /** Starts counting CPU seconds. */
  start(nowMs: number): void;
  /** The last reading; a new one if that is a second old. */
  read(nowMs: number): ProcessReading;
  /** CPU seconds since `start`. */
  cpuSeconds(): number;
  /** The largest resident memory of all readings, in bytes. */
  readonly peakRssBytes: number;
}

/** What the operating system reports. */
export interface ProcessSource {
  /** CPU time of the process so far, user and system, in microseconds. */
  cpuMicros(): number;
  rssBytes(): number;
}

const THIS_PROCESS: ProcessSource = {
  cpuMicros() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  rssBytes: () => process.memoryUsage.rss(),
};

/** The least time between two readings: over a shorter one, the CPU share fluctuates too much. */
const MIN_INTERVAL_MS = 1000;

/**
 * Creates a meter. A reading takes about 11 µs (1.3 for the CPU, 9.7 for the memory).
 *
 * @param source What is measured. @default this process
 */
export function createProcessMeter(source: ProcessSource = THIS_PROCESS): ProcessMeter {
  let startMicros = source.cpuMicros();
  let lastMicros = startMicros;
  let lastMs = 0;
  let reading: ProcessReading | undefined;
  let peakRssBytes = 0;
  return {
    start(nowMs) {
      startMicros = lastMicros = source.cpuMicros();
      lastMs = nowMs;
      reading = undefined;
    },
    read(nowMs) {
      const elapsedMs = nowMs - lastMs;
      if (reading !== undefined && elapsedMs < MIN_INTERVAL_MS) return reading;
      const micros = source.cpuMicros();
      const rssBytes = source.rssBytes();
      const cpuMs = (micros - lastMicros) / 1000;
      const cpuPercent = elapsedMs > 0 ? cpuMs / elapsedMs * 100 : 0;
      lastMicros = micros;
      lastMs = nowMs;
      peakRssBytes = Math.max(peakRssBytes, rssBytes);
      return reading = { cpuPercent, rssBytes };
    },
    cpuSeconds: () => (source.cpuMicros() - startMicros) / 1e6,
    get peakRssBytes() {
      return peakRssBytes;
    },
  };
}
