import { assert, assertEquals, assertGreater, assertLess } from "../../lib/deps/std_assert.ts";
import type { RunEvent, RunState, Snapshot } from "../../lib/progress/events.ts";
import type { ProcessMeter } from "../../lib/progress/process_meter.ts";
import { Progress } from "../../lib/progress/progress.ts";
import { FAILURE, makeOutcome, ManualClock } from "./fixtures.ts";

class Bench {
  readonly clock = new ManualClock();
  readonly snapshots: Snapshot[] = [];
  readonly gauges = {
    state: "running" as RunState,
    inFlight: 20,
    waiting: 3,
    concurrency: 20,
    reads: 0,
  };
  readonly meter: ProcessMeter = {
    start: () => {},
    read: () => ({ cpuPercent: 12, rssBytes: 34 }),
    cpuSeconds: () => 5.6,
    peakRssBytes: 78,
  };
  readonly progress: Progress;
  #sequence = 0;

  constructor(options: { concurrency?: number; updateInterval?: number } = {}) {
    const { clock, gauges, meter } = this;
    this.progress = new Progress({
      concurrency: 20,
      now: clock.now,
      every: clock.every,
      wallClock: () => 1_700_000_000_000 + clock.nowMs,
      gauges: () => {
        gauges.reads++;
        return gauges;
      },
      meter,
      ...options,
    });
  }

  listen(): void {
    this.progress.on((event) => {
      if (event.type === "snapshot") this.snapshots.push(event);
    });
  }

  settle(count: number, changes = {}): void {
    this.progress.settled(
      Array.from({ length: count }, () => makeOutcome(this.#sequence++, changes)),
    );
  }
}

Deno.test("Progress folds what happens into a snapshot", () => {
  const bench = new Bench();
  const { progress, clock } = bench;
  progress.start({ total: 100, skipped: 10 });
  for (let i = 0; i < 7; i++) progress.attempt();
  progress.attemptFailed(FAILURE);
  bench.settle(3);
  bench.settle(1, { failure: FAILURE, attempts: 3, latencyMs: 9999 });
  bench.settle(1, { failure: FAILURE, completion: undefined });
  bench.settle(1, { completion: { ...makeOutcome(0).completion, usage: null } });
  clock.advance(2000);
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
    concurrency: 20,
    rate_per_s: 3,
    eta_is_lower_bound: true,
    elapsed_ms: 2000,
    prompt_tokens: 40,
    completion_tokens: 80,
    cost_usd: null,
    latency_ms: { p50: 100, p90: 100, p99: 100, max: 100 },
    cpu_percent: 12,
    rss_bytes: 34,
    errors: [{
      type: "server",
      status: 503,
      message: "Overloaded",
      count: 1,
      last_seen: "2023-11-14T22:13:20.000Z",
    }],
  });
  assertEquals(event_loop_lag_ms, { p50: 0.1, p99: 0.1, max: 0.1 });
  progress.stop();
});

Deno.test("Progress takes a snapshot a second when little happens", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: null, skipped: 0 });
  bench.clock.advance(10_000);
  assertEquals(bench.snapshots.length, 10);
  bench.progress.stop();
});

for (const [concurrency, interval] of [[9, 5], [10, 10], [100, 10], [101, 20], [501, 50]]) {
  Deno.test(`Progress takes one after ${interval} completions at concurrency ${concurrency}`, () => {
    const bench = new Bench({ concurrency });
    bench.listen();
    bench.progress.start({ total: 1000, skipped: 0 });
    bench.settle(interval - 1);
    bench.clock.advance(100);
    assertEquals(bench.snapshots.length, 0);
    bench.settle(1);
    bench.clock.advance(100);
    assertEquals(bench.snapshots.map(({ succeeded }) => succeeded), [interval]);
    bench.progress.stop();
  });
}

Deno.test("Progress takes the update interval that it is given", () => {
  const bench = new Bench({ updateInterval: 1 });
  bench.listen();
  bench.progress.start({ total: 1000, skipped: 0 });
  bench.settle(1);
  bench.clock.advance(100);
  assertEquals(bench.snapshots.length, 1);
  bench.progress.stop();
});

Deno.test("Progress takes at most ten snapshots a second however fast it goes", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: null, skipped: 0 });
  for (let ms = 0; ms < 1000; ms++) {
    bench.settle(50);
    bench.progress.stateChanged();
    bench.clock.advance(1);
  }
  assertEquals(bench.snapshots.length, 10);
  assertEquals(bench.snapshots.at(-1)!.succeeded, 50_000);
  bench.progress.stop();
});

