/**
 * How fast a resumed run reads its results.
 *
 * @module
 */

import { sha256Hex } from "../lib/hash.ts";
import { resultLine } from "../lib/sink/line.ts";
import { inChild } from "./child.ts";
import { alternate, atLeast, type Bench, type Figure, formatNumber, median } from "./measure.ts";
import { answeredOutcome, rowText, writeLines } from "./rows.ts";

/** Compares the index with parsing every line, for derived and for given ids. */
export async function resumeIndex(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 1_000_000);
  const path = `${bench.dir}/results.jsonl`;
  const figures: Figure[] = [];
  for (const isGiven of [false, true]) {
    await writeLines(path, rows, (index) => lineOf(index, isGiven));
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      () => inChild("readResumeIndex", { path, rows }),
      () => inChild("parseEveryLine", { path, rows }),
    );
    const ratios = ours.map((elapsedMs, round) => theirs[round] / elapsedMs);
    const perSecond = (ms: readonly number[]) =>
      `${formatNumber(rows / median(ms) * 1000)} lines/s`;
    figures.push({
      name: `resume index, ${isGiven ? "given" : "derived"} ids`,
      retort: perSecond(ours),
      baseline: `${perSecond(theirs)}, every line parsed`,
      ratios,
      target: atLeast(median(ratios), 3),
    });
  }
  await Deno.remove(path);
  return figures;
}

function lineOf(index: number, isGiven: boolean): string {
  const outcome = answeredOutcome(index);
  const uid = isGiven ? `train-${index}` : sha256Hex(String(index)).slice(0, 32);
  const text = rowText(index, isGiven ? `"id":"train-${index}",` : "");
  return resultLine({ ...outcome, row: { ...outcome.row, uid, text } }, FORMAT);
}

const FORMAT = {
  paramsId: "44136fa355b3678a",
  model: "zero",
  address: "http://127.0.0.1:8000/v1",
  finalMessages: false,
  think: "wrap",
} as const;
