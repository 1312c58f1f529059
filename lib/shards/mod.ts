/**
 * Shards: contiguous parts of one input, each of which is a separate run, on any machine.
 *
 * In: input files and a number of shards. Out: the borders between them, pinned once in a file next
 * to the output, and the parts that a shard reads. Nothing here calls a teacher or knows a
 * scheduler.
 *
 * @module
 */

export { divide, type ShardPlan } from "./divide.ts";
export {
  cancelledPathOf,
  changeOf,
  MOST_SHARDS,
  piecesOf,
  pinnedPlan,
  type PinOptions,
  readPlan,
  rowsBefore,
  type Shard,
  shardStem,
  shareOfRows,
  wholeOf,
} from "./shard.ts";
