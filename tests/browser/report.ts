/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** The report: the same page from disk, without a server. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { tempDir } from "../support/temp.ts";
import { visit } from "./browser.ts";
import { startJob } from "./job.ts";
import { drawnCanvas, section, stateWord, tileShows } from "./parts.ts";

Deno.test("report: shows from disk how the run ended, and asks no server for anything", async () => {
  await using dir = await tempDir();
  const path = dir.path("report.html");
  {
    await using job = await startJob(60);
    job.teacher.release(
      1,
      new TeacherError("This prompt is not allowed", { status: 400 }),
    );
    job.teacher.open();
    await job.summary;
    await Deno.writeTextFile(path, job.served.monitor.report());
  }
  await using visited = await visit("about:blank");
  const { page, requests } = visited;
  await page.context().setOffline(true);
  await page.goto(`file://${path}`);
  await stateWord(page, "Done with failures").waitFor();
  await tileShows(page, "Answered", "59");
  await tileShows(page, "Failed", "1");
  await section(page, "Errors").getByText("This prompt is not allowed")
    .waitFor();
  await section(page, "Samples").getByText(/^The answer to row-/).first()
    .waitFor();
  assertEquals(
    await page.getByRole("button", { name: /Pause|Abort|Apply|Drain/ }).count(),
    0,
  );
  assertEquals(
    await page.getByRole("button", { name: "Download report" }).count(),
    0,
  );
  const charts = page.locator("figure.large");
  assertEquals(await charts.count(), 4);
  for (const chart of await charts.all()) {
    const canvas = await drawnCanvas(chart);
    assert(
      await canvas.evaluate(hasInk),
      "an empty chart",
    );
  }
  assertEquals(requests.filter((url) => !url.startsWith("data:")), [
    `file://${path}`,
  ]);
});

/** Whether anything is drawn on a canvas. */
function hasInk(canvas: Element): boolean {
  if (!(canvas instanceof HTMLCanvasElement)) return false;
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d")?.getImageData(0, 0, width, height)
    .data;
  return pixels?.some((byte) => byte > 0) ?? false;
}

Deno.test("report: the button gives the run as it is at that moment", async () => {
  await using dir = await tempDir();
  await using job = await startJob(60);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  job.teacher.release(12);
  await tileShows(page, "Answered", "12");
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download report" }).click();
  const path = dir.path("report.html");
  await (await downloading).saveAs(path);
  job.teacher.release(12);
  await tileShows(page, "Answered", "24");
  await using report = await visit(`file://${path}`);
  await tileShows(report.page, "Answered", "12");
  await stateWord(report.page, "Running").waitFor();
});
