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
  readonly shards: number;
  /** The number of shards that run at once. */
  readonly parallel: number;
  /** The arguments that run a shard; `--shard auto` and `--grace` are added. */
  readonly run: readonly string[];
  readonly merge: readonly string[];
  /** How long before its time limit a shard is signaled, in seconds. */
  readonly leadSeconds: number;
}

/** A shard ends this long before the scheduler would kill it, in seconds. */
export const SPARE_SECONDS = 10;

/** The arguments that run one shard. */
export function shardWords({ run, leadSeconds }: ShardJob): string[] {
  return [...run, "--shard", "auto", "--grace", `${leadSeconds - SPARE_SECONDS}s`];
}
