import { assertAlmostEquals, assertEquals } from "../lib/deps/std_assert.ts";
import { RateMeter } from "../lib/timer.ts";

const HALF_A_MINUTE = { slotMs: 1_000, windowMs: 30_000, minSpanMs: 0 };

Deno.test("RateMeter gives the rate since the start while that is less than 30 s", () => {
  const rate = new RateMeter(5000, HALF_A_MINUTE);
  assertEquals(rate.perSecond(5000), 0);
  rate.add(5500, 10);
  assertEquals(rate.perSecond(5500), 20);
  assertEquals(rate.perSecond(15_000), 1);
});

Deno.test("RateMeter forgets events older than 30 s", () => {
  const rate = new RateMeter(0, HALF_A_MINUTE);
  for (let nowMs = 100; nowMs <= 100_000; nowMs += 100) rate.add(nowMs, 1);
  assertAlmostEquals(rate.perSecond(100_000), 10, 0.05);
  assertAlmostEquals(rate.perSecond(115_000), 5, 0.2);
  assertEquals(rate.perSecond(131_000), 0);
  assertEquals(rate.sum(131_000), 0);
});

Deno.test("RateMeter follows a change of speed within 31 s", () => {
  const rate = new RateMeter(0, HALF_A_MINUTE);
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) rate.add(nowMs, 10);
  for (let nowMs = 60_100; nowMs <= 91_000; nowMs += 100) rate.add(nowMs, 1);
  assertAlmostEquals(rate.perSecond(91_000), 10, 0.5);
});

Deno.test("RateMeter handles a gap of hours", () => {
  const rate = new RateMeter(0, HALF_A_MINUTE);
  rate.add(1000, 1000);
  rate.add(7_200_500, 60);
  assertAlmostEquals(rate.perSecond(7_200_500), 2, 0.05);
});

Deno.test("RateMeter measures the end of its window, over at least the shortest span", () => {
  const rate = new RateMeter(0, { slotMs: 100, windowMs: 5_000, minSpanMs: 1_000 });
  rate.add(0, 10);
  assertEquals(rate.perSecond(10), 10);
  for (let nowMs = 100; nowMs <= 5_000; nowMs += 100) rate.add(nowMs, nowMs > 4_000 ? 2 : 1);
  assertAlmostEquals(rate.perSecond(5_000, 1_000), 20, 2);
  assertAlmostEquals(rate.perSecond(5_000), 14, 0.5);
});
