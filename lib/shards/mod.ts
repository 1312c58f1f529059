/**
 * Shards: contiguous parts of one input, each a separate run on any machine.
 *
 * In: input files and a number of shards. Out: the borders, written once to a file next to the
 * output, and the parts of the inputs that a shard reads. Nothing here calls a teacher or depends
 * on a scheduler.
 *
 * @module
 */

export { isCopyOf, type MergedResults } from "./earlier_answers.ts";
export { OtherDivisionError, type OwnOutput, refuseShards } from "./other_divisions.ts";
export {
  divide,
  movedFolderOf,
  parsePlanName,
  piecesOf,
  readPlan,
  rowsBefore,
  type ShardPlan,
  shareOfInput,
} from "./plan.ts";
export {
  canceledPathOf,
  changeOf,
  MAX_SHARDS,
  pinnedPlan,
  type PinOptions,
  type Shard,
} from "./shard.ts";
export { refuseStarted } from "./started_runs.ts";
