/** What Slurm and Kubernetes say of a submitted job, for `retort submit status`. @module */

import type { Io } from "./io.ts";
import {
  namespaceFlags,
  noJobIn,
  problemText,
  queueOf,
  type ToolResult,
  tryTool,
} from "./scheduler_tools.ts";

export interface SubmittedJob {
  readonly name: string;
  /** @default the namespace of kubectl's current context */
  readonly namespace: string | undefined;
}

export interface QueueState {
  readonly text: string;
  readonly isDone: boolean;
}

/**
 * Asks both schedulers for the job.
 *
 * @param areShardsDone What the files of the shards say; undefined if they are not on this machine.
 * Then the job is done when its Kubernetes Jobs are.
 */
export async function describeQueues(
  { name, namespace }: SubmittedJob,
  areShardsDone: boolean | undefined,
  io: Io,
): Promise<QueueState> {
  const isDone = areShardsDone ?? false;
  const slurm = await queueOf([name, `${name}-merge`], "%T", io);
  const states = textOf(slurm).split("\n").filter((state) => state !== "");
  const queue = Map.groupBy(states, (state) => state);
  if (queue.size > 0) {
    const counts = [...queue].map(([state, { length }]) => `${length} ${state}`);
    return { text: `Slurm: ${counts.join(", ")}\n`, isDone };
  }
  const selector = `--selector=app.kubernetes.io/instance in (${name},${name}-merge)`;
  const inNamespace = namespaceFlags(namespace);
  const args = ["get", "jobs", selector, "--no-headers", ...inNamespace];
  const kubernetes = await tryTool("kubectl", args, io);
  const jobs = textOf(kubernetes);
  if (jobs.trim() === "") {
    return { text: describeEmptyQueues(slurm, kubernetes, noJobIn(namespace)), isDone };
  }
  const problem = slurm.kind === "failed" ? `Slurm: ${problemText("squeue", slurm)}\n` : "";
  const isComplete = areShardsDone ?? areComplete(jobs, name);
  const advice = isComplete ? "" : podsAdvice(name, inNamespace) + lostMergeAdvice(jobs, name);
  return { text: `${problem}Kubernetes:\n${jobs}${advice}`, isDone: isComplete };
}

/** Whether the merge is listed, and each Job has all of its completions, as in `8/8`. */
function areComplete(jobs: string, name: string): boolean {
  const lines = jobs.trim().split("\n");
  return lines.some((line) => line.startsWith(`${name}-merge `)) &&
    lines.every((line) => /\s(\d+)\/\1\s/.test(line));
}

/** Returns commands that show what `kubectl get jobs` does not, such as a quota that is used up. */
function podsAdvice(name: string, inNamespace: readonly string[]): string {
  const describe = ["kubectl", "describe", "job", name, `${name}-merge`, ...inNamespace];
  const selector = `--selector='job-name in (${name},${name}-merge)'`;
  const list = ["kubectl", "get", "pods", selector, ...inNamespace];
  const log = ["kubectl", "logs", "POD", ...inNamespace];
  const commands = [describe, list, log].map((words) => words.join(" "));
  return `To see why pods fail or do not start: ${commands.join("; ")}\n`;
}

/** Returns advice for a merge that waits for shards that Kubernetes does not start again. */
function lostMergeAdvice(jobs: string, name: string): string {
  const stateOf = (job: string) => new RegExp(`^${job} +([A-Z]\\w+)`, "m").exec(jobs)?.[1];
  if (stateOf(name) !== "Failed" || stateOf(`${name}-merge`) !== "Running") return "";
  return "The shards have ended, but not all are done. If the merge still waits in a minute, cancel the " +
    "job (submit cancel), and submit it again\n";
}

function describeEmptyQueues(slurm: ToolResult, kubernetes: ToolResult, noJob: string): string {
  const both = slurm.kind === kubernetes.kind ? slurm.kind : undefined;
  if (both === "refused") {
    return "The scheduler was not queried: deno task submit status queries Slurm and Kubernetes\n";
  }
  if (both === "missing") {
    return "The scheduler was not queried: neither squeue nor kubectl is installed here\n";
  }
  const answers = [
    ["Slurm", "squeue", slurm, "nothing in the queue"],
    ["Kubernetes", "kubectl", kubernetes, noJob],
  ] as const;
  return answers.filter(([, , { kind }]) => kind !== "missing").map((
    [scheduler, tool, result, none],
  ) => `${scheduler}: ${result.kind === "done" ? none : problemText(tool, result)}\n`).join("");
}

function textOf(result: ToolResult): string {
  return result.kind === "done" ? result.text : "";
}
