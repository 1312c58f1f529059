/**
 * Progress: a fold over counters. Rows cost a few increments; what a person sees is made from the
 * counters at most ten times a second, and not at all while nobody listens.
 *
 * @module
 */

import type { Failure, Outcome } from "../row.ts";
import { Counters } from "./counters.ts";
import { ErrorGroups } from "./error_groups.ts";
import type { Percentiles, RunEvent, RunListener, RunState, Snapshot, Summary } from "./events.ts";
import { DurationHistogram } from "./histogram.ts";
import { Listeners } from "./listeners.ts";
import { type ProgressOptions, resolveProgressOptions } from "./progress_options.ts";
import { type ProjectedTime, Projection } from "./projection.ts";
import { RateWindow } from "./rate_window.ts";

/** Snapshots are taken on this beat only, hence at most ten a second, without a clock per row. */
const BEAT_MS = 100;

/** A snapshot is due after so long, whatever happened: a second, less half a beat for late beats. */
const LONGEST_SILENCE_MS = 1000 - BEAT_MS / 2;

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
}

export type { Gauges, ProgressOptions } from "./progress_options.ts";

/** Counts what happens in a run and tells its listeners. One run has one. */
export class Progress {
  readonly #options: Required<ProgressOptions>;
  readonly #counters = new Counters();
  readonly #groups = new ErrorGroups();
  readonly #lag = new DurationHistogram();
  readonly #listeners = new Listeners();
  #projection: Projection;
  #rate: RateWindow;
  #total: number | null = null;
  #skipped = 0;
  #startMs: number | undefined;
  #endMs: number | undefined;
  #stopBeat: (() => void) | undefined;
  #stopped = false;

  #beatMs = 0;
  #pausedMs = 0;
  #observedMs = 0;
  #settledObserved = 0;
  #snapshotMs = 0;
  #settledAtSnapshot = 0;
  #stateChanged = false;
  #left: ProjectedTime = { seconds: null, isLowerBound: true };

  /** Makes the counters; nothing runs before `start` or `stateChanged`. */
  constructor(options: ProgressOptions) {
    this.#options = resolveProgressOptions(options);
    const nowMs = this.#options.now();
    this.#projection = new Projection(options.concurrency, null, nowMs);
    this.#rate = new RateWindow(nowMs);
  }

  /** How often a listener threw or rejected. */
  get listenerErrors(): number {
    return this.#listeners.errors;
  }

  /** The first row can be sent from here on: the run's clock starts. */
  start(counts: { total: number | null; skipped: number }): void {
    const nowMs = this.#options.now();
    this.#startMs = nowMs;
    this.#total = counts.total;
    this.#skipped = counts.skipped;
    const rows = counts.total === null ? null : counts.total - counts.skipped;
    this.#projection = new Projection(this.#options.gauges().concurrency, rows, nowMs);
    this.#rate = new RateWindow(nowMs);
    this.#options.meter.start(nowMs);
    this.#startBeat();
  }

  /** The number of rows of the input is known now. */
  setTotal(total: number): void {
    this.#total = total;
  }

  /** An attempt is made. */
  attempt(): void {
    this.#counters.attempts++;
  }

  /** An attempt failed, whether or not there will be another. */
  attemptFailed(failure: Failure): void {
    this.#groups.add(failure, this.#options.wallClock());
  }

