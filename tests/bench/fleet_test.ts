/** Tests of bench/fleet.ts. @module */

import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { type FleetJob, simulateFleet } from "../../bench/fleet.ts";
import { seededRandom } from "../support/simulated_load.ts";

const CALM: FleetJob = {
  ...{ nodes: 4, shards: 8, rows: 800_000, rowsPerSecondPerNode: 10, unevenness: 0, inFlight: 100 },
  ...{ hoursToKill: 1e9, hoursToPreempt: 1e9, limitHours: 1e9 },
};

Deno.test("a job without failures takes the ideal time and the starts of its shards", () => {
  const { hours, idealHours, repeated, restarts } = simulateFleet(CALM, seededRandom(1));
  assertAlmostEquals((hours - idealHours) * 3_600, 6, 1e-3);
  assertEquals([repeated, restarts], [0, 0]);
});

Deno.test("time limits restart shards without repeating rows, kills repeat at most the calls in flight", () => {
  const limited = simulateFleet({ ...CALM, limitHours: 1 }, seededRandom(1));
  assert(limited.restarts > 0 && limited.repeated === 0);
  const killed = simulateFleet({ ...CALM, hoursToKill: 2 }, seededRandom(1));
  assert(killed.repeated > 0 && killed.repeated <= killed.restarts * 100);
});
