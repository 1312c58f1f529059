/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The data page: rows are found, filtered, searched, opened and selected, by mouse and by keyboard.
 */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { DataService } from "../../lib/data/mod.ts";
import type { DataRequests, ShownRow } from "../../lib/data/mod.ts";
import { delay } from "../../lib/timer.ts";
import { serveView } from "../../web/view/server.ts";
import { formatId } from "../../web/page/figures.js";
import { failureLine, resultLine } from "../data/lines.ts";
import { HOSTILE_TEXTS } from "../support/hostile_texts.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { visit, type VisitOptions } from "./browser.ts";
import type { Locator, Page } from "./deps/playwright.ts";
import { overflow, violations } from "./parts.ts";
import { openTunnel } from "./tunnel.ts";

/** The data page over files in a temporary folder. */
interface Scene extends AsyncDisposable {
  readonly dir: TempDir;
  readonly page: Page;
  readonly url: string;
}

/** Opens the data page over files with these contents. */
async function openView(
  files: Record<string, string>,
  { folder = "out", ...options }: VisitOptions & {
    hash?: string;
    folder?: string;
  } = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  for (const [name, text] of Object.entries(files)) {
    await dir.write(`${folder}/${name}`, text);
  }
  const service = stack.use(
    await DataService.open({ paths: [dir.path(folder)] }),
  );
  // The page may show a count that is two seconds old.
  while (!(await service.ask("state", {})).index.isCurrent) await delay(5);
  const served = stack.use(serveView(service, { program: "retort" }));
  const { page } = stack.use(await visit(served.url, options));
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
  const rest = stack.move();
  return {
    dir,
    page,
    url: served.url,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const PROSE = "The first step adds the numbers, and the second step divides them.";

/** 300 answers: several of each kind, three samples of one row, and failures. */
function someFiles(): Record<string, string> {
  let results = "";
  for (let i = 0; i < 300; i++) {
    const uid = `row-${i}`;
    const own = { lang: i % 3 === 0 ? "de" : "en", score: i % 7 };
    const response = i % 50 === 1
      ? "I'm sorry, but I can't help with that."
      : i % 50 === 2
      ? "Let me check this again. ".repeat(20)
      : `## Answer ${i}\n\n${PROSE} The result is **${i}**.`;
    const distill = {
      completion_tokens: 10 + i,
      finish_reason: i % 30 === 3 ? "length" : "stop",
      cost_usd: i / 1e5,
    };
    results += resultLine({
      uid,
      prompt: `What is the number ${i}?`,
      response,
      own,
      distill,
      reasoning: i === 0 ? "Hm." : "",
    });
  }
  for (const sample of [1, 2]) {
    results += resultLine({
      uid: `row-0#${sample}`,
      inputUid: "row-0",
      prompt: "What is the number 0?",
      response: `${PROSE} The result is ${sample}.`,
    });
  }
  const run = {
    input: "prompts.jsonl",
    identity: { model: "qwen3" },
    params: { "44136fa3": { max_tokens: 100 } },
  };
  return {
    "x.jsonl": results,
    "x_error.jsonl": failureLine("failed-1") +
      failureLine("failed-2", { type: "http", status: 503 }),
    "x.run.json": JSON.stringify(run),
  };
}

/** Waits until the page shows this count of rows. */
async function shows(page: Page, words: string): Promise<void> {
  await page.locator("#count").getByText(words, { exact: true }).waitFor();
}

function grid(page: Page): Locator {
  return page.getByRole("grid");
}

function row(page: Page, uid: string): Locator {
  return page.getByRole("row").filter({
    has: page.getByText(uid, { exact: true }),
  });
}

Deno.test("data page: facets, flags, ranges and conditions narrow the rows, and are in the address", async () => {
  await using scene = await openView(someFiles());
  const { page } = scene;
  await shows(page, "304 rows");
  const refusals = page.getByRole("checkbox", { name: /^Refusal/ });
  const label = page.locator("label", { has: refusals });
  assert(
    (await label.getAttribute("title"))?.includes("As an AI"),
    "a flag explains itself on hover",
  );
  await refusals.check();
  await shows(page, "6 of 304 rows");
  await refusals.uncheck();
  await page.getByRole("button", { name: "Exclude Refusal" }).click();
  await page.getByRole("button", { name: "Exclude Repetition loop" }).click();
  await page.getByRole("checkbox", { name: /^de/ }).check();
  await shows(page, "96 of 304 rows");
  await page.getByRole("spinbutton", { name: "Answer tokens from" }).fill(
    "200",
  );
  await page.keyboard.press("Tab");
  await shows(page, "34 of 304 rows");
  await page.getByRole("textbox", { name: "Condition" }).fill(
    "score > 4 or score == 0",
  );
  await shows(page, "13 of 304 rows");
  const condition = await page.locator("#condition").textContent();
  assertEquals(
    condition,
    'not flags contains "refusal" and not flags contains "loop" and lang == "de" and ' +
      "completion_tokens >= 200 and (score > 4 or score == 0)",
  );
  await page.getByRole("button", { name: "Tokens", exact: true }).click();
  await page.locator("#row-0").getByText("304", { exact: true }).waitFor();
  await page.getByText("Columns", { exact: true }).click();
  await page.getByRole("group", { name: "Columns" }).getByRole("checkbox", {
    name: "score",
  }).check();
  await page.getByRole("columnheader", { name: "score" }).waitFor();
  await page.reload();
  await shows(page, "13 of 304 rows");
  await page.getByRole("columnheader", { name: "score" }).waitFor();
  await page.locator("#row-0").getByText("304", { exact: true }).waitFor();
  await page.getByRole("textbox", { name: "Condition" }).fill("score >");
  await page.getByRole("alert").getByText("Cannot use the condition").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await shows(page, "304 rows");
});

Deno.test("data page: counts of all rows stay those of all, even if a condition is typed while they are requested", async () => {
  await using dir = await tempDir();
  for (const [name, text] of Object.entries(someFiles())) {
    await dir.write(`out/${name}`, text);
  }
  await using service = await DataService.open({ paths: [dir.path("out")] });
  while (!(await service.ask("state", {})).index.isCurrent) await delay(10);
  const state = Promise.withResolvers<void>();
  const ask = async (...[name, given]: Parameters<DataService["ask"]>) => {
    if (name === "state") await state.promise;
    return await service.ask(name, given);
  };
  const source = { ...service, files: service.files, ask: ask as DataService["ask"] };
  await using served = serveView(source, { program: "retort" });
  await using visited = await visit(served.url);
  const { page } = visited;
  await page.getByRole("textbox", { name: "Condition" }).fill('lang == "de"');
  await page.locator("#condition").getByText('lang == "de"').waitFor();
  state.resolve();
  await shows(page, "100 of 304 rows");
  await page.getByRole("checkbox", { name: /^en/ }).waitFor();
});

Deno.test("data page: searches texts and patterns, and opens the hits", async () => {
  await using scene = await openView(someFiles());
  const { page } = scene;
  const search = page.getByRole("searchbox", { name: "Search", exact: true });
  await search.fill("ANSWER 29");
  await shows(page, "11 of 304 rows");
  await page.getByRole("checkbox", { name: "Regular expression" }).check();
  await search.fill("answer 29\\d$");
  await shows(page, "0 of 304 rows");
  await search.fill("answer 29[0-9]\\n");
  await shows(page, "10 of 304 rows");
  await page.getByLabel("Search in").selectOption("in prompts");
  await search.fill("number (7|8)\\?");
  await shows(page, "2 of 304 rows");
  await page.getByRole("row").getByText("row-8", { exact: true }).click();
  const detail = page.getByRole("complementary");
  await detail.getByRole("heading", { name: "row-8" }).waitFor();
  await detail.locator(".md").getByText("Answer 8", { exact: true }).waitFor();
  await detail.getByRole("button", { name: "Raw answer" }).click();
  await detail.getByText("## Answer 8").waitFor();
  await detail.getByRole("button", { name: "Raw answer" }).click();
  await detail.getByText("Raw JSON").click();
  await page.reload();
  await detail.getByRole("heading", { name: "row-8", exact: true }).waitFor();
});

Deno.test("data page: Back closes the open row, and keeps a filter that was changed meanwhile", async () => {
  await using scene = await openView(someFiles());
  const { page } = scene;
  await shows(page, "304 rows");
  const detail = page.getByRole("complementary");
  const opens = async (uid: string) => {
    await detail.getByRole("heading", { name: uid, exact: true }).waitFor();
  };
  await row(page, "row-3").click();
  await opens("row-3");
  await detail.getByRole("button", { name: "Next" }).click();
  await opens("row-4");
  await page.getByRole("checkbox", { name: /^de/ }).check();
  await shows(page, "100 of 304 rows");
  await page.goBack();
  await detail.waitFor({ state: "hidden" });
  await shows(page, "100 of 304 rows");
  assert(page.url().includes("lang") && !page.url().includes("row="), page.url());
  await page.goForward();
  await opens("row-4");
  await page.keyboard.press("Escape");
  await detail.waitFor({ state: "hidden" });
  // Rows that were opened later use the same entry.
  await row(page, "row-6").click();
  await opens("row-6");
  // The row has no entry until the browser has stepped back from the one before.
  await page.waitForURL(/row=row-6/);
  await page.goBack();
  await detail.waitFor({ state: "hidden" });
  assert(page.url().includes("lang"), page.url());
  // The entry of the row has the filter of the time when the row was open.
  await page.getByRole("checkbox", { name: /^de/ }).uncheck();
  await page.getByRole("checkbox", { name: /^en/ }).check();
  await shows(page, "200 of 304 rows");
  await page.goForward();
  await opens("row-6");
  await shows(page, "200 of 304 rows");
  await page.goBack();
  await detail.waitFor({ state: "hidden" });
  await shows(page, "200 of 304 rows");
  // An address that the user enters begins anew, and Back returns to the filter before it.
  await page.evaluate(() => location.hash = "where=score+%3D%3D+1");
  await shows(page, "43 of 304 rows");
  await page.goBack();
  await shows(page, "200 of 304 rows");
});

Deno.test("data page: one press of Back leaves the table after a row was closed, and Forward opens the row again", async () => {
  await using scene = await openView(someFiles());
  const { page } = scene;
  await shows(page, "304 rows");
  const before = page.url();
  const detail = page.getByRole("complementary");
  const opened = (uid: string) => detail.getByRole("heading", { name: uid, exact: true }).waitFor();
  const ways = [
    () => page.keyboard.press("Escape"),
    () => page.locator("#grid").press("Escape"),
    () => detail.getByRole("button", { name: "Close" }).click(),
  ];
  for (const close of ways) {
    await row(page, "row-3").click();
    await opened("row-3");
    // A reload keeps the entries.
    await page.reload();
    await opened("row-3");
    await close();
    await detail.waitFor({ state: "hidden" });
    await page.waitForURL(before);
    await page.goForward();
    await opened("row-3");
    await page.locator("#grid").press("Escape");
    await page.waitForURL(before);
  }
  // Opens the next row before the browser has stepped back.
  await page.locator("#grid").press("Home");
  await page.keyboard.press("Enter");
  await opened("row-0");
  await page.evaluate(() => {
    const press = (key: string) =>
      document.querySelector("#grid")!.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
      );
    press("Escape");
    press("ArrowDown");
    press("Enter");
  });
  await opened("row-1");
  await page.waitForURL(/row=row-1/);
  await page.goBack();
  await detail.waitFor({ state: "hidden" });
  await page.waitForURL(before);
  await page.goBack();
  assert(page.url() !== before, page.url());
});

Deno.test("data page: the address of a row leads to it even if an earlier row has the same id", async () => {
  const rows = [1, 2].map((n) =>
    resultLine({ uid: "q", response: `${PROSE} The result is ${n}.` })
  );
  const copy = resultLine({ uid: "copy", response: `${PROSE} The result is 2.` });
  await using scene = await openView({ "a.jsonl": rows[0], "b.jsonl": rows[1] + copy });
  const { page } = scene;
  await shows(page, "3 rows");
  const detail = page.getByRole("complementary");
  const isSecond = () => detail.locator("dd").getByText(/b\.jsonl$/).waitFor();
  await page.locator("#row-1").click();
  await isSecond();
  await page.reload();
  await page.locator("#row-1.opened").waitFor();
  await isSecond();
  await page.locator("#row-2").click();
  await detail.getByRole("button", { name: "Open q" }).click();
  await page.locator("#row-1.opened").waitFor();
  await page.getByRole("textbox", { name: "Condition" }).fill('uid == "copy"');
  await shows(page, "1 of 3 rows");
  await page.reload();
  await detail.getByText("Not among the rows that are shown").waitFor();
  await isSecond();
});

Deno.test("data page: the original of a duplicate is opened although a new row has moved it", async () => {
  await using dir = await tempDir();
  const line = (uid: string, tokens: number, response?: string) =>
    resultLine({ uid, response, distill: { completion_tokens: tokens } });
  const response = `${PROSE} The result is 1.`;
  const lines = [line("a", 500), line("q", 300, response), line("b", 200)];
  const path = await dir.write("x.jsonl", [...lines, line("copy", 100, response)].join(""));
  await using service = await DataService.open({ paths: [path] });
  let pause = Promise.resolve();
  const ask = async (...[name, given]: Parameters<DataService["ask"]>) => {
    if (name === "state") await pause;
    return await service.ask(name, given);
  };
  const source = { ...service, files: service.files, ask: ask as DataService["ask"] };
  await using served = serveView(source, { program: "retort" });
  await using visited = await visit(served.url);
  const { page } = visited;
  await shows(page, "4 rows");
  await page.getByRole("button", { name: "Tokens", exact: true }).click();
  await page.locator("#row-3").getByText("copy", { exact: true }).click();
  const detail = page.getByRole("complementary");
  await detail.getByRole("heading", { name: "copy", exact: true }).waitFor();
  const paused = Promise.withResolvers<void>();
  pause = paused.promise;
  await Deno.writeTextFile(path, line("new", 400), { append: true });
  const query = { where: "", sort: "distill.completion_tokens", descending: true };
  while (await service.ask("locate", { ...query, uid: "q", id: "" }) !== 2) await delay(50);
  await detail.getByRole("button", { name: "Open q" }).click();
  await detail.getByRole("heading", { name: "q", exact: true }).waitFor();
  paused.resolve();
});

Deno.test("data page: every answer of a row with many can be chosen", async () => {
  let text = "";
  for (let sample = 0; sample < 120; sample++) {
    const uid = sample === 0 ? "q" : `q#${sample}`;
    text += resultLine({
      uid,
      inputUid: "q",
      prompt: "q",
      response: `The answer is ${sample}.`,
    });
  }
  await using scene = await openView({ "x.jsonl": text }, {});
  const { page } = scene;
  const detail = page.getByRole("complementary");
  await row(page, "q").first().click();
  await detail.getByText("120 answers to this row").waitFor();
  const later = detail.getByRole("button", { name: "Next answers" });
  await later.click();
  await detail.getByText("Answers 51 to 100").waitFor();
  await later.click();
  await detail.getByText("Answers 71 to 120").waitFor();
  assert(await later.isDisabled());
  await detail.getByRole("combobox", { name: "Right sample" }).selectOption(
    "q#119",
  );
  await detail.getByLabel("q#119", { exact: true }).getByText("119").waitFor();
  // The open row stays on the left.
  await detail.getByLabel("q", { exact: true }).getByText("0").waitFor();
});

Deno.test("data page: compares samples, explains flags and failures, and finds near duplicates", async () => {
  await using scene = await openView(someFiles(), {});
  const { page } = scene;
  const detail = page.getByRole("complementary");
  await row(page, "row-0").first().click();
  await detail.getByText("3 answers to this row").waitFor();
  await detail.getByText("Reasoning").click();
  await detail.getByText("Hm.").waitFor();
  assert(
    await detail.locator("ins").count() > 0 &&
      await detail.locator("del").count() > 0,
  );
  await detail.getByRole("combobox", { name: "Right sample" }).selectOption({
    index: 2,
  });
  await detail.getByLabel("row-0#2").getByText("2", { exact: true }).waitFor();
  await page.getByRole("group", { name: "Failure" }).getByRole("checkbox", {
    name: /^http/,
  }).check();
  await row(page, "failed-2").click();
  await detail.getByText("http 503: No answer within 1 s").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByRole("button", { name: "Compare answers" }).click();
  await page.getByText(/answers are near duplicates of earlier ones/).waitFor();
  await page.getByRole("textbox", { name: "Condition" }).fill("near_duplicate");
  await page.getByText(/^[1-9]\d* of 304 rows$/).waitFor();
  await page.getByRole("button", { name: "Use these rows …" }).click();
  await page.getByRole("dialog").getByText(
    "Commands do not know this condition",
  ).waitFor();
});

Deno.test("data page: keys move on from a row that is still being opened", async () => {
  await using scene = await openView(someFiles());
  const { page } = scene;
  await row(page, "row-3").waitFor();
  const refreshed = () => page.waitForResponse(/data\/overview/);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await page.route(/data\/row\?/, async (route) => {
    await released;
    await route.continue();
  });
  await grid(page).press("Enter");
  await page.keyboard.press("End");
  await page.locator("#row-303.active").waitFor();
  // The second refresh begins after the first one was shown.
  await refreshed();
  await refreshed();
  release();
  await page.getByRole("complementary").getByRole("heading", { name: "row-0", exact: true })
    .waitFor();
  assertEquals(await grid(page).getAttribute("aria-activedescendant"), "row-303");
});

Deno.test("data page: gives commands for a filter and for selected rows, with the keyboard alone", async () => {
  await using scene = await openView(someFiles());
  const { page, dir } = scene;
  // The rows arrive after their number.
  await row(page, "row-3").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  for (
    let i = 0;
    i < 60 &&
    !await grid(page).evaluate((one) => one === document.activeElement);
    i++
  ) {
    await page.keyboard.press("Tab");
  }
  for (const key of ["j", "j", "x", "j", "x", "k", "Enter"]) {
    await page.keyboard.press(key);
  }
  await page.getByRole("complementary").getByRole("heading", {
    name: "row-2",
    exact: true,
  }).waitFor();
  assertEquals(await grid(page).getAttribute("aria-activedescendant"), "row-2");
  await page.keyboard.press("End");
  await page.locator("#row-303.active").waitFor();
  assert(
    await grid(page).evaluate((one) => one === document.activeElement),
    "the focus survives scrolling",
  );
  await page.keyboard.press("Escape");
  await page.getByRole("complementary").waitFor({ state: "hidden" });
  // Keys act on the table only while it has the focus.
  await page.getByRole("textbox", { name: "Condition" }).focus();
  await page.keyboard.type("lang == 'de'");
  await shows(page, "100 of 304 rows");
  await page.getByRole("button", { name: "Use selected …" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Use 2 selected rows" });
  await dialog.getByRole("button", { name: "Save 2 ids" }).focus();
  await page.keyboard.press("Enter");
  await dialog.getByText(/^Saved 2 ids in /).waitFor();
  assertEquals(
    await dir.read("out/.retort/selection-1.uids"),
    "row-2\nrow-3\n",
  );
  const commands = await dialog.locator("pre").allTextContents();
  const file = dir.path("out/.retort/selection-1.uids");
  assert(
    commands.includes(
      `retort export ${
        dir.path("out/x.jsonl")
      } -o others.jsonl --format messages --exclude-uids '@${file}'`,
    ),
  );
  assert(
    commands.some((one) =>
      one.includes(
        `retry prompts.jsonl -o ${
          dir.path("out/x.jsonl")
        } -m qwen3 --uids '@${file}' --reask-answered`,
      )
    ),
  );
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Use these rows …" }).click();
  const filtered = await page.getByRole("dialog").locator("pre")
    .allTextContents();
  assert(filtered[0].endsWith(`--where 'lang == '\\''de'\\'''`), filtered[0]);
});

Deno.test("data page: follows a file that grows, and reports damaged and removed ones", async () => {
  await using scene = await openView({
    "x.jsonl": resultLine({ uid: "first" }),
  });
  const { page, dir } = scene;
  await shows(page, "1 row");
  const append = (text: string) =>
    Deno.writeTextFile(dir.path("out/x.jsonl"), text, { append: true });
  await append(`${resultLine({ uid: "second" })}{"uid":"broken\n`);
  await row(page, "second").waitFor();
  await page.getByText(
    /x\.jsonl: 1 damaged line left out \(line 3: it is not JSON\)/,
  ).waitFor();
  await dir.write("out/other.jsonl", [{ prompt: "x" }]);
  await page.getByText(
    /other\.jsonl: it is not a results or failures file of Retort/,
  ).waitFor();
  await Deno.remove(dir.path("out/x.jsonl"));
  await page.getByText(/x\.jsonl: it was removed or renamed/).waitFor();
  await page.getByText("There are no rows yet").waitFor();
});

for (const theme of ["light", "dark"] as const) {
  Deno.test(`data page: axe finds nothing in the ${theme} page, at 1440 and 360 pixels`, async () => {
    const folder = `out-${"long-".repeat(12)}name`;
    await using scene = await openView(someFiles(), { theme, folder });
    const { page } = scene;
    await row(page, "row-2").first().click();
    await page.getByRole("complementary").getByText("Raw JSON").click();
    assertEquals(await violations(page), []);
    await page.getByRole("button", { name: "Use these rows …" }).click();
    assertEquals(await violations(page), []);
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 360, height: 800 });
    assertEquals([await violations(page), await overflow(page)], [[], 0]);
    await page.getByRole("button", { name: "Close" }).click();
    assertEquals([await violations(page), await overflow(page)], [[], 0]);
  });
}

Deno.test("data page: texts of rows stay texts, wherever they are shown", async () => {
  const texts = HOSTILE_TEXTS.map((text) => text.toWellFormed());
  const results = texts.map((text, i) =>
    resultLine({
      uid: `${i} ${text}`,
      prompt: text,
      response: text,
      reasoning: text,
      own: { [`own ${text}`]: text, group: text.slice(0, 100) },
      distill: {
        finish_reason: text,
        model: text,
        teacher: text,
        source: `${text}:1`,
      },
    })
  ).join("");
  const failures = texts.map((text, i) =>
    failureLine(`f${i} ${text}`, { type: text, message: text })
  ).join("");
  await using scene = await openView({
    "x.jsonl": results,
    "x_error.jsonl": failures,
  });
  const { page } = scene;
  await shows(page, `${2 * texts.length} rows`);
  await page.evaluate(() => {
    for (
      const more of document.querySelectorAll<HTMLElement>(
        ".facet .more:not([hidden])",
      )
    ) {
      more.click();
    }
  });
  await page.getByText("Columns", { exact: true }).click();
  await page.getByText("Columns", { exact: true }).click();
  await grid(page).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  const detail = page.getByRole("complementary");
  const opened = texts.length + 3;
  for (let i = 0; i < opened; i++) {
    const uid = i < texts.length
      ? `${i} ${texts[i]}`
      : `f${i - texts.length} ${texts[i - texts.length]}`;
    await page.waitForFunction(
      (title) => document.getElementById("detail-title")?.textContent === title,
      formatId(uid),
    );
    // Folded texts are rendered when they are opened.
    await detail.evaluate((one) =>
      one.querySelectorAll("details").forEach((box) => box.open = true)
    );
    if (i < 2 * texts.length - 1) {
      await detail.getByRole("button", { name: "Next" }).click();
    }
  }
  await page.getByRole("button", { name: "Use these rows …" }).click();
  assertEquals(
    await page.evaluate(() => Reflect.get(globalThis, "hacked")),
    undefined,
  );
  assertEquals(
    await page.evaluate(() =>
      document.querySelectorAll(
        "main img, main iframe, main script, main form:not([id])",
      ).length
    ),
    0,
  );
});

Deno.test("data page: compares two runs, and lays out a very long answer only on request", async () => {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const answer = (uid: string, response: string) => resultLine({ uid, response });
  await dir.write(
    "a/x.jsonl",
    answer("same", "It is 7.") + answer("final", "It is 1,000.") +
      answer("other", "It is 3."),
  );
  await dir.write(
    "b/x.jsonl",
    answer("other", `${"word ".repeat(40_000)}It is 4.`) +
      answer("final", "So \\boxed{1000}.") +
      answer("same", "It is 7.") + answer("only", "1"),
  );
  const service = stack.use(
    await DataService.open({
      paths: [dir.path("a"), dir.path("b")],
      isSaved: false,
    }),
  );
  const served = stack.use(serveView(service, { program: "retort" }));
  const { page } = stack.use(await visit(served.url));
  await page.getByText(
    "3 rows answered by both; 66.7% agree on the final answer",
  ).waitFor();
  const agreement = page.getByRole("group", { name: "Answers of both runs" });
  await agreement.getByRole("checkbox", { name: /^Same final answer/ }).check();
  await shows(page, "2 of 7 rows");
  assertEquals(await violations(page), []);
  await agreement.getByRole("checkbox", { name: /^Same final answer/ })
    .uncheck();
  await agreement.getByRole("checkbox", { name: /^Different/ }).check();
  await page.getByRole("group", { name: "Run", exact: true }).getByRole(
    "checkbox",
    { name: /\/b\s*\d+$/ },
  ).check();
  await shows(page, "1 of 7 rows");
  await row(page, "other").click();
  const detail = page.getByRole("complementary");
  await detail.getByText("2 answers to this row").waitFor();
  await detail.getByText(/final answer 3$/).waitFor();
  await detail.getByRole("button", { name: "Raw answer" }).click();
  await detail.getByRole("button", { name: "Show all 200,008 characters" })
    .click();
  assertEquals(
    (await detail.getByLabel("Answer", { exact: true }).textContent())?.length,
    200_008,
  );
  await page.getByRole("button", { name: "Use these rows …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Commands do not know this condition").waitFor();
  await dialog.getByRole("button", { name: "Save 1 id" }).click();
  await dialog.getByText(/^Saved 1 id in /).waitFor();
  // Both runs have a row with this id.
  const [command] = await dialog.locator("pre").allTextContents();
  assert(command.startsWith(`retort export ${dir.path("b/x.jsonl")} -o train.jsonl`), command);
});

Deno.test("data page: an answer of very many blocks is shown raw, and one of many as Markdown", async () => {
  const files = [3_000, 4_000].map((rows) =>
    resultLine({
      uid: `rows-${rows}`,
      response: `|a|b|c|\n|-|-|-|\n${"|x|y|z|\n".repeat(rows)}`,
    })
  );
  await using scene = await openView({ "x.jsonl": files.join("") });
  const { page } = scene;
  await shows(page, "2 rows");
  await row(page, "rows-3000").click();
  await page.locator("#detail-body .md-table").waitFor();
  await row(page, "rows-4000").click();
  await page.locator("#detail-body pre.raw").getByText("|x|y|z|").first().waitFor();
  assertEquals(await page.locator("#detail-body .md-table").count(), 0);
});

Deno.test("data page: keeps its rows while its server is gone, and says so if it was restarted", async () => {
  await using dir = await tempDir();
  await dir.write("out/x.jsonl", someFiles()["x.jsonl"]);
  await using service = await DataService.open({ paths: [dir.path("out")] });
  const first = serveView(service, { program: "retort" });
  const { port } = new URL(first.url);
  await using tunnel = openTunnel(Number(port));
  const url = first.url.replace(port, String(tunnel.port));
  await using opened = await visit(url, { expected: /Failed to load resource/ });
  const { page } = opened;
  await shows(page, "302 rows");
  await row(page, "row-3").click();
  await page.getByRole("complementary").getByRole("heading", { name: "row-3" }).waitFor();
  tunnel.cut();
  await first[Symbol.asyncDispose]();
  await page.getByText("No response from the program that serves this page").waitFor();
  await using second = serveView(service, { program: "retort" });
  const { port: newPort } = new URL(second.url);
  tunnel.restore(Number(newPort));
  await page.getByText("Open the address that it has printed").waitFor();
  await shows(page, "302 rows");
  await page.getByRole("complementary").getByRole("heading", { name: "row-3" }).waitFor();
  await page.goto(second.url.replace(newPort, String(tunnel.port)));
  await page.locator("#lost").waitFor({ state: "hidden" });
  await shows(page, "302 rows");
});

Deno.test("data page: a misspelt field of a condition is named with the one that is probably meant", async () => {
  await using scene = await openView({
    "x.jsonl": resultLine({ uid: "a", own: { score: 4 } }),
  });
  const { page } = scene;
  await shows(page, "1 row");
  const condition = page.getByRole("textbox", { name: "Condition" });
  await condition.fill("scores > 3");
  await page.getByText('No row has the field "scores" (did you mean "score"?)').waitFor();
  await condition.fill("score > 3");
  await page.locator("#condition-notes").waitFor({ state: "hidden" });
});

Deno.test("data page: ids of 19 digits are exact in facets, filters, cells and the address", async () => {
  const ids = ["1234567890123456788", "1234567890123456789"];
  const lines = ids.map((id) => resultLine({ uid: id, own: { doc: "ID" } }).replace('"ID"', id));
  await using scene = await openView({ "x.jsonl": lines.join("") });
  const { page, url } = scene;
  await shows(page, "2 rows");
  const group = page.getByRole("group", { name: "doc" });
  await group.getByRole("checkbox", { name: ids[1] }).check();
  await shows(page, "1 of 2 rows");
  await row(page, ids[1]).waitFor();
  assertEquals(await page.locator("#condition").textContent(), `doc == ${ids[1]}`);
  await page.reload();
  await shows(page, "1 of 2 rows");
  await group.getByRole("button", { name: `Exclude ${ids[1]}` }).click();
  await row(page, ids[0]).waitFor();
  await page.goto(`${url}#where=${encodeURIComponent(`doc > ${ids[0]}`)}&columns=["doc"]`);
  await page.reload();
  await shows(page, "1 of 2 rows");
  await grid(page).getByText(ids[1], { exact: true }).waitFor();
  await grid(page).getByRole("button", { name: "doc" }).click();
  await grid(page).getByRole("columnheader", { name: "doc ↓" }).waitFor();
});

Deno.test("data page: values of an address that no row has can be unchecked", async () => {
  await using scene = await openView(someFiles());
  const { page, url } = scene;
  const choices = [
    { field: "lang", only: ["fr"], not: [] },
    { field: "dialect", only: [], not: ["b"] },
  ];
  await page.goto(`${url}#facets=${encodeURIComponent(JSON.stringify(choices))}`);
  await page.reload();
  await shows(page, "0 of 304 rows");
  await page.getByRole("group", { name: "lang" }).getByRole("checkbox", { name: /^fr/ }).uncheck();
  await shows(page, "304 rows");
  const dialect = page.getByRole("group", { name: "dialect" });
  await dialect.getByRole("button", { name: "Exclude b", pressed: true }).click();
  await dialect.waitFor({ state: "detached" });
});

Deno.test("data page: says how many notes and values of a facet are left out", async () => {
  const files = Array.from({ length: 60 }, (_, i) => [
    `x${i}.jsonl`,
    resultLine({ uid: `${i}a`, distill: { model: `m${i}` } }).repeat(i < 30 ? 1 : 2) +
    (i < 23 ? "{broken\n" : ""),
  ]);
  await using scene = await openView(Object.fromEntries(files));
  const { page } = scene;
  await page.locator("#notes").getByText("and 3 more notes", { exact: true }).waitFor();
  const models = page.getByRole("group", { name: "Model" });
  await models.getByText("10 less frequent values not listed").waitFor();
  // The counts of a search are of its 50 most frequent values.
  await page.getByRole("textbox", { name: "Condition" }).fill('model != "m30"');
  await page.getByText("88 of 90 rows").waitFor();
  await models.locator("li", { has: page.getByText("m30", { exact: true }) }).getByText("≤ 1")
    .waitFor();
});

/** Data whose rows are made when they are requested. */
function syntheticData(total: number): Pick<DataService, "ask" | "files" | "notes"> {
  const rowAt = (place: number): ShownRow => ({
    id: `0:${place}`,
    uid: `row-${place}`,
    status: "answered",
    prompt: `prompt ${place}`,
    answer: `answer ${place}`,
    finish_reason: "stop",
    failure: "",
    prompt_tokens: 1,
    completion_tokens: 1,
    reasoning_tokens: 0,
    latency_ms: 1,
    attempts: 1,
    cost_usd: -1,
    is_estimated: false,
    teacher: "t",
    model: "m",
    flags: [],
    own: {},
  });
  const answers = {
    state: () => ({
      index: { files: [], rows: total, isCurrent: true, version: 1 },
      sortable: [],
      own: [],
      max_tokens: [],
      near: null,
      runs: [],
      results: ["big.jsonl"],
      comparison: null,
      paths: ["big.jsonl"],
    }),
    overview: () => ({
      total,
      facets: [],
      histograms: [],
      notes: [],
      scan: null,
      version: 1,
    }),
    rows: ({ from, count }: { from: number; count: number }) => ({
      total,
      scan: null,
      from,
      version: 1,
      rows: Array.from(
        { length: Math.max(0, Math.min(count, total - from)) },
        (_, i) => rowAt(from + i),
      ),
    }),
    row: ({ id }: { id: string }) => ({
      ...rowAt(Number(id.slice(2))),
      file: "big.jsonl",
      source: "",
      turns: [],
      response: "x",
      reasoning: "",
      tool_calls: "",
      error: null,
      raw: "{}",
      is_cut: false,
      duplicate_of: null,
      duplicate_id: "",
      samples: [],
      samples_from: 0,
      sample_count: 1,
    }),
    locate: ({ uid }: { uid: string }) => Number(uid.slice(4)),
  };
  return {
    files: ["big.jsonl"],
    notes: ["8 parts are left out"],
    ask: ((
      name: keyof typeof answers,
      given: DataRequests["rows"]["in"] & { id: string; uid: string },
    ) => Promise.resolve(answers[name](given))) as unknown as DataService[
      "ask"
    ],
  };
}

Deno.test("data page: every row of a million can be reached, including the last", async () => {
  const total = 1_000_000;
  await using served = serveView(syntheticData(total), { program: "retort" });
  await using visited = await visit(served.url);
  const { page } = visited;
  await shows(page, "1,000,000 rows");
  await page.getByText("8 parts are left out").waitFor();
  assertEquals(await grid(page).getAttribute("aria-rowcount"), "1000001");
  await grid(page).focus();
  await page.keyboard.press("End");
  await page.locator("#row-999999").getByText("row-999999", { exact: true })
    .waitFor();
  assertEquals(
    await page.locator("#row-999999").getAttribute("aria-rowindex"),
    "1000001",
  );
  const isInSight = async (id: string) =>
    await page.evaluate((id) => {
      const box = document.getElementById(id)!.getBoundingClientRect();
      const { bottom, top } = document.getElementById("grid")!
        .getBoundingClientRect();
      return box.top >= top && box.bottom <= bottom + 1;
    }, id);
  assert(await isInSight("row-999999"));
  await page.keyboard.press("Enter");
  await page.getByRole("complementary").getByRole("heading", {
    name: "row-999999",
  }).waitFor();
  // The user may scroll before the browser has reported the scrolling of a key.
  await grid(page).evaluate((one) => {
    one.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }));
    one.scrollTop = (one.scrollHeight - one.clientHeight) / 2;
  });
  await page.locator("#row-500000").waitFor();
  // The scroll bar reaches the last row, and the wheel moves by single rows.
  await page.keyboard.press("Home");
  await page.locator("#row-0").waitFor();
  await grid(page).evaluate((one) => one.scrollTop = one.scrollHeight);
  await page.locator("#row-999999").waitFor();
  assert(await isInSight("row-999999"));
  await page.mouse.move(600, 500);
  await page.mouse.wheel(0, -360);
  await page.locator("#row-999975").waitFor();
  await page.goto(`${page.url().split("#")[0]}#row=row-500000`);
  await page.reload();
  await page.locator("#row-500000").waitFor();
});
