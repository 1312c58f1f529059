/**
 * The summary of a successful run.
 *
 * @module
 */

import type { Summary } from "../../lib/progress/events.ts";

const NONE = { p50: 0, p90: 0, p99: 0, max: 0 };

/** A run of 100 rows that all have a result, with some fields changed. */
export function summaryOf(fields: Partial<Summary> = {}): Summary {
  return {
    type: "run-end",
    state: "done",
    reason: null,
    started: "2026-01-01T00:00:00.000Z",
    ended: "2026-01-01T00:01:00.000Z",
    total: 100,
    skipped: 0,
    limit: 20,
    concurrency_is_auto: false,
    succeeded: 100,
    failed: 0,
    pending: 0,
    failures_on_disk: 0,
    bad_rows: 0,
    merged_duplicates: 0,
    attempts: 100,
    succeeded_attempts: 100,
    failed_attempts: 0,
    unknown_attempts: 0,
    refused_for_load: 0,
    crashed_in_flight: 0,
    retries: 0,
    elapsed_ms: 60_000,
    rate_per_s: 1.67,
    prompt_tokens: 0,
    completion_tokens: 0,
    wasted_completion_tokens: 0,
    wasted_by_reason: {},
    cost_usd: null,
    latency_ms: NONE,
    event_loop_lag_ms: NONE,
    cpu_seconds: 0,
    peak_rss_bytes: 0,
    teachers: [],
    errors: [],
    files: [],
    ...fields,
  };
}
