import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { COMPLETION } from "./fixtures.ts";
import { Bench } from "./progress_fixture.ts";

/** Lets 20 rows a second finish. */
function settleFor(seconds: number, bench: Bench): void {
  for (let second = 0; second < seconds; second++) {
    bench.settle(20, { busyMs: 1000 });
    bench.clock.advance(1000);
  }
}

Deno.test("Progress projects the end without skipped rows", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 10_000, skipped: 9000 });
  settleFor(10, bench);
  const { eta_s, eta_is_lower_bound } = bench.snapshots.at(-1)!;
  assertEquals(eta_is_lower_bound, false);
  assert(eta_s !== null && eta_s > 38 && eta_s < 46);
  bench.progress.stop();
});

Deno.test("Progress knows from the start how long the user's limit takes", () => {
  const bench = new Bench();
  Object.assign(bench.gauges, { inFlight: 1, waiting: 0, maxPerSecond: 2 });
  bench.listen();
  bench.progress.start({ total: 1200, skipped: 0 });
  for (let second = 1; second <= 30; second++) {
    bench.settle(2, { busyMs: 500 });
    bench.clock.advance(1000);
    const { eta_s, eta_range_s } = bench.progress.snapshot();
    const left = 600 - second;
    assert(second === 1 || Math.abs(eta_s! - left) <= 3, `${eta_s} s instead of ${left}`);
    assert((eta_range_s?.[0] ?? left) > left - 3);
  }
  bench.progress.stop();
});

Deno.test("Progress gives no projection while the number of rows is not known", () => {
  const bench = new Bench();
  bench.progress.start({ total: null, skipped: 0 });
  bench.settle(500);
  bench.clock.advance(5000);
  assertEquals(bench.progress.snapshot().eta_s, null);
  bench.progress.stop();
});

Deno.test("Progress keeps the projection as it was during a pause", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  settleFor(20, bench);
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

Deno.test("Progress holds the projection while the disk is full", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  settleFor(20, bench);
  const before = bench.progress.snapshot().eta_s;
  Object.assign(bench.gauges, { state: "disk_full", inFlight: 0 });
  bench.clock.advance(600_000);
  assertEquals(bench.progress.snapshot().eta_s, before);
  bench.progress.stop();
});

Deno.test("Progress gives tokens per second over the last 30 s", () => {
  const bench = new Bench();
  bench.progress.start({ total: null, skipped: 0 });
  for (let second = 0; second < 40; second++) {
    bench.progress.attemptAnswered(COMPLETION);
    bench.clock.advance(1000);
  }
  assertAlmostEquals(bench.progress.snapshot().tokens_per_s, 20, 1);
  bench.clock.advance(31_000);
  assertEquals(bench.progress.snapshot().tokens_per_s, 0);
  bench.progress.stop();
});

Deno.test("Progress projects the cost from the cost of rows, and knows none without prices", () => {
  const bench = new Bench();
  Object.assign(bench.gauges, { costUsd: 4, maxCostUsd: 20 });
  bench.progress.start({ total: 1100, skipped: 100 });
  bench.settle(400, { costUsd: 0.01 });
  bench.clock.advance(1000);
  const { cost_usd, projected_cost_usd, projected_cost_is_lower_bound, max_cost_usd } = bench
    .progress.snapshot();
  assertEquals([cost_usd, projected_cost_is_lower_bound, max_cost_usd], [4, false, 20]);
  assertAlmostEquals(projected_cost_usd!, 10, 1e-9);
  bench.gauges.costUsd = null;
  assertEquals(bench.progress.snapshot().projected_cost_usd, null);
  bench.progress.stop();
});

Deno.test("Progress has no rate while a run is held with nothing in flight, and afterwards none from before the pause", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  settleFor(20, bench);
  Object.assign(bench.gauges, { state: "paused", inFlight: 0 });
  bench.clock.advance(100);
  const { rate_per_s, tokens_per_s } = bench.progress.snapshot();
  assertEquals([rate_per_s, tokens_per_s], [0, 0]);
  bench.clock.advance(5_000);
  Object.assign(bench.gauges, { state: "running", inFlight: 20 });
  bench.progress.stateChanged();
  bench.clock.advance(100);
  bench.settle(10);
  bench.clock.advance(2_000);
  assertAlmostEquals(bench.progress.snapshot().rate_per_s, 5, 0.5);
  bench.progress.stop();
});

Deno.test("Progress does not derive a rate from the moment in which a run is held", () => {
  const bench = new Bench();
  bench.progress.start({ total: 1000, skipped: 0 });
  bench.clock.advance(4_000);
  bench.settle(28);
  Object.assign(bench.gauges, { state: "disk_full", inFlight: 4 });
  // A snapshot may be requested shortly after the last beat.
  bench.progress.snapshot();
  bench.clock.advance(2);
  assertLessOrEqual(bench.progress.snapshot().rate_per_s, 28 / 4);
  bench.progress.stop();
});

Deno.test("Progress keeps an estimate with a range once there is one, whatever the rate does", () => {
  const bench = new Bench();
  bench.listen();
  bench.progress.start({ total: 10_000, skipped: 0 });
  const step = (rows: number) => {
    bench.settle(rows, { busyMs: 1000 });
    bench.clock.advance(1000);
  };
  for (let second = 0; second < 300; second++) step(second % 60 < 30 ? 10 : 30);
  for (let second = 0; second < 40; second++) bench.clock.advance(1000);
  const bounds = bench.snapshots.map(({ eta_is_lower_bound }) => eta_is_lower_bound);
  assertEquals(bounds.slice(bounds.indexOf(false)).filter((one) => one), [], "never a bound again");
  const { eta_s, eta_range_s } = bench.snapshots[280];
  assert(eta_s !== null && eta_range_s !== null);
  assert(eta_range_s[0] < eta_s && eta_s < eta_range_s[1], `${eta_s} in ${eta_range_s}`);
  assert(eta_range_s[1] / eta_range_s[0] < 4, `${eta_range_s}`);
  bench.progress.stop();
});
