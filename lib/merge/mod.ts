/**
 * Merges the outputs of several runs into one, in input order, and proves that no row is missing or
 * there twice.
 *
 * In: results and failures of shards, or of runs on split inputs. Out: one results and one failures
 * file. It never asks a teacher, and never changes its inputs.
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
} from "./merge.ts";
