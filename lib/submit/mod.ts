/**
 * Writes the jobs that schedulers run: Slurm scripts and Kubernetes manifests.
 *
 * In: the options of a job. Out: text. Nothing here starts a process, reads a file or sees a key.
 *
 * @module
 */

export { kubernetesManifests, type KubernetesOptions } from "./kubernetes.ts";
export {
  MAX_ARRAY_SIZE,
  slurmArrays,
  slurmMerge,
  type SlurmOptions,
  slurmScript,
} from "./slurm.ts";

/** Shards to run, and the merge after them. */
export interface ShardJob {
  /** Unique on the cluster: lower-case letters, digits, dashes. */
  readonly name: string;
  /** Distinguishes this submission from earlier ones of the same job. @default none */
  readonly submission?: string;
  /** The number of shards, over all arrays. */
  readonly shards: number;
  /** How many shards run at once. */
  readonly parallel: number;
  /** The command that runs a shard, with `--shard auto` and `--grace`. */
  readonly run: readonly string[];
  /** The command that merges the shards. */
  readonly merge: readonly string[];
  /** Seconds between SIGTERM and the end of a shard: its time limit in Slurm, SIGKILL in
   * Kubernetes. */
  readonly leadSeconds: number;
}
