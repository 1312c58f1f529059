/**
 * `deno task screenshot`: runs a job against a simulated teacher and writes `docs/monitor.png`, the page
 * of its monitor two thirds of the way. Takes about two minutes. With `--all FOLDER` it writes the page in all its
 * states, both themes and four widths instead.
 *
 * @module
 */

import type { Page } from "./deps/playwright.ts";
import { type CliProcess, REPOSITORY, startCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { launchChromium, startBrowser, stopBrowser } from "./browser.ts";
import { takeGallery } from "./gallery.ts";

const WINDOW = { width: 1440, height: 900 };

/** What is done of the run when the picture is taken, in per cent. */
const SHARE = 65;

const ROWS = 5_000;

/** Refuses more than 56 at once for load, fails now and then, and does not like some prompts. */
const TEACHER =
  "latency=1500,jitter=0.7,tokens=400,reasoning=250,errors=0.015,refusals=0.01,capacity=56,seed=7";

const JOB = "-m qwen3-32b -c 64 --price-in 0.2 --price-out 0.6 --max-cost 5";

async function takeScreenshot(path: string): Promise<void> {
  await using dir = await tempDir();
  await dir.write("prompts.jsonl", await makePrompts(ROWS));
  const args = `prompts.jsonl -o out/ --monitor --simulate=${TEACHER} ${JOB}`;
  await using job = await startCli(args.split(" "), { cwd: dir.root });
  await using browser = await launchChromium();
  const page = await browser.newPage({ viewport: WINDOW, colorScheme: "light", locale: "en-GB" });
  await page.goto(await addressOf(job));
  await Promise.race([untilShare(page, SHARE), failAtEnd(job)]);
  await page.screenshot({ path });
}

/** The examples again and again, each time with other figures. */
async function makePrompts(count: number): Promise<{ id: string; prompt: string }[]> {
  const text = await Deno.readTextFile(`${REPOSITORY}/examples/prompts.jsonl`);
  const examples: { id: string; prompt: string }[] = text.trim().split("\n")
    .map((line) => JSON.parse(line)).filter(({ prompt }) => typeof prompt === "string");
  return Array.from({ length: count }, (_, i) => {
    const round = Math.floor(i / examples.length);
    const { id, prompt } = examples[i % examples.length];
    const other = prompt.replaceAll(/\d+/g, (figure) => String(Number(figure) + round));
    return { id: `${id}-${round}`, prompt: `${other} Take at most ${200 + round} words.` };
  });
}

async function failAtEnd(job: CliProcess): Promise<never> {
  const { stderr } = await job.output();
  throw new Error(`Cannot take a screenshot: the run has ended: ${stderr}`);
}

async function addressOf(job: CliProcess): Promise<string> {
  const [, address] = await job.untilStderr(/^Monitor: (http:\S+)$/m);
  return address;
}

async function untilShare(page: Page, share: number): Promise<void> {
  const bar = page.getByRole("progressbar");
  while (Number(await bar.getAttribute("aria-valuenow")) < share) {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

if (import.meta.main) {
  const [what, folder] = Deno.args;
  if (what === "--all" && folder !== undefined) {
    await startBrowser();
    await takeGallery(folder);
    await stopBrowser();
  } else {
    await takeScreenshot(`${REPOSITORY}/docs/monitor.png`);
  }
}
