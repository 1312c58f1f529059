/**
 * The description of a job, for all schedulers.
 *
 * @module
 */

/** Shards to run, and the merge after them. */
export interface ShardJob {
  /** A name that is unique on the cluster: lower-case letters, digits, dashes. */
  readonly name: string;
  /** Distinguishes this submission from earlier ones of the same job. @default none */
  readonly submission?: string;
  /** The number of shards, over all arrays. */
  readonly shards: number;
  /** The number of shards that run at once. */
  readonly parallel: number;
  /** The arguments that run a shard, without `--shard auto` and `--grace`. */
  readonly run: readonly string[];
  /** The arguments that merge the shards. */
  readonly merge: readonly string[];
  /** How long before its time limit a shard is signaled, in seconds. */
  readonly leadSeconds: number;
}

/** How long before the scheduler would kill a shard its grace period is over, in seconds: the shard
 * still has to write. */
const SPARE_SECONDS = 10;

/** The arguments that run one shard. */
export function shardArguments({ run, leadSeconds }: ShardJob): string[] {
  return [...run, "--shard", "auto", "--grace", `${leadSeconds - SPARE_SECONDS}s`];
}
