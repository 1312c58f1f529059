/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Layout of the page: it does not jump, puts important things first, and shows events in the
 * charts.
 */

import { assert, assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import type { Page } from "./deps/playwright.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { visitStill } from "./browser.ts";
import { drawnCanvas, section, stateWord } from "./parts.ts";
import { makeRunStart, type StagedRun, stageRun } from "./staged_run.ts";

/** Installs a meter that sums layout shifts without user input. */
function installShiftMeter(): void {
  const meter = { sum: 0, moved: [] as string[] };
  Reflect.set(globalThis, "shift", meter);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { value, hadRecentInput, sources } = entry as PerformanceEntry & {
        value: number;
        hadRecentInput: boolean;
        sources: { node?: Node }[];
      };
      if (hadRecentInput) continue;
      meter.sum += value;
      for (const { node } of sources) {
        const name = node instanceof Element ? node.id || node.className : node?.nodeName;
        meter.moved.push(`${value.toFixed(3)} ${name}`);
      }
    }
  }).observe({ type: "layout-shift", buffered: true });
}

const TEACHERS = [
  makeTeacher(),
  makeTeacher({ address: "http://gpu2:8000/v1" }),
];
const LOSING = makeErrorGroup({
  type: "request",
  status: 400,
  message: "Too long",
  actions: { retried: 0, failed: 3, halted: 0 },
});

/** Plays one beat of a run whose second teacher goes up and down. */
function flap(stage: StagedRun, beat: number): void {
  const isUp = beat % 2 === 0;
  const until = new Date().toISOString();
  stage.run.emit(makeSnapshot({
    state: isUp ? "running" : "backing_off",
    reason: isUp ? null : "429: tokens per min",
    succeeded: beat * 20,
    failed: beat < 3 ? 0 : beat * 20,
    elapsed_ms: beat * 500,
    total: 10_000,
    limit: isUp ? 20 : 7,
    refused_for_load: beat * 6,
    waiting: isUp ? 0 : 1_234,
    teachers: [TEACHERS[0], {
      ...TEACHERS[1],
      state: isUp ? "up" : "cooling_down",
      until,
    }],
    errors: [makeErrorGroup({ count: beat * 6 })],
  }));
  stage.run.settle([makeAnswer(`row-${beat}`)]);
  stage.strike();
}

/** Answers three rows, which every list of samples shows. */
function moreRows(stage: StagedRun): void {
  stage.run.settle(Array.from({ length: 3 }, () => makeAnswer(`more-${crypto.randomUUID()}`)));
  stage.strike(4);
}

async function nextFrames(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  });
}

Deno.test("page: nothing jumps while a teacher goes up and down, and short waits are not shown", async () => {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  flap(stage, 1);
  await using visited = await visitStill("about:blank", {
    initScript: installShiftMeter,
  });
  const { page } = visited;
  await page.goto(stage.served.url);
  await section(page, "Teachers").waitFor();
  flap(stage, 2);
  await stateWord(page, "Running").waitFor();
  const words = new Set<string>(), steps: string[] = [];
  for (let beat = 3; beat < 43; beat++) {
    flap(stage, beat);
    await nextFrames(page);
    words.add(await page.locator("#state-word").innerText());
    steps.push(await page.locator("#next-words").innerText());
  }
  const { sum, moved } = await page.evaluate(() => Reflect.get(globalThis, "shift"));
  assertLess(sum, 0.05, JSON.stringify(moved.toSorted().toReversed().slice(0, 20)));
  assertEquals([...words], ["Running"]);
  // From beat 3 on, half of the rows fail: the way to stop appears, and stays.
  const shown = steps.slice(steps.findIndex((step) => step !== ""));
  assert(shown.every((step) => step.includes("press Ctrl-C")), steps.join("\n"));
});

