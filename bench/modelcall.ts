/**
 * ModelCall's own scenario: rows of half a second, 20 at a time, with a progress bar.
 *
 * @module
 */

import { inChild } from "./child.ts";
import { atMost, type Bench, type Figure, formatNumber } from "./measure.ts";
import { writeRows } from "./rows.ts";

const CONCURRENCY = 20;
const LATENCY_MS = 500;

/**
 * Measures elapsed time, compared with the ideal, and CPU. ModelCall's published figures for 10,000
 * rows are 253.1 s and 8 % of a core.
 */
export async function modelcallScenario(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(1_000, 10_000);
  const input = `${bench.dir}/modelcall.jsonl`;
  await writeRows(input, rows);
  const jobOf = (carefulStart: boolean) =>
    inChild("job", {
      input,
      output: `${bench.dir}/modelcall_out_${carefulStart}.jsonl`,
      concurrency: CONCURRENCY,
      teacher: { latencyMs: LATENCY_MS },
      carefulStart,
      bar: true,
    });
  // These processes sleep nearly all the time, so they can share the machine. ModelCall sends its
  // first 20 rows at once; a careful start adds the time of a few answers, however many rows there
  // are.
  const [report, careful, bareMs] = await Promise.all([
    jobOf(false),
    jobOf(true),
    inChild("bareLanes", { rows, concurrency: CONCURRENCY, latencyMs: LATENCY_MS }),
  ]);
  return figuresOf(rows, report, careful, bareMs);
}

type Report = Awaited<ReturnType<typeof inChild<"job">>>;

function figuresOf(rows: number, report: Report, careful: Report, bareMs: number): Figure[] {
  const waves = Math.ceil(rows / CONCURRENCY);
  const idealMs = waves * LATENCY_MS;
  const ideal = `${seconds(idealMs)} ideal (ModelCall ${seconds(idealMs * 253.1 / 250)})`;
  const ratio = report.elapsedMs / idealMs;
  const name = `ModelCall scenario, ${rows.toLocaleString("en")} rows`;
  return [
    {
      name: `${name}: time`,
      retort: seconds(report.elapsedMs),
      baseline: ideal,
      ratios: [ratio],
      target: atMost(ratio, 1.003),
      note: `${perWave(report.elapsedMs)} over the ideal in each of ${waves} waves; loops with ` +
        `nothing but the same timers: ${perWave(bareMs)}`,
    },
    {
      name: `${name}: time with the careful start`,
      retort: seconds(careful.elapsedMs),
      baseline: ideal,
      ratios: [careful.elapsedMs / idealMs],
      note: `the start costs ${seconds(careful.elapsedMs - report.elapsedMs)}, once a run`,
    },
    {
      name: `${name}: time of the whole call`,
      retort: seconds(report.wholeMs),
      baseline: ideal,
      ratios: [report.wholeMs / idealMs],
    },
    cpuFigure(`${name}: CPU`, report),
  ];

  function perWave(elapsedMs: number): string {
    return `${formatNumber((elapsedMs - idealMs) / waves)} ms`;
  }
}

function cpuFigure(name: string, { cpuSeconds, elapsedMs, wholeCpuSeconds }: Report): Figure {
  const cpu = cpuSeconds / elapsedMs * 1e5;
  return {
    name,
    retort: `${formatNumber(cpu)} % of a core`,
    baseline: "8 % (ModelCall, published)",
    ratios: [cpu / 8],
    target: atMost(cpu, 1, " %"),
    note: `${formatNumber(cpuSeconds)} s of CPU, the bar included; ` +
      `${formatNumber(wholeCpuSeconds)} s including the check of the input`,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
