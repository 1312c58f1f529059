/// <reference lib="dom" />
/**
 * Pictures of the page in all its states, in both themes and four widths, for inspection by eye:
 * `deno task screenshot --all FOLDER`. The runs are simulated, so that they take a minute.
 *
 * @module
 */

import type { Summary } from "../../lib/progress/events.ts";
import { makeErrorGroup, makeSnapshot, makeSummary, makeTeacher } from "../progress/fixtures.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { visit } from "./browser.ts";
import { makeRunStart, type StagedRun, stageRun } from "./staged_run.ts";

/** A moment of a run. */
interface Scene {
  readonly name: string;
  readonly play: (stage: StagedRun) => void;
}

/** Windows and themes of the pictures. */
const VIEWS = [
  { name: "wide", width: 1440, height: 900, theme: "light" },
  { name: "dark", width: 1440, height: 900, theme: "dark" },
  { name: "1024", width: 1024, height: 768, theme: "light" },
  { name: "360", width: 360, height: 740, theme: "light" },
] as const;

const REQUEST = makeErrorGroup({
  type: "request",
  status: 400,
  message: "This prompt is longer than the context of 32,768 tokens",
  count: 312,
  actions: { retried: 0, failed: 312, halted: 0 },
  uids: ["row-17", "row-90", "row-204"],
});

const ENDED = {
  ended: new Date().toISOString(),
  total: 200_000,
  skipped: 1_000,
};

/** Ends a run. The last snapshot gets the counts of the summary. */
function end(stage: StagedRun, changes: Partial<Summary>, state: "done" | "halted" = "done"): void {
  const last = stage.run.now ?? makeSnapshot();
  const { succeeded = 0, failed = 0, errors = [] } = changes;
  const completion_tokens = succeeded * 400, cost_usd = succeeded * 0.0004;
  const elapsed_ms = state === "done" ? 5_400_000 : last.elapsed_ms;
  const answered = { answered: succeeded, failed: 0, in_flight: 0 };
  const teachers = [makeTeacher({ ...answered, completion_tokens, cost_usd })];
  const counts = { succeeded, failed, elapsed_ms, completion_tokens, cost_usd, teachers, errors };
  const attempts = succeeded + failed, failed_attempts = failed;
  const over = { state, in_flight: 0, waiting: 0, attempts, failed_attempts, refused_for_load: 0 };
  stage.run.emit({ ...last, ...counts, ...over });
  stage.run.emit(makeSummary({ ...ENDED, ...counts, ...changes, failures_on_disk: failed }));
}

const SCENES: readonly Scene[] = [
  { name: "running", play: (stage) => stage.play(120) },
  {
    name: "halted",
    play(stage) {
      stage.play(40);
      end(stage, {
        state: "halted",
        reason: "The teacher at http://gpu1:8000/v1 rejects all rows (401): Incorrect API key",
        pending: 198_280,
        succeeded: 720,
        errors: [makeErrorGroup({
          type: "account",
          status: 401,
          message: "Incorrect API key",
          count: 64,
          actions: { retried: 0, failed: 0, halted: 64 },
          uids: ["row-721"],
        })],
      }, "halted");
    },
  },
  {
    name: "failed",
    play(stage) {
      stage.play(60);
      end(stage, { succeeded: 198_688, failed: 312, errors: [REQUEST] });
    },
  },
  {
    name: "done",
    play(stage) {
      stage.play(60);
      end(stage, { succeeded: 199_000, errors: [] });
    },
  },
  {
    name: "down",
    play(stage) {
      stage.play(30);
      stage.run.emit(makeSnapshot({
        ...stage.run.now,
        elapsed_ms: 16_000,
        teachers: [
          makeTeacher(),
          makeTeacher({
            address: "http://gpu2:8000/v1",
            state: "down",
            reason: "Cannot connect to gpu2:8000: connection refused",
          }),
        ],
      }));
      stage.strike(2);
    },
  },
];

/** Writes `<scene>-<view>.png` into a folder for all scenes and views. */
export async function takeGallery(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const { name, play } of SCENES) {
    await using stage = stageRun(ABOUT);
    stage.run.emit(makeRunStart());
    stage.run.settle([makeAnswer("row-0")]);
    play(stage);
    for (const view of VIEWS) {
      await using visited = await visit(stage.served.url, view);
      const { page } = visited;
      await page.setViewportSize({ width: view.width, height: view.height });
      await page.getByText(/row-/).first().waitFor();
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${folder}/${name}-${view.name}.png` });
      if (view.name !== "wide" && view.name !== "360") continue;
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width: view.width, height });
      await page.waitForTimeout(500);
      await page.screenshot({ path: `${folder}/${name}-${view.name}-whole.png` });
    }
  }
}

const ABOUT = {
  about: (summary: Summary | null) => ({
    facts: [
      { name: "Command", text: "deno task distill prompts.jsonl -o out/ -m qwen3-235b-a22b -c 64" },
      { name: "Version", text: "retort 0.1.0" },
      { name: "Input", text: "prompts.jsonl" },
      { name: "Output", text: "out/" },
      { name: "Parameters", text: '{"temperature":0.7,"max_tokens":4096}' },
    ],
    commands: summary === null ? [] : [commandAfter(summary)],
  }),
};

function commandAfter({ state, failures_on_disk }: Summary): { name: string; command: string } {
  const options = "prompts.jsonl -o out/ -m qwen3-235b-a22b -c 64";
  if (state === "halted") return { name: "Continue", command: `deno task distill ${options}` };
  if (failures_on_disk > 0) {
    return { name: "Retry", command: `deno task distill retry ${options}` };
  }
  const exported = "out/prompts.jsonl -o train.jsonl --format messages";
  return { name: "Export", command: `deno task distill export ${exported}` };
}
