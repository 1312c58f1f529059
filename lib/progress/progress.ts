/**
 * Tracks the progress of a run. A row costs a few increments. Listeners receive snapshots at most
 * ten times a second.
 *
 * @module
 */

import type { RowFigures } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import {
  Counters,
  DurationHistogram,
  ErrorGroups,
  type FailedAttempt,
  type Percentiles,
  type ReleasedRow,
} from "./counters.ts";
import type { RunEvent, Snapshot, Summary } from "./events.ts";
import { Forecast } from "./forecast.ts";
import {
  type Gauges,
  type ProgressOptions,
  resolveProgressOptions,
  type SummaryParts,
  type TeacherStatus,
} from "./progress_options.ts";
import { printable } from "../printable.ts";

/** The interval of the beat, the timer that emits snapshots. */
const BEAT_MS = 100;

/** The interval while nothing changes: waking up costs more CPU than the work of a beat. */
const IDLE_BEAT_MS = 500;

/** Listeners get a snapshot at least this often. */
const SNAPSHOT_MS = 1000;
/** The age from which a snapshot is due. It is a little early, because the next beat would be too
 * late. */
const DUE_AGE_MS = SNAPSHOT_MS - BEAT_MS / 2;

export class Progress {
  readonly #options: Required<ProgressOptions>;
  readonly #counters = new Counters();
  readonly #groups = new ErrorGroups();
  readonly #lag = new DurationHistogram();
  #forecast: Forecast;
  #total: number | null = null;
  #skipped = 0;
  #toSend: number | null = null;
  #startMs: number | undefined;
  #endMs: number | undefined;
  #stopBeat: (() => void) | undefined;
  #isStopped = false;

  /** The interval between two beats; 0 before the first. */
  #beatMs = 0;
  #dueMs = 0;
  #snapshotMs = 0;
  #settledAtSnapshot = 0;
  #hasNewState = false;
  #lastDurable: number | null = null;

  constructor(options: ProgressOptions) {
    this.#options = resolveProgressOptions(options);
    this.#forecast = new Forecast(options.concurrency, null, this.#options.now());
  }

