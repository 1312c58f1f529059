/**
 * Writes Slurm scripts and Kubernetes manifests.
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

/** A job that runs shards, then merges them. */
export interface ShardJob {
  /** The name of the job, unique on the cluster: lower-case letters, digits, dashes. */
  readonly name: string;
  /** An id that tells this submission from earlier ones of the same job: a merge ignores their
   * status files. */
  readonly submission: string;
  /** The number of shards, over all arrays. */
  readonly shards: number;
  /** The number of shards that run at once. */
  readonly parallel: number;
  /** The command that runs a shard, with `--shard auto` and `--grace`. */
  readonly run: readonly string[];
  /** The command that merges the shards. */
  readonly merge: readonly string[];
  /** Seconds from SIGTERM until the shard is killed: at the time limit in Slurm, by SIGKILL in
   * Kubernetes. */
  readonly leadSeconds: number;
}
