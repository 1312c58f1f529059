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
  figure,
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
  const text = await measured(bench, rows, "");
  const numbers = await measured(bench, rows, '"level":3,');
  return [
    { ...text.runPhase, name, target: atLeast(median(text.runPhase.ratios), 0.5) },
    { ...text.wholeCall, name: `${name}: whole call` },
    {
      ...numbers.runPhase,
      name: `${name}, a number in each row`,
      note: "a row without an id of its own is hashed with its numbers as they were written",
    },
  ];
}

type Unnamed = Omit<Figure, "name">;

async function measured(
  bench: Bench,
  rows: number,
  more: string,
): Promise<{ runPhase: Unnamed; wholeCall: Unnamed }> {
  const input = `${bench.dir}/engine.jsonl`;
  const output = `${bench.dir}/engine_out.jsonl`;
  await writeRows(input, rows, more);
  const { ours, theirs } = await alternate(
    bench.rounds(more === "" ? 5 : 3),
    () => inChild("job", { input, output, concurrency: 64 }),
    () => inChild("plainLoop", { input, output }),
  );
  const perSecond = (elapsedMs: readonly number[]) =>
    `${figure(rows / median(elapsedMs) * 1000)} rows/s`;
  const against = (elapsedMs: readonly number[]): Unnamed => ({
    retort: perSecond(elapsedMs),
    baseline: `${perSecond(theirs)}, plain loop without fsync`,
    ratios: ratiosOf(theirs, elapsedMs),
  });
  return {
    runPhase: against(ours.map(({ elapsedMs }) => elapsedMs)),
    wholeCall: against(ours.map(({ wholeMs }) => wholeMs)),
  };
}
