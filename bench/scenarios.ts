/**
 * Scenarios of Retort and of the baselines. `processes.ts` runs each in a process of its own, so
 * options and figures must be JSON.
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import process from "node:process";
import { openai, ResponseGenerator, type Summary, type Teacher } from "../mod.ts";
import { IdTable } from "../lib/index/id_table.ts";
import { readIndex } from "../lib/index/results_index.ts";
import { createBar } from "../lib/terminal/progress_lines.ts";
import { openLines } from "../lib/formats/lines.ts";
import {
  type JoiningResult,
  type JoiningScene,
  playJoining,
} from "../tests/engine/joining_scene.ts";
import { type HttpLoops, httpLoops } from "./http_jobs.ts";
import { COMPLETION, instantTeacher, slowTeacher, writeText } from "./rows.ts";

export { watched, watchedAlternately } from "./monitor_job.ts";
export { goodputs, runToEnd, sleepingLoops } from "./http_jobs.ts";
export { flagCosts, viewDuringRun, viewFile } from "./view.ts";

export interface JobOptions {
  readonly input: string;
  /** Results file. Removed at the end, with failures, run file and lock. */
  readonly output: string;
  readonly concurrency: number;
  /**
   * A teacher in this process, or the URL of a teacher in another one. @default a teacher without
   * latency
   */
  readonly teacher?: { readonly latencyMs: number } | { readonly baseUrl: string };
  readonly carefulStart?: boolean;
  /** Draws a terminal bar, whose output is discarded. @default false */
  readonly bar?: boolean;
  /** An input that is run first, without latency, so that the code is compiled. @default none */
  readonly warmUp?: string;
  /** Samples memory and CPU during the run. @default false */
  readonly watch?: boolean;
}

export interface JobReport {
  /** Time from when rows could be sent until all results are durable and the files are closed. */
  readonly elapsedMs: number;
  /** Time of the whole run, including locks, index and the check of the input. */
  readonly wholeMs: number;
  /** CPU of all threads during `elapsedMs`. */
  readonly cpuSeconds: number;
  /** CPU of all threads during `wholeMs`. */
  readonly wholeCpuSeconds: number;
  /** The largest resident memory, sampled every 50 ms; 0 without `watch`. */
  readonly peakRssBytes: number;
  /** A window for each 10,000 rows that became durable; empty without `watch`. */
  readonly windows: readonly CpuPerRow[];
}

/** CPU of all threads in microseconds per row. */
export interface CpuPerRow {
  readonly user: number;
  readonly system: number;
}

const WINDOW_ROWS = 10_000;

export async function job(options: JobOptions): Promise<JobReport> {
  if (options.warmUp !== undefined) {
    const { output, concurrency } = options;
    await run({ input: options.warmUp, output, concurrency });
  }
  return await run(options);
}

async function run(options: JobOptions): Promise<JobReport> {
  const { input, output, concurrency, carefulStart } = options;
  const teacher = teacherOf(options.teacher);
  const generator = new ResponseGenerator({ teacher, concurrency, carefulStart });
  if (options.bar) {
    generator.on(createBar({ write: () => {}, columns: () => 100, isColored: true }));
  }
  const watch = options.watch ? watchRun(generator) : undefined;
  const startedMs = performance.now();
  const startedCpu = cpuSeconds();
  const summary = await generator.run({ input: [input], output });
  const report = {
    elapsedMs: summary.elapsed_ms,
    wholeMs: performance.now() - startedMs,
    cpuSeconds: summary.cpu_seconds,
    wholeCpuSeconds: cpuSeconds() - startedCpu,
    ...watch?.end() ?? { peakRssBytes: 0, windows: [] },
  };
  await teacher.close?.();
  await checkAndRemove(summary, output);
  return report;
}

function teacherOf(kind: JobOptions["teacher"]): Teacher {
  if (kind === undefined) return instantTeacher();
  if ("latencyMs" in kind) return slowTeacher(kind.latencyMs);
  return openai({ baseUrl: kind.baseUrl, model: "zero" });
}

/** Throws if a row failed, because such a run must not yield a figure. Removes the output files. */
async function checkAndRemove(summary: Summary, output: string): Promise<void> {
  if (summary.succeeded !== summary.total) {
    throw new Error(`Only ${summary.succeeded} of ${summary.total} rows have a result`);
  }
  const stem = output.replace(/\.jsonl$/, "");
  for (const ending of [".jsonl", "_error.jsonl", ".run.json", ".lock"]) {
    await Deno.remove(stem + ending).catch(() => {});
  }
}

