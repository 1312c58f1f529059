/// <reference lib="dom" />
/**
 * A browser whose language is not a valid language tag, as Chromium has in some locales of the
 * system.
 */

import { visit } from "./browser.ts";
import { startJob } from "./job.ts";
import { drawnCanvas, tileShows } from "./parts.ts";

Deno.test("language: figures and charts are drawn where the browser's language is not a valid tag", async () => {
  await using job = await startJob(60);
  await using visited = await visit(job.served.url, {
    initScript: () => {
      Object.defineProperty(navigator, "language", { get: () => "en-US@posix" });
      Object.defineProperty(navigator, "languages", { get: () => ["en-US@posix"] });
    },
  });
  const { page } = visited;
  job.teacher.release(12);
  await tileShows(page, "Answered", "12");
  const chart = page.locator("figure").filter({ has: page.locator("canvas") }).first();
  await drawnCanvas(chart);
});
