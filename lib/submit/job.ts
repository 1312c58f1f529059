/**
 * What all schedulers are told.
 *
 * @module
 */

/** Shards to run, and the merge behind them. */
export interface ShardJob {
  /** Names the job, unlike any other output on the cluster: lower-case letters, digits, dashes. */
  readonly name: string;
  /** How many shards there are. */
  readonly shards: number;
  /** How many of them run at once. */
  readonly parallel: number;
  /** The words after the program that run a shard; `--shard auto` and `--grace` are added. */
  readonly run: readonly string[];
  /** The words after the program that merge. */
  readonly merge: readonly string[];
  /** How long before its end a shard is told of it, in seconds. */
  readonly leadSeconds: number;
}

/** A shard ends this long before the scheduler would kill it, in seconds. */
export const SPARE_SECONDS = 10;

/** The words that are added to those of a shard. */
export function shardWords({ run, leadSeconds }: ShardJob): string[] {
  return [...run, "--shard", "auto", "--grace", `${leadSeconds - SPARE_SECONDS}s`];
}
