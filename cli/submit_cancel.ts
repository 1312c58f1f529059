/** `retort submit cancel`: cancels a job, whether it is queued or running. @module */

import { SinkError, UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import { canceledPathOf } from "../lib/shards/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS } from "./exit.ts";
import type { Io } from "./io.ts";
import {
  inNamespace,
  noJobIn,
  problemText,
  queueOf,
  type ToolProblem,
  tryTool,
} from "./scheduler_tools.ts";
import type { Settings } from "./settings.ts";
import { findOutput, jobNameOf } from "./submit_job.ts";

type Outcome =
  | { readonly kind: "canceled" }
  /** The scheduler has no job of this output. */
  | { readonly kind: "none" }
  /** The scheduler's tool is not installed. */
  | { readonly kind: "missing"; readonly reason: string }
  /** The scheduler may still have the job. */
  | { readonly kind: "unknown"; readonly reason: string }
  /** The scheduler still has the shards, and has not sent them a signal. */
  | { readonly kind: "kept"; readonly reason: string };

export async function cancelCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { stem, runs } = await findOutput(outputs, settings, "cancel a job");
  const name = await jobNameOf(stem);
  const namespace = settings.text("namespace");
  if (runs === undefined) return await cancelElsewhere(stem, name, namespace, io);
  const marker = canceledPathOf(stem);
  try {
    // Shards that end because of the signal must not be queued again.
    await Deno.writeTextFile(marker, "");
  } catch (cause) {
    // Pods write as a user of their own, and only Slurm's tasks read the marker.
    const outcome = await cancelKubernetes(name, namespace, io);
    if (outcome.kind !== "missing") {
      io.writeErr(`Kubernetes: ${describe(outcome, name, noJobIn(namespace))}\n`);
    }
    if (outcome.kind === "canceled") return conclude([outcome.kind], name, io);
    throw new SinkError(`Cannot write "${marker}": ${systemReason(cause)}`, {
      path: marker,
      cause,
    });
  }
  const outcomes = [await cancelSlurm(name, io), await cancelKubernetes(name, namespace, io)];
  io.writeErr(
    `Slurm: ${describe(outcomes[0], name, "no job of this output")}\n` +
      `Kubernetes: ${describe(outcomes[1], name, noJobIn(namespace))}\n`,
  );
  const kinds = outcomes.map(({ kind }) => kind);
  // If another user owns the job, its shards must still be requeued at their time limit.
  if (kinds.includes("kept")) await Deno.remove(marker).catch(() => {});
  return conclude(kinds, name, io);
}

function describe(outcome: Outcome, name: string, none: string): string {
  if (outcome.kind === "canceled") return `canceled ${name}`;
  return outcome.kind === "none" ? none : outcome.reason;
}

/** Prints whether the job is canceled. Returns the exit code. */
function conclude(kinds: readonly Outcome["kind"][], name: string, io: Io): number {
  const isCanceled = kinds.includes("canceled");
  // A job has one scheduler. Once it is canceled there, the other does not count: a login node of
  // Slurm may have a kubectl without a cluster.
  if (isCanceled && !kinds.includes("kept")) {
    io.writeErr(`Canceled ${name}. The same submit command continues it\n`);
    return EXIT_DONE;
  }
  if (kinds.includes("kept")) {
    io.writeErr(
      `Slurm still has the job ${name}. If another user submitted it, only that user can cancel it\n`,
    );
    return EXIT_FAILED_ROWS;
  }
  // A missing tool counts as no job if another scheduler has answered.
  if (kinds.includes("none") && kinds.every((kind) => kind === "none" || kind === "missing")) {
    io.writeErr(`Nothing to cancel: there is no job of this output (${name})\n`);
    return EXIT_DONE;
  }
  io.writeErr(
    `The job ${name} may still be there. Slurm does not queue its running shards again, but starts ` +
      "waiting ones. Call deno task submit cancel where the scheduler can be reached\n",
  );
  return EXIT_FAILED_ROWS;
}

async function cancelSlurm(name: string, io: Io): Promise<Outcome> {
  const queue = await queueOf([name, `${name}-merge`], "%i", io);
  // Cancels regardless of what `squeue` says: canceling a job that does not exist does no harm.
  const { problem, areShardsKept } = await cancelInSlurm(name, io);
  if (queue.kind === "done") {
    if (queue.text.trim() === "") return { kind: "none" };
    if (problem === undefined) return { kind: "canceled" };
    return { kind: areShardsKept ? "kept" : "unknown", reason: problemText("scancel", problem) };
  }
  if (problem === undefined) {
    const reason = `scancel does not say whether there was a job, and ${
      problemText("squeue", queue)
    }`;
    return { kind: "unknown", reason };
  }
  const isSlurmMissing = queue.kind === "missing" && problem.kind === "missing";
  return { kind: isSlurmMissing ? "missing" : "unknown", reason: problemText("scancel", problem) };
}

/**
 * Cancels the merge and the shards. Returns the first problem, if any, and whether the shards could
 * not be canceled. `scancel` also succeeds if no job has the name.
 */
async function cancelInSlurm(
  name: string,
  io: Io,
): Promise<{ problem: ToolProblem | undefined; areShardsKept: boolean }> {
  // The merge is canceled first, because it starts when the last shard ends. `scancel` takes only
  // one name.
  const merge = await tryTool("scancel", [`--name=${name}-merge`], io);
  const shards = await tryTool("scancel", [`--name=${name}`], io);
  const problem = [merge, shards].find((result) => result.kind !== "done");
  return { problem, areShardsKept: shards.kind !== "done" };
}

async function cancelKubernetes(
  name: string,
  namespace: string | undefined,
  io: Io,
): Promise<Outcome> {
  const deletion = await tryTool("kubectl", [
    ...["delete", "job", `${name}-merge`, name, "--ignore-not-found"],
    ...inNamespace(namespace),
  ], io);
  if (deletion.kind === "done") return { kind: deletion.text.trim() === "" ? "none" : "canceled" };
  const kind = deletion.kind === "missing" ? "missing" : "unknown";
  return { kind, reason: problemText("kubectl", deletion) };
}

/**
 * Cancels a Kubernetes job whose output is not on this machine. Slurm jobs are submitted where
 * their output is.
 */
async function cancelElsewhere(
  stem: string,
  name: string,
  namespace: string | undefined,
  io: Io,
): Promise<number> {
  const outcome = await cancelKubernetes(name, namespace, io);
  if (outcome.kind === "canceled") {
    io.writeErr(`Canceled ${name}. The same submit command continues it\n`);
    return EXIT_DONE;
  }
  const problem = `Cannot cancel the job ${name}: "${stem}.jsonl" is not on this machine, and`;
  if (outcome.kind === "none") {
    throw new UsageError(
      `${problem} Kubernetes has no such job. Run this in the folder of the submit command, with ` +
        "the same output and --namespace",
    );
  }
  throw new UsageError(`${problem} Kubernetes could not be called: ${outcome.reason}`);
}
