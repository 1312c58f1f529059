import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { SummaryParts } from "../../lib/progress/progress_options.ts";
import type { Failure } from "../../lib/row.ts";
import { COMPLETION, FAILURE, makeFailedAttempt, makeTeacher } from "./fixtures.ts";
import { Bench, START } from "./progress_fixture.ts";

Deno.test("Progress counts events into a snapshot", () => {
  const bench = new Bench();
  const { progress, clock } = bench;
  progress.start({ total: 100, skipped: 10 });
  for (let i = 0; i < 7; i++) progress.attempt();
  progress.attemptFailed(makeFailedAttempt());
  for (let i = 0; i < 4; i++) progress.attemptAnswered(COMPLETION);
  clock.advance(1000);
  bench.settle(3);
  bench.settle(1, { failure: FAILURE, attempts: 3, latencyMs: 9999 });
  bench.settle(1, { failure: FAILURE, completion: undefined });
  bench.settle(1);
  progress.settled([]);
  clock.advance(1000);
  const { eta_s: _eta, event_loop_lag_ms, ...rest } = progress.snapshot();
  assertEquals(rest, {
    type: "snapshot",
    state: "running",
    total: 100,
    skipped: 10,
    succeeded: 4,
    failed: 2,
    in_flight: 20,
    waiting: 3,
    attempts: 7,
    failed_attempts: 1,
    refused_for_load: 1,
    concurrency: 20,
    limit: 20,
    backing_off_until: null,
    reason: null,
    last_durable: "2023-11-14T22:13:21.000Z",
    teachers: [makeTeacher()],
    rate_per_s: 3,
    tokens_per_s: 40,
    eta_is_lower_bound: true,
    eta_range_s: null,
    elapsed_ms: 2000,
    prompt_tokens: 40,
    completion_tokens: 80,
    wasted_completion_tokens: 0,
    cost_usd: null,
    projected_cost_usd: null,
    projected_cost_is_lower_bound: true,
    projected_cost_range_usd: null,
    max_cost_usd: null,
    budget_usd: null,
    min_budget_usd: null,
    latency_ms: { p50: 100, p90: 100, p99: 100, max: 100 },
    cpu_percent: 12,
    rss_bytes: 34,
    errors: [{
      type: "server",
      status: 503,
      message: "Overloaded",
      count: 1,
      action: "retried",
      actions: { retried: 1, failed: 0, halted: 0 },
      uids: ["1"],
      first_seen: "2023-11-14T22:13:20.000Z",
      last_seen: "2023-11-14T22:13:20.000Z",
    }],
  });
  assertEquals(event_loop_lag_ms, { p50: 0.1, p99: 0.1, max: 0.1 });
  clock.nowMs += 0.6293129;
  assertEquals(progress.snapshot().elapsed_ms, 2000.629);
  progress.stop();
});

const PARTS: SummaryParts = {
  state: "interrupted",
  reason: null,
  started: "2023-11-14T22:13:20.000Z",
  total: 100,
  skipped: 10,
  pending: 85,
  failures_on_disk: 2,
  bad_rows: 3,
  merged_duplicates: 4,
  crashed_in_flight: 5,
  files: [],
};

