/**
 * `retort submit status`: the states of the shards, read from their files, and the job's state in
 * the queues of the schedulers.
 *
 * @module
 */

import { exists, hasContent } from "../lib/files.ts";
import type { MergeRun } from "../lib/merge/mod.ts";
import { readStatus, type RunStatus, statusPathOf } from "../lib/run/mod.ts";
import { printable } from "../lib/printable.ts";
import { rescuedFilesOf } from "../lib/sink/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS } from "./exit.ts";
import type { Io } from "./io.ts";
import {
  inNamespace,
  noJobIn,
  problemText,
  queueOf,
  type ToolResult,
  tryTool,
} from "./scheduler_tools.ts";
import type { Settings } from "./settings.ts";
import { findOutput, jobNameOf, logsOf } from "./submit_job.ts";
import { formatCount } from "../lib/figures.ts";

const MAX_LISTED = 20;

export async function statusCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { runs, stem } = await findOutput(outputs, settings, "show the status of a job");
  const isDone = runs !== undefined && await printShards(runs, io);
  if (runs === undefined) io.writeOut(`"${printable(stem)}.jsonl" is not on this machine\n`);
  io.writeOut(await describeQueue(await jobNameOf(stem), settings.text("namespace"), isDone, io));
  const logs = logsOf(stem);
  if (!isDone && await exists(logs)) io.writeOut(`Logs: ${printable(logs)}/\n`);
  return isDone ? EXIT_DONE : EXIT_FAILED_ROWS;
}

/** Prints the states and counts of the shards. Returns whether all are done. */
async function printShards(runs: readonly MergeRun[], io: Io): Promise<boolean> {
  const states = new Map<string, number>();
  const lines: string[] = [];
  let rows = 0, done = 0, failed = 0;
  for (const run of runs) {
    const status = await readStatus(statusPathOf(run.originalFiles.results));
    const runCounts = countsOf(run, status);
    const isLost = runCounts.done > runCounts.failed && !(await holdsResults(run));
    if (isLost) runCounts.done = runCounts.failed;
    const { state, detail } = isLost ? lostState(run) : stateOf(run, status);
    states.set(state, (states.get(state) ?? 0) + 1);
    rows += runCounts.rows;
    done += runCounts.done;
    failed += runCounts.failed;
    // Keeps one line more than is shown, to know whether there are more.
    if (detail !== "" && lines.length <= MAX_LISTED) lines.push(`${run.name}: ${state}${detail}`);
  }
  const stateTexts = [...states].map(([state, count]) => `${formatCount(count)} ${state}`);
  io.writeOut(`${formatCount(runs.length)} shards: ${stateTexts.join(", ")}\n`);
  io.writeOut(
    `Rows of the shards that have started: ${formatCount(done)} of ${formatCount(rows)} finished` +
      `${failed === 0 ? "" : `, ${formatCount(failed)} of them failed`}\n`,
  );
  for (const line of lines.slice(0, MAX_LISTED)) io.writeOut(`${printable(line)}\n`);
  if (lines.length > MAX_LISTED) io.writeOut("…\n");
  return (states.get("done") ?? 0) === runs.length;
}

/** Whether results, or rescued lines of them, are on disk. */
async function holdsResults({ files: { results } }: MergeRun): Promise<boolean> {
  return await hasContent(results) || (await rescuedFilesOf(results, "results")).length > 0;
}

function lostState({ files: { results } }: MergeRun): { state: string; detail: string } {
  const detail =
    `: "${results}" is gone. Restore it, or rerun the shard and pay for its answers again`;
  return { state: "without its results", detail };
}

/**
 * Returns the counts of the summary or, without one, of the status file, which active runs write
 * every 5 s.
 */
function countsOf(
  { runFile }: MergeRun,
  status: RunStatus | undefined,
): { rows: number; done: number; failed: number } {
  const summary = runFile?.summary ?? undefined;
  if (summary !== undefined) {
    const { total, pending, failed } = summary;
    return { rows: total, done: total - pending, failed };
  }
  if (status === undefined) return { rows: 0, done: 0, failed: 0 };
  const { total, skipped, succeeded, failed } = status;
  return { rows: total ?? 0, done: skipped + succeeded + failed, failed };
}

