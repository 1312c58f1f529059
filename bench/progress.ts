/**
 * Cost of progress: batched updates compared with redrawing for each row, as a plain progress bar
 * does; and a run with a bar compared with one without.
 *
 * @module
 */

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
import { createBar } from "../lib/terminal/progress_lines.ts";
import { Progress } from "../lib/progress/progress.ts";
import type { Outcome } from "../lib/row.ts";
import { answeredOutcome, COMPLETION, writeRows } from "./rows.ts";

/** The rate of the scenario in `modelcall.ts`: `CONCURRENCY` rows every half second. */
const ROWS_PER_S = 40;
const CONCURRENCY = 20;
const SNAPSHOT_MS = 100;

/** Measures microseconds per row, with a simulated clock: 40 rows per second. */
export async function progressPerRow(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(5_000, 20_000);
  const { ours, theirs } = await alternate(
    bench.rounds(7),
    () => microsPerRow(rows, reportInBatches),
    () => microsPerRow(rows, redrawForEachRow),
  );
  return [{
    name: `progress, batched (${ROWS_PER_S} rows/s)`,
    retort: `${formatNumber(median(ours))} µs per row`,
    baseline: `${formatNumber(median(theirs))} µs, redrawn for each row`,
    ratios: ratiosOf(ours, theirs),
    note: "the terminal bar, whose output is discarded; a real terminal makes each drawing slower",
  }];
}

function microsPerRow(rows: number, scenario: (rows: number) => void): number {
  const startedMs = performance.now();
  scenario(rows);
  return (performance.now() - startedMs) * 1000 / rows;
}

/** Reports rows as a run does: snapshots at fixed intervals, at most four drawings per second. */
function reportInBatches(rows: number): void {
  let nowMs = 0;
  let emitSnapshot = () => {};
  const progress = createProgress(() => nowMs, (callback) => emitSnapshot = callback);
  progress.on(createBar({ ...SCREEN, now: () => nowMs }));
  progress.start({ total: rows, skipped: 0 });
  let nextSnapshotMs = SNAPSHOT_MS;
  for (let sequence = 0; sequence < rows; sequence++) {
    nowMs += 1000 / ROWS_PER_S;
    progress.attempt();
    progress.attemptAnswered(COMPLETION);
    progress.settled([outcomeOf(sequence)]);
    if (nowMs < nextSnapshotMs) continue;
    emitSnapshot();
    nextSnapshotMs += SNAPSHOT_MS;
  }
  progress.stop();
}

/** Reports rows with a snapshot and a drawing for each. */
function redrawForEachRow(rows: number): void {
  let nowMs = 0;
  let drawingMs = 0;
  const progress = createProgress(() => nowMs, () => {});
  // Each reading of this clock makes the next drawing due.
  progress.on(createBar({ ...SCREEN, now: () => drawingMs += 1000 }));
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

/** @param setTick Gets the function that the interval of snapshots would call. */
function createProgress(now: () => number, setTick: (tick: () => void) => void): Progress {
  return new Progress({
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

/**
 * Returns an answered outcome. Only `sequence` differs from row to row, so that creating one costs
 * almost nothing.
 */
function outcomeOf(sequence: number): Outcome {
  return { ...OUTCOME, sequence };
}

const OUTCOME = answeredOutcome(0);

/** Measures CPU per row of the engine alone, with a bar and without. */
export async function progressOnOff(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(60_000, 200_000);
  const input = `${bench.dir}/on_off.jsonl`;
  await writeRows(input, rows);
  const cpuMicros = async (bar: boolean) => {
    const output = `${bench.dir}/on_off_out.jsonl`;
    const report = await inChild("job", { input, output, concurrency: 64, bar });
    return report.cpuSeconds * 1e6 / rows;
  };
  const { ours, theirs } = await alternate(
    bench.rounds(7),
    () => cpuMicros(true),
    () => cpuMicros(false),
  );
  const ratios = ratiosOf(ours, theirs);
  return [{
    name: "progress on: CPU per row",
    retort: `${formatNumber(median(ours))} µs`,
    baseline: `${formatNumber(median(theirs))} µs, progress off`,
    ratios,
    target: atMost(median(ratios), 1.02),
  }];
}
