/// <reference lib="dom" />
/**
 * Parts of the page as users know them.
 *
 * @module
 */

import { assert } from "../../lib/deps/std_assert.ts";
import { AXE_JS, type AxeResults } from "./deps/axe.ts";
import type { Locator, Page } from "./deps/playwright.ts";

/** The word at the top that says what the run is doing. */
export function stateWord(page: Page, word: string): Locator {
  return page.getByRole("banner").getByText(word, { exact: true });
}

/** A tile of any section, by its title. */
export function tile(page: Page, title: string): Locator {
  const term = page.locator("dt").getByText(title, { exact: true });
  return page.locator("dl > div").filter({ has: term });
}

/** Waits until a tile shows this figure. */
export async function tileShows(page: Page, title: string, figure: string | RegExp): Promise<void> {
  const value = tile(page, title).locator("dd").first();
  const hasText = typeof figure === "string" ? exactly(figure) : figure;
  await value.filter({ hasText }).waitFor().catch(async (error) => {
    const shown = await value.textContent({ timeout: 1_000 }).catch(() => "nothing");
    throw new Error(`The tile "${title}" shows ${shown?.trim()}, not ${figure}`, { cause: error });
  });
}

function exactly(figure: string): RegExp {
  return new RegExp(`^\\s*${RegExp.escape(figure)}(?![\\d.,])`);
}

/** Scrolls to a chart until it is drawn: what is above may grow and push it out of view again. */
export async function drawnCanvas(chart: Locator): Promise<Locator> {
  const canvas = chart.locator("canvas").first();
  for (let left = 30;; left--) {
    await chart.scrollIntoViewIfNeeded();
    try {
      await canvas.waitFor({ timeout: 2_000 });
      return canvas;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/**
 * Opens all boxes that are folded, and waits until they have their content: the page makes it when
 * the browser reports that a box is open.
 */
export async function unfoldAll(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const folded = document.querySelectorAll<HTMLDetailsElement>("details:not([open])");
    await Promise.all([...folded].map((box) => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      box.addEventListener("toggle", resolve, { once: true });
      box.open = true;
      return promise;
    }));
  });
  await page.locator("details.card[open]:not(:has(.whole))").first().waitFor({ state: "detached" });
}

/** A section of the page, by its heading. */
export function section(page: Page, title: string): Locator {
  return page.getByRole("region", { name: title, exact: true });
}

/** Returns how many pixels the page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
}

/** Returns the violations that axe finds, each with its place. */
export async function violations(page: Page): Promise<string[]> {
  if (!await page.evaluate(() => "axe" in globalThis)) await page.evaluate(AXE_JS);
  const results = await page.evaluate(async (): Promise<AxeResults> => {
    return await Reflect.get(globalThis, "axe").run();
  });
  assert(results.passes.length > 5, "axe has seen the page");
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`)
  );
}
