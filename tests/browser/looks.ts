/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Accessibility: keyboard, narrow screens, the dark theme, and screen readers. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Page } from "./deps/playwright.ts";
import { makeSnapshot, makeSummary } from "../progress/fixtures.ts";
import { tempDir } from "../support/temp.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { type VisitOptions, visitStill } from "./browser.ts";
import { overflow, section, stateWord, unfoldAll, violations } from "./parts.ts";
import { makeRunStart, type StagedRun, stageRun } from "./staged_run.ts";

const NOTICES = [
  "Concurrency set to 64 (from the monitor)",
  `Cannot reach ${"gpu1".repeat(40)}`,
];

/** A run in its middle, with something in every part of the page. */
function stageFullRun(): StagedRun {
  const stage = stageRun();
  stage.run.emit(makeRunStart());
  for (const notice of NOTICES) stage.run.notice("warning", notice);
  stage.play(120);
  return stage;
}

/** States in which the page is checked. */
const LIVES = ["running", "done", "report"] as const;

/** Opens the page of a full run. */
async function open(
  life: typeof LIVES[number],
  options: VisitOptions,
): Promise<AsyncDisposable & { page: Page }> {
  await using stack = new AsyncDisposableStack();
  const stage = stack.use(stageFullRun());
  if (life !== "running") {
    stage.run.emit(makeSummary({ ended: new Date().toISOString() }));
  }
  let url = stage.served.url;
  if (life === "report") {
    const dir = stack.use(await tempDir());
    url = `file://${await dir.write(
      "report.html",
      stage.served.monitor.report(),
    )}`;
  }
  const { page } = stack.use(await visitStill(url, options));
  await stateWord(page, life === "running" ? "Running" : "Done").waitFor();
  if (life === "running") {
    await page.getByRole("button", { name: "Pause", disabled: false })
      .waitFor();
  }
  const rest = stack.move();
  return { page, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

/** Opens a sample with its reasoning, and the table of a chart. */
async function openBoxes(page: Page): Promise<void> {
  const samples = section(page, "Samples");
  await samples.getByText(/^prompt of row-/).first().click();
  await samples.getByText(/^Reasoning/).first().click();
  await page.getByText("Table of Latency", { exact: true }).click();
  await page.getByText("Table of latency of the whole run", { exact: true })
    .click();
}

/** Width and theme. An active run has all widths; 360, 1440 and 1920 have both themes. */
const LOOKS: Readonly<
  Record<typeof LIVES[number], readonly [number, "light" | "dark"][]>
> = {
  running: [
    [360, "light"],
    [768, "dark"],
    [1_024, "light"],
    [1_440, "dark"],
    [1_920, "light"],
  ],
  done: [[360, "light"], [1_920, "dark"]],
  report: [[360, "dark"], [1_440, "light"]],
};

for (const life of LIVES) {
  Deno.test(`page: axe finds nothing, and nothing is cut off, at any width in both themes (${life})`, async () => {
    await using scene = await open(life, {});
    const { page } = scene;
    await openBoxes(page);
    for (const [width, colorScheme] of LOOKS[life]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
      const place = `${life}, ${width}, ${colorScheme}`;
      assertEquals([place, await overflow(page), await violations(page)], [
        place,
        0,
        [],
      ]);
      if (width === 360) assertEquals(await cutOff(page), []);
    }
    if (life !== "running") return;
    for (const name of ["Drain and stop", "Abort …"]) {
      await page.getByRole("button", { name }).click();
      assertEquals(await violations(page), []);
      await page.keyboard.press("Escape");
    }
  });
}

Deno.test("page: charts that are still as wide as before do not widen a narrower page", async () => {
  await using scene = await open("running", { width: 360 });
  const { page } = scene;
  await page.locator(".plot").first().scrollIntoViewIfNeeded();
  await page.locator(".plot .u-wrap").first().waitFor({ state: "attached" });
  const widened = await page.evaluate(() => {
    const charts = [...document.querySelectorAll<HTMLElement>(".u-wrap")];
    for (const chart of charts) chart.style.width = "528px";
    const { scrollWidth, clientWidth } = document.documentElement;
    return [charts.length > 0, scrollWidth - clientWidth];
  });
  assertEquals(widened, [true, 0]);
});

/** Returns controls that are partly outside of the window. */
async function cutOff(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll("button, input, select, a[href], summary")]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ element, box }) =>
        box.width > 0 && !element.classList.contains("skip") &&
        (box.left < 0 || box.right > 360)
      )
      .map(({ element }) => element.outerHTML)
  );
}

