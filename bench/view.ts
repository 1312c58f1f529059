/** Speed of the data page: 1,000,000 rows of 2 KB with `--full`. @module */

import { inChild } from "./child.ts";
import {
  atLeast,
  atMost,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { writeLines } from "./rows.ts";
import type { ViewFigures } from "./view_scenario.ts";

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
  const speeds = ratiosOf(during.ours, during.theirs);
  return [...limitedFigures(rows, rounds), {
    name: "view: flags of an answer of 1.3 KB, CPU",
    retort: `${formatNumber(median(flags))} µs`,
    baseline: "5 µs, the limit",
    ratios: flags.map((micros) => micros / 5),
    target: atMost(median(flags), 5, " µs"),
  }, {
    name: "view: a run during the indexing",
    retort: `${formatNumber(median(during.ours))} rows/s`,
    baseline: `${formatNumber(median(during.theirs))} rows/s without indexing`,
    ratios: speeds,
    target: atLeast(median(speeds), 0.9),
    note: "teacher in process, no latency, nothing written; alternately with indexing and without",
  }];
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
