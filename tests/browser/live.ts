/// <reference lib="dom" />
/** The page during a run and after it. */

import { assert, assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import type { Locator } from "./deps/playwright.ts";
import { TeacherError } from "../../lib/errors.ts";
import { makeErrorGroup, makeSnapshot } from "../progress/fixtures.ts";
import { visit, visitStill } from "./browser.ts";
import { startJob } from "./job.ts";
import { section, stateWord, tileShows } from "./parts.ts";
import { makeRunStart, stageRun } from "./staged_run.ts";
import { openTunnel } from "./tunnel.ts";

Deno.test("page: a run is shown live, from its start to its end, and stays open when it is over", async () => {
  await using job = await startJob(100);
  // At the end, the server may be gone before the page has requested the whole texts.
  await using visited = await visit(job.served.url, { expected: /Failed to load resource/ });
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  await tileShows(page, "In flight / limit", "8 / 8");
  job.teacher.release(30);
  await tileShows(page, "Answered", "30");
  job.teacher.release(20);
  await tileShows(page, "Answered", "50");
  await tileShows(page, "Cost now / estimated", /^\s*\$0\.025/);
  await tileShows(page, "Answer length p50 / p99", "200");
  assertMatch(
    await page.getByRole("progressbar").getAttribute("aria-valuenow") ?? "",
    /^50/,
  );
  await page.getByRole("status").getByText("50 % of the rows are finished")
    .waitFor({
      state: "attached",
    });
  job.teacher.open();
  assertEquals((await job.summary).state, "done");
  await job.served.close();
  await stateWord(page, "Done").waitFor();
  await page.getByText("The run has ended").waitFor();
  await tileShows(page, "Answered", "100");
  assertEquals(await page.getByRole("button", { name: "Pause" }).count(), 0);
  await section(page, "Samples").getByText("The answer to row-99").first()
    .waitFor();
  assertEquals(
    new URL(page.url()).search,
    "",
    "the token is out of the address",
  );
});

Deno.test("page: one that loses its run turns gray, shows its age, and recovers by itself", async () => {
  await using job = await startJob(100);
  await using tunnel = openTunnel(job.served.port);
  const url = job.served.url.replace(`:${job.served.port}`, `:${tunnel.port}`);
  await using visited = await visit("about:blank", {
    expected: /WebSocket connection|Failed to load resource/,
  });
  const { page } = visited;
  await page.clock.install();
  await page.goto(url);
  job.teacher.release(10);
  await tileShows(page, "Answered", "10");
  // The page may have been gray while it connected.
  await page.locator("html:not([data-stale])").waitFor();
  const fresh = await filterOf(page.getByRole("progressbar"));
  tunnel.cut();
  job.teacher.release(10);
  await page.clock.fastForward(6_000);
  const age = page.getByRole("banner").getByText(
    /Connection lost\. The figures are from [\d:]+, [\dm ]+s ago/,
  );
  await age.waitFor();
  assert(
    await filterOf(page.getByRole("progressbar")) !== fresh,
    "what is old looks old",
  );
  await page.getByRole("button", { name: "Apply concurrency", disabled: true }).waitFor();
  await page.clock.fastForward(60_000);
  await page.getByText(
    /Connection lost\. The figures are from [\d:]+, [1-4]m \d\ds ago/,
  ).waitFor();
  tunnel.restore();
  await page.clock.fastForward(16_000);
  await tileShows(page, "Answered", "20");
  await age.waitFor({ state: "hidden" });
  assertEquals(await filterOf(page.getByRole("progressbar")), fresh);
  tunnel.cut();
  await page.clock.fastForward(6_000);
  await age.waitFor();
  await page.getByRole("button", { name: "Try now" }).waitFor();
  tunnel.restore();
  // Whatever is shown by now: the page may have connected by itself in the meantime.
  await page.locator("#reconnect").dispatchEvent("click");
  await age.waitFor({ state: "hidden" });
  job.teacher.release(10);
  await tileShows(page, "Answered", "30");
});

Deno.test("page: a page whose program was restarted says what to open", async () => {
  await using job = await startJob(100);
  await using tunnel = openTunnel(job.served.port);
  const url = job.served.url.replace(`:${job.served.port}`, `:${tunnel.port}`);
  await using visited = await visit(url, {
    expected: /WebSocket connection|Failed to load/,
  });
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  // A program that was restarted does not know the cookie either.
  await page.context().clearCookies();
  tunnel.cut();
  tunnel.restore();
  await page.getByRole("banner").getByText(
    /^The program that serves this page was restarted\. Open/,
  ).waitFor();
});

/** Returns what makes an element gray: a filter or an opacity, of its own or of a parent. */
async function filterOf(locator: Locator): Promise<string> {
  return await locator.evaluate((element) => {
    const looks: string[] = [];
    for (
      let one: Element | null = element;
      one !== null;
      one = one.parentElement
    ) {
      const { filter, opacity } = getComputedStyle(one);
      looks.push(filter, opacity);
    }
    return looks.join(" ");
  });
}

Deno.test("page: one that is opened late shows the whole run", async () => {
  await using job = await startJob(60);
  job.teacher.release(
    3,
    new TeacherError("Slow down, please", { status: 429, retryAfterMs: 1 }),
  );
  job.teacher.release(
    1,
    new TeacherError("This prompt is not allowed", { status: 400 }),
  );
  job.teacher.release(40);
  {
    await using first = await visit(job.served.url);
    await tileShows(first.page, "Answered", "40");
  }
  job.generator.notice("warning", "The disk is nearly full");
  await using visited = await visit(job.served.url);
  const { page } = visited;
  await tileShows(page, "Answered", "40");
  await tileShows(page, "Failed", "1");
  const errors = section(page, "Errors");
  await errors.getByRole("row").filter({ hasText: "Slow down, please" })
    .getByText("3", {
      exact: true,
    }).waitFor();
  await errors.getByText("This prompt is not allowed").waitFor();
  await section(page, "Events").getByText("The disk is nearly full").waitFor();
  const table = page.locator("details").filter({
    hasText: "Table of Rows per second",
  });
  await table.locator("summary").click();
  await table.getByRole("row").nth(2).waitFor();
  const samples = section(page, "Samples");
  await samples.getByText("The answer to row-").first().waitFor();
  await samples.getByRole("tab", { name: /Failures/ }).click();
  await samples.getByText("This prompt is not allowed").first().click();
  await samples.getByRole("group", { name: "Prompt" }).getByText(
    /^What is \d+ \+ \d+\?$/,
  )
    .waitFor();
});

Deno.test("page: an error in one part does not stop the others", async () => {
  await using stage = stageRun();
  await using visited = await visitStill(stage.served.url, {
    expected: /undefined/,
  });
  const { page } = visited;
  await stateWord(page, "Starting").waitFor();
  stage.run.emit(makeRunStart());
  const unknown = makeErrorGroup({ actions: undefined });
  stage.run.emit(makeSnapshot({ succeeded: 381, errors: [unknown] }));
  stage.strike();
  await tileShows(page, "Answered", "381");
  await page.getByRole("status").getByText(/^Running/).waitFor({
    state: "attached",
  });
  const dateless = makeErrorGroup({
    message: "no date",
    first_seen: "",
    last_seen: "soon",
  });
  stage.run.emit(
    makeSnapshot({ succeeded: 382, last_durable: "", errors: [dateless] }),
  );
  stage.strike();
  await tileShows(page, "Answered", "382");
  const row = section(page, "Errors").getByRole("row").filter({
    hasText: "no date",
  });
  // The table is drawn some frames after the tile.
  const unknownTimes = row.getByRole("cell", { name: "–", exact: true });
  await unknownTimes.nth(1).waitFor();
  assertEquals(await unknownTimes.count(), 2);
});

Deno.test("page: opens from a link of another site, and without the token in its address", async () => {
  await using job = await startJob(50);
  const link = `<a href="${job.served.url}">to the run</a>`;
  await using site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(link, { headers: { "content-type": "text/html" } }),
  );
  await using visited = await visit(`http://localhost:${site.addr.port}/`, {
    expected: /favicon|404/,
  });
  const { page } = visited;
  await page.getByRole("link", { name: "to the run" }).click();
  await stateWord(page, "Running").waitFor();
  assertEquals(page.url(), `http://127.0.0.1:${job.served.port}/`);
  await page.goBack();
  await page.getByRole("link", { name: "to the run" }).waitFor();
});