/** `detail` follows the state in the list of shards. Shards without it ("") are not listed. */
function stateOf(
  { runFile, runFileProblem, pieces }: MergeRun,
  status: RunStatus | undefined,
): { state: string; detail: string } {
  if (runFileProblem !== undefined) return { state: "damaged", detail: `: ${runFileProblem}` };
  // An empty shard counts as done, even if it has not started.
  if (pieces.length === 0) return { state: "done", detail: "" };
  if (runFile?.summary?.state === "done" && runFile.summary.pending === 0) {
    return { state: "done", detail: "" };
  }
  if (status?.ended && status.state === "failed") {
    return { state: "failed to start", detail: ": its log says why" };
  }
  // Without a run file, which may have been deleted, the status file decides.
  const isOpen = runFile === undefined ? status?.ended === false : runFile.summary === null;
  if (isOpen) return { state: "running or killed", detail: "" };
  if (!runFile?.summary) return { state: "not started", detail: "" };
  const { state, pending, reason } = runFile.summary;
  const detail = `, ${formatCount(pending)} pending${reason === null ? "" : ` (${reason})`}`;
  return { state: state === "done" ? "unfinished" : state, detail };
}

async function describeQueue(
  name: string,
  namespace: string | undefined,
  isDone: boolean,
  io: Io,
): Promise<string> {
  const slurm = await queueOf([name, `${name}-merge`], "%T", io);
  const states = textOf(slurm).split("\n").filter((state) => state !== "");
  const queue = Map.groupBy(states, (state) => state);
  if (queue.size > 0) {
    return `Slurm: ${[...queue].map(([state, { length }]) => `${length} ${state}`).join(", ")}\n`;
  }
  const selector = `--selector=app.kubernetes.io/instance in (${name},${name}-merge)`;
  const kubernetes = await tryTool("kubectl", [
    ...["get", "jobs", selector, "--no-headers"],
    ...inNamespace(namespace),
  ], io);
  const jobs = textOf(kubernetes);
  if (jobs.trim() !== "") {
    const isFailure = slurm.kind === "failed";
    return `${isFailure ? `Slurm: ${problemText("squeue", slurm)}\n` : ""}Kubernetes:\n${jobs}` +
      (isDone ? "" : podsAdvice(name, inNamespace(namespace)));
  }
  return describeEmptyQueues(slurm, kubernetes, noJobIn(namespace));
}

/** Jobs whose pods a quota forbids, or that wait for a secret, look like others in the queue. */
function podsAdvice(name: string, place: readonly string[]): string {
  const describe = ["kubectl", "describe", "job", name, ...place];
  const list = ["kubectl", "get", "pods", `--selector=job-name=${name}`, ...place];
  return `To see why pods fail or do not start: ${describe.join(" ")}; ${list.join(" ")}\n`;
}

function describeEmptyQueues(slurm: ToolResult, kubernetes: ToolResult, noJob: string): string {
  if (slurm.kind === "refused" && kubernetes.kind === "refused") {
    return "The scheduler was not queried: deno task submit status queries Slurm and Kubernetes\n";
  }
  if (slurm.kind === "missing" && kubernetes.kind === "missing") {
    return "The scheduler was not queried: neither squeue nor kubectl is installed here\n";
  }
  const lines: string[] = [];
  if (slurm.kind === "done") lines.push("Slurm: nothing in the queue\n");
  else if (slurm.kind !== "missing") lines.push(`Slurm: ${problemText("squeue", slurm)}\n`);
  if (kubernetes.kind === "done") lines.push(`Kubernetes: ${noJob}\n`);
  else if (kubernetes.kind !== "missing") {
    lines.push(`Kubernetes: ${problemText("kubectl", kubernetes)}\n`);
  }
  return lines.join("");
}

function textOf(result: ToolResult): string {
  return result.kind === "done" ? result.text : "";
}
