import { assert, assertEquals, assertGreater } from "../../lib/deps/std_assert.ts";
import { inChild } from "../../bench/processes.ts";

Deno.test("the scenario of the monitor has pages that read and pages that do not", async () => {
  const found = await inChild("watched", { windowS: 1, watchers: { reading: 2, stalled: 1 } });
  const { pages, snapshotBytes } = found;
  assertEquals(pages.lost, 0);
  assertGreater(pages.snapshots, 1, "each page has got one");
  const { largestSnapshotBytes } = pages;
  assert(largestSnapshotBytes > 4_096 && largestSnapshotBytes <= 8_192, `${largestSnapshotBytes}`);
  assertGreater(snapshotBytes, 8_192, "it does not fit without being cut");
  for (const figure of [found.rowsPerS, found.cores, found.peakRssBytes]) assertGreater(figure, 0);
});

Deno.test("the scenario of the monitor alternates", async () => {
  const watchers = { reading: 1, stalled: 0 };
  const { ours, theirs } = await inChild("watchedAlternately", {
    rounds: 1,
    windowS: 0.2,
    watchers,
  });
  assertEquals([ours.length, theirs.length], [1, 1]);
  assert([...ours, ...theirs].every(({ rowsPerS }) => rowsPerS > 0));
});
