/**
 * Fixtures of the progress tests: a clock that a test moves, and ready-made outcomes and events.
 *
 * @module
 */

import type { ErrorGroup, FailedAttempt } from "../../lib/progress/counters.ts";
import type { Snapshot, Summary } from "../../lib/progress/events.ts";
import type { TeacherStatus } from "../../lib/progress/progress_options.ts";
import type { Gauges } from "../../lib/progress/progress_options.ts";
import type { Failure, Outcome, Row } from "../../lib/row.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";

export class ManualClock {
  nowMs = 0;
  #timers = new Set<{ dueMs: number; intervalMs: number; callback: () => void }>();

  /** How many timers are active. */
  get timers(): number {
    return this.#timers.size;
  }

  readonly now = (): number => this.nowMs;

  readonly every = (intervalMs: number, callback: () => void): () => void => {
    const timer = { dueMs: this.nowMs + intervalMs, intervalMs, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Lets time pass; timers fire on time. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    while (true) {
      const [next] = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.nowMs = next.dueMs;
      next.dueMs += next.intervalMs;
      next.callback();
    }
    this.nowMs = endMs;
  }

  /** Blocks the event loop: time passes without timers, then each fires once. */
  block(durationMs: number): void {
    this.nowMs += durationMs;
    for (const timer of this.#timers) {
      timer.dueMs = this.nowMs + timer.intervalMs;
      timer.callback();
    }
  }
}

export const FAILURE: Failure = { type: "server", status: 503, message: "Overloaded" };

const ROW: Row = {
  uid: "1",
  promptHash: "0123456789abcdef",
  messages: [{ role: "user", content: "1 + 1?" }],
  params: undefined,
  text: "{}",
  clashes: [],
  input: 0,
  source: "in.jsonl:1",
  sample: 0,
};

/** An answer of 10 prompt tokens and 20 completion tokens. */
export const COMPLETION: Completion = {
  response: "2",
  finishReason: "stop",
  usage: { promptTokens: 10, completionTokens: 20 },
  model: "m",
};

/** A throttled attempt that will be repeated, with `changes`. */
export function makeFailedAttempt(changes: Partial<FailedAttempt> = {}): FailedAttempt {
  return { uid: "1", failure: FAILURE, action: "retried", isThrottled: true, ...changes };
}

export function makeErrorGroup(changes: Partial<ErrorGroup> = {}): ErrorGroup {
  return {
    type: "rate_limit",
    status: 429,
    message: "Slow down",
    count: 12,
    action: "retried",
    actions: { retried: 3, failed: 0, halted: 0 },
    uids: ["1"],
    first_seen: "",
    last_seen: "",
    ...changes,
  };
}

/** A teacher that is up, with `changes`. */
export function makeTeacher(changes: Partial<TeacherStatus> = {}): TeacherStatus {
  return {
    address: "http://gpu1:8000/v1",
    model: "qwen3",
    state: "up",
    until: null,
    reason: null,
    weight: 1,
    in_flight: 19,
    limit: 20,
    answered: 411,
    failed: 12,
    completion_tokens: 12_400,
    cost_usd: 0,
    ...changes,
  };
}

/** The gauges of an engine with 20 lanes in the middle of a run, with `changes`. */
export function makeGauges(changes: Partial<Gauges> = {}): Gauges {
  return {
    state: "running",
    inFlight: 20,
    waiting: 3,
    concurrency: 20,
    limit: 20,
    maxPerSecond: Infinity,
    backingOffUntil: null,
    reason: null,
    costUsd: null,
    maxCostUsd: null,
    budgetUsd: null,
    minBudgetUsd: null,
    teachers: () => [makeTeacher()],
    ...changes,
  };
}

/** A row that succeeded at the first attempt after 100 ms, with `changes`. */
export function makeOutcome(sequence: number, changes: Partial<Outcome> = {}): Outcome {
  return {
    row: ROW,
    sequence,
    attempts: 1,
    busyMs: 100,
    latencyMs: 100,
    firstFailedAt: undefined,
    settledAt: 0,
    completion: COMPLETION,
    failure: undefined,
    teacher: undefined,
    costUsd: 0,
    ...changes,
  };
}

/** A snapshot from the middle of a run, with `changes`. */
export function makeSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    type: "snapshot",
    state: "running",
    total: 1000,
    skipped: 100,
    succeeded: 380,
    failed: 20,
    in_flight: 19,
    waiting: 4,
    attempts: 430,
    failed_attempts: 12,
    refused_for_load: 0,
    concurrency: 20,
    limit: 20,
    backing_off_until: null,
    reason: null,
    last_durable: "2026-01-01T00:00:10.000Z",
    teachers: [makeTeacher()],
    rate_per_s: 38.25,
    tokens_per_s: 1240,
    eta_s: 13.2,
    eta_is_lower_bound: false,
    eta_range_s: [11, 16],
    elapsed_ms: 10_000,
    prompt_tokens: 40_000,
    completion_tokens: 12_400,
    wasted_completion_tokens: 0,
    cost_usd: null,
    projected_cost_usd: null,
    projected_cost_is_lower_bound: true,
    projected_cost_range_usd: null,
    max_cost_usd: null,
    budget_usd: null,
    min_budget_usd: null,
    latency_ms: { p50: 512.3, p90: 900, p99: 1240, max: 3000 },
    event_loop_lag_ms: { p50: 0.4, p99: 1.2, max: 20 },
    cpu_percent: 12.4,
    rss_bytes: 85_000_000,
    errors: [makeErrorGroup()],
    ...changes,
  };
}

/** The summary of a run without problems, with `changes`. */
export function makeSummary(changes: Partial<Summary> = {}): Summary {
  return {
    type: "run-end",
    state: "done",
    reason: null,
    started: "2026-01-01T00:00:00.000Z",
    ended: "2026-01-01T00:00:34.000Z",
    total: 1319,
    skipped: 0,
    limit: 20,
    concurrency_is_auto: false,
    succeeded: 1319,
    failed: 0,
    pending: 0,
    failures_on_disk: 0,
    bad_rows: 0,
    merged_duplicates: 0,
    attempts: 1319,
    succeeded_attempts: 1319,
    failed_attempts: 0,
    unknown_attempts: 0,
    refused_for_load: 0,
    crashed_in_flight: 0,
    retries: 0,
    elapsed_ms: 34_500,
    rate_per_s: 38.2,
    prompt_tokens: 0,
    completion_tokens: 0,
    wasted_completion_tokens: 0,
    wasted_by_reason: {},
    cost_usd: null,
    latency_ms: { p50: 512, p90: 900, p99: 1240, max: 3100 },
    event_loop_lag_ms: { p50: 0.4, p99: 1.2, max: 20 },
    cpu_seconds: 2.4,
    peak_rss_bytes: 85_000_000,
    teachers: [makeTeacher({ answered: 1319, failed: 0 })],
    errors: [],
    files: [{
      input: "in.jsonl",
      results: "out/in.jsonl",
      failures: "out/in_error.jsonl",
      total: 1319,
      succeeded: 1319,
      failed: 0,
      pending: 0,
    }],
    ...changes,
  };
}