Deno.test("Progress tells of a change of state within a tenth of a second, and of the last one", () => {
  const bench = new Bench();
  bench.listen();
  bench.gauges.state = "preparing";
  bench.progress.stateChanged();
  bench.clock.advance(100);
  bench.progress.start({ total: 5, skipped: 0 });
  for (const state of ["running", "paused", "draining"] as const) {
    bench.gauges.state = state;
    bench.progress.stateChanged();
  }
  bench.clock.advance(100);
  bench.gauges.state = "done";
  bench.progress.stateChanged();
  bench.progress.stop();
  assertEquals(bench.snapshots.map(({ state }) => state), ["preparing", "draining", "done"]);
});

Deno.test("Progress builds no snapshot while nobody listens", () => {
  const bench = new Bench();
  let built = 0;
  Object.defineProperty(bench.progress, "snapshot", { value: () => built++ });
  bench.progress.start({ total: 1000, skipped: 0 });
  bench.settle(500);
  bench.progress.stateChanged();
  bench.clock.advance(5000);
  bench.progress.stop();
  assertEquals(built, 0);
});

Deno.test("Progress adds to counters only when a row is done: it asks for nothing", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 1000, skipped: 0 });
  const { reads } = bench.gauges;
  for (let i = 0; i < 500; i++) bench.progress.attempt();
  bench.settle(500);
  assertEquals(bench.gauges.reads, reads);
  assertEquals(bench.snapshots.length, 0);
  bench.progress.stop();
});

Deno.test("Progress stops its timer, gives a last snapshot, and does so once", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 10, skipped: 0 });
  assertEquals(bench.clock.timers, 1);
  bench.settle(10);
  bench.progress.stop();
  bench.progress.stop();
  bench.progress.stateChanged();
  assertEquals(bench.clock.timers, 0);
  assertEquals(bench.snapshots.map(({ succeeded }) => succeeded), [10]);
});

Deno.test("Progress leaves no timer behind with the real clock", () => {
  const progress = new Progress({
    concurrency: 1,
    gauges: () => ({ state: "running", inFlight: 0, waiting: 0, concurrency: 1 }),
  });
  progress.start({ total: 1, skipped: 0 });
  progress.stop();
});

Deno.test("Progress beats with the real clock", async () => {
  const progress = new Progress({
    concurrency: 1,
    gauges: () => ({ state: "running", inFlight: 0, waiting: 0, concurrency: 1 }),
  });
  const { promise, resolve } = Promise.withResolvers<RunEvent>();
  progress.on(resolve);
  progress.start({ total: 1, skipped: 0 });
  progress.stateChanged();
  const holdsTheProcess = setTimeout(() => {}, 60_000);
  const event = await promise;
  clearTimeout(holdsTheProcess);
  progress.stop();
  assert(event.type === "snapshot" && event.rss_bytes > 10_000_000);
});

Deno.test("Progress gives all listeners the same frozen object", () => {
  const bench = new Bench();
  const seen: RunEvent[] = [];
  bench.progress.on((event) => void seen.push(event));
  bench.progress.on((event) => void seen.push(event));
  bench.progress.attemptFailed(FAILURE);
  bench.progress.start({ total: 1, skipped: 0 });
  bench.progress.stop();
  assertEquals(seen.length, 2);
  const [first, second] = seen as Snapshot[];
  assert(first === second);
  for (const part of [first, first.latency_ms, first.errors, first.errors[0]]) {
    assert(Object.isFrozen(part));
  }
});

Deno.test("Progress goes on when a listener throws or rejects, and counts it", async () => {
  const bench = new Bench();
  bench.progress.on(() => {
    throw new Error("no");
  });
  bench.progress.on(() => Promise.reject(new Error("no")));
  bench.listen();
  bench.progress.start({ total: 1, skipped: 0 });
  bench.clock.advance(2000);
  bench.progress.stop();
  await Promise.resolve();
  assertEquals(bench.snapshots.length, 3);
  assertEquals(bench.progress.listenerErrors, 6);
});

Deno.test("Progress forgets a listener that is taken away, even while it is told", () => {
  const { progress } = new Bench();
  const heard: string[] = [];
  const removeFirst = progress.on(() => {
    heard.push("first");
    removeFirst();
  });
  progress.on(() => void heard.push("second"));
  progress.notice("info", "one");
  progress.notice("info", "two");
  assertEquals(heard, ["first", "second", "second"]);
});

