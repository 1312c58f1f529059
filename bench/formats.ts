/**
 * Benchmarks file formats other than JSON Lines. Reading and runs are compared with JSON Lines;
 * `convert` and `export` with Python processes that use pyarrow or polars.
 *
 * @module
 */

import { openInput } from "../lib/formats/mod.ts";
import { convertFiles, distillFiles } from "../mod.ts";
import {
  alternate,
  atMost,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  perSecond,
} from "./measure.ts";
import { denoRun, inChild, runProgram } from "./processes.ts";
import { instantTeacher, writeRows } from "./rows.ts";
import process from "node:process";

export async function readFormats(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(20_000, 500_000);
  const jsonLines = `${bench.dir}/rows.jsonl`;
  await writeRows(jsonLines, rows);
  const figures: Figure[] = [];
  for (const extension of ["json", "csv", "parquet", "jsonl.zst", "jsonl.gz"]) {
    const path = `${bench.dir}/read.${extension}`;
    await convertFiles({ input: jsonLines, output: path });
    // V8 compiles the code during this reading, and not during the measurement.
    await cpuMicrosOf(path);
    const rounds = await alternate(
      bench.rounds(5),
      async () => await cpuMicrosOf(path) / rows,
      async () => await cpuMicrosOf(jsonLines) / rows,
    );
    const options = { unit: "µs/row", baseline: ", JSON Lines", atMost: 3 };
    figures.push(comparison(`reading .${extension}`, rounds, options));
    await Deno.remove(path);
  }
  await Deno.remove(jsonLines);
  return figures;
}

async function cpuMicrosOf(path: string): Promise<number> {
  const before = process.cpuUsage();
  const input = await openInput(path, path);
  for await (const batch of input.rows()) {
    for (const { text } of batch) JSON.parse(text!);
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const LIBRARIES = ["pyarrow", "polars"] as const;
const MAIN = new URL("../cli.ts", import.meta.url).pathname;
const SCRIPT = new URL("tables.py", import.meta.url).pathname;
const REPLACE = ["--replace", "--quiet"];

interface Conversion {
  /** The argument WORK of `tables.py` for the same conversion. */
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
  const retort = async () => (await denoRun(["-A", MAIN, ...args, ...files, ...REPLACE])).elapsedMs;
  if (python === undefined) {
    const [rate] = perSecond(rows, [await retort()]);
    return [{
      name,
      retort: `${formatNumber(rate)} rows/s`,
      baseline: "none: set RETORT_BENCH_PYTHON to a Python with pyarrow and polars",
      ratios: [],
    }];
  }
  const figures: Figure[] = [];
  for (const library of LIBRARIES) {
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      retort,
      async () => (await runProgram(python, [SCRIPT, library, name, input, output])).elapsedMs,
    );
    const rates = { ours: perSecond(rows, ours), theirs: perSecond(rows, theirs) };
    const options = { unit: "rows/s", baseline: `, ${library}` };
    figures.push(comparison(`${name}, whole process`, rates, options));
  }
  return figures;
}

async function findPython(): Promise<string | undefined> {
  const trainers = new URL("../tests/trainers/.venv/trl/bin/python", import.meta.url).pathname;
  for (const python of [Deno.env.get("RETORT_BENCH_PYTHON"), trainers, "python3"]) {
    if (python === undefined) continue;
    const args = ["-c", "import pyarrow, polars"];
    if (await runProgram(python, args).catch(() => undefined) !== undefined) return python;
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
    const cpuOptions = { unit: "µs", baseline: ", JSON Lines", atMost: MAX_CPU_RATIO };
    const megabytes = Math.max(...ours.map(({ peakRssBytes }) => peakRssBytes)) / 1e6;
    const name = `whole run over .${extension}`, costs = { ours: cpu(ours), theirs: cpu(theirs) };
    figures.push(comparison(`${name}, CPU per row`, costs, cpuOptions), {
      name: `${name}, memory`,
      retort: `${formatNumber(megabytes)} MB`,
      baseline: `${rows.toLocaleString("en")} rows`,
      ratios: [],
      target: atMost(megabytes, MAX_MB),
    });
    await Deno.remove(input);
  }
  return figures;
}