/** Plays the scene, and adds CPU and memory to the result. */
export async function joiningTeachers(
  scene: JoiningScene,
): Promise<{ result: JoiningResult; cpuSeconds: number; rssBytes: number }> {
  const startedCpu = cpuSeconds();
  const result = await playJoining(scene);
  return { result, cpuSeconds: cpuSeconds() - startedCpu, rssBytes: Deno.memoryUsage().rss };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

interface Watch {
  end(): Pick<JobReport, "peakRssBytes" | "windows">;
}

/** Samples memory and CPU 20 times per second. Rows between two samples share the CPU evenly. */
function watchRun(generator: ResponseGenerator): Watch {
  let peakRssBytes = 0;
  let rows = 0;
  let cpu = process.cpuUsage();
  /** CPU at each multiple of 10,000 durable rows. */
  const marks: NodeJS.CpuUsage[] = [];
  function sample(): void {
    peakRssBytes = Math.max(peakRssBytes, Deno.memoryUsage().rss);
    const nowRows = generator.snapshot()?.succeeded ?? rows;
    const nowCpu = process.cpuUsage();
    while (marks.length * WINDOW_ROWS <= nowRows && nowRows > rows) {
      const share = (marks.length * WINDOW_ROWS - rows) / (nowRows - rows);
      marks.push({
        user: cpu.user + share * (nowCpu.user - cpu.user),
        system: cpu.system + share * (nowCpu.system - cpu.system),
      });
    }
    rows = nowRows;
    cpu = nowCpu;
  }
  const timer = setInterval(sample, 50);
  return {
    end() {
      clearInterval(timer);
      const windows = marks.slice(1).map((mark, i) => ({
        user: (mark.user - marks[i].user) / WINDOW_ROWS,
        system: (mark.system - marks[i].system) / WINDOW_ROWS,
      }));
      return { peakRssBytes, windows };
    },
  };
}

/**
 * Runs lanes that only sleep. Returns the elapsed milliseconds, which exceed the ideal because
 * timers fire late.
 */
export async function bareLanes(
  { rows, concurrency, latencyMs }: { rows: number; concurrency: number; latencyMs: number },
): Promise<number> {
  let rowsLeft = rows;
  async function lane(): Promise<void> {
    while (rowsLeft-- > 0) await sleep(latencyMs);
  }
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, lane));
  return performance.now() - startedMs;
}

/** Runs undici loops that parse and discard the answers. Returns the elapsed milliseconds. */
export function undiciLoop(loops: HttpLoops): Promise<number> {
  return httpLoops(loops, "zero", async (post) => void await post());
}

/** Runs the simplest code that writes the same lines, without fsync. */
export async function plainLoop(
  { input, output }: { input: string; output: string },
): Promise<number> {
  const startedMs = performance.now();
  {
    using file = await Deno.open(output, { write: true, create: true, truncate: true });
    for await (const lines of openLines(input)) {
      let text = "";
      for (const line of lines) text += plainLine(JSON.parse(line.text!)) + "\n";
      await writeText(file, text);
    }
  }
  const elapsedMs = performance.now() - startedMs;
  await Deno.remove(output);
  return elapsedMs;
}

/**
 * Returns a line with the members that a run writes. Ids, times and other values that hardly differ
 * between lines are constants of the right length.
 */
function plainLine(row: object): string {
  return JSON.stringify({
    uid: "0123456789abcdef0123456789abcdef",
    prompt_hash: "0123456789abcdef",
    ...row,
    response: COMPLETION.response,
    reasoning: COMPLETION.reasoning,
    tool_calls: "[]",
    distill: {
      model: "zero",
      model_returned: COMPLETION.model,
      response_id: COMPLETION.id,
      teacher: "",
      finish_reason: COMPLETION.finishReason,
      prompt_tokens: COMPLETION.usage!.promptTokens,
      completion_tokens: COMPLETION.usage!.completionTokens,
      reasoning_tokens: 0,
      cached_tokens: 0,
      attempts: 1,
      latency_ms: 0,
      ttft_ms: 0,
      cost_usd: -1,
      created: "2026-01-01T00:00:00.000Z",
      source: "rows.jsonl:1",
      params: "44136fa355b3678a",
      refusal: false,
      kept: "{}",
      replaced: "{}",
    },
  });
}

export async function readResumeIndex(
  { path, rows }: { path: string; rows: number },
): Promise<number> {
  const startedMs = performance.now();
  const table = new IdTable(rows);
  await readIndex({ path, kind: "results" }, table, () => {});
  if (table.size !== rows) throw new Error(`The index has ${table.size} ids instead of ${rows}`);
  return performance.now() - startedMs;
}

export async function parseEveryLine(
  { path, rows }: { path: string; rows: number },
): Promise<number> {
  const startedMs = performance.now();
  let found = 0;
  for await (const lines of openLines(path)) {
    for (const line of lines) {
      if (typeof JSON.parse(line.text!).uid === "string") found++;
    }
  }
  if (found !== rows) throw new Error(`The file has ${found} ids instead of ${rows}`);
  return performance.now() - startedMs;
}
