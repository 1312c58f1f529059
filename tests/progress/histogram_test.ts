import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { DurationHistogram } from "../../lib/progress/counters.ts";

Deno.test("DurationHistogram gives zeros while nothing was recorded", () => {
  assertEquals(new DurationHistogram().percentiles(), { p50: 0, p90: 0, p99: 0, max: 0 });
});

Deno.test("DurationHistogram is exact to a tenth of a millisecond below 200 ms", () => {
  const histogram = new DurationHistogram();
  for (let i = 1; i <= 100; i++) histogram.record(i + 0.3);
  assertEquals(histogram.percentiles(), { p50: 50.3, p90: 90.3, p99: 99.3, max: 100.3 });
});

Deno.test("DurationHistogram is at most 0.1 % too high above 200 ms, and never too low", () => {
  for (const durationMs of [201, 999.9, 12_345, 600_001, 3_599_999]) {
    const histogram = new DurationHistogram();
    histogram.record(durationMs);
    for (const value of Object.values(histogram.percentiles())) {
      assertGreaterOrEqual(value, durationMs);
      assertLessOrEqual(value, durationMs * 1.001 + 0.1);
    }
  }
});

Deno.test("DurationHistogram takes values that are too small, too large or not a number", () => {
  const histogram = new DurationHistogram();
  for (const durationMs of [0, -5, NaN, 0.01]) histogram.record(durationMs);
  assertEquals(histogram.percentiles().max, 0.1);
  histogram.record(Infinity);
  assertLessOrEqual(histogram.percentiles().max, 24 * 3600 * 1000 * 1.001);
});
