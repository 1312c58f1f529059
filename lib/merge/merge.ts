/**
 * Merges several outputs into one.
 *
 * @module
 */

import type { MergeRun } from "./find_runs.ts";
import type { MergeOptions, MergeReport } from "./options.ts";

/**
 * Merges the outputs of several runs, such as the shards of one input, into one results and one
 * failures file, in input order, and proves that each row of the input is there once. Files appear
 * complete or not at all; the merged runs stay as they are.
 *
 * Where shards are missing, unfinished or damaged, `problems` says so and nothing is written, unless `partial` is
 * set. A row needs 33 bytes of memory, and 12 bytes more while its shard is read.
 *
 * @example
 * ```ts
 * import { mergeRuns } from "../../mod.ts";
 *
 * async function mergeShards(): Promise<void> {
 *   const report = await mergeRuns({ outputs: "shards/", output: "all/prompts.jsonl" });
 *   for (const { run, message } of report.problems) console.warn(`${run}: ${message}`);
 *   console.log(report.results, report.succeeded, report.failed);
 * }
 * ```
 *
 * @throws {TypeError | RangeError} An option is unknown, missing, of a wrong type or out of range.
 * @throws {UsageError} The outputs cannot be merged as asked.
 * @throws {SourceError} An input cannot be read.
 * @throws {SinkError} The output cannot be written.
 * @throws {LockedError} A run writes to the output.
 */
export async function mergeRuns(options: MergeOptions): Promise<MergeReport> {
  // Scripts that merge nothing do not load this.
  const { mergeRuns } = await import("./merge_runs.ts");
  return await mergeRuns(options);
}

/**
 * Finds the runs of outputs, in the order of the outputs and of the shards.
 *
 * @throws {UsageError} when there are none
 */
export async function findRuns(
  outputs: readonly string[],
  options: { shards?: number; needsRunFile: boolean },
): Promise<MergeRun[]> {
  const { findRuns } = await import("./find_runs.ts");
  return await findRuns(outputs, options);
}
