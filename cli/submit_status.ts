/**
 * `retort submit status` and `retort submit cancel`. They use the files of the shards, and the
 * scheduler if its commands can be run.
 *
 * @module
 */

import { resolve } from "../lib/deps/std_path.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { exists, isFolder, namesIn, systemReason } from "../lib/files.ts";
import { sha256Hex } from "../lib/hash.ts";
import { findRuns, type MergeRun } from "../lib/merge/mod.ts";
import { readStatus, statusPathOf } from "../lib/run/mod.ts";
import { inFolder, OWN_FOLDER, splitPath, stemOf } from "../lib/paths.ts";
import { printable } from "../lib/printable.ts";
import { canceledPathOf, parsePlanName } from "../lib/shards/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS } from "./exit_codes.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { formatCount } from "../lib/figures.ts";

const MAX_LISTED = 20;
/** How much of the output's name is in the name of its job. */
const MAX_NAME_LENGTH = 30;

/** The name is the same on every machine that has the output at this path. */
export async function jobNameOf(stem: string): Promise<string> {
  const { start, name } = splitPath(stem);
  const label = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_NAME_LENGTH).replaceAll(/^-+|-+$/g, "");
  const folder = resolve(start || ".");
  const realFolder = await Deno.realPath(folder).catch(() => folder);
  return `retort-${label || "job"}-${sha256Hex(`${realFolder}/${name}`).slice(0, 8)}`;
}

export function logsOf(stem: string): string {
  return `${splitPath(stem).start}${OWN_FOLDER}/logs`;
}

export async function statusCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { runs, stem } = await findOutput(outputs, settings, "show the status of a job");
  const isDone = runs !== undefined && await printShards(runs, io);
  if (runs === undefined) io.writeOut(`"${printable(stem)}.jsonl" is not on this machine\n`);
  io.writeOut(await describeQueue(await jobNameOf(stem), settings.text("namespace")));
  const logs = logsOf(stem);
  if (!isDone && await exists(logs)) io.writeOut(`Logs: ${printable(logs)}/\n`);
  return isDone ? EXIT_DONE : EXIT_FAILED_ROWS;
}

/** Returns whether all are done. */
async function printShards(runs: readonly MergeRun[], io: Io): Promise<boolean> {
  const states = new Map<string, number>();
  const lines: string[] = [];
  let rows = 0, done = 0, failed = 0;
  for (const run of runs) {
    const { state, detail } = await stateOf(run);
    states.set(state, (states.get(state) ?? 0) + 1);
    const summary = run.runFile?.summary;
    rows += summary?.total ?? 0;
    done += (summary?.total ?? 0) - (summary?.pending ?? 0);
    failed += summary?.failed ?? 0;
    // One more than is shown, to know whether there are more.
    if (detail !== "" && lines.length <= MAX_LISTED) lines.push(`${run.name}: ${state}${detail}`);
  }
  const counts = [...states].map(([state, count]) => `${formatCount(count)} ${state}`);
  io.writeOut(`${formatCount(runs.length)} shards: ${counts.join(", ")}\n`);
  io.writeOut(
    `Rows of the shards that have ended: ${formatCount(done)} of ${formatCount(rows)} finished` +
      `${failed === 0 ? "" : `, ${formatCount(failed)} of them failed`}\n`,
  );
  for (const line of lines.slice(0, MAX_LISTED)) io.writeOut(`${printable(line)}\n`);
  if (lines.length > MAX_LISTED) io.writeOut("…\n");
  return (states.get("done") ?? 0) === runs.length;
}

/** `detail` follows the state in a list; "" for shards not to be listed. */
async function stateOf(
  { runFile, originalFiles, pieces }: MergeRun,
): Promise<{ state: string; detail: string }> {
  if (pieces.length === 0) return { state: "done", detail: "" };
  if (runFile?.summary?.state === "done" && runFile.summary.pending === 0) {
    return { state: "done", detail: "" };
  }
  const status = await readStatus(statusPathOf(originalFiles.results));
  if (status?.ended && status.state === "failed") {
    return { state: "failed to start", detail: ": its log says why" };
  }
  if (runFile === undefined) return { state: "not started", detail: "" };
  if (runFile.summary === null) return { state: "running or killed", detail: "" };
  const { state, pending, reason } = runFile.summary;
  const detail = `, ${formatCount(pending)} pending${reason === null ? "" : ` (${reason})`}`;
  return { state: state === "done" ? "unfinished" : state, detail };
}

/** Queries by the job's name: `squeue`, unlike `sacct`, works without Slurm accounting. */
async function describeQueue(name: string, namespace: string | undefined): Promise<string> {
  const squeueText = await tryTool("squeue", [
    "--noheader",
    "--array",
    `--name=${name},${name}-merge`,
    "--format=%T",
  ]);
  const states = (squeueText ?? "").split("\n").filter((state) => state !== "");
  const queue = Map.groupBy(states, (state) => state);
  if (queue.size > 0) {
    return `Slurm: ${[...queue].map(([state, { length }]) => `${length} ${state}`).join(", ")}\n`;
  }
  const selector = `--selector=app.kubernetes.io/instance in (${name},${name}-merge)`;
  const kubectlText = await tryTool("kubectl", [
    ...["get", "jobs", selector, "--no-headers"],
    ...inNamespace(namespace),
  ]);
  if (kubectlText !== undefined && kubectlText.trim() !== "") return `Kubernetes:\n${kubectlText}`;
  if (squeueText !== undefined) return "Slurm: nothing in the queue\n";
  return "The scheduler was not queried: deno task submit status queries Slurm and Kubernetes\n";
}

