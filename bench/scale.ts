/**
 * Measures costs that must not grow with a run (memory, CPU per row), and the cost of resuming a
 * long run.
 * @module
 */

import { sha256Hex } from "../lib/hash.ts";
import { resultLine } from "../lib/sink/line.ts";
import {
  alternate,
  atMost,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  median,
  perSecond,
  ratiosOf,
} from "./measure.ts";
import { inChild } from "./processes.ts";
import { answeredOutcome, rowText, writeLines, writeRows } from "./rows.ts";
import type { CpuPerRow, JobReport } from "./scenarios.ts";

const LATENCY_MS = 50;
/** Number of windows of 10,000 rows at each end of a run. CPU varies, so medians are compared. */
const WINDOWS = 5;
const MEGABYTE = 1e6;

export async function cpuByConcurrency(bench: Bench): Promise<Figure[]> {
  const many = bench.rows(40_000, 40_000);
  const few = bench.rows(4_000, 40_000);
  const warmUp = `${bench.dir}/warm_up.jsonl`;
  const files = { many: `${bench.dir}/many.jsonl`, few: `${bench.dir}/few.jsonl` };
  await writeRows(warmUp, Math.min(many, 20_000));
  await writeRows(files.many, many);
  await writeRows(files.few, few);
  const cpuMicros = async (input: string, rows: number, concurrency: number) => {
    const output = `${bench.dir}/concurrency_out.jsonl`;
    const teacher = { latencyMs: LATENCY_MS };
    const report = await inChild("job", { input, output, concurrency, teacher, warmUp });
    return report.cpuSeconds * 1e6 / rows;
  };
  const rounds = await alternate(
    bench.rounds(3),
    () => cpuMicros(files.many, many, 2_000),
    () => cpuMicros(files.few, few, 20),
  );
  return [comparison("CPU per row, concurrency 2,000", rounds, {
    unit: "µs",
    baseline: ", concurrency 20",
    atMost: 1.3,
    note: `${many.toLocaleString("en")} rows of ${LATENCY_MS} ms against ` +
      `${few.toLocaleString("en")}, all threads, after a run that compiles the code`,
  })];
}

/**
 * Compares the CPU per row at the end of a run with that at its start, and its memory with that of
 * a short run.
 */
export async function cpuAndMemoryByRow(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 1_000_000);
  const few = Math.min(rows, 10_000);
  const files = { long: `${bench.dir}/long.jsonl`, short: `${bench.dir}/short.jsonl` };
  await writeRows(files.long, rows);
  await writeRows(files.short, few);
  const watched = (input: string) =>
    inChild("job", { input, output: `${bench.dir}/long_out.jsonl`, concurrency: 64, watch: true });
  const { ours, theirs } = await alternate(
    bench.rounds(3),
    () => watched(files.long),
    () => watched(files.short),
  );
  return [...cpuByRow(ours, rows), memoryFigure(ours, theirs, rows, few)];
}

/** Compares both ends of a run, without the first 10,000 rows, in which V8 compiles the code. */
function cpuByRow(reports: readonly JobReport[], rows: number): Figure[] {
  const runs = reports.map(({ windows }) => windows.slice(1))
    .filter((windows) => windows.length >= WINDOWS);
  if (runs.length === 0) return [];
  const name = `CPU per row, up to row ${rows.toLocaleString("en")}`;
  const all = `medians of ${WINDOWS} windows of 10,000 rows, all threads`;
  const ends = (value: (window: CpuPerRow) => number) => ({
    ours: runs.map((windows) => median(windows.slice(-WINDOWS).map(value))),
    theirs: runs.map((windows) => median(windows.slice(0, WINDOWS).map(value))),
  });
  const options = { unit: "µs", baseline: ", from row 10,000" };
  return [
    comparison(name, ends(({ user }) => user), {
      ...options,
      atMost: 1.1,
      note: `in user mode; ${all}`,
    }),
    comparison(`${name}: in the kernel`, ends(({ system }) => system), {
      ...options,
      note:
        "mostly the file system, because data is synced as fast as it is produced: on ext4, a loop " +
        "that only writes and syncs the same amount goes from 1 to 7 µs per row after 1.3 GB",
    }),
  ];
}

function memoryFigure(
  ours: readonly JobReport[],
  theirs: readonly JobReport[],
  rows: number,
  few: number,
): Figure {
  const peaks = ours.map(({ peakRssBytes }) => peakRssBytes / MEGABYTE);
  const base = theirs.map(({ peakRssBytes }) => peakRssBytes / MEGABYTE);
  return {
    name: `memory, ${rows.toLocaleString("en")} rows`,
    retort: `${formatNumber(median(peaks))} MB`,
    baseline: `${formatNumber(median(base))} MB, ${few.toLocaleString("en")} rows`,
    ratios: ratiosOf(peaks, base),
    target: atMost(median(peaks), 150, " MB"),
    note: "the peak of the whole process, sampled every 50 ms; the check of the input included",
  };
}

export async function resumeIndex(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 1_000_000);
  const path = `${bench.dir}/results.jsonl`;
  const figures: Figure[] = [];
  for (const hasOwnIds of [false, true]) {
    await writeLines(path, rows, (index) => lineOf(index, hasOwnIds));
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      () => inChild("readResumeIndex", { path, rows }),
      () => inChild("parseEveryLine", { path, rows }),
    );
    const rates = { ours: perSecond(rows, ours), theirs: perSecond(rows, theirs) };
    const options = { unit: "lines/s", baseline: ", every line parsed", atLeast: 3 };
    figures.push(
      comparison(`resume index, ${hasOwnIds ? "given" : "derived"} ids`, rates, options),
    );
  }
  await Deno.remove(path);
  return figures;
}

function lineOf(index: number, hasOwnIds: boolean): string {
  const outcome = answeredOutcome(index);
  const uid = hasOwnIds ? `train-${index}` : sha256Hex(String(index)).slice(0, 32);
  const text = rowText(index, hasOwnIds ? `"id":"train-${index}",` : "");
  return resultLine({ ...outcome, row: { ...outcome.row, uid, text } }, FORMAT);
}

const FORMAT = {
  paramsId: "44136fa355b3678a",
  model: "zero",
  address: "http://127.0.0.1:8000/v1",
  finalMessages: false,
  think: "wrap",
} as const;
