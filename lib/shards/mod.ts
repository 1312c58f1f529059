/**
 * Shards: contiguous parts of one input, each of which is a run of its own, on any machine.
 *
 * In: input files and a number of shards. Out: the borders between them, pinned once in a file beside the
 * output, and what one shard reads. It never asks a teacher, and knows no scheduler.
 *
 * @module
 */

export { divide, type ShardPlan } from "./divide.ts";
export { pinnedPlan, type PinOptions, readPlan } from "./pinned.ts";
export {
  checkShard,
  MOST_SHARDS,
  OWN_FOLDER,
  piecesOf,
  planPathOf,
  rowsBefore,
  type Shard,
  shardStem,
  wholeOf,
} from "./shard.ts";
