/**
 * Rows per second over HTTP. The teacher answers without latency and runs in another process.
 *
 * @module
 */

import { inChild } from "./child.ts";
import { alternate, atLeast, type Bench, type Figure, formatNumber, median } from "./measure.ts";
import { writeRows } from "./rows.ts";
import { startZeroServer } from "./zero_server.ts";

/** Compares Retort, with durable results, with a bare `undici` loop that writes nothing. */
export async function httpRows(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(30_000, 200_000);
  const input = `${bench.dir}/http.jsonl`;
  await writeRows(input, rows);
  await using server = await startZeroServer();
  const { baseUrl } = server;
  // A first run compiles the server's code before the measurement.
  await inChild("undiciLoop", { rows: Math.min(rows, 5_000), concurrency: 64, baseUrl });
  const figures: Figure[] = [];
  for (const concurrency of [64, 1_000]) {
    figures.push(...await figuresAt(bench, { rows, input, concurrency, baseUrl }));
  }
  return figures;
}

async function figuresAt(
  bench: Bench,
  { rows, input, concurrency, baseUrl }: {
    rows: number;
    input: string;
    concurrency: number;
    baseUrl: string;
  },
): Promise<Figure[]> {
  const output = `${bench.dir}/http_out.jsonl`;
  const { ours, theirs } = await alternate(
    bench.rounds(3),
    () => inChild("job", { input, output, concurrency, teacher: { baseUrl } }),
    () => inChild("undiciLoop", { rows, concurrency, baseUrl }),
  );
  const runPhase = ours.map(({ elapsedMs }, round) => theirs[round] / elapsedMs);
  const whole = ours.map(({ wholeMs }, round) => theirs[round] / wholeMs);
  const baseline = `${perSecond(rows, theirs)}, bare undici loop`;
  const name = `HTTP, concurrency ${concurrency.toLocaleString("en")}`;
  return [
    {
      name,
      retort: perSecond(rows, ours.map(({ elapsedMs }) => elapsedMs)),
      baseline,
      ratios: runPhase,
      target: atLeast(median(runPhase), 0.85),
    },
    {
      name: `${name}: whole call`,
      retort: perSecond(rows, ours.map(({ wholeMs }) => wholeMs)),
      baseline,
      ratios: whole,
    },
  ];
}

function perSecond(rows: number, elapsedMs: readonly number[]): string {
  return `${formatNumber(rows / median(elapsedMs) * 1000)} rows/s`;
}