  /** These rows are done: what became of them is on disk. */
  settled(outcomes: readonly Outcome[]): void {
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i];
      this.#counters.add(outcome);
      this.#projection.settled(outcome.sequence, outcome.busyMs);
    }
  }

  /** The state that the gauges give has changed: listeners hear of it within a tenth of a second. */
  stateChanged(): void {
    this.#stateChanged = true;
    this.#startBeat();
  }

  /** Says something to the person who watches. */
  notice(level: "info" | "warning", message: string): void {
    const time = new Date(this.#options.wallClock()).toISOString();
    this.emit({ type: "notice", time, level, message });
  }

  /**
   * Adds a listener and returns the function that removes it. Listeners are called one after the other
   * with the same frozen event; what they throw is ignored. They should only take the event and return.
   */
  on(listener: RunListener): () => void {
    return this.#listeners.add(listener);
  }

  /** Gives an event to all listeners. */
  emit(event: RunEvent): void {
    this.#listeners.emit(event);
  }

  /** The state of the run now. */
  snapshot(): Snapshot {
    const nowMs = this.#options.now();
    const { state: engineState, inFlight, waiting, concurrency } = this.#options.gauges();
    const counters = this.#counters;
    // The engine is done when the last row is handed to the disk; the run is when it is on it.
    const isWriting = engineState === "done" && !this.#stopped && this.#total !== null &&
      this.#skipped + counters.settled < this.#total;
    const state = isWriting ? "draining" : engineState;
    const { cpuPercent, rssBytes } = this.#options.meter.read(nowMs);
    this.#observe(nowMs, state, inFlight, waiting);
    if (state !== "paused") this.#left = this.#project(nowMs, concurrency);
    return {
      type: "snapshot",
      state,
      total: this.#total,
      skipped: this.#skipped,
      succeeded: counters.succeeded,
      failed: counters.failed,
      in_flight: inFlight,
      waiting,
      attempts: counters.attempts,
      concurrency,
      rate_per_s: this.#rate.perSecond(nowMs),
      eta_s: this.#left.seconds,
      eta_is_lower_bound: this.#left.isLowerBound,
      elapsed_ms: this.#elapsedMs(nowMs),
      prompt_tokens: counters.promptTokens,
      completion_tokens: counters.completionTokens,
      cost_usd: null,
      latency_ms: counters.latency.percentiles(),
      event_loop_lag_ms: withoutP90(this.#lag.percentiles()),
      cpu_percent: cpuPercent,
      rss_bytes: rssBytes,
      errors: this.#groups.list() as Snapshot["errors"],
    };
  }

  /** Gives the last snapshot, unless no row could be sent, and ends the beat. Counting goes on, and so
   * does `emit`. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopBeat?.();
    this.#endMs = this.#options.now();
    if (this.#listeners.count > 0 && this.#startMs !== undefined) this.emit(this.snapshot());
  }

  /** The run's last event; `emit` gives it to the listeners. */
  summary(parts: SummaryParts): Summary {
    const nowMs = this.#options.now();
    const counters = this.#counters;
    const { meter, wallClock } = this.#options;
    const elapsedMs = this.#elapsedMs(nowMs);
    meter.read(nowMs);
    return {
      type: "run-end",
      state: parts.state,
      reason: parts.reason,
      started: parts.started,
      ended: new Date(wallClock()).toISOString(),
      total: parts.total,
      skipped: parts.skipped,
      succeeded: counters.succeeded,
      failed: counters.failed,
      pending: parts.pending,
      failures_on_disk: parts.failuresOnDisk,
      bad_rows: parts.badRows,
      merged_duplicates: parts.mergedDuplicates,
      attempts: counters.attempts,
      retries: counters.retries,
      elapsed_ms: elapsedMs,
      rate_per_s: elapsedMs > 0 ? counters.settled / elapsedMs * 1000 : 0,
      prompt_tokens: counters.promptTokens,
      completion_tokens: counters.completionTokens,
      wasted_completion_tokens: counters.wastedCompletionTokens,
      cost_usd: null,
      latency_ms: counters.latency.percentiles(),
      event_loop_lag_ms: withoutP90(this.#lag.percentiles()),
      cpu_seconds: meter.cpuSeconds(),
      peak_rss_bytes: meter.peakRssBytes,
      errors: this.#groups.list() as Summary["errors"],
      files: parts.files,
    };
  }

  #startBeat(): void {
    if (this.#stopped || this.#stopBeat !== undefined) return;
    this.#beatMs = this.#snapshotMs = this.#options.now();
    this.#stopBeat = this.#options.every(BEAT_MS, () => this.#beat());
  }

  #beat(): void {
    const nowMs = this.#options.now();
    this.#lag.record(Math.max(0, nowMs - this.#beatMs - BEAT_MS));
    this.#beatMs = nowMs;
    const { state, inFlight, waiting } = this.#options.gauges();
    this.#observe(nowMs, state, inFlight, waiting);
    this.#options.meter.read(nowMs);
    const finished = this.#counters.settled - this.#settledAtSnapshot;
    const isDue = this.#stateChanged || finished >= this.#options.updateInterval ||
      nowMs - this.#snapshotMs >= LONGEST_SILENCE_MS;
    if (!isDue || this.#listeners.count === 0) return;
    this.#stateChanged = false;
    this.#snapshotMs = nowMs;
    this.#settledAtSnapshot = this.#counters.settled;
    this.emit(this.snapshot());
  }

  /** What can only be known by looking often: the rate, and the time of the lanes. */
  #observe(nowMs: number, state: RunState, inFlight: number, waiting: number): void {
    const settled = this.#counters.settled;
    this.#rate.add(nowMs, settled - this.#settledObserved);
    this.#settledObserved = settled;
    this.#projection.observe(nowMs, inFlight, waiting);
    if (state === "paused" && this.#startMs !== undefined) {
      this.#pausedMs += nowMs - Math.max(this.#startMs, this.#observedMs);
    }
    this.#observedMs = nowMs;
  }

  #project(nowMs: number, concurrency: number): ProjectedTime {
    if (this.#total === null) return { seconds: null, isLowerBound: true };
    return this.#projection.project({
      rows: this.#total - this.#skipped,
      concurrency,
      recentRows: this.#rate.sum,
      recentRate: this.#rate.perSecond(nowMs),
      elapsedMs: this.#elapsedMs(nowMs) - this.#pausedMs,
    });
  }

  #elapsedMs(nowMs: number): number {
    return this.#startMs === undefined ? 0 : (this.#endMs ?? nowMs) - this.#startMs;
  }
}

function withoutP90({ p50, p99, max }: Percentiles): Omit<Percentiles, "p90"> {
  return { p50, p99, max };
}