Deno.test("Progress gives notices with their time", () => {
  const { progress } = new Bench();
  const events: RunEvent[] = [];
  progress.on((event) => void events.push(event));
  progress.notice("warning", "The key expires soon");
  const time = "2023-11-14T22:13:20.000Z";
  const expected: RunEvent[] = [
    { type: "notice", time, level: "warning", message: "The key expires soon" },
  ];
  assertEquals(events, expected);
});

Deno.test("Progress measures how late the event loop is", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1, skipped: 0 });
  bench.clock.advance(1000);
  bench.clock.block(750);
  bench.clock.advance(1000);
  bench.progress.stop();
  const { p50, max } = bench.progress.snapshot().event_loop_lag_ms;
  assertLess(p50, 1);
  assertGreater(max, 649);
  assertLess(max, 652);
});

Deno.test("Progress still takes a snapshot a second when the event loop is late", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 1, skipped: 0 });
  for (let i = 0; i < 20; i++) bench.clock.block(500);
  assertEquals(bench.snapshots.length, 10);
  bench.progress.stop();
});

Deno.test("Progress projects the end, with skipped rows left out", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 10_000, skipped: 9000 });
  for (let second = 0; second < 10; second++) {
    bench.settle(20, { busyMs: 1000 });
    bench.clock.advance(1000);
  }
  const { eta_s, eta_is_lower_bound } = bench.snapshots.at(-1)!;
  assertEquals(eta_is_lower_bound, false);
  assert(eta_s !== null && eta_s > 38 && eta_s < 46);
  bench.progress.stop();
});

Deno.test("Progress gives no projection while the number of rows is not known", () => {
  const bench = new Bench();
  bench.progress.start({ total: null, skipped: 0 });
  bench.settle(500);
  bench.clock.advance(5000);
  assertEquals(bench.progress.snapshot().eta_s, null);
  bench.progress.setTotal(1000);
  assert(bench.progress.snapshot().eta_s !== null);
  bench.progress.stop();
});

Deno.test("Progress keeps the projection as it was during a pause", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  for (let second = 0; second < 20; second++) {
    bench.settle(20, { busyMs: 1000 });
    bench.clock.advance(1000);
  }
  const before = bench.progress.snapshot().eta_s;
  bench.gauges.state = "paused";
  bench.gauges.inFlight = 0;
  bench.clock.advance(600_000);
  assertEquals(bench.progress.snapshot().eta_s, before);
  bench.gauges.state = "running";
  bench.gauges.inFlight = 20;
  bench.clock.advance(100);
  const after = bench.progress.snapshot();
  assertEquals(after.eta_is_lower_bound, false);
  assertLess(Math.abs(after.eta_s! - before!), 2);
  bench.progress.stop();
});

Deno.test("Progress sums a run up from the same counters", () => {
  const bench = new Bench();
  bench.progress.start({ total: 100, skipped: 10 });
  for (let i = 0; i < 9; i++) bench.progress.attempt();
  bench.settle(4);
  bench.settle(1, { failure: FAILURE, attempts: 3 });
  bench.clock.advance(2000);
  bench.progress.stop();
  bench.clock.advance(60_000);
  const summary = bench.progress.summary({
    state: "interrupted",
    reason: null,
    started: "2023-11-14T22:13:20.000Z",
    total: 100,
    skipped: 10,
    pending: 85,
    failuresOnDisk: 2,
    badRows: 3,
    mergedDuplicates: 4,
    files: [],
  });
  const { event_loop_lag_ms: _lag, latency_ms: _latency, ...rest } = summary;
  assertEquals(rest, {
    type: "run-end",
    state: "interrupted",
    reason: null,
    started: "2023-11-14T22:13:20.000Z",
    ended: "2023-11-14T22:14:22.000Z",
    total: 100,
    skipped: 10,
    succeeded: 4,
    failed: 1,
    pending: 85,
    failures_on_disk: 2,
    bad_rows: 3,
    merged_duplicates: 4,
    attempts: 9,
    retries: 2,
    elapsed_ms: 2000,
    rate_per_s: 2.5,
    prompt_tokens: 50,
    completion_tokens: 100,
    wasted_completion_tokens: 20,
    cost_usd: null,
    cpu_seconds: 5.6,
    peak_rss_bytes: 78,
    errors: [],
    files: [],
  });
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

Deno.test("Progress has no last snapshot of a run that could not be started", () => {
  const bench = new Bench();
  bench.listen();
  bench.gauges.state = "preparing";
  bench.progress.stop();
  assertEquals(bench.snapshots, []);
});
