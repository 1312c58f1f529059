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
  cancelledPathOf,
  MOST_SHARDS,
  piecesOf,
  planPathOf,
  rowsBefore,
  type Shard,
  shardStem,
  shareOfRows,
  wholeOf,
} from "./shard.ts";