/** Removes the job from the queue; its files stay. */
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
    throw new SinkError(`Cannot write "${marker}": ${systemReason(cause)}`, {
      path: marker,
      cause,
    });
  }
  // The merge first: it runs as soon as the last shard has ended. `scancel` takes one name, and no
  // list of names.
  const scancelTexts = [
    await tryTool("scancel", [`--name=${name}-merge`]),
    await tryTool("scancel", [`--name=${name}`]),
  ];
  const kubectlText = await deleteJobs(name, namespace);
  if ([...scancelTexts, kubectlText].every((text) => text === undefined)) {
    io.writeErr(
      "No scheduler could be called: running shards are not queued again when they end, waiting ones " +
        `start anyway. deno task submit cancel calls Slurm and Kubernetes; the job is ${name}\n`,
    );
    return EXIT_FAILED_ROWS;
  }
  io.writeErr(`Canceled ${name}. The same submit command continues it\n`);
  return EXIT_DONE;
}

/**
 * Cancels a job whose output is not on this machine. Only Kubernetes has such jobs: Slurm jobs are
 * submitted where their output is.
 */
async function cancelElsewhere(
  stem: string,
  name: string,
  namespace: string | undefined,
  io: Io,
): Promise<number> {
  const deleted = await deleteJobs(name, namespace);
  const problem = `"${stem}.jsonl" is not on this machine`;
  if (deleted === undefined) {
    throw new UsageError(
      `Cannot cancel the job ${name}: ${problem}, and Kubernetes could not be called. Use deno task ` +
        "submit cancel",
    );
  }
  if (deleted.trim() === "") {
    throw new UsageError(
      `Cannot cancel the job ${name}: ${problem}, and Kubernetes has no such job. Run this in the ` +
        "folder of the submit command, with the same output and --namespace",
    );
  }
  io.writeErr(`Canceled ${name}. The same submit command continues it\n`);
  return EXIT_DONE;
}

/** Returns "" if there are no such jobs, undefined if `kubectl` cannot be run or fails. */
async function deleteJobs(name: string, namespace: string | undefined) {
  return await tryTool("kubectl", [
    ...["delete", "job", `${name}-merge`, name, "--ignore-not-found"],
    ...inNamespace(namespace),
  ]);
}

interface JobOutput {
  /** Path of the output without `.jsonl`: `out/x`. */
  readonly stem: string;
  /** Undefined if the output is on the cluster only, as on a volume of Kubernetes. */
  readonly runs?: readonly MergeRun[];
}

/** @param operation What needs the output, for errors: `cancel a job`. */
async function findOutput(
  outputs: readonly string[],
  settings: Settings,
  operation: string,
): Promise<JobOutput> {
  if (outputs.length !== 1) {
    throw new UsageError(`Cannot ${operation} without its output: name one, as in out/`);
  }
  const [output] = outputs;
  if (await hasShards(output)) {
    const shards = settings.integer("shards", 1);
    const runs = await findRuns(outputs, { shards, needsRunFile: true });
    return { runs, stem: runs[0].originalFiles.results.replace(/-\d{5,}-of-\d{5,}\.jsonl$/, "") };
  }
  if (output.endsWith(".jsonl") && !(await exists(output))) return { stem: stemOf(output) };
  throw new UsageError(
    `Cannot ${operation}: "${output}" holds no shards. Name the -o of the job or, if only the cluster ` +
      "has it, the results of the job, as in out/prompts.jsonl",
  );
}

/** Looks for the file with the shards' borders, `.retort/NAME.shards-16.json`; for a folder, with
 * any name. */
async function hasShards(output: string): Promise<boolean> {
  const isWholeFolder = await isFolder(output);
  const { start, name } = splitPath(isWholeFolder ? inFolder(output, "x") : stemOf(output));
  return (await namesIn(`${start}${OWN_FOLDER}`)).some((file) => {
    const plan = parsePlanName(file);
    return plan !== undefined && (isWholeFolder || plan.name === name);
  });
}

function inNamespace(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : [`--namespace=${namespace}`];
}

/** Programs that the task `submit` of `deno.json` may run. */
type Tool = "sbatch" | "squeue" | "scancel" | "scontrol" | "kubectl";

/** Returns undefined if the program is missing, may not be called, or fails. */
export async function tryTool(tool: Tool, args: readonly string[]): Promise<string | undefined> {
  if (!mayRun(tool)) return undefined;
  try {
    const { success, stdout } = await runTool(tool, args, "");
    return success ? stdout : undefined;
  } catch {
    return undefined;
  }
}

export async function callTool(
  tool: Tool,
  args: readonly string[],
  input: string,
): Promise<string> {
  if (!mayRun(tool)) {
    throw new UsageError(
      `Cannot call ${tool}: Retort was started without the permission for it. Start it with ` +
        "deno task submit, or pipe what submit prints",
    );
  }
  let result: Awaited<ReturnType<typeof runTool>>;
  try {
    result = await runTool(tool, args, input);
  } catch (cause) {
    throw new UsageError(`Cannot call ${tool}: ${(cause as Error).message}`, { cause });
  }
  if (result.success) return result.stdout;
  throw new SinkError(`Cannot submit: ${tool} says: ${result.stderr.trim()}`);
}

function mayRun(command: Tool): boolean {
  return Deno.permissions.querySync({ name: "run", command }).state === "granted";
}

async function runTool(tool: Tool, args: readonly string[], input: string) {
  const child = new Deno.Command(tool, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
