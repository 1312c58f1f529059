/// <reference lib="dom" />
/** Cost of an open page: time per snapshot, and memory over many snapshots. */

import { assertLess } from "../../lib/deps/std_assert.ts";
import { visit } from "./browser.ts";
import { drawCosts, heapGrowth } from "./measure_page.ts";
import { stageRun } from "./staged_run.ts";

Deno.test("page: a snapshot with a full history is drawn quickly", async () => {
  await using stage = stageRun();
  const costs = await drawCosts(stage, visit, 25);
  // The target is a third of this; other tests run at the same time.
  assertLess(costs.medianMs, 24, JSON.stringify(costs));
});

Deno.test("page: memory does not grow with the number of snapshots", async () => {
  await using stage = stageRun();
  const bytes = await heapGrowth(stage, visit, 1_000);
  assertLess(bytes, 1e6, "a twentieth of what 20,000 may take");
});
