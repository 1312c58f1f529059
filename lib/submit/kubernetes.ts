/**
 * Kubernetes manifests: an Indexed Job for the shards, and a Job that merges.
 *
 * @module
 */

import { stringify } from "../deps/std_yaml_stringify.ts";
import type { ShardJob } from "./mod.ts";

export interface KubernetesOptions {
  /** The container image, with Retort as its entry point. */
  readonly image: string;
  /** A PersistentVolumeClaim that several nodes can write to. */
  readonly claim: string;
  /** The folder where the claim is mounted, and in which the containers run. */
  readonly mountPath: string;
  /** The Kubernetes secret with the API key, and the key's name in it. @default none */
  readonly secret?: { readonly name: string; readonly key: string };
  /** The namespace of both jobs. @default the namespace of kubectl's current context */
  readonly namespace?: string;
  /** Memory for each shard and for the merge, in Kubernetes notation. @default 512Mi are requested,
   * without a limit */
  readonly memory?: string;
}

const MAX_RESTARTS = 20;
/** Exit codes that end a shard instead of restarting it: wrong usage, bad input or a damaged file
 * (2), or a halt by a teacher, a budget or a deadline (5). */
const FINAL_CODES = [2, 5];
const CONTAINER = "retort";
/** The requested CPU time. It is not a limit, because checks of patterns and schemas use a second
 * thread. */
const CPU_REQUEST = "500m";
/** A run takes about 0.15 GB. If the memory of a node runs out, pods without a request are evicted
 * first. */
const MEMORY_REQUEST = "512Mi";

/** The first version that enables `backoffLimitPerIndex` and `FailIndex` by default. */
const MIN_KUBERNETES_VERSION = "1.29";

export function kubernetesManifests(job: ShardJob, options: KubernetesOptions): string {
  const manifests = [shardsJob(job, options), mergeJob(job, options)]
    .map((manifest) => stringify(manifest, { lineWidth: 100, useAnchors: false }));
  // Jobs cannot be changed, as kubectl apply would. If old manifests were created again, the merge
  // would take shards that were halted the first time for shards of this submission, and end.
  const notes = [
    `For kubectl create -f -; needs Kubernetes ${MIN_KUBERNETES_VERSION} or later`,
    "To submit again, delete both Jobs (submit cancel) and print new manifests",
  ];
  return `${notes.map((note) => `# ${note}\n`).join("")}${manifests.join("---\n")}`;
}

function shardsJob(job: ShardJob, options: KubernetesOptions) {
  const args = [...job.run, "--allow-failures", "100%"];
  const env = { RETORT_SHARDS: String(job.shards), RETORT_PARALLEL: String(job.parallel) };
  return jobOf(job.name, options, {
    completionMode: "Indexed",
    completions: job.shards,
    parallelism: job.parallel,
    backoffLimitPerIndex: MAX_RESTARTS,
    // A shard that has failed permanently must not end the others.
    maxFailedIndexes: job.shards,
    podFailurePolicy: failurePolicy("FailIndex", FINAL_CODES),
    template: templateOf(job.name, args, env, job, options),
  });
}

function mergeJob(job: ShardJob, options: KubernetesOptions) {
  const name = `${job.name}-merge`;
  const withoutSecret = { ...options, secret: undefined };
  return jobOf(name, options, {
    backoffLimit: MAX_RESTARTS,
    // After wrong usage (2) or missing or failed rows (3), a restart would fail again.
    podFailurePolicy: failurePolicy("FailJob", [2, 3]),
    template: templateOf(name, [...job.merge, "--wait"], {}, job, withoutSecret),
  });
}

function jobOf(name: string, { namespace }: KubernetesOptions, spec: object) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      ...namespace === undefined ? {} : { namespace },
      labels: labelsOf(name),
    },
    spec,
  };
}

function failurePolicy(action: "FailIndex" | "FailJob", exitCodes: readonly number[]) {
  return {
    // The first rule that matches applies. If a pod is evicted because its node is drained, its
    // shard has not failed.
    rules: [
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      { action, onExitCodes: { containerName: CONTAINER, operator: "In", values: [...exitCodes] } },
    ],
  };
}

function labelsOf(name: string) {
  return { "app.kubernetes.io/name": "retort", "app.kubernetes.io/instance": name };
}

function templateOf(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { leadSeconds, submission }: ShardJob,
  { image, claim, mountPath, secret, memory }: KubernetesOptions,
) {
  const variables = Object.entries({ ...env, RETORT_JOB: submission })
    .map(([name, value]) => ({ name, value }));
  const key = secret === undefined ? [] : [{
    name: "OPENAI_API_KEY",
    valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } },
  }];
  return {
    metadata: { labels: labelsOf(name) },
    spec: {
      restartPolicy: "Never",
      // As process 1, Retort would ignore a SIGTERM in its first 0.3 s, before its handler is set.
      // In a shared namespace, process 1 is the pause container's.
      shareProcessNamespace: true,
      // No pod needs the Kubernetes API or service variables. Clusters that enforce the
      // "restricted" Pod Security Standard require both security contexts.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      terminationGracePeriodSeconds: leadSeconds,
      containers: [{
        name: CONTAINER,
        image,
        workingDir: mountPath,
        args: args.map(literal),
        env: [...variables, ...key],
        resources: {
          requests: { cpu: CPU_REQUEST, memory: memory ?? MEMORY_REQUEST },
          ...memory === undefined ? {} : { limits: { memory } },
        },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        volumeMounts: [{ name: "data", mountPath }],
      }],
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
    },
  };
}

/** Escapes `$`: Kubernetes replaces `$(NAME)` with a variable, such as the API key, and `$$` with
 * `$`. */
function literal(argument: string): string {
  return argument.replaceAll("$", "$$$$");
}
