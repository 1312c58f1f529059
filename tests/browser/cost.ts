/// <reference lib="dom" />
/** Cost of an open page: time per snapshot, and memory over many snapshots. */

import { assertLess } from "../../lib/deps/std_assert.ts";
import { visitStill } from "./browser.ts";
import { drawCosts, heapGrowth } from "./measure_page.ts";
import { stageRun } from "./staged_run.ts";

Deno.test("page: a snapshot with a full history is drawn quickly", async () => {
  await using stage = stageRun();
  const costs = await drawCosts(stage, visitStill, 25);
  // It was 1.5 on a machine with five programs for each processor, and 3.7 when each chart was made
  // anew for each snapshot.
  assertLess(costs.ratio, 3.5, JSON.stringify(costs));
});

Deno.test("page: memory does not grow with the number of snapshots", async () => {
  await using stage = stageRun();
  const bytes = await heapGrowth(stage, visitStill, 1_000);
  assertLess(bytes, 1e6, "a twentieth of what 20,000 may take");
});
