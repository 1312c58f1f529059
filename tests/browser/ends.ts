/// <reference lib="dom" />
/**
 * The end of a run on its page: a halt with its command, a reload, a notification, and what is left
 * when the process has ended.
 */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { makeSnapshot, makeSummary } from "../progress/fixtures.ts";
import { tempDir } from "../support/temp.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { type Visit, visit, visitStill } from "./browser.ts";
import type { Page } from "./deps/playwright.ts";
import { section, stateWord, tileShows } from "./parts.ts";
import { makeRunStart, stageRun } from "./staged_run.ts";

const RETRY = "deno task distill retry in.jsonl -o out/";
const LONG = Array.from({ length: 3_000 }, (_, i) => `Sentence ${i}.`).join(
  " ",
);

/** A run that describes itself and, at its end, the commands to continue with. */
function stageEnding() {
  const stage = stageRun({
    about: (summary) => ({
      facts: [{ name: "Command", text: "deno task distill in.jsonl -o out/" }],
      commands: summary === null ? [] : [{ name: "Retry", command: RETRY }],
    }),
  });
  stage.run.emit(makeRunStart());
  stage.play(8);
  const answer = makeAnswer("long");
  stage.run.settle([{
    ...answer,
    completion: answer.completion && { ...answer.completion, response: LONG },
  }]);
  stage.strike(4);
  return stage;
}

/** Records the browser's notifications in the global `notified`. Headless Chromium shows none. */
function recordNotifications(): void {
  const notified: string[][] = [];
  Reflect.set(globalThis, "notified", notified);
  class Recorded extends Notification {
    constructor(title: string, options?: NotificationOptions) {
      super(title, options);
      notified.push([this.title, this.body]);
    }
  }
  Reflect.set(globalThis, "Notification", Recorded);
}

/** Opens the page of a run and asks for a notification at its end. */
async function visitWithNotifications(url: string): Promise<Visit> {
  const visited = await visitStill(url, {
    initScript: recordNotifications,
    permissions: ["notifications"],
  });
  await stateWord(visited.page, "Running").waitFor();
  await visited.page.getByRole("switch", { name: "Notify me at the end" }).click();
  return visited;
}

Deno.test("page: a halt is a red banner with the command to copy, notified, and still there after a reload", async () => {
  await using stage = stageEnding();
  await using visited = await visitWithNotifications(stage.served.url);
  const { page } = visited;
  const reason = "The teacher rejects all rows (401): Incorrect API key";
  stage.run.emit(makeSnapshot({ ...stage.run.now, state: "halted", reason }));
  stage.run.emit(makeSummary({ state: "halted", reason, pending: 900 }));
  for (let visits = 0; visits < 2; visits++) {
    await stateWord(page, "Halted").waitFor();
    const banner = page.locator("#next");
    await banner.getByText(reason).waitFor();
    await banner.getByText(RETRY, { exact: true }).waitFor();
    const color = await banner.evaluate((one) => getComputedStyle(one).color);
    const [red, green] = color.match(/\d+/g)!.map(Number);
    assert(red > green * 2, color);
    await section(page, "What was run").getByText(RETRY, { exact: true })
      .waitFor();
    assert((await page.title()).includes("Halted"), await page.title());
    if (visits > 0) break;
    const notified = await page.evaluate(() => Reflect.get(globalThis, "notified"));
    assertEquals(notified.length, 1);
    const [[title, body]] = notified;
    assertEquals(title, "qwen3-235b-a22b: Halted");
    assert(body.includes(reason), body);
    await page.reload();
  }
});

Deno.test("page: notifies of the end in a hidden tab, of which browsers draw no frames", async () => {
  await using stage = stageEnding();
  await using visited = await visitWithNotifications(stage.served.url);
  const { page } = visited;
  await page.evaluate(() => void Reflect.set(globalThis, "requestAnimationFrame", () => 0));
  stage.run.emit(makeSummary({ state: "done" }));
  // By default, Playwright looks again at each frame; here there are none.
  await page.waitForFunction(() => Reflect.get(globalThis, "notified").length === 1, undefined, {
    polling: 50,
  });
});

Deno.test("page: does not promise a notification that the browser forbids", async () => {
  await using stage = stageEnding();
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  const wanted = page.getByRole("switch", { name: "Notify me at the end" });
  // The click checks it; the denied request unchecks it again.
  await wanted.click();
  await page.waitForFunction(() => !document.querySelector<HTMLInputElement>("#notify")!.checked);
});

/** Runs in an insecure context, and records the addresses of answers that the page has read. */
function recordReads(): void {
  Object.defineProperty(globalThis, "isSecureContext", { value: false });
  const read: string[] = [];
  Reflect.set(globalThis, "read", read);
  for (const name of ["json", "text"] as const) {
    const method = Response.prototype[name];
    Response.prototype[name] = async function () {
      const body = await method.call(this);
      // After the page has used it.
      setTimeout(() => read.push(this.url));
      return body;
    };
  }
}

/** Waits until the page has all it needs for a report. */
async function hasWholeReport(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const read: string[] = Reflect.get(globalThis, "read");
    return ["/samples", "/report-shell"].every((path) => read.some((url) => url.endsWith(path)));
  });
}

Deno.test("page: makes a whole report when the process of the run is gone, without a secure context too", async () => {
  await using dir = await tempDir();
  await using stage = stageEnding();
  await using visited = await visitStill(stage.served.url, {
    expected: /WebSocket|Failed to load/,
    initScript: recordReads,
  });
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  assertEquals(
    await page.getByRole("switch", { name: "Notify me at the end" }).count(),
    0,
  );
  stage.run.emit(makeSnapshot({ ...stage.run.now, succeeded: 145 }));
  stage.run.emit(makeSummary({ succeeded: 145, failed: 1, failures_on_disk: 1 }));
  await stateWord(page, "Done with failures").waitFor();
  await hasWholeReport(page);
  await page.reload();
  await hasWholeReport(page);
  await stage.served.close();
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download report" }).click();
  const path = dir.path("report.html");
  await (await downloading).saveAs(path);
  await section(page, "Controls").getByText("Report downloaded").waitFor();
  await using report = await visit(`file://${path}`);
  await stateWord(report.page, "Done with failures").waitFor();
  await tileShows(report.page, "Answered", "145");
  assert(
    (await Deno.readTextFile(path)).includes(LONG.slice(-200)),
    "the whole answer",
  );
});