Deno.test("page: percentiles at the right edge of the histogram are named beside their lines, inside the window", async () => {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  const latencies = [...Array(8).fill(100), ...Array(8).fill(1_000)];
  stage.run.now = makeSnapshot({ latency_ms: { p50: 100, p90: 1_000, p99: 1_000, max: 1_000 } });
  stage.run.emit(stage.run.now);
  stage.run.settle(latencies.map((latencyMs, i) => ({ ...makeAnswer(`row-${i}`), latencyMs })));
  stage.strike(4);
  await using visited = await visitStill(stage.served.url, { width: 360 });
  const { page } = visited;
  await page.getByText("p90", { exact: true }).last().waitFor();
  assertEquals(await overflow(page), 0);
});

Deno.test("page: the keyboard gets everywhere, in order, and shows where it is", async () => {
  await using scene = await open("running", {});
  const { page } = scene;
  await unfoldAll(page);
  const expected = await page.evaluate(() => {
    const selector = "a[href], button, input, select, summary, [tabindex]";
    const all = [...document.querySelectorAll<HTMLElement>(selector)].filter((
      one,
    ) =>
      one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true }) &&
      !one.matches(":disabled")
    );
    all.forEach((one, i) => one.dataset.place = String(i));
    return all.map((one) => one.outerHTML.slice(0, 120));
  });
  assert(expected.length > 25);
  for (let i = 0; i < expected.length; i++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const one = document.activeElement as HTMLElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const { top, bottom } = one.getBoundingClientRect();
      const isInSight = bottom > 0 && top < innerHeight;
      return {
        place: one.dataset.place,
        outlineStyle,
        width: parseFloat(outlineWidth),
        isInSight,
      };
    });
    assertEquals(
      [focus.place, focus.isInSight],
      [String(i), true],
      expected[i],
    );
    assert(
      focus.outlineStyle !== "none" && focus.width >= 2,
      `no focus is seen: ${expected[i]}`,
    );
  }
});

Deno.test("page: dialogs take the focus, keep it, and give it back", async () => {
  await using scene = await open("running", {});
  const { page } = scene;
  const abort = page.getByRole("button", { name: "Abort …" });
  await abort.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Abort the run?" });
  await dialog.waitFor();
  for (let i = 0; i < 6; i++) {
    const isInside = await dialog.evaluate((one) =>
      one.contains(document.activeElement) ||
      document.activeElement === document.body
    );
    assert(isInside, "the page behind is out of reach");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert(await abort.evaluate((one) => one === document.activeElement));
});

Deno.test("page: arrow keys switch the tabs of samples", async () => {
  await using scene = await open("running", {});
  const samples = section(scene.page, "Samples");
  await samples.getByRole("tab", { name: /^Latest/ }).focus();
  await scene.page.keyboard.press("ArrowRight");
  await scene.page.keyboard.press("ArrowRight");
  await samples.getByRole("tab", { name: /^Failures/, selected: true })
    .waitFor();
  await samples.getByText(/^This prompt cannot be answered/).first().waitFor();
});

Deno.test("page: follows the theme of the system until the user chooses", async () => {
  await using scene = await open("running", { theme: "dark" });
  const { page } = scene;
  const toDark = page.getByRole("button", { name: "Dark theme" });
  const toLight = page.getByRole("button", { name: "Light theme" });
  const isDark = () =>
    page.evaluate(() => {
      const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? [];
      return Number(red) < 100;
    });
  assertEquals(await isDark(), true);
  await page.emulateMedia({ colorScheme: "light" });
  await toDark.waitFor();
  assertEquals(await isDark(), false);
  await toDark.click();
  await toLight.waitFor();
  assertEquals(await isDark(), true);
  await page.reload();
  await toLight.waitFor();
  assertEquals(await isDark(), true, "the choice is remembered");
});
