/**
 * The engine without the network: reading, hashing, scheduling, serializing, writing, syncing.
 *
 * @module
 */

import { inChild } from "./child.ts";
import {
  alternate,
  atLeast,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { writeRows } from "./rows.ts";

/**
 * Compares runs with an in-process teacher that answers at once with a plain loop that writes the
 * same lines.
 */
export async function engineAlone(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(100_000, 500_000);
  const name = "engine alone, durable";
  const textRows = await measure(bench, rows, "");
  const numberRows = await measure(bench, rows, '"level":3,');
  return [
    { ...textRows.runPhase, name, target: atLeast(median(textRows.runPhase.ratios), 0.5) },
    { ...textRows.wholeCall, name: `${name}: whole call` },
    {
      ...numberRows.runPhase,
      name: `${name}, a number in each row`,
      note: "the hash of a row without an id keeps numbers as the file spells them",
    },
  ];
}

type UnnamedFigure = Omit<Figure, "name">;

async function measure(
  bench: Bench,
  rows: number,
  moreFields: string,
): Promise<{ runPhase: UnnamedFigure; wholeCall: UnnamedFigure }> {
  const input = `${bench.dir}/engine.jsonl`;
  const output = `${bench.dir}/engine_out.jsonl`;
  await writeRows(input, rows, moreFields);
  const { ours, theirs } = await alternate(
    bench.rounds(moreFields === "" ? 5 : 3),
    () => inChild("job", { input, output, concurrency: 64 }),
    () => inChild("plainLoop", { input, output }),
  );
  const perSecond = (elapsedMs: readonly number[]) =>
    `${formatNumber(rows / median(elapsedMs) * 1000)} rows/s`;
  const figureFor = (elapsedMs: readonly number[]): UnnamedFigure => ({
    retort: perSecond(elapsedMs),
    baseline: `${perSecond(theirs)}, plain loop without fsync`,
    ratios: ratiosOf(theirs, elapsedMs),
  });
  return {
    runPhase: figureFor(ours.map(({ elapsedMs }) => elapsedMs)),
    wholeCall: figureFor(ours.map(({ wholeMs }) => wholeMs)),
  };
}
