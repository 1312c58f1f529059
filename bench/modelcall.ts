/**
 * Runs the published scenario of ModelCall, an earlier tool: a latency of 0.5 s, concurrency 20, a
 * progress bar. Also measures what reporting progress costs, in batches or for each row, and with a
 * bar or without.
 *
 * @module
 */

import { Listeners, Progress, type RunEvent, type RunListener } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";
import { createBar } from "../lib/terminal/progress_lines.ts";
import { alternate, atMost, type Bench, comparison, type Figure, formatNumber } from "./measure.ts";
import { inChild } from "./processes.ts";
import { answeredOutcome, COMPLETION, writeRows } from "./rows.ts";

const CONCURRENCY = 20;
const LATENCY_MS = 500;

/** Compares with 253.1 s and 8 % of a core for 10,000 rows, as ModelCall published. */
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
  // All three run at the same time, because they sleep nearly all the time. ModelCall sends its
  // first 20 rows immediately; a careful start takes a few latencies longer, regardless of the
  // number of rows.
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
      note: `the start costs ${seconds(careful.elapsedMs - report.elapsedMs)}, once per run`,
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

const ROWS_PER_S = 40;
const BEAT_MS = 100;

export async function progressPerRow(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(5_000, 20_000);
  const rounds = await alternate(
    bench.rounds(7),
    () => microsPerRow(rows, reportInBatches),
    () => microsPerRow(rows, redrawForEachRow),
  );
  return [comparison(`progress, batched (${ROWS_PER_S} rows/s)`, rounds, {
    unit: "µs per row",
    baseline: ", redrawn for each row",
    note: "the terminal bar, whose output is discarded; a real terminal makes each drawing slower",
  })];
}

function microsPerRow(rows: number, scenario: (rows: number) => void): number {
  const startedMs = performance.now();
  scenario(rows);
  return (performance.now() - startedMs) * 1000 / rows;
}

/** Reports as a run does: snapshots when they are due, and at most four drawings per second. */
function reportInBatches(rows: number): void {
  let nowMs = 0;
  let beat = () => {};
  const bar = createBar({ ...SCREEN, now: () => nowMs });
  const progress = createProgress(bar, () => nowMs, (callback) => beat = callback);
  progress.start({ total: rows, skipped: 0 });
  let nextBeatMs = BEAT_MS;
  for (let sequence = 0; sequence < rows; sequence++) {
    nowMs += 1000 / ROWS_PER_S;
    progress.attempt();
    progress.attemptAnswered(COMPLETION);
    progress.settled([outcomeOf(sequence)]);
    if (nowMs < nextBeatMs) continue;
    beat();
    nextBeatMs += BEAT_MS;
  }
  progress.stop();
}

function redrawForEachRow(rows: number): void {
  let nowMs = 0;
  let drawingMs = 0;
  // This clock makes a drawing due at each call.
  const bar = createBar({ ...SCREEN, now: () => drawingMs += 1000 });
  const progress = createProgress(bar, () => nowMs, () => {});
  progress.start({ total: rows, skipped: 0 });
  for (let sequence = 0; sequence < rows; sequence++) {
    nowMs += 1000 / ROWS_PER_S;
    progress.attempt();
    progress.attemptAnswered(COMPLETION);
    progress.settled([outcomeOf(sequence)]);
    progress.emit(progress.snapshot());
  }
  progress.stop();
}

const SCREEN = { write: () => {}, columns: () => 100, isColored: true };

/** @param setTick Receives the callback of the timer that emits snapshots. */
function createProgress(
  bar: RunListener,
  now: () => number,
  setTick: (tick: () => void) => void,
): Progress {
  const listeners = new Listeners<RunEvent>();
  listeners.add(bar);
  return new Progress({
    listeners,
    concurrency: CONCURRENCY,
    gauges: () => ({
      state: "running",
      inFlight: CONCURRENCY,
      waiting: 0,
      concurrency: CONCURRENCY,
      limit: CONCURRENCY,
      maxPerSecond: Infinity,
      backingOffUntil: null,
      reason: null,
      costUsd: null,
      budgetUsd: null,
      minBudgetUsd: null,
      maxCostUsd: null,
      teachers: () => [],
    }),
    now,
    every: (_, callback) => {
      setTick(callback);
      return () => {};
    },
  });
}

/** Copies an outcome, because creating one would count as a cost of progress. */
function outcomeOf(sequence: number): Outcome {
  return { ...OUTCOME, sequence };
}

const OUTCOME = answeredOutcome(0);

export async function progressOnOff(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(60_000, 200_000);
  const input = `${bench.dir}/on_off.jsonl`;
  await writeRows(input, rows);
  const cpuMicros = async (bar: boolean) => {
    const output = `${bench.dir}/on_off_out.jsonl`;
    const report = await inChild("job", { input, output, concurrency: 64, bar });
    return report.cpuSeconds * 1e6 / rows;
  };
  const rounds = await alternate(
    bench.rounds(7),
    () => cpuMicros(true),
    () => cpuMicros(false),
  );
  const options = { unit: "µs", baseline: ", progress off", atMost: 1.02 };
  return [comparison("progress on: CPU per row", rounds, options)];
}
