/**
 * `deno task screenshot`: writes the pictures of the documentation. It runs a job against a
 * simulated teacher for `docs/monitor.png`, the page of its monitor when two thirds are done, which
 * takes about two minutes. With `--texts` it writes only `docs/terminal.png` and `docs/row.png`.
 * With `--all FOLDER` it writes the page in all its states, both themes and four widths instead.
 *
 * @module
 */

import type { Page } from "./deps/playwright.ts";
import { resolve } from "../../lib/deps/std_path.ts";
import { runInProcess } from "../behaviors/run_case.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { type CliProcess, REPOSITORY, startCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { launchChromium, startBrowser, stopBrowser } from "./browser.ts";
import { takeGallery } from "./gallery.ts";
import { takeRow, takeTerminal } from "./text_pictures.ts";

const WINDOW = { width: 1440, height: 900 };

/** Share of the run that is done when the picture is taken, in per cent. */
const SHARE = 65;

const ROWS = 5_000;

/** Throttles above 56 requests in flight, fails now and then, and rejects some prompts. */
const TEACHER =
  "latency=1500,jitter=0.7,tokens=400,reasoning=250,errors=0.015,refusals=0.01,capacity=56,seed=7";

const JOB = "-m qwen3-32b -c 64 --price-in 0.2 --price-out 0.6 --max-cost 5";

async function takeScreenshot(path: string): Promise<void> {
  await using dir = await tempDir();
  await dir.write("prompts.jsonl", await makePrompts(ROWS));
  const args = `prompts.jsonl -o out/ --monitor --simulate=${TEACHER} ${JOB}`;
  await using job = await startCli(args.split(" "), { cwd: dir.root });
  await using browser = await launchChromium();
  const page = await browser.newPage({
    viewport: WINDOW,
    colorScheme: "light",
    locale: "en-GB",
  });
  await page.goto(await addressOf(job));
  await Promise.race([untilShare(page, SHARE), failAtEnd(job)]);
  await page.screenshot({ path });
}

/** Repeats the example prompts, each time with other numbers. */
async function makePrompts(
  count: number,
): Promise<{ id: string; prompt: string }[]> {
  const text = await Deno.readTextFile(`${REPOSITORY}/examples/prompts.jsonl`);
  const examples: { id: string; prompt: string }[] = text.trim().split("\n")
    .map((line) => JSON.parse(line)).filter(({ prompt }) => typeof prompt === "string");
  return Array.from({ length: count }, (_, i) => {
    const round = Math.floor(i / examples.length);
    const { id, prompt } = examples[i % examples.length];
    const other = prompt.replaceAll(
      /\d+/g,
      (figure) => String(Number(figure) + round),
    );
    return {
      id: `${id}-${round}`,
      prompt: `${other} Take at most ${200 + round} words.`,
    };
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

async function takeTexts(folder: string): Promise<void> {
  await using dir = await tempDir();
  await using browser = await launchChromium();
  const rename = (text: string) => text.replaceAll(`${dir.root}/`, "");
  const prompts = await dir.write("prompts.jsonl", await makePrompts(420));
  await takeTerminal(browser, {
    typed: "retort prompts.jsonl -o out/ -m qwen3-32b -c 64",
    args: [
      prompts,
      "-o",
      dir.path("out/"),
      `--simulate=${TEACHER}`,
      ...JOB.split(" "),
    ],
    share: SHARE,
    rename: (text) => rename(text).replace(/http:\/\/127\.0\.0\.1:\d+/g, "http://gpu1:8000"),
  }, `${folder}/terminal.png`);

  const row = {
    id: 7,
    question: "A robe takes 2 bolts of blue fiber and half that much white.",
  };
  await using server = serveLedger(answerRobe);
  const input = await dir.write("robe.jsonl", [row]);
  await runInProcess([
    input,
    "-o",
    dir.path("robe/"),
    "-m",
    "qwen3-32b",
    "--base-url",
    server.url,
  ]);
  const [line] = (await dir.read("robe/robe.jsonl")).split("\n");
  const shown = rename(line).replaceAll(server.url, "http://gpu1:8000/v1");
  await takeRow(browser, shown, Object.keys(row), `${folder}/row.png`);
}

/** Answers as long and as wordily as a model of this size. */
async function answerRobe(): Promise<Response> {
  await new Promise((resolve) => setTimeout(resolve, 1_840));
  return Response.json(chatAnswer("It takes 3 bolts in total.", {
    id: "chatcmpl-8f1c4e",
    model: "qwen3-32b",
    message: { reasoning_content: "Half of 2 is 1, and 2 + 1 = 3." },
    usage: {
      prompt_tokens: 43,
      completion_tokens: 41,
      completion_tokens_details: { reasoning_tokens: 32 },
    },
  }));
}

if (import.meta.main) {
  const [what, folder] = Deno.args;
  const docs = `${REPOSITORY}/docs`;
  if (what === "--all" && folder !== undefined) {
    await startBrowser();
    // Deno runs tasks in the folder of deno.json.
    await takeGallery(resolve(Deno.env.get("INIT_CWD") ?? ".", folder));
    await stopBrowser();
  } else {
    await takeTexts(docs);
    if (what !== "--texts") await takeScreenshot(`${docs}/monitor.png`);
  }
}