  /** Called when rows can be sent. A run that retries failures may send only some (`toSend`) of the
   * rows that are not `skipped`. */
  start(counts: { total: number | null; skipped: number; toSend?: number }): void {
    const nowMs = this.#options.now();
    this.#startMs = nowMs;
    const { total, skipped } = counts;
    this.#total = total;
    this.#skipped = skipped;
    this.#toSend = counts.toSend ?? (total === null ? null : total - skipped);
    this.#forecast = new Forecast(this.#options.gauges().concurrency, this.#toSend, nowMs);
    this.#options.meter.start(nowMs);
    if (this.#beatMs === 0) this.#beatEvery(IDLE_BEAT_MS);
  }

  attempt(): void {
    this.#counters.attempts++;
  }

  attemptAnswered(completion: Completion): void {
    this.#counters.addAnswer(completion);
  }

  attemptFailed(failed: FailedAttempt): void {
    this.#counters.addFailedAttempt(failed);
    this.#groups.add(failed, this.#options.wallClock());
  }

  rowReleased(released: ReleasedRow): void {
    this.#groups.release(released, this.#options.wallClock());
  }

  /** Called when the lines of these rows are on disk. */
  settled(rows: readonly RowFigures[]): void {
    for (let i = 0; i < rows.length; i++) {
      this.#counters.addRow(rows[i]);
      this.#forecast.settled(rows[i]);
    }
    if (rows.length === 0) return;
    this.#lastDurable = this.#options.wallClock();
    this.#beatEvery(BEAT_MS);
  }

  /** Called when the state in the gauges has changed, so that listeners get a snapshot within
   * 100 ms. */
  stateChanged(): void {
    this.#hasNewState = true;
    this.#beatEvery(BEAT_MS);
  }

  notice(level: "info" | "warning", message: string): void {
    const time = new Date(this.#options.wallClock()).toISOString();
    this.emit({ type: "notice", time, level, message });
  }

  /** All listeners get the same event, so it is frozen. */
  emit(event: RunEvent): void {
    deepFreeze(event);
    this.#options.listeners.emit(event);
  }

  /** Returns a snapshot, and samples the counters for the forecast. */
  snapshot(): Snapshot {
    const nowMs = this.#options.now();
    const { gauges, cpuPercent, rssBytes } = this.#observe(nowMs);
    return {
      type: "snapshot",
      state: this.#stateOf(gauges),
      total: this.#total,
      skipped: this.#skipped,
      ...this.#figures(gauges, nowMs),
      in_flight: gauges.inFlight,
      waiting: gauges.waiting,
      concurrency: gauges.concurrency,
      limit: gauges.limit,
      backing_off_until: isoOf(gauges.backingOffUntil),
      reason: printableOrNull(gauges.reason),
      last_durable: isoOf(this.#lastDurable),
      ...this.#forecast.view(gauges, this.#toSend),
      max_cost_usd: gauges.maxCostUsd,
      budget_usd: gauges.budgetUsd,
      min_budget_usd: gauges.minBudgetUsd,
      cpu_percent: cpuPercent,
      rss_bytes: rssBytes,
    };
  }

  #observe(nowMs: number) {
    const gauges = this.#options.gauges();
    this.#forecast.observe(nowMs, gauges, this.#counters);
    return { gauges, ...this.#options.meter.read(nowMs) };
  }

  /** Ends the beats, and emits a last snapshot if the run has started. Counting and `emit` still
   * work. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopBeat?.();
    this.#endMs = this.#options.now();
    if (this.#hasListeners && this.#startMs !== undefined) this.emit(this.snapshot());
  }

  summary({ files, ...parts }: SummaryParts): Summary {
    const nowMs = this.#options.now();
    const counters = this.#counters;
    const { meter, wallClock, isExploring, gauges: readGauges } = this.#options;
    const gauges = readGauges();
    const figures = this.#figures(gauges, nowMs);
    const { attempts, failed_attempts, elapsed_ms } = figures;
    meter.read(nowMs);
    return {
      type: "run-end",
      ...parts,
      ended: new Date(wallClock()).toISOString(),
      limit: gauges.limit,
      concurrency_is_auto: isExploring,
      ...figures,
      succeeded_attempts: counters.succeededAttempts,
      unknown_attempts: attempts - counters.succeededAttempts - failed_attempts,
      retries: counters.retries,
      rate_per_s: elapsed_ms > 0 ? counters.settled / elapsed_ms * 1000 : 0,
      wasted_by_reason: counters.wastedByReason(),
      cpu_seconds: meter.cpuSeconds(),
      peak_rss_bytes: meter.peakRssBytes,
      files,
    };
  }

  /** Returns the fields that snapshots and the summary have in common. */
  #figures(gauges: Gauges, nowMs: number) {
    const counters = this.#counters;
    return {
      succeeded: counters.succeeded,
      failed: counters.failed,
      attempts: counters.attempts,
      failed_attempts: counters.failedAttempts,
      refused_for_load: counters.throttledAttempts,
      elapsed_ms: this.#elapsedMs(nowMs),
      prompt_tokens: counters.promptTokens,
      completion_tokens: counters.completionTokens,
      wasted_completion_tokens: counters.wastedCompletionTokens,
      cost_usd: gauges.costUsd,
      latency_ms: counters.latency.percentiles(),
      event_loop_lag_ms: withoutP90(this.#lag.percentiles()),
      teachers: teachersOf(gauges),
      errors: this.#groups.list() as Snapshot["errors"],
    };
  }

  #beatEvery(intervalMs: number): void {
    if (this.#isStopped || this.#beatMs === intervalMs) return;
    const { every, now } = this.#options;
    if (this.#beatMs === 0) this.#snapshotMs = now();
    this.#stopBeat?.();
    this.#beatMs = intervalMs;
    this.#dueMs = now() + intervalMs;
    this.#stopBeat = every(intervalMs, () => this.#beat());
  }

  #beat(): void {
    const nowMs = this.#options.now();
    this.#lag.record(Math.max(0, nowMs - this.#dueMs));
    this.#dueMs = nowMs + this.#beatMs;
    const finished = this.#counters.settled - this.#settledAtSnapshot;
    const isDue = this.#hasNewState || finished >= this.#options.updateInterval ||
      nowMs - this.#snapshotMs >= DUE_AGE_MS;
    if (isDue && this.#hasListeners) {
      this.#hasNewState = false;
      this.#snapshotMs = nowMs;
      this.#settledAtSnapshot = this.#counters.settled;
      this.emit(this.snapshot());
    } else {
      this.#observe(nowMs);
    }
    this.#beatEvery(this.#idleBeatMs(nowMs));
  }

  /** Returns the interval while nothing changes, which is shorter if the next snapshot would be
   * late. */
  #idleBeatMs(nowMs: number): number {
    if (!this.#hasListeners) return IDLE_BEAT_MS;
    // A listener may have changed the state.
    if (this.#hasNewState) return BEAT_MS;
    const leftMs = this.#snapshotMs + SNAPSHOT_MS - nowMs;
    return Math.max(BEAT_MS, Math.min(IDLE_BEAT_MS, leftMs));
  }

  /** Returns the engine's state, or `draining` if the engine is done but some rows are not on disk
   * yet. */
  #stateOf({ state }: Gauges): Snapshot["state"] {
    const isWriting = state === "done" && !this.#isStopped && this.#toSend !== null &&
      this.#counters.settled < this.#toSend;
    return isWriting ? "draining" : state;
  }

  get #hasListeners(): boolean {
    return this.#options.listeners.count > 0;
  }

  #elapsedMs(nowMs: number): number {
    if (this.#startMs === undefined) return 0;
    return Math.round(((this.#endMs ?? nowMs) - this.#startMs) * 1000) / 1000;
  }
}

/** Returns copies, because events are frozen. */
function teachersOf({ teachers }: Gauges): TeacherStatus[] {
  return teachers().map((teacher) => ({ ...teacher, reason: printableOrNull(teacher.reason) }));
}

function printableOrNull(text: string | null): string | null {
  return text === null ? null : printable(text);
}

/** Returns null for null, and for times that `Date` cannot represent. */
function isoOf(unixMs: number | null): string | null {
  const date = new Date(unixMs ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function withoutP90({ p50, p99, max }: Percentiles): Omit<Percentiles, "p90"> {
  return { p50, p99, max };
}

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
}
