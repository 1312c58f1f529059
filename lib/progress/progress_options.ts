/**
 * The options of `Progress`, its listeners, and the meter of CPU and memory.
 *
 * @module
 */

import process from "node:process";
import { every } from "../timer.ts";
import type { Summary } from "./events.ts";
import type { RunState, TeacherStatus } from "./snapshot.ts";

/** What the engine is doing at the moment. */
export interface Gauges {
  /** What the run is doing. */
  readonly state: RunState;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Rows in the retry queue. */
  readonly waiting: number;
  /** The target number of lanes. */
  readonly concurrency: number;
  /** How many attempts may be in flight now. */
  readonly limit: number;
  /** When something will be sent again (Unix milliseconds), or null while something is. */
  readonly backingOffUntil: number | null;
  /** Why nothing is sent, or why the run was halted, in words; else null. */
  readonly reason: string | null;
  /** Cost so far in US dollars, or null while no price is known. */
  readonly costUsd: number | null;
  /** The budget in US dollars, or null. */
  readonly maxCostUsd: number | null;
  /** Each teacher of the run; called for snapshots only. */
  readonly teachers: () => readonly TeacherStatus[];
}

/** The options of `Progress`. */
export interface ProgressOptions {
  /** The number of lanes at the start. */
  concurrency: number;
  /** Whether the best concurrency is searched for. @default false */
  isExploring?: boolean;
  /**
   * The number of finished rows after which a snapshot is due. @default by concurrency: 5, 10, 20,
   * 50
   */
  updateInterval?: number;
  /** Reads what the engine is doing; called ten times a second at most. */
  gauges: () => Gauges;
  /** Milliseconds of a monotonic clock. @default performance.now */
  now?: () => number;
  /** Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** CPU and memory. @default those of this process */
  meter?: ProcessMeter;
  /** Calls back every `intervalMs`; returns the function that stops it. @default setInterval */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

/** The parts of a summary that the counters do not have. */
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

/** ModelCall's table: with more lanes, more rows finish between two snapshots. */
function defaultUpdateInterval(concurrency: number): number {
  if (concurrency < 10) return 5;
  if (concurrency <= 100) return 10;
  return concurrency <= 500 ? 20 : 50;
}

/** A list of listeners, none of which can stop the run. */
export class Listeners<T> {
  #listeners: readonly ((value: T) => void)[] = [];

  /** The number of listeners. */
  get count(): number {
    return this.#listeners.length;
  }

  /** Adds a listener; returns the function that removes it. */
  add(listener: (value: T) => void): () => void {
    // A separate wrapper for each call, so that a listener that was added twice is removed once at
    // a time.
    const entry = (value: T) => listener(value);
    this.#listeners = [...this.#listeners, entry];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
    };
  }

  /** Gives all listeners the same value. What they throw is ignored. */
  emit(value: T): void {
    // The list is replaced, never changed, so a listener may add and remove others during the loop.
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

/** CPU and memory of the process. */
export interface ProcessReading {
  /** CPU time per wall time since the last reading, in percent of one core. */
  readonly cpuPercent: number;
  /** Resident memory in bytes. */
  readonly rssBytes: number;
}

/** Reads CPU and memory; tests inject their own. */
export interface ProcessMeter {
  /** Starts to count CPU time from here. */
  start(nowMs: number): void;
  /** The current reading, which is updated at most once a second. */
  read(nowMs: number): ProcessReading;
  /** CPU seconds since `start`. */
  cpuSeconds(): number;
  /** The largest memory of any reading, in bytes. */
  readonly peakRssBytes: number;
}

/** The two figures that the operating system gives. */
export interface ProcessSource {
  /** CPU time of the process so far (user and system), in microseconds. */
  cpuMicros(): number;
  /** Resident memory in bytes. */
  rssBytes(): number;
}

const THIS_PROCESS: ProcessSource = {
  cpuMicros() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  rssBytes: () => process.memoryUsage.rss(),
};

/** Over shorter times the CPU share fluctuates too much to be read. */
const MIN_INTERVAL_MS = 1000;

/**
 * Creates the meter of this process. A reading takes about 11 µs (1.3 for the CPU, 9.7 for the
 * memory).
 *
 * @param source Where the figures come from, this process by default.
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
      const cpuPercent = elapsedMs > 0 ? (micros - lastMicros) / elapsedMs / 10 : 0;
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
