/**
 * Benchmarks file formats other than JSON Lines. Reading and runs are compared with JSON Lines;
 * `convert` and `export` with Python processes that use pyarrow or polars.
 *
 * @module
 */

import { openInput } from "../lib/formats/mod.ts";
import { convertFiles, distillFiles } from "../mod.ts";
import { inChild } from "./child.ts";
import {
  alternate,
  atMost,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { instantTeacher, writeRows } from "./rows.ts";
import process from "node:process";

const MICROSECONDS_PER_MS = 1_000;

export async function readFormats(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(20_000, 500_000);
  const jsonLines = `${bench.dir}/rows.jsonl`;
  await writeRows(jsonLines, rows);
  const figures: Figure[] = [];
  for (const extension of ["json", "csv", "parquet", "jsonl.zst", "jsonl.gz"]) {
    const path = `${bench.dir}/read.${extension}`;
    await convertFiles({ input: jsonLines, output: path });
    // V8 compiles the code during this reading, and not during the measurement.
    await cpuMsOf(path);
    const { ours, theirs } = await alternate(
      bench.rounds(5),
      () => cpuMsOf(path),
      () => cpuMsOf(jsonLines),
    );
    const ratios = ratiosOf(ours, theirs);
    const perRow = (ms: readonly number[]) =>
      `${formatNumber(median(ms) * MICROSECONDS_PER_MS / rows)} µs/row`;
    figures.push({
      name: `reading .${extension}`,
      retort: perRow(ours),
      baseline: `${perRow(theirs)}, JSON Lines`,
      ratios,
      target: atMost(median(ratios), 3),
    });
    await Deno.remove(path);
  }
  await Deno.remove(jsonLines);
  return figures;
}

async function cpuMsOf(path: string): Promise<number> {
  const before = process.cpuUsage();
  const input = await openInput(path, path);
  for await (const batch of input.rows()) {
    for (const { text } of batch) JSON.parse(text!);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MICROSECONDS_PER_MS;
}

const LIBRARIES = ["pyarrow", "polars"] as const;
const MAIN = new URL("../cli.ts", import.meta.url).pathname;
const SCRIPT = new URL("tables.py", import.meta.url).pathname;
const REPLACE = ["--replace", "--quiet"];

interface Conversion {
  /** The WORK of `tables.py` that does the same. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly args: readonly string[];
}

/** Compares `convert` and `export` with `tables.py`; without Python, there is no baseline. */
export async function tableThroughput(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 1_000_000);
  const file = (name: string) => `${bench.dir}/${name}`;
  await writeRows(file("rows.jsonl"), rows);
  const teacher = instantTeacher();
  await distillFiles(file("rows.jsonl"), file("results.jsonl"), { teacher, concurrency: 64 });
  await convertFiles({ input: file("rows.jsonl"), output: file("rows.parquet") });
  const conversions: Conversion[] = [
    {
      name: "jsonl to parquet",
      input: file("rows.jsonl"),
      output: file("out.parquet"),
      args: ["convert"],
    },
    {
      name: "parquet to jsonl",
      input: file("rows.parquet"),
      output: file("out.jsonl"),
      args: ["convert"],
    },
    {
      name: "results to messages",
      input: file("results.jsonl"),
      output: file("messages.parquet"),
      args: ["export", "--format", "messages"],
    },
  ];
  const python = await findPython();
  const figures: Figure[] = [];
  for (const conversion of conversions) {
    figures.push(...await figuresOf(bench, conversion, rows, python));
  }
  return figures;
}

async function figuresOf(
  bench: Bench,
  { name, input, output, args }: Conversion,
  rows: number,
  python: string | undefined,
): Promise<Figure[]> {
  const files = [input, "-o", output];
  const retort = () =>
    secondsOf(Deno.execPath(), ["run", "--quiet", "-A", MAIN, ...args, ...files, ...REPLACE]);
  const perSecond = (seconds: readonly number[]) =>
    `${formatNumber(rows / median(seconds))} rows/s`;
  if (python === undefined) {
    return [{
      name,
      retort: perSecond([await retort()]),
      baseline: "none: set RETORT_BENCH_PYTHON to a Python with pyarrow and polars",
      ratios: [],
    }];
  }
  const figures: Figure[] = [];
  for (const library of LIBRARIES) {
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      retort,
      () => secondsOf(python, [SCRIPT, library, name, input, output]),
    );
    figures.push({
      name: `${name}, whole process`,
      retort: perSecond(ours),
      baseline: `${perSecond(theirs)}, ${library}`,
      ratios: ratiosOf(theirs, ours),
    });
  }
  return figures;
}

async function secondsOf(command: string, args: readonly string[]): Promise<number> {
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`Cannot measure ${command}: ${new TextDecoder().decode(stderr)}`);
  return (performance.now() - started) / 1_000;
}

async function findPython(): Promise<string | undefined> {
  const trainers = new URL("../tests/trainers/.venv/trl/bin/python", import.meta.url).pathname;
  for (const python of [Deno.env.get("RETORT_BENCH_PYTHON"), trainers, "python3"]) {
    if (python === undefined) continue;
    const args = ["-c", "import pyarrow, polars"];
    const result = await new Deno.Command(python, { args }).output().catch(() => undefined);
    if (result?.success) return python;
  }
}

const MAX_CPU_RATIO = 1.2;
const MAX_MB = 200;

export async function runFormats(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(50_000, 1_000_000);
  const lines = `${bench.dir}/run.jsonl`;
  const output = `${bench.dir}/run_out.jsonl`;
  await writeRows(lines, rows);
  const figures: Figure[] = [];
  for (const extension of ["json", "csv", "parquet", "jsonl.zst"]) {
    const input = `${bench.dir}/run.${extension}`;
    await convertFiles({ input: lines, output: input });
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      () => inChild("job", { input, output, concurrency: 64, watch: true }),
      () => inChild("job", { input: lines, output, concurrency: 64, watch: true }),
    );
    const cpu = (reports: typeof ours) =>
      reports.map(({ wholeCpuSeconds }) => wholeCpuSeconds * 1e6 / rows);
    const ratios = ratiosOf(cpu(ours), cpu(theirs));
    const megabytes = Math.max(...ours.map(({ peakRssBytes }) => peakRssBytes)) / 1e6;
    figures.push({
      name: `whole run over .${extension}, CPU per row`,
      retort: `${formatNumber(median(cpu(ours)))} µs`,
      baseline: `${formatNumber(median(cpu(theirs)))} µs, JSON Lines`,
      ratios,
      target: atMost(median(ratios), MAX_CPU_RATIO),
    }, {
      name: `whole run over .${extension}, memory`,
      retort: `${formatNumber(megabytes)} MB`,
      baseline: `${rows.toLocaleString("en")} rows`,
      ratios: [],
      target: atMost(megabytes, MAX_MB),
    });
    await Deno.remove(input);
  }
  return figures;
}