Deno.test("Progress sums a run up from the same counters", () => {
  const bench = new Bench({ isExploring: true });
  const { progress } = bench;
  bench.gauges.costUsd = 1.25;
  progress.start({ total: 100, skipped: 10 });
  for (let i = 0; i < 9; i++) progress.attempt();
  for (let i = 0; i < 4; i++) progress.attemptAnswered(COMPLETION);
  for (const isThrottled of [true, true, false]) {
    progress.attemptFailed(makeFailedAttempt({ isThrottled }));
  }
  bench.settle(4);
  bench.settle(1, { failure: FAILURE, attempts: 3 });
  bench.clock.advance(2000);
  progress.stop();
  bench.clock.advance(60_000);
  const { event_loop_lag_ms: _lag, latency_ms: _latency, errors, ...rest } = progress.summary(
    PARTS,
  );
  assertEquals(errors.map(({ count }) => count), [3]);
  assertEquals(rest, {
    type: "run-end",
    state: "interrupted",
    reason: null,
    started: "2023-11-14T22:13:20.000Z",
    ended: "2023-11-14T22:14:22.000Z",
    total: 100,
    skipped: 10,
    limit: 20,
    concurrency_is_auto: true,
    succeeded: 4,
    failed: 1,
    pending: 85,
    failures_on_disk: 2,
    bad_rows: 3,
    merged_duplicates: 4,
    attempts: 9,
    succeeded_attempts: 4,
    failed_attempts: 3,
    unknown_attempts: 2,
    refused_for_load: 2,
    crashed_in_flight: 5,
    retries: 2,
    elapsed_ms: 2000,
    rate_per_s: 2.5,
    prompt_tokens: 40,
    completion_tokens: 80,
    wasted_completion_tokens: 0,
    wasted_by_reason: {},
    cost_usd: 1.25,
    cpu_seconds: 5.6,
    peak_rss_bytes: 78,
    teachers: [makeTeacher()],
    files: [],
  });
});

Deno.test("Progress counts tokens when an attempt is answered, kept or not, and which were wasted", () => {
  const { progress } = new Bench();
  const waste = (type: Failure["type"], completionTokens: number) =>
    progress.attemptFailed(makeFailedAttempt({
      failure: { type, message: "No", status: null },
      completion: { ...COMPLETION, usage: { promptTokens: 1, completionTokens } },
    }));
  progress.attemptAnswered(COMPLETION);
  progress.attemptAnswered({ ...COMPLETION, usage: null });
  waste("truncated", 300);
  waste("rejected", 40);
  waste("truncated", 5);
  waste("empty", 0);
  progress.attemptFailed(makeFailedAttempt());
  const { prompt_tokens, completion_tokens, wasted_completion_tokens } = progress.snapshot();
  assertEquals([prompt_tokens, completion_tokens, wasted_completion_tokens], [14, 365, 345]);
  assertEquals(progress.summary(PARTS).wasted_by_reason, { truncated: 305, rejected: 40 });
});

Deno.test("Progress gives the reason of a delay, without control characters", () => {
  const bench = new Bench();
  const reason = "429: tokens\x1b[2J\nper min";
  Object.assign(bench.gauges, { state: "backing_off", limit: 7, backingOffUntil: START, reason });
  bench.teachers = [makeTeacher({ state: "cooling_down", reason })];
  const { backing_off_until, limit, teachers, ...snapshot } = bench.progress.snapshot();
  assertEquals([backing_off_until, limit], ["2023-11-14T22:13:20.000Z", 7]);
  assertEquals([snapshot.reason, teachers[0].reason], Array(2).fill("429: tokens per min"));
  for (const backingOffUntil of [Infinity, NaN, 1e300]) {
    bench.gauges.backingOffUntil = backingOffUntil;
    assertEquals(bench.progress.snapshot().backing_off_until, null);
  }
});

Deno.test("Progress knows when a row was last put on disk", () => {
  const bench = new Bench();
  assertEquals(bench.progress.snapshot().last_durable, null);
  bench.clock.advance(1000);
  bench.settle(1);
  bench.clock.advance(5000);
  bench.progress.settled([]);
  assertEquals(bench.progress.snapshot().last_durable, "2023-11-14T22:13:21.000Z");
});

Deno.test("Progress is done only when the last row is on disk", () => {
  const bench = new Bench();
  const { progress, gauges } = bench;
  bench.listen();
  progress.start({ total: 1, skipped: 0 });
  gauges.state = "done";
  assertEquals(progress.snapshot().state, "draining");
  bench.settle(1);
  assertEquals(progress.snapshot().state, "done");
  progress.stop();
  assertEquals(bench.snapshots.map(({ state, succeeded }) => [state, succeeded]), [["done", 1]]);
});
