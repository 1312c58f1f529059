/**
 * The inputs of `Progress`: its options, the state of the engine and of each teacher, listeners,
 * and the meter of CPU and memory.
 *
 * @module
 */

import process from "node:process";
import { every } from "../timer.ts";
import type { RunEvent, RunSnapshot, Summary } from "./events.ts";

/** The state of the engine at one moment. */
export interface Gauges extends
  Readonly<
    Pick<
      RunSnapshot,
      | "state"
      | "inFlight"
      | "waiting"
      | "concurrency"
      | "limit"
      | "reason"
      | "costUsd"
      | "maxCostUsd"
      | "budgetUsd"
      | "minBudgetUsd"
    >
  > {
  /** Attempts per second that `rpm` and `tpm` allow; Infinity without limits, and 0 while a shard
   * does not know its share. `tpm` counts only once the tokens of an attempt are known. */
  readonly maxPerSecond: number;
  /** When the next attempt is due, as a Unix time in milliseconds; null unless the run waits for
   * it. */
  readonly backingOffUntil: number | null;
  readonly teachers: () => readonly TeacherStatus[];
}

/** A teacher at one moment of a run. */
export interface TeacherStatus {
  /** The address without credentials. */
  address: string;
  /** The model that is requested. */
  model: string;
  /** `cooling_down`: it requested a wait, or its quota is used up. `down`: only probes are sent.
   * `leaving`: it was removed from the list of teachers, and finishes its calls. `left`: its calls
   * are finished. `halted`: nothing is sent. */
  state: "up" | "cooling_down" | "down" | "leaving" | "left" | "halted";
  /** When the teacher receives requests again, in ISO 8601; null if it receives them now, or if the
   * time is unknown. */
  until: string | null;
  /** Why the teacher is not `up`; null if it is. */
  reason: string | null;
  /** The teacher's share of the load, relative to other teachers. */
  weight: number;
  /** Attempts sent and not answered yet. */
  in_flight: number;
  /** Maximum number of attempts in flight now; adaptive. */
  limit: number;
  /** Attempts that the teacher answered with a completion. */
  answered: number;
  /** Attempts that failed. */
  failed: number;
  /** Completion tokens of the teacher's answers, including partial answers. */
  completion_tokens: number;
  /** US dollars; 0 if prices are unknown. The sum over all teachers is the run's `cost_usd`, if
   * that is known. */
  cost_usd: number;
  /** The number of teachers, if the entry sums up several that have left. @default 1 */
  teachers?: number;
}

/** The number of teachers in each state except `left`. */
export type TeacherStates = Partial<Record<TeacherStatus["state"], number>>;

/** How urgent each state is; 0 is the most urgent. */
const URGENCY: Readonly<Record<TeacherStatus["state"], number>> = {
  halted: 0,
  down: 0,
  cooling_down: 1,
  leaving: 2,
  up: 3,
  left: 4,
};

export function countTeacherStates(teachers: readonly TeacherStatus[]): TeacherStates {
  const counts: TeacherStates = {};
  for (const { state } of teachers) {
    if (state !== "left") counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

/** Returns the indexes of at most `max` teachers that have not left, in ascending order. Teachers
 * that are up are left out first. */
export function mostUrgentTeachers(teachers: readonly TeacherStatus[], max: number): number[] {
  const present = [...teachers.keys()].filter((i) => teachers[i].state !== "left");
  if (present.length <= max) return present;
  const urgencyOf = (i: number) => URGENCY[teachers[i].state];
  return present.toSorted((a, b) => urgencyOf(a) - urgencyOf(b)).slice(0, max)
    .toSorted((a, b) => a - b);
}

export interface ProgressOptions {
  concurrency: number;
  /** Whether Retort searches for the best concurrency. @default false */
  isExploring?: boolean;
  /** Finished rows after which a snapshot is due. @default 5, 10, 20 or 50, depending on the
   * concurrency */
  updateInterval?: number;
  /** Called two to ten times a second. */
  gauges: () => Gauges;
  /** Called with the events of the run. Further listeners may be added at any time. */
  listeners: Listeners<RunEvent>;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Unix time in milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Measures CPU and memory. @default a meter of this process */
  meter?: ProcessMeter;
  /** Calls back at an interval until the returned function is called. @default a timer */
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

export function resolveProgressOptions(
  { updateInterval, ...options }: ProgressOptions,
): Required<ProgressOptions> {
  return {
    isExploring: false,
    now: () => performance.now(),
    wallClock: Date.now,
    meter: createProcessMeter(),
    every,
    ...options,
    updateInterval: updateInterval ?? defaultUpdateInterval(options.concurrency),
  };
}

function defaultUpdateInterval(concurrency: number): number {
  if (concurrency < 10) return 5;
  if (concurrency <= 100) return 10;
  return concurrency <= 500 ? 20 : 50;
}

/** Called with each event. Errors are ignored, and promises are not awaited. */
export type RunListener = (event: RunEvent) => void;

/** Functions that are called with each value. They run on the main thread, so they should return
 * quickly. Their errors are ignored. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  get count(): number {
    return this.#listeners.size;
  }

  /** Adds a listener. Returns a function that removes it. */
  add(listener: (value: T) => void): () => void {
    // Each call adds a new function, so that a listener that was added twice can be removed once.
    const entry = (value: T) => listener(value);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) {
      // A listener may have removed others.
      if (!this.#listeners.has(listener)) continue;
      try {
        const result = listener(value) as unknown as PromiseLike<unknown> | null | undefined;
        result?.then?.(undefined, () => {});
      } catch {
        // A listener must not affect the run.
      }
    }
  }
}

const THIS_PROCESS = {
  /** CPU time of the process so far, user and system, in microseconds. */
  cpuMicros(): number {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  rssBytes: () => process.memoryUsage.rss(),
};

/** Minimum time between two readings: over a shorter time, the CPU share fluctuates too much. */
const MIN_INTERVAL_MS = 1000;

/** Measures the process. A reading takes about 11 µs (1.3 for the CPU, 9.7 for the memory). */
export function createProcessMeter(source = THIS_PROCESS) {
  let startMicros = source.cpuMicros();
  let lastMicros = startMicros;
  let lastMs = 0;
  let reading: { readonly cpuPercent: number; readonly rssBytes: number } | undefined;
  let peakRssBytes = 0;
  return {
    start(nowMs: number): void {
      startMicros = lastMicros = source.cpuMicros();
      lastMs = nowMs;
      reading = undefined;
    },
    /** Returns a reading at most a second old. `cpuPercent` is CPU time since the previous reading,
     * in percent of one core. */
    read(nowMs: number): { readonly cpuPercent: number; readonly rssBytes: number } {
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
    cpuSeconds: (): number => (source.cpuMicros() - startMicros) / 1e6,
    get peakRssBytes(): number {
      return peakRssBytes;
    },
  };
}

export type ProcessMeter = ReturnType<typeof createProcessMeter>;
