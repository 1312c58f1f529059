/** The page of all runs: a thousand status files in a browser. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveFleet } from "../../web/fleet/server.ts";
import { FolderWatch } from "../../web/fleet/watch.ts";
import { tempDir } from "../support/temp.ts";
import { nameOf, statusOf, writeStatus } from "../web/fleet_files.ts";
import { visit } from "./browser.ts";
import { overflow, violations } from "./parts.ts";
import { openTunnel } from "./tunnel.ts";

const RUNS = 1_000;

/** As long as the reasons that runs give. */
const REASON =
  "No response from http://node-0123.cluster.example.org:8000/v1 (connection refused). " +
  "Is it running there? Retrying; Ctrl-C stops";

Deno.test("a thousand runs are on one page, those that need attention on top", async () => {
  await using dir = await tempDir();
  for (let from = 0; from < RUNS; from += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => writeStatus(dir, statusOf(from + i))));
  }
  await writeStatus(dir, statusOf(7, { cost_usd: null, spent_usd: null }));
  await writeStatus(dir, statusOf(613, { state: "halted", ended: true, reason: "<b>no</b> key" }));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  await using served = serveFleet(watch);
  const started = performance.now();
  await using opened = await visit(served.url);
  const { page } = opened;
  await page.locator("#fleet-runs tbody tr").nth(199).waitFor();
  const shownMs = performance.now() - started;
  const first = page.locator("#fleet-runs tbody tr").first();
  assertStringIncludes(await first.innerText(), nameOf(613));
  // Texts from files are text, never markup.
  assertStringIncludes(await first.innerText(), "halted: <b>no</b> key");
  assertStringIncludes(await page.locator("#fleet-states").innerText(), "1,000 runs: ");
  assertEquals(await page.locator("#fleet-rows").innerText(), "402,000 of 1,000,000 (40.2%)");
  assertEquals(await page.locator("#fleet-cost").innerText(), "at least $749.25");
  assert((await page.locator("#fleet-eta").innerText()) !== "–");
  await page.locator("#fleet-all").click();
  await page.locator("#fleet-runs tbody tr").nth(RUNS - 1).waitFor();
  const checks = 20, before = performance.now();
  for (let i = 0; i < checks; i++) await watch.check();
  const checkMs = (performance.now() - before) / checks;
  console.log(
    `${RUNS} runs: shown after ${Math.round(shownMs)} ms, a check every 5 s takes ${
      checkMs.toFixed(1)
    } ms`,
  );
});

for (const theme of ["light", "dark"] as const) {
  Deno.test(`a long reason hides no figure, and axe finds nothing in the ${theme} page of all runs`, async () => {
    await using dir = await tempDir();
    await writeStatus(dir, statusOf(0, { state: "backing_off", reason: REASON }));
    await writeStatus(dir, statusOf(1));
    const watch = new FolderWatch(dir.path("out"));
    await watch.check();
    await using served = serveFleet(watch);
    for (const width of [1280, 390]) {
      await using opened = await visit(served.url, { theme, width });
      const { page } = opened;
      await page.locator("#fleet-runs tbody tr").nth(1).waitFor();
      assertEquals(await overflow(page), 0);
      const table = await page.locator("#fleet-runs").boundingBox();
      const [left, right] = [table!.x, table!.x + table!.width];
      if (width === 1280) assert(left < 64 && right > 1216 && right < 1264, `${left} to ${right}`);
      assertEquals(await violations(page), []);
    }
  });
}

Deno.test("the page of all runs says that its program is gone, or was restarted", async () => {
  await using dir = await tempDir();
  await writeStatus(dir, statusOf(1));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const first = serveFleet(watch);
  const { port } = new URL(first.url);
  await using tunnel = openTunnel(Number(port));
  const url = first.url.replace(port, String(tunnel.port));
  await using opened = await visit(url, { expected: /Failed to load resource/ });
  const { page } = opened;
  await page.getByText(nameOf(1)).waitFor();
  tunnel.cut();
  await first[Symbol.asyncDispose]();
  await page.getByText("No response from the program that serves this page").waitFor();
  await using second = serveFleet(watch);
  tunnel.restore(Number(new URL(second.url).port));
  await page.getByText("Open the address that it has printed").waitFor();
  await page.getByText(nameOf(1)).waitFor();
});
