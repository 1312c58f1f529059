/**
 * Cost of other input formats compared with JSON Lines: CPU time of reading and parsing.
 *
 * @module
 */

import process from "node:process";
import { openInput } from "../lib/formats/mod.ts";
import { convertFiles } from "../mod.ts";
import {
  alternate,
  atMost,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { writeRows } from "./rows.ts";

const MICROSECONDS_PER_MS = 1_000;

/** Measures each format against JSON Lines of the same rows. */
export async function readFormats(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(20_000, 500_000);
  const jsonLines = `${bench.dir}/rows.jsonl`;
  await writeRows(jsonLines, rows);
  const figures: Figure[] = [];
  for (const extension of ["json", "csv", "parquet", "jsonl.zst", "jsonl.gz"]) {
    const path = `${bench.dir}/read.${extension}`;
    await convertFiles({ input: jsonLines, output: path });
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

/** Returns the CPU time of this process for reading and parsing a file. */
async function cpuMsOf(path: string): Promise<number> {
  const before = process.cpuUsage();
  const input = await openInput(path, path);
  for await (const batch of input.rows()) {
    for (const { text } of batch) JSON.parse(text!);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MICROSECONDS_PER_MS;
}
