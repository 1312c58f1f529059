/**
 * Writes the jobs that schedulers run: Slurm scripts and Kubernetes manifests.
 *
 * In: the options of a job. Out: text. Nothing here starts a process, reads a file or sees a key.
 *
 * @module
 */

export type { ShardJob } from "./job.ts";
export { kubernetesManifests, type KubernetesOptions } from "./kubernetes.ts";
export {
  MAX_ARRAY_SIZE,
  slurmArrays,
  slurmMerge,
  type SlurmOptions,
  slurmScript,
} from "./slurm.ts";
