/**
 * Shards: contiguous parts of the input files, taken as one sequence. Each shard is a separate run,
 * on any machine.
 *
 * In: input files and a number of shards. Out: the plan file, written once to `.retort/` beside the
 * output, which says where each shard begins; and the parts of the inputs that a shard reads.
 * Nothing here calls a teacher or depends on a scheduler.
 *
 * @module
 */

export { isOutputName, plannedDivisions, type Shard } from "./divisions.ts";
export { isCopyOf, type MergedResults } from "./earlier_answers.ts";
export { canceledPathOf, changeOf, MAX_SHARDS, planFor, type PlanOptions } from "./make_plan.ts";
export {
  OtherDivisionError,
  type OwnOutput,
  requireNoOtherRun,
  requireNoShards,
} from "./other_divisions.ts";
export {
  divide,
  movedFolderOf,
  piecesOf,
  readPlan,
  rowsBefore,
  type ShardPlan,
  shareOfInput,
  visibleStem,
} from "./plan.ts";