Deno.test("page: problems are above the fold, lead to their rows, and lists do not move under pointer and focus", async () => {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  stage.play(30);
  stage.run.now = makeSnapshot({ ...stage.run.now, errors: [LOSING] });
  stage.run.emit(stage.run.now);
  const failure = {
    type: "request",
    status: 500,
    message: "Another kind",
  } as const;
  stage.run.settle([{
    ...makeAnswer("other"),
    completion: undefined,
    failure,
  }]);
  stage.strike(4);
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  const row = section(page, "Errors").getByRole("row").filter({
    hasText: "Too long",
  });
  for (
    const [width, height, most] of [[1024, 768, 768], [360, 740, 1_110], [
      1440,
      900,
      900,
    ]]
  ) {
    await page.setViewportSize({ width, height });
    const box = await row.boundingBox();
    assert(box !== null && box.y + 40 < most, `${width}: ${box?.y}`);
  }
  await row.getByText("3 failed").waitFor();
  await row.getByText(/rejects these rows: change/).waitFor();
  await row.getByRole("button", { name: /^Show rows/ }).click();
  const samples = section(page, "Samples");
  await samples.getByText("Latest failures of type request, status 400")
    .waitFor();
  assertEquals(await samples.getByText("Another kind").count(), 0);
  await samples.getByRole("button", { name: "Show all failures" }).click();
  await samples.getByText("Another kind").waitFor();

  await samples.getByRole("tab", { name: /^Latest/ }).click();
  const first = samples.locator("details.card").first();
  for (const how of ["hover", "focus"] as const) {
    await first.locator("summary")[how]();
    const uid = await first.locator(".uid").innerText();
    moreRows(stage);
    await samples.getByText(/newer, held back while you read/).waitFor();
    assertEquals(await first.locator(".uid").innerText(), uid, how);
    if (how === "focus") {
      assert(await first.evaluate((one) => one.contains(document.activeElement)));
    }
    await page.mouse.move(0, 0);
    await page.getByRole("button", { name: /^Show rows/ }).focus();
    await first.locator(".uid").filter({ hasNotText: uid }).waitFor();
  }
});

Deno.test("page: charts show events, hide lines, and show a range of time", async () => {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  stage.play(20);
  stage.run.notice("info", "Paused (from the monitor)");
  stage.play(20);
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  const chart = page.locator("figure").filter({ hasText: "Rows per second" });
  const canvas = await drawnCanvas(chart);
  const over = chart.locator(".u-over");
  const named = page.locator("#cursor-time").getByText(/in · Paused$/);
  // The chart may still move under the pointer.
  while (!await named.isVisible()) {
    const box = await over.boundingBox();
    assert(box !== null);
    for (const part of [0.48, 0.5]) {
      await over.hover({ position: { x: box.width * part, y: box.height / 2 } });
    }
  }
  const picture = () => canvas.evaluate((one) => (one as HTMLCanvasElement).toDataURL());
  await page.mouse.move(0, 0);
  const whole = await picture();
  await chart.getByRole("button", { name: "answered", pressed: true }).click();
  await chart.getByRole("button", { name: "answered", pressed: false })
    .waitFor();
  const without = await picture();
  assert(whole !== without, "a line is hidden");
  await chart.getByRole("button", { name: "answered" }).click();
  await page.getByRole("combobox", { name: "Time range of the charts" })
    .selectOption("300");
  assertEquals(await page.getByRole("combobox").inputValue(), "300");
});

Deno.test("page: prints light, without controls, with all charts drawn", async () => {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  stage.play(60);
  await using visited = await visitStill(stage.served.url, { theme: "dark" });
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  const pdf = await page.pdf();
  assert(
    pdf.length > 20_000 &&
      new TextDecoder().decode(pdf.slice(0, 5)) === "%PDF-",
  );
  await page.emulateMedia({ media: "print" });
  assertEquals(await section(page, "Controls").count(), 0);
  // In one step, because the page may still hear that the printing before is over.
  const [theme, drawn] = await page.evaluate(() => {
    dispatchEvent(new Event("beforeprint"));
    return [
      document.documentElement.dataset.theme,
      document.querySelectorAll("figure canvas").length,
    ];
  });
  assertEquals(theme, "light");
  assert(Number(drawn) >= 7, `${drawn} charts`);
});
