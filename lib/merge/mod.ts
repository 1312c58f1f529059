/**
 * Merges the outputs of shards, or of runs over split inputs, into one results and one failures
 * file in input order, and proves that each row is there once.
 *
 * @module
 */

export type { MergeRun } from "./find_runs.ts";
export {
  type Clash,
  findRuns,
  type MergeOptions,
  type MergeProblem,
  type MergeReport,
  mergeRuns,
  type WaitProgress,
} from "./merge.ts";
