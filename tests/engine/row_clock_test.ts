import { assertEquals } from "../../lib/deps/std_assert.ts";
import { ActiveClock } from "../../lib/timer.ts";

Deno.test("ActiveClock stops while nothing can be sent", () => {
  let now = 1_000;
  const clock = new ActiveClock(() => now);
  assertEquals(clock.now(), 1_000);
  now = 1_100;
  clock.tick(false);
  assertEquals(clock.now(), 1_100);
  for (; now < 61_100; clock.tick(true)) now += 100;
  assertEquals(clock.now(), 1_100);
  now += 50;
  assertEquals(clock.now(), 1_150);
  now += 50;
  clock.tick(false);
  assertEquals(clock.now(), 1_200);
});

Deno.test("ActiveClock leaves out the time in which the process was stopped", () => {
  let now = 1_000;
  const clock = new ActiveClock(() => now);
  now += 120_000;
  assertEquals(clock.now(), 3_000);
  clock.tick(false);
  now += 100;
  assertEquals(clock.now(), 3_100);
});
