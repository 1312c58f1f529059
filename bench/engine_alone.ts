/**
 * Everything but the network: read, hash, hand over, put the line together, write, sync.
 *
 * @module
 */

import { inChild } from "./child.ts";
import { alternate, atLeast, type Bench, type Figure, figure, median } from "./measure.ts";
import { writeRows } from "./rows.ts";

/** A teacher in the process that answers at once, against a plain loop that makes the same lines. */
export async function engineAlone(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(100_000, 500_000);
  const input = `${bench.dir}/engine.jsonl`;
  const output = `${bench.dir}/engine_out.jsonl`;
  await writeRows(input, rows);
  const { ours, theirs } = await alternate(
    bench.rounds(5),
    () => inChild("job", { input, output, concurrency: 64 }),
    () => inChild("plainLoop", { input, output }),
  );
  const runPhase = ours.map(({ elapsedMs }, round) => theirs[round] / elapsedMs);
  const whole = ours.map(({ wholeMs }, round) => theirs[round] / wholeMs);
  const baseline = `${perSecond(theirs)}, plain loop without fsync`;
  return [
    {
      name: "engine alone, durable",
      retort: perSecond(ours.map(({ elapsedMs }) => elapsedMs)),
      baseline,
      ratios: runPhase,
      target: atLeast(median(runPhase), 0.5),
    },
    {
      name: "engine alone: whole call",
      retort: perSecond(ours.map(({ wholeMs }) => wholeMs)),
      baseline,
      ratios: whole,
    },
  ];

  function perSecond(elapsedMs: readonly number[]): string {
    return `${figure(rows / median(elapsedMs) * 1000)} rows/s`;
  }
}
