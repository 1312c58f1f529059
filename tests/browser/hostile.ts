/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Texts of prompts, models and servers stay text, on the page and in the report. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Page } from "./deps/playwright.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";
import { HOSTILE_TEXTS } from "../support/hostile_texts.ts";
import { tempDir } from "../support/temp.ts";
import { formatId } from "../../web/page/figures.js";
import type { FakeRun } from "../web/fake_run.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { visit, visitStill } from "./browser.ts";
import { makeRunStart, stageRun } from "./staged_run.ts";

/** Number of texts at a time: more are neither kept as samples nor shown in the smallest table. */
const BATCH = 10;

/** Puts the texts into all fields of a run. */
function sayEverywhere(run: FakeRun, texts: readonly string[]): void {
  const seen = new Date().toISOString();
  const times = { first_seen: seen, last_seen: seen };
  run.emit(makeSnapshot({
    state: "backing_off",
    reason: texts[0],
    errors: texts.map((text) =>
      makeErrorGroup({ type: text, message: text, uids: [text], ...times })
    ),
    teachers: texts.map((text) =>
      makeTeacher({ address: text, model: text, reason: text, state: "down" })
    ),
  }));
  for (const text of texts) {
    run.notice("warning", text);
    const answer = makeAnswer(text);
    const row = { ...answer.row, uid: text, messages: [{ role: "user", content: text }] };
    const said = {
      response: text,
      reasoning: text,
      finishReason: text,
      model: text,
      teacher: text,
    };
    const completion = answer.completion && { ...answer.completion, ...said, toolCalls: [text] };
    const failure = { type: text as "request", message: text, status: 400 };
    run.settle([{ ...answer, row, completion }]);
    run.settle([{ ...answer, row, completion: undefined, failure }]);
  }
}

/** Texts that the page shows, as JSON: its escapes keep every character. */
interface Seen {
  /** Name of the model at the top. */
  heading: string;
  /** Texts of all elements without child elements, even hidden ones. */
  texts: string[];
  /** Long texts of samples: `Answer: …`. */
  long: string[];
}

/** Opens everything that can be opened, and reads the page. */
async function readAll(page: Page): Promise<Seen> {
  return await page.evaluate(async () => {
    const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
    const open = (box: HTMLDetailsElement) => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      box.addEventListener("toggle", resolve, { once: true });
      box.open = true;
      return promise;
    };
    const long: string[] = [];
    document.querySelector<HTMLElement>("#errors-all")?.click();
    for (const tab of document.querySelectorAll<HTMLElement>("[role=tab]")) {
      tab.click();
      // The content of a box is made when it is opened, and may have boxes itself.
      for (let depth = 0; depth < 2; depth++) {
        const folded = document.querySelectorAll<HTMLDetailsElement>("details:not([open])");
        await Promise.all([...folded].map(open));
        await settled();
      }
      for (const raw of document.querySelectorAll<HTMLElement>(".text [aria-pressed=false]")) {
        raw.click();
      }
      for (const pre of document.querySelectorAll("pre")) {
        long.push(`${pre.getAttribute("aria-label")}: ${JSON.stringify(pre.textContent)}`);
      }
    }
    const leaves = [...document.querySelectorAll("body *")].filter((one) => !one.firstElementChild);
    return {
      heading: JSON.stringify(document.querySelector("h1")?.textContent),
      texts: leaves.map((leaf) => JSON.stringify(leaf.textContent)),
      long,
    };
  });
}

/** Returns traces of texts that were executed. */
async function traces(page: Page): Promise<unknown> {
  return await page.evaluate(() => {
    const elements = [...document.querySelectorAll("*")];
    const count = (tag: string) => elements.filter(({ localName }) => localName === tag).length;
    const active = elements.filter((element) =>
      [...element.attributes].some(({ name, value }) =>
        /^on/i.test(name) || name === "srcdoc" || /^\s*java\s*script:/i.test(value)
      )
    );
    const tags =
      "script style link meta base title img iframe object embed form video audio math template marquee plaintext";
    return {
      hacked: Reflect.get(globalThis, "hacked"),
      polluted: Reflect.get({}, "hacked"),
      active: active.map(({ outerHTML }) => outerHTML),
      tags: Object.fromEntries(tags.split(" ").map((tag) => [tag, count(tag)])),
      address: location.href,
      base: document.baseURI,
    };
  });
}

function assertShown({ texts, long }: Seen, expected: readonly string[]): void {
  const all = texts.join("\n");
  for (const text of expected) {
    const json = JSON.stringify(text);
    for (const title of ["Prompt", "Reasoning", "Answer", "Failure"]) {
      assert(long.includes(`${title}: ${json}`), `${title} ${json}`);
    }
    const id = JSON.stringify(formatId(text));
    const places = texts.filter((one) => one === json || one === id);
    assert(places.length >= 6, `tables, ids and badges: ${json}`);
    assert(texts.includes(id), `ids: ${json}`);
    assert(all.includes(`Warning: ${json.slice(1, -1)}`), `events: ${json}`);
  }
}

Deno.test("page: no text of a prompt, a model or a server is executed", async () => {
  assert(HOSTILE_TEXTS.length >= 50);
  await using stage = stageRun();
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  await page.getByRole("banner").getByText("Starting").waitFor();
  const clean = await traces(page);
  for (let i = 0; i < HOSTILE_TEXTS.length; i += BATCH) {
    const texts = HOSTILE_TEXTS.slice(i, i + BATCH);
    for (const text of texts) {
      const start = makeRunStart({ model: text, teacher: text });
      stage.run.emit(start);
      stage.run.emit(makeSnapshot({ state: "halted", reason: text, errors: [] }));
      stage.strike();
      const heading = page.getByRole("heading", { level: 1 });
      const isThere = (h1: Element, json: string) => JSON.stringify(h1.textContent) === json;
      const json = JSON.stringify(text);
      while (!await heading.evaluate(isThere, json)) await page.evaluate(nextFrame);
    }
    sayEverywhere(stage.run, texts);
    stage.strike(4);
    await page.getByRole("tab", { name: /^Failures/ }).waitFor();
    await page.reload();
    await page.locator("details.card").first().waitFor();
    assertShown(await readAll(page), texts);
    assertEquals(await traces(page), clean);
  }
});

function nextFrame(): Promise<unknown> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

Deno.test("report: no text of a prompt, a model or a server is executed", async () => {
  await using dir = await tempDir();
  let clean: unknown;
  await using visited = await visit("about:blank");
  const { page } = visited;
  const path = dir.path("report.html");
  for (let i = -1; i < HOSTILE_TEXTS.length; i = i < 0 ? 0 : i + BATCH) {
    const texts = i < 0 ? ["harmless"] : HOSTILE_TEXTS.slice(i, i + BATCH);
    await using stage = stageRun();
    stage.run.emit(makeRunStart({ model: texts[0], teacher: texts[0] }));
    sayEverywhere(stage.run, texts);
    stage.strike();
    await Deno.writeTextFile(path, stage.served.monitor.report());
    await page.goto(`file://${path}`);
    const seen = await readAll(page);
    assertEquals(seen.heading, JSON.stringify(texts[0]));
    assertShown(seen, texts);
    clean ??= await traces(page);
    assertEquals(await traces(page), clean);
  }
});