Deno.test("page: two runs are open in one browser, each with its own page", async () => {
  await using one = await startJob(50);
  await using two = await startJob(50);
  await using first = await visit(one.served.url);
  await using second = await visit(two.served.url, { sibling: first });
  one.teacher.release(11);
  two.teacher.release(22);
  await tileShows(first.page, "Answered", "11");
  await tileShows(second.page, "Answered", "22");
  await first.page.reload();
  await second.page.reload();
  await tileShows(first.page, "Answered", "11");
  await tileShows(second.page, "Answered", "22");
  await second.page.getByRole("button", { name: "Pause" }).click();
  await stateWord(second.page, "Paused").waitFor();
  assertEquals([one.generator.state, two.generator.state], [
    "running",
    "paused",
  ]);
});

for (const prefix of ["", "/user/ada/proxy"]) {
  const way = prefix === "" ? "a tunnel with another port" : "a proxy that takes a prefix away";
  Deno.test(`page: works behind ${way}, with socket, controls and report`, async () => {
    await using job = await startJob(50);
    await using tunnel = openTunnel(job.served.port, prefix);
    const base = `http://127.0.0.1:${tunnel.port}${prefix}/`;
    await using visited = await visit(
      `${base}?token=${job.served.monitor.token}`,
    );
    const { page, requests } = visited;
    job.teacher.release(7);
    await tileShows(page, "Answered", "7");
    await page.getByRole("button", { name: "Pause" }).click();
    await stateWord(page, "Paused").waitFor();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download report" }).click();
    assertEquals(await (await downloading).failure(), null);
    assertEquals(page.url(), base);
    const elsewhere = requests.filter((url) =>
      !url.startsWith(base) && !url.startsWith(base.replace("http", "ws")) &&
      !url.startsWith("data:")
    );
    assertEquals(elsewhere, []);
  });
}
