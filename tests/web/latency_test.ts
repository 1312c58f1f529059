import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { Latency } from "../../web/latency.ts";

function latencyAt(): { latency: Latency; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  return { latency: new Latency(() => clock.nowMs), clock };
}

Deno.test("Latency.window() gives percentiles that are at most 5 % off", () => {
  const { latency } = latencyAt();
  latency.record(Array.from({ length: 1000 }, (_, i) => i + 1));
  const { p50, p90, p99 } = latency.window();
  assertAlmostEquals(p50!, 500, 25);
  assertAlmostEquals(p90!, 900, 45);
  assertAlmostEquals(p99!, 990, 50);
});

Deno.test("Latency.window() forgets durations older than half a minute", () => {
  const { latency, clock } = latencyAt();
  latency.record([100]);
  clock.nowMs = 20_000;
  latency.record([1_000]);
  assertAlmostEquals(latency.window().p99!, 1_000, 50);
  assertAlmostEquals(latency.window().p50!, 100, 5);
  clock.nowMs = 35_000;
  assertAlmostEquals(latency.window().p50!, 1_000, 50);
  clock.nowMs = 3_600_000;
  assertEquals(latency.window(), { p50: null, p90: null, p99: null });
  assertEquals(latency.count, 2);
});

Deno.test("Latency.histogram() holds every duration of the run, however short or long", () => {
  const { latency } = latencyAt();
  assertEquals(latency.histogram(), { bounds_ms: [], counts: [] });
  latency.record([0, -5, NaN, 0.2, 1, 300, 300, 1e12]);
  const { bounds_ms: bounds, counts } = latency.histogram();
  assertEquals(counts.reduce((sum, count) => sum + count, 0), 8);
  assertEquals(bounds.length, counts.length + 1);
  const at = bounds.findLastIndex((bound) => bound <= 300);
  assertEquals(counts[at], 2);
  assert(bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]));
});

Deno.test("Latency.histogram() has 12 to 48 bars, wherever the values are", () => {
  const values = [0.5, 1.1, 2, 300, 2 ** 26.9, 1e12];
  for (const [i, low] of values.entries()) {
    for (const high of values.slice(i)) {
      const { latency } = latencyAt();
      latency.record([low, high]);
      const { counts } = latency.histogram();
      assert(counts.length >= 12 && counts.length <= 48, `${low} to ${high}: ${counts.length}`);
      assertEquals(counts.reduce((sum, count) => sum + count, 0), 2);
    }
  }
});

Deno.test("Latency.octaves() counts up", () => {
  const { latency } = latencyAt();
  latency.record([1.5, 3, 3, 100]);
  const octaves = latency.octaves();
  assertEquals(octaves.slice(0, 3), [
    { upToMs: 2, count: 1 },
    { upToMs: 4, count: 3 },
    { upToMs: 8, count: 3 },
  ]);
  assertEquals(octaves[6], { upToMs: 128, count: 4 });
  assertEquals(octaves.length, 27);
});
