/** Tests of the gates in lib/simulate/simulated_teacher.ts. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { AttemptCounter, GENERATION_SIZE } from "../../lib/simulate/options.ts";
import { RateGate, Sleepers } from "../../lib/simulate/simulated_teacher.ts";

Deno.test("RateGate shares a minute's requests out over the seconds", () => {
  const gate = new RateGate(600, 0);
  const entered = (nowMs: number) => {
    let count = 0;
    while (gate.admit(nowMs) === 0) count++;
    return count;
  };
  assertEquals(entered(0), 10);
  assertEquals(entered(500), 5);
  assertEquals(entered(60_500), 10);
});

Deno.test("RateGate says after how many seconds a slow limit lets the next one in", () => {
  const gate = new RateGate(6, 0);
  assertEquals([gate.admit(0), gate.admit(0), gate.admit(4_000)], [0, 10, 6]);
  assertEquals(gate.admit(10_000), 0);
});

Deno.test("AttemptCounter counts per prompt and forgets only what is old", () => {
  const counter = new AttemptCounter();
  let next = 3;
  const countOthers = (prompts: number) => {
    for (const end = next + prompts; next < end; next++) counter.count(next);
  };
  assertEquals([counter.count(1), counter.count(1), counter.count(2)], [1, 2, 1]);
  countOthers(GENERATION_SIZE - 2); // The last of them starts a new generation.
  assertEquals(counter.count(1), 3);
  countOthers(2 * GENERATION_SIZE);
  assertEquals(counter.count(2), 1);
});

Deno.test("Sleepers.close() wakes all sleepers and leaves no timer", async () => {
  const sleepers = new Sleepers();
  const asleep = sleepers.sleep(1e9);
  await sleepers.sleep(0);
  sleepers.close();
  await asleep;
  await sleepers.sleep(1e9);
});
