/**
 * `retort submit status`: the states of the shards, read from their files, and what the schedulers
 * say of the job. `retort submit cancel`: cancels the job, queued or running.
 *
 * @module
 */

import { SinkError, UsageError } from "../lib/errors.ts";
import { formatCount } from "../lib/figures.js";
import { exists, hasContent, systemReason } from "../lib/files.ts";
import type { MergeRun } from "../lib/merge/mod.ts";
import { printable } from "../lib/printable.ts";
import { readStatus, type RunStatus, statusPathOf } from "../lib/run/mod.ts";
import { canceledPathOf } from "../lib/shards/mod.ts";
import { rescuedFilesOf } from "../lib/sink/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS } from "./exit.ts";
import type { Io } from "./io.ts";
import { namespaceFlags, noJobIn, problemText, queueOf, tryTool } from "./scheduler_tools.ts";
import type { Settings } from "./settings.ts";
import { findOutput, jobNameOf, logsOf } from "./submit_job.ts";
import { describeQueues } from "./submit_queues.ts";

const MAX_LISTED = 20;
const LOST_ADVICE = "Restore it, or rerun the shard and pay for its answers again";

export async function statusCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { runs, stem } = await findOutput(outputs, settings, "show the status of a job");
  const areShardsDone = runs && await printShards(runs, io);
  if (runs === undefined) io.writeOut(`"${printable(stem)}.jsonl" is not on this machine\n`);
  const job = { name: await jobNameOf(stem), namespace: settings.text("namespace") };
  const { text, isDone } = await describeQueues(job, areShardsDone, io);
  io.writeOut(text);
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
    const { state, detail } = isLost
      ? { state: "without its results", detail: `: "${run.files.results}" is gone. ${LOST_ADVICE}` }
      : stateOf(run, status);
    states.set(state, (states.get(state) ?? 0) + 1);
    rows += runCounts.rows;
    done += runCounts.done;
    failed += runCounts.failed;
    // One line more than is printed is kept, to show that there are more.
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

/**
 * Returns the counts of the summary or, without one, of the status file, which active runs write
 * every 5 s.
 */
function countsOf(
  { runFile }: MergeRun,
  status: RunStatus | undefined,
): { rows: number; done: number; failed: number } {
  if (runFile?.summary) {
    const { total, pending, failed } = runFile.summary;
    return { rows: total, done: total - pending, failed };
  }
  if (status === undefined) return { rows: 0, done: 0, failed: 0 };
  const { total, skipped, succeeded, failed } = status;
  return { rows: total ?? 0, done: skipped + succeeded + failed, failed };
}

/** Returns a shard's state, and the text after it in the list; "" leaves the shard unlisted. */
function stateOf(
  { runFile, runFileProblem, pieces }: MergeRun,
  status: RunStatus | undefined,
): { state: string; detail: string } {
  if (runFileProblem !== undefined) return { state: "damaged", detail: `: ${runFileProblem}` };
  const summary = runFile?.summary;
  // An empty shard is done, even if it has not started.
  if (pieces.length === 0 || summary?.state === "done" && summary.pending === 0) {
    return { state: "done", detail: "" };
  }
  if (status?.ended && status.state === "failed") {
    const isFinal = status.reason !== null;
    return { state: isFinal ? "failed to start" : "failed", detail: ": its log says why" };
  }
  // Without a run file, which may have been deleted, the status file decides.
  const isOpen = runFile === undefined ? status?.ended === false : summary === null;
  if (isOpen) return { state: "running or killed", detail: "" };
  if (!summary) return { state: "not started", detail: "" };
  const { state, pending, reason } = summary;
  const detail = `, ${formatCount(pending)} pending${reason === null ? "" : ` (${reason})`}`;
  return { state: state === "done" ? "unfinished" : state, detail };
}

