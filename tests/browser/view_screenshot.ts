/// <reference lib="dom" />
/**
 * `deno task screenshot-view`: writes docs/view-table.png, view-facets.png, view-detail.png and
 * view-samples.png, from answers made for them.
 *
 * @module
 */

import { DataService } from "../../lib/data/mod.ts";
import { serveView } from "../../web/view/server.ts";
import { resultLine } from "../data/lines.ts";
import { REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { launchChromium } from "./browser.ts";

const THINGS = ["apples", "tickets", "books", "marbles", "stamps"];

/** Takes all pictures in one theme. */
async function takeScreenshots(
  folder: string,
  theme: "light" | "dark",
  suffix = "",
): Promise<void> {
  await using dir = await tempDir();
  await dir.write(
    "out/prompts.jsonl",
    Array.from({ length: 2_000 }, (_, i) => lineOf(i)).join(""),
  );
  const run = {
    input: "prompts.jsonl",
    identity: { model: "qwen3" },
    params: { "44136fa3": { max_tokens: 512 } },
  };
  await dir.write("out/prompts.run.json", JSON.stringify(run));
  const folderBefore = Deno.cwd();
  Deno.chdir(dir.root);
  await using service = await DataService.open({
    paths: ["out/"],
    isSaved: false,
  });
  await using served = serveView(service, { program: "retort" });
  await using browser = await launchChromium();
  const page = await browser.newPage({
    viewport: { width: 1440, height: 900 },
    colorScheme: theme,
    locale: "en-GB",
  });
  await page.goto(served.url);
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Exclude Refusal" }).click();
  await page.waitForTimeout(1_000);
  await page.screenshot({ path: `${folder}/view-table${suffix}.png` });
  await page.getByRole("spinbutton", { name: "Answer tokens from" }).fill("40");
  await page.getByRole("checkbox", { name: /^hard/ }).check();
  await page.waitForTimeout(1_000);
  await page.screenshot({
    path: `${folder}/view-facets${suffix}.png`,
    clip: { x: 0, y: 52, width: 720, height: 848 },
  });
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("case-100#1", { exact: true }).or(
    page.getByText("case-0#1", { exact: true }),
  ).first().click();
  await page.waitForTimeout(1_000);
  await page.screenshot({ path: `${folder}/view-detail${suffix}.png` });
  await page.getByRole("region", { name: "Samples" }).scrollIntoViewIfNeeded();
  await page.waitForTimeout(300);
  await page.locator("#detail").screenshot({
    path: `${folder}/view-samples${suffix}.png`,
  });
  Deno.chdir(folderBefore);
}

function lineOf(i: number): string {
  const thing = THINGS[i % THINGS.length], a = 3 + i % 67, b = 2 + i % 13;
  const prompt =
    `Ada has ${a} ${thing} and buys ${b} more each day for a week. How many ${thing} does she have?`;
  const good = `A week has **7 days**, so she buys $7 \\cdot ${b} = ${7 * b}$ ${thing}.\n\n` +
    `\`\`\`python\nprint(${a} + 7 * ${b})  # ${a + 7 * b}\n\`\`\`\n\nThe answer is \\boxed{${
      a + 7 * b
    }}. (${i})`;
  const response = i % 33 === 5
    ? "I'm sorry, but I can't help with that."
    : i % 50 === 7
    ? `She starts with ${a}. ${"Wait, let me check that again. ".repeat(20)}`
    : i % 25 === 9
    ? good.slice(0, 80)
    : good;
  const completion_tokens = Math.round(response.length / 3.5) + i % 23;
  const distill = {
    completion_tokens,
    prompt_tokens: 30 + i % 17,
    latency_ms: 400 + i * 37 % 3_000,
    finish_reason: i % 25 === 9 ? "length" : "stop",
    cost_usd: completion_tokens * 8e-7,
    source: `prompts.jsonl:${i + 1}`,
  };
  const own = { level: ["easy", "medium", "hard"][i % 3], topic: thing };
  const line = resultLine({ uid: `case-${i}`, prompt, response, own, distill });
  if (i % 100 !== 0) return line;
  const other = `She buys ${
    7 * b
  } ${thing} in 7 days and had ${a} before.\n\nThe answer is \\boxed{${a + 7 * b + i % 2}}.`;
  return line +
    resultLine({
      uid: `case-${i}#1`,
      inputUid: `case-${i}`,
      prompt,
      response: other,
      own,
      distill,
    });
}

if (import.meta.main) {
  const [folder = `${REPOSITORY}/docs`, theme] = Deno.args;
  await takeScreenshots(
    folder,
    theme === "dark" ? "dark" : "light",
    theme === "dark" ? "-dark" : "",
  );
}
