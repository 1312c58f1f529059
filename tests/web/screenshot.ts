/**
 * `deno task screenshot`: runs a job against a simulated teacher and writes `docs/monitor.png`, the page
 * of its monitor two thirds of the way. Takes about two minutes.
 *
 * @module
 */

import type { Page } from "../../lib/deps/playwright.ts";
import { type CliProcess, REPOSITORY, startCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { launchChromium } from "./browser/browser.ts";

const WINDOW = { width: 1440, height: 900 };

/** What is done of the run when the picture is taken, in per cent. */
const SHARE = 65;

/** It is refused for load at more than 56, and fails now and then. */
const TEACHER =
  "latency=1500,jitter=0.7,tokens=400,reasoning=250,errors=0.015,refusals=0.05,capacity=56,seed=7";

const JOB = "-m qwen3-32b -c 64 --samples 120 --price-in 0.2 --price-out 0.6 --max-cost 5";

async function takeScreenshot(path: string): Promise<void> {
  await using dir = await tempDir();
  const prompts = `${REPOSITORY}/examples/prompts.jsonl`;
  await using job = await startCli([
    prompts,
    ...["-o", dir.path("out/"), `--simulate=${TEACHER}`, "--monitor", ...JOB.split(" ")],
  ]);
  await using browser = await launchChromium();
  const page = await browser.newPage({ viewport: WINDOW, colorScheme: "light", locale: "en-GB" });
  await page.goto(await addressOf(job));
  await untilShare(page, SHARE);
  await page.screenshot({ path });
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

if (import.meta.main) await takeScreenshot(`${REPOSITORY}/docs/monitor.png`);
