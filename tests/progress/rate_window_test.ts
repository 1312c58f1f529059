import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { RateWindow } from "../../lib/progress/forecast.ts";

Deno.test("RateWindow gives the rate since the start while that is less than 30 s", () => {
  const rate = new RateWindow(5000);
  assertEquals(rate.perSecond(5000), 0);
  rate.add(5500, 10);
  assertEquals(rate.perSecond(5500), 20);
  assertEquals(rate.perSecond(15_000), 1);
});

Deno.test("RateWindow forgets events older than 30 s", () => {
  const rate = new RateWindow(0);
  for (let nowMs = 100; nowMs <= 100_000; nowMs += 100) rate.add(nowMs, 1);
  assertAlmostEquals(rate.perSecond(100_000), 10, 0.05);
  assertAlmostEquals(rate.perSecond(115_000), 5, 0.2);
  assertEquals(rate.perSecond(131_000), 0);
  assertEquals(rate.sum, 0);
});

Deno.test("RateWindow follows a change of speed within 31 s", () => {
  const rate = new RateWindow(0);
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) rate.add(nowMs, 10);
  for (let nowMs = 60_100; nowMs <= 91_000; nowMs += 100) rate.add(nowMs, 1);
  assertAlmostEquals(rate.perSecond(91_000), 10, 0.5);
});

Deno.test("RateWindow handles a gap of hours", () => {
  const rate = new RateWindow(0);
  rate.add(1000, 1000);
  rate.add(7_200_500, 60);
  assertAlmostEquals(rate.perSecond(7_200_500), 2, 0.05);
});
