import { assert, assertEquals, assertGreater, assertLess } from "../../lib/deps/std_assert.ts";
import type { RunEvent, Snapshot } from "../../lib/progress/events.ts";
import { Progress } from "../../lib/progress/progress.ts";
import { Listeners } from "../../lib/progress/progress_options.ts";
import { COMPLETION, makeFailedAttempt, makeGauges } from "./fixtures.ts";
import { Bench } from "./progress_fixture.ts";

Deno.test("Progress takes a snapshot per second when little happens", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: null, skipped: 0 });
  bench.clock.advance(10_000);
  assertEquals(bench.snapshots.length, 10);
  bench.progress.stop();
});

Deno.test("Progress takes a snapshot per second whenever a few rows finish", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 1000, skipped: 0 });
  for (let i = 0; i < 30; i++) {
    bench.settle(1);
    bench.clock.advance(370);
  }
  assertGreater(bench.snapshots.length, 9);
  const times = bench.snapshots.map(({ elapsed_ms }) => elapsed_ms);
  const gaps = times.map((ms, i) => ms - (i === 0 ? 0 : times[i - 1]));
  assertLess(Math.max(...gaps), 1_101);
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

Deno.test("Progress beats seldom while nothing finishes, and in time for what finishes then", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  bench.clock.advance(60_000);
  assertLess(bench.gaugeReads, 125);
  bench.listen();
  bench.settle(20);
  bench.clock.advance(100);
  assertEquals(bench.snapshots.length, 1);
  bench.progress.stop();
});

Deno.test("Progress reads the gauges once a beat, with or without a snapshot", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 1000, skipped: 0 });
  const before = bench.gaugeReads;
  bench.clock.advance(10_000);
  assertEquals([bench.gaugeReads - before, bench.snapshots.length], [20, 10]);
  bench.progress.stop();
});

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

Deno.test("Progress reports a change of state within a tenth of a second, and of the last one", () => {
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

Deno.test("Progress reports a change of state by a listener within a tenth of a second", () => {
  const bench = new Bench();
  bench.listen();
  bench.listeners.add(() => {
    if (bench.gauges.state === "paused") return;
    bench.gauges.state = "paused";
    bench.progress.stateChanged();
  });
  bench.progress.start({ total: 5, skipped: 0 });
  bench.clock.advance(1_000);
  bench.clock.advance(100);
  assertEquals(bench.snapshots.map(({ state }) => state), ["running", "paused"]);
  bench.progress.stop();
});

Deno.test("Progress builds no snapshot without listeners", () => {
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

Deno.test("Progress adds to counters only when a row is done: it requests no snapshot", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 1000, skipped: 0 });
  const { gaugeReads } = bench;
  for (let i = 0; i < 500; i++) {
    bench.progress.attempt();
    bench.progress.attemptAnswered(COMPLETION);
    bench.progress.attemptFailed(makeFailedAttempt());
  }
  bench.settle(500);
  assertEquals(bench.gaugeReads, gaugeReads);
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
    gauges: () => makeGauges(),
    listeners: new Listeners(),
  });
  progress.start({ total: 1, skipped: 0 });
  progress.stop();
});

Deno.test("Progress beats with the real clock", async () => {
  const listeners = new Listeners<RunEvent>();
  const progress = new Progress({
    concurrency: 1,
    gauges: () => makeGauges(),
    listeners,
  });
  const { promise, resolve } = Promise.withResolvers<RunEvent>();
  listeners.add(resolve);
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
  bench.listeners.add((event) => void seen.push(event));
  bench.listeners.add((event) => void seen.push(event));
  bench.progress.attemptFailed(makeFailedAttempt());
  bench.progress.start({ total: 1, skipped: 0 });
  bench.progress.stop();
  assertEquals(seen.length, 2);
  const [first, second] = seen as Snapshot[];
  assert(first === second);
  for (const part of [first, first.latency_ms, first.errors, first.errors[0], first.teachers[0]]) {
    assert(Object.isFrozen(part));
  }
});

Deno.test("Progress ignores listeners that throw or reject", async () => {
  const bench = new Bench();
  bench.listeners.add(() => {
    throw new Error("no");
  });
  bench.listeners.add(() => Promise.reject(new Error("no")));
  bench.listen();
  bench.progress.start({ total: 1, skipped: 0 });
  bench.clock.advance(2000);
  bench.progress.stop();
  await Promise.resolve();
  assertEquals(bench.snapshots.length, 3);
});

Deno.test("Progress forgets a listener that is removed, even while listeners are being called", () => {
  const { progress, listeners } = new Bench();
  const heard: string[] = [];
  const removeFirst = listeners.add(() => {
    heard.push("first");
    removeFirst();
    removeThird();
  });
  listeners.add(() => void heard.push("second"));
  const removeThird = listeners.add(() => void heard.push("third"));
  progress.notice("info", "one");
  progress.notice("info", "two");
  assertEquals(heard, ["first", "second", "second"]);
});

Deno.test("Progress gives notices with their time", () => {
  const { progress, listeners } = new Bench();
  const events: RunEvent[] = [];
  listeners.add((event) => void events.push(event));
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
  bench.settle(1);
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

Deno.test("Progress reads the teachers only for a snapshot, and does not freeze them", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  bench.clock.advance(5000);
  assertEquals(bench.teacherReads, 0);
  bench.listen();
  bench.clock.advance(1000);
  assertEquals(bench.teacherReads, 1);
  assert(!Object.isFrozen(bench.teachers) && !Object.isFrozen(bench.teachers[0]));
  bench.progress.stop();
});

Deno.test("Progress has no last snapshot of a run that could not be started", () => {
  const bench = new Bench();
  bench.listen();
  bench.gauges.state = "preparing";
  bench.progress.stop();
  assertEquals(bench.snapshots, []);
});
