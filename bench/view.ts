/**
 * Measures the speed of the data page over 20,000 rows of 2 KB, or 1,000,000 with `--full`:
 * opening, filtering and searching a file, flagging answers, indexing beside a run.
 *
 * @module
 */

import process from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DataRequests } from "../lib/data/mod.ts";
import { linesOf, readLineBlocks } from "../lib/line_blocks.ts";
import {
  alternate,
  atMost,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  median,
  type Rounds,
} from "./measure.ts";
import { inChild } from "./processes.ts";
import { writeLines } from "./rows.ts";

/** Limits of the figures, in `unit`. `divisor` converts a figure to this unit. */
const LIMITS: readonly [
  keyof ViewFigures,
  name: string,
  limit: number,
  unit: string,
  divisor: number,
][] = [
  ["firstPageMs", "first page", 5, "s", 1_000],
  ["filterMs", "filter", 0.3, "s", 1_000],
  ["firstHitMs", "first hit of a text", 1, "s", 1_000],
  ["scanMs", "regular expression over all", 10, "s", 1_000],
  ["peakBytes", "memory", 400, "MB", 1e6],
  ["indexMs", "index", 60, "s", 1_000],
];

export async function viewRows(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(20_000, 1_000_000);
  const path = `${bench.dir}/view.jsonl`;
  await writeLines(path, rows, lineOf);
  // Makes the file look finished: indexing slows down while a run continues.
  await Deno.utime(path, new Date(0), new Date(0));
  const rounds: ViewFigures[] = [];
  for (let round = 0; round < bench.rounds(1); round++) {
    rounds.push(await inChild("viewFile", { path }));
  }
  // During a run, indexing takes nine times as long, so it does not end before the measurement.
  const during = await inChild("viewDuringRun", {
    path,
    rounds: bench.rounds(5),
    windowS: bench.full ? 8 : 2,
  });
  const flags: number[] = [];
  for (let round = 0; round < bench.rounds(3); round++) {
    flags.push(await inChild("flagCosts", { path, rows: Math.min(rows, 20_000) }));
  }
  await Deno.remove(path);
  return [
    ...limitedFigures(rows, rounds),
    {
      name: "view: flags of an answer of 1.3 KB, CPU",
      retort: `${formatNumber(median(flags))} µs`,
      baseline: "5 µs, the limit",
      ratios: flags.map((micros) => micros / 5),
      target: atMost(median(flags), 5, " µs"),
    },
    comparison("view: a run during the indexing", during, {
      unit: "rows/s",
      baseline: " without indexing",
      atLeast: 0.9,
      note:
        "teacher in process, no latency, nothing written; alternately with indexing and without",
    }),
  ];
}

function limitedFigures(rows: number, rounds: readonly ViewFigures[]): Figure[] {
  return LIMITS.map(([key, name, limit, unit, divisor]) => {
    const values = rounds.map((figures) => figures[key] / divisor);
    const value = median(values);
    return {
      name: `view of ${rows.toLocaleString("en-US")} rows: ${name}`,
      retort: `${value.toFixed(2)} ${unit}`,
      baseline: `${limit} ${unit}, the limit`,
      ratios: values.map((measured) => measured / limit),
      target: atMost(value, limit, ` ${unit}`),
    };
  });
}

const SENTENCE =
  "Then we divide the sum by the number of hours, which gives the rate of the second train. ";

function lineOf(index: number): string {
  const prompt = `Train ${index} leaves at noon. ${SENTENCE.repeat(3)}When do they meet?`;
  const rare = index % 1_000 === 999 ? " A rare word." : "";
  const response =
    Array.from({ length: 14 }, (_, i) => `${(index * 7 + i * 13) % 991}: ${SENTENCE}`).join("") +
    `It is a total of ${index % 50} hours.${rare}`;
  return JSON.stringify({
    uid: `row-${index}`,
    prompt_hash: index.toString(16).padStart(16, "0"),
    prompt,
    topic: `t${index % 20}`,
    difficulty: index % 5,
    response,
    reasoning: "",
    tool_calls: "[]",
    distill: {
      model: "qwen3",
      teacher: "http://127.0.0.1:8000/v1",
      finish_reason: index % 25 === 3 ? "length" : "stop",
      prompt_tokens: 90,
      completion_tokens: 250 + index % 100,
      reasoning_tokens: 0,
      attempts: 1,
      latency_ms: 500 + index % 4_000,
      source: `rows.jsonl:${index + 1}`,
      params: "44136fa3",
    },
  });
}

