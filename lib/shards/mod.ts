/**
 * Shards: contiguous parts of one input, each of which is a separate run, on any machine.
 *
 * In: input files and a number of shards. Out: the borders between the shards, written once to a
 * file next to the output, and the parts of the inputs that a shard reads. Nothing here calls a
 * teacher or depends on a scheduler.
 *
 * @module
 */

export { divide, type ShardPlan } from "./divide.ts";
export { OtherDivisionError, type OwnOutput, refuseShards } from "./other_divisions.ts";
export { parsePlanName, readPlan } from "./plan_file.ts";
export {
  canceledPathOf,
  changeOf,
  MAX_SHARDS,
  piecesOf,
  pinnedPlan,
  type PinOptions,
  rowsBefore,
  type Shard,
  shardStem,
  shareOfInput,
} from "./shard.ts";