interface Outcome {
  /**
   * `none`: the scheduler has no job of this output. `missing`: its tool is not installed.
   * `unknown`: it may still have the job. `kept`: it still has the shards, and has not sent them a
   * signal.
   */
  readonly kind: "canceled" | "none" | "missing" | "unknown" | "kept";
  readonly text: string;
}

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
    // With the marker, shards that the signal ends are not requeued.
    await Deno.writeTextFile(marker, "");
  } catch (cause) {
    // Pods may own the folder, but their job needs no marker: only tasks of Slurm read it.
    const { kind, text } = await cancelKubernetes(name, namespace, io);
    if (kind !== "missing") io.writeErr(`Kubernetes: ${text}\n`);
    if (kind === "canceled") return conclude([kind], name, io);
    const reason = systemReason(cause);
    throw new SinkError(`Cannot write "${marker}": ${reason}`, { path: marker, cause });
  }
  const outcomes = [await cancelSlurm(name, io), await cancelKubernetes(name, namespace, io)];
  io.writeErr(`Slurm: ${outcomes[0].text}\nKubernetes: ${outcomes[1].text}\n`);
  // If another user owns the job, its shards must still be requeued at their time limit.
  if (outcomes.some(({ kind }) => kind === "kept")) await Deno.remove(marker).catch(() => {});
  return conclude(outcomes.map(({ kind }) => kind), name, io);
}

/** Prints the outcome of all schedulers together. Returns the exit code. */
function conclude(kinds: readonly Outcome["kind"][], name: string, io: Io): number {
  if (kinds.includes("kept")) {
    io.writeErr(
      `Slurm still has the job ${name}. If another user submitted it, only that user can cancel it\n`,
    );
    return EXIT_FAILED_ROWS;
  }
  // A job has one scheduler. Once it is canceled there, the outcome at the other does not matter: a
  // login node of Slurm may have a kubectl without a cluster.
  if (kinds.includes("canceled")) {
    io.writeErr(`Canceled ${name}. The same submit command continues it\n`);
    return EXIT_DONE;
  }
  // If one scheduler has answered, a missing tool of the other means that no job is there.
  if (kinds.includes("none") && kinds.every((kind) => kind === "none" || kind === "missing")) {
    io.writeErr(`Nothing to cancel: there is no job of this output (${name})\n`);
    return EXIT_DONE;
  }
  const detail = kinds[0] === "none"
    ? ""
    : "Slurm does not queue its running shards again, but starts those that wait in the queue. ";
  const advice = "Cancel it again where the scheduler can be reached";
  io.writeErr(`The job ${name} may still be there. ${detail}${advice}\n`);
  return EXIT_FAILED_ROWS;
}

async function cancelSlurm(name: string, io: Io): Promise<Outcome> {
  const queue = await queueOf([name, `${name}-merge`], "%i", io);
  // Cancels regardless of what `squeue` says: canceling a job that does not exist does no harm. The
  // merge is canceled first, because it starts when the last shard ends. `scancel` takes only one
  // name, and succeeds if no job has it.
  const merge = await tryTool("scancel", [`--name=${name}-merge`], io);
  const shards = await tryTool("scancel", [`--name=${name}`], io);
  const problem = [merge, shards].find((result) => result.kind !== "done");
  if (queue.kind === "done") {
    if (queue.text.trim() === "") return { kind: "none", text: "no job of this output" };
    if (problem === undefined) return canceled(name);
    const kind = shards.kind === "done" ? "unknown" : "kept";
    return { kind, text: problemText("scancel", problem) };
  }
  if (problem === undefined) {
    const squeue = problemText("squeue", queue);
    return { kind: "unknown", text: `scancel does not say whether there was a job, and ${squeue}` };
  }
  const isSlurmMissing = queue.kind === "missing" && problem.kind === "missing";
  return { kind: isSlurmMissing ? "missing" : "unknown", text: problemText("scancel", problem) };
}

function canceled(name: string): Outcome {
  return { kind: "canceled", text: `canceled ${name}` };
}

async function cancelKubernetes(
  name: string,
  namespace: string | undefined,
  io: Io,
): Promise<Outcome> {
  const names = [`${name}-merge`, name];
  const args = ["delete", "job", ...names, "--ignore-not-found", ...namespaceFlags(namespace)];
  const deletion = await tryTool("kubectl", args, io);
  if (deletion.kind !== "done") {
    const kind = deletion.kind === "missing" ? "missing" : "unknown";
    return { kind, text: problemText("kubectl", deletion) };
  }
  return deletion.text.trim() === "" ? { kind: "none", text: noJobIn(namespace) } : canceled(name);
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
  const { kind, text } = await cancelKubernetes(name, namespace, io);
  if (kind === "canceled") return conclude([kind], name, io);
  const problem = kind === "none"
    ? "Kubernetes has no such job. Run this in the folder of the submit command, with the same " +
      "output and --namespace"
    : `Kubernetes could not be called: ${text}`;
  throw new UsageError(
    `Cannot cancel the job ${name}: "${stem}.jsonl" is not on this machine, and ${problem}`,
  );
}