export interface ViewFigures {
  readonly firstPageMs: number;
  readonly indexMs: number;
  /** Rows, facets and histograms for a condition on indexed columns; the slowest of `FILTERS`. */
  readonly filterMs: number;
  /** Time until the first hit of a text that one row in a thousand contains. */
  readonly firstHitMs: number;
  /** Time until all hits of a regular expression are found. */
  readonly scanMs: number;
  readonly peakBytes: number;
}

export async function viewFile({ path }: { path: string }): Promise<ViewFigures> {
  // Imported on demand: other scenarios load this module, but must not load `lib/data/`.
  const { DataService } = await import("../lib/data/mod.ts");
  const startMs = performance.now();
  let peakBytes = 0;
  await using service = await DataService.open({ paths: [path], isSaved: false });
  const page = async (where: string): Promise<DataRequests["rows"]["out"]> => {
    peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss);
    return await service.ask("rows", { where, from: 0, count: 100, columns: [] });
  };
  const until = async (isReached: () => Promise<boolean>): Promise<number> => {
    const beginMs = performance.now();
    while (!(await isReached())) await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - beginMs;
  };
  await until(async () => (await page("")).rows.length > 0);
  const firstPageMs = performance.now() - startMs;
  await until(async () => (await service.ask("state", {})).index.isCurrent);
  const indexMs = performance.now() - startMs;
  let filterMs = 0;
  for (const where of FILTERS) {
    const beginMs = performance.now();
    await page(where);
    await service.ask("overview", { where });
    filterMs = Math.max(filterMs, performance.now() - beginMs);
  }
  const firstHitMs = await until(async () =>
    (await page('response contains "rare word"')).total > 0
  );
  const scanMs = await until(async () =>
    (await page('response matches "(?i)total of \\\\d+ [a-z]+s\\\\b"')).scan?.isDone === true
  );
  return { firstPageMs, indexMs, filterMs, firstHitMs, scanMs, peakBytes };
}

/** Returns the mean CPU microseconds of flagging an answer, over at least `rows` answers. */
export async function flagCosts({ path, rows }: { path: string; rows: number }): Promise<number> {
  const { flagsOf } = await import("../lib/data/flags.ts");
  const answers: Parameters<typeof flagsOf>[] = [];
  for await (const block of readLineBlocks(path)) {
    for (const bytes of linesOf(block)) {
      const { response, prompt, distill } = JSON.parse(new TextDecoder().decode(bytes));
      const rest = { hasToolCalls: false, isRefusal: false, params: {} };
      answers.push([{ response, finishReason: distill.finish_reason, ...rest }, prompt]);
    }
    if (answers.length >= rows) break;
  }
  // The first round only compiles the code.
  for (const answer of answers) flagsOf(...answer);
  const before = process.cpuUsage();
  for (const answer of answers) flagsOf(...answer);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / answers.length;
}

/** Measures the speed of a run, alternately with and without an index of a growing file. */
export async function viewDuringRun(
  { path, rounds, windowS }: { path: string; rounds: number; windowS: number },
): Promise<Rounds<number, number>> {
  // Imported on demand, so that the memory in `viewFile` includes no run.
  const { DataService } = await import("../lib/data/mod.ts");
  const { startRun } = await import("./monitor_job.ts");
  await using run = await startRun(nextTurn);
  const speed = async () => (await run.window(windowS)).rowsPerS;
  return await alternate(rounds, async () => {
    // Makes the file look as if a run still wrote to it. The space at the end is not a row.
    await Deno.writeTextFile(path, " ", { append: true });
    await using service = await DataService.open({ paths: [path], isSaved: false });
    await service.ask("state", {});
    return await speed();
  }, speed);
}

const FILTERS = [
  'finish_reason == "stop" and not flags contains "refusal"',
  'completion_tokens >= 300 and topic in ("t1", "t2", "t3")',
  "latency_ms < 1000 or difficulty > 3",
];
