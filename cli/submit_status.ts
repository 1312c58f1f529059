/**
 * `retort submit status` and `retort submit cancel`: use the files of the shards, and the scheduler
 * if it can be called.
 *
 * @module
 */

import { resolve } from "../lib/deps/std_path.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import { sha256Hex } from "../lib/hash.ts";
import { findRuns, type MergeRun } from "../lib/merge/mod.ts";
import { readStatus, statusPathOf } from "../lib/run/mod.ts";
import { splitPath } from "../lib/paths.ts";
import { printable } from "../lib/printable.ts";
import { cancelledPathOf } from "../lib/shards/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS } from "./exit_codes.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { tryTool } from "./submit_schedulers.ts";
import { formatCount } from "../lib/figures.ts";

const MOST_NAMED = 20;
const MOST_NAME_CHARS = 30;

/**
 * Returns the name of an output's job, the same on every machine that has the output at this path.
 */
export async function jobNameOf(stem: string): Promise<string> {
  const { start, name: written } = splitPath(stem);
  const name = written.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, MOST_NAME_CHARS).replaceAll(/^-+|-+$/g, "");
  const folder = resolve(start || ".");
  const place = await Deno.realPath(folder).catch(() => folder);
  return `retort-${name || "job"}-${sha256Hex(`${place}/${name}`).slice(0, 8)}`;
}

export async function statusCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { runs, stem } = await shardsOf(outputs, "show the status of a job");
  const states = new Map<string, number>();
  const lines: string[] = [];
  let rows = 0, done = 0;
  for (const run of runs) {
    const { state, why } = await stateOf(run);
    states.set(state, (states.get(state) ?? 0) + 1);
    rows += run.run?.summary?.total ?? 0;
    done += (run.run?.summary?.total ?? 0) - (run.run?.summary?.pending ?? 0);
    if (why !== "" && lines.length <= MOST_NAMED) lines.push(`  ${run.name}: ${state}${why}`);
  }
  const counts = [...states].map(([state, count]) => `${formatCount(count)} ${state}`);
  io.writeOut(`${formatCount(runs.length)} shards: ${counts.join(", ")}\n`);
  io.writeOut(
    `${formatCount(done)} of ${formatCount(rows)} rows of the shards that have ended ` +
      "are finished\n",
  );
  for (const line of lines.slice(0, MOST_NAMED)) io.writeOut(`${printable(line.trim())}\n`);
  if (lines.length > MOST_NAMED) io.writeOut("…\n");
  io.writeOut(await schedulerSays(await jobNameOf(stem), settings.text("namespace")));
  return (states.get("done") ?? 0) === runs.length ? EXIT_DONE : EXIT_FAILED_ROWS;
}

async function stateOf({ run, own, pieces }: MergeRun): Promise<{ state: string; why: string }> {
  if (pieces.length === 0) return { state: "done", why: "" };
  if (run?.summary?.state === "done" && run.summary.pending === 0) {
    return { state: "done", why: "" };
  }
  const status = await readStatus(statusPathOf(own.results));
  if (status?.ended && status.state === "failed") {
    return { state: "not able to start", why: ": its log says why" };
  }
  if (run === undefined) return { state: "not started", why: "" };
  if (run.summary === null) return { state: "running or killed", why: "" };
  const { state, pending, reason } = run.summary;
  const why = `, ${formatCount(pending)} pending${reason === null ? "" : ` (${reason})`}`;
  return { state: state === "done" ? "unfinished" : state, why };
}

/**
 * Returns the state of the queue. It is queried by the job's name, which needs no Slurm accounting.
 */
async function schedulerSays(name: string, namespace: string | undefined): Promise<string> {
  const slurm = await tryTool("squeue", [
    "--noheader",
    "--array",
    `--name=${name},${name}-merge`,
    "--format=%T",
  ]);
  if (slurm !== undefined) {
    const states = Map.groupBy(slurm.split("\n").filter((line) => line !== ""), (line) => line);
    const text = [...states].map(([state, lines]) => `${lines.length} ${state}`).join(", ");
    return `Slurm: ${text === "" ? "nothing in the queue" : text}\n`;
  }
  const selector = `--selector=app.kubernetes.io/instance in (${name},${name}-merge)`;
  const kubernetes = await tryTool("kubectl", [
    ...["get", "jobs", selector, "--no-headers"],
    ...inNamespace(namespace),
  ]);
  if (kubernetes !== undefined && kubernetes.trim() !== "") return `Kubernetes:\n${kubernetes}`;
  return "The scheduler was not queried: deno task submit status queries Slurm and Kubernetes\n";
}

/** Removes an output's job from the queue. Its files stay. */
export async function cancelCommand(
  outputs: readonly string[],
  settings: Settings,
  io: Io,
): Promise<number> {
  const { stem } = await shardsOf(outputs, "cancel a job");
  const marker = cancelledPathOf(stem);
  try {
    // Shards that end because of the signal must not be queued again.
    await Deno.writeTextFile(marker, "");
  } catch (cause) {
    throw new SinkError(`Cannot write "${marker}": ${systemReason(cause)}`, {
      path: marker,
      cause,
    });
  }
  const name = await jobNameOf(stem);
  // The merge first: it runs as soon as the last shard has ended. `scancel` takes one name, and no
  // list of names.
  const merge = await tryTool("scancel", [`--name=${name}-merge`]);
  const slurm = await tryTool("scancel", [`--name=${name}`]) ?? merge;
  const kubernetes = await tryTool("kubectl", [
    ...["delete", "job", `${name}-merge`, name, "--ignore-not-found"],
    ...inNamespace(settings.text("namespace")),
  ]);
  if (slurm === undefined && kubernetes === undefined) {
    io.writeErr(
      "No scheduler could be called: running shards are not queued again when they end, waiting ones " +
        `start anyway. deno task submit cancel calls Slurm and Kubernetes; the job is ${name}\n`,
    );
    return EXIT_FAILED_ROWS;
  }
  io.writeErr(`Cancelled ${name}. The same submit command continues it\n`);
  return EXIT_DONE;
}

async function shardsOf(
  outputs: readonly string[],
  what: string,
): Promise<{ runs: MergeRun[]; stem: string }> {
  if (outputs.length !== 1) {
    throw new UsageError(`Cannot ${what} without its output: name one, as in out/`);
  }
  const runs = await findRuns(outputs, { needsRunFile: true });
  if (runs[0].run?.identity.shards === null) {
    throw new UsageError(`Cannot ${what}: "${outputs[0]}" is no output of shards`);
  }
  const stem = runs[0].own.results.replace(/-\d{5}-of-\d{5}\.jsonl$/, "");
  return { runs, stem };
}

function inNamespace(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : [`--namespace=${namespace}`];
}
