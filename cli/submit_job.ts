/**
 * The job of an output: name in the scheduler, folder of logs, merge, follow-up commands, shards.
 *
 * @module
 */

import { dirname, resolve } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import {
  exists,
  hasContent,
  inFolder,
  isFolder,
  namesIn,
  OWN_FOLDER,
  parseShardStem,
  realFolderOf,
  splitPath,
  stemOf,
} from "../lib/files.ts";
import { sha256Hex } from "../lib/hash.ts";
import { checkReplaceable, findRuns, type MergeRun } from "../lib/merge/mod.ts";
import { shellWord } from "../lib/printable.ts";
import {
  checkOutputs,
  checkSameIdentity,
  filesOf,
  type Identity,
  identityOf,
  resolveOptions,
} from "../lib/run/mod.ts";
import { movedFolderOf, plannedDivisions, rowsBefore, type ShardPlan } from "../lib/shards/mod.ts";
import type { ShardJob } from "../lib/submit/mod.ts";
import type { Io } from "./io.ts";
import type { RunRequest } from "./request.ts";
import { asUsage, type Settings } from "./settings.ts";
import { modelsOf } from "./teachers.ts";

export interface PreparedJob extends ShardJob {
  /** Path of the output without `.jsonl`: `out/x`. */
  readonly stem: string;
  readonly mergedResults: string;
}

/** Maximum length of the output's name in a job's name, in characters. */
const MAX_NAME_LENGTH = 30;

/** Returns the job's name: the same on every machine that has the output at this path. */
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

/**
 * Returns a command for a submitted job. Under `deno task`, the task is `submit`, because `distill`
 * may not call the scheduler.
 *
 * @param namespace The namespace of a Kubernetes job, if it was named.
 */
export function followUpCommand(
  { stem }: PreparedJob,
  action: "status" | "cancel",
  { program }: Io,
  namespace?: string,
): string {
  const task = program.replace(/(\btask\b.*) distill$/, "$1 submit");
  const command = task === program ? `${program} submit` : task;
  const flags = namespace === undefined ? "" : ` --namespace ${namespace}`;
  return `${command} ${action} ${shellWord(`${stem}.jsonl`)}${flags}`;
}

/**
 * Returns the path of the merged results. Throws if it does not end in `.jsonl`, or is in the
 * folder of the shards.
 */
export function mergedResultsOf(stem: string, settings: Settings): string {
  const { start, name } = splitPath(stem);
  const file = settings.text("merge") ?? `${start}merged/${name}.jsonl`;
  if (!file.endsWith(".jsonl")) {
    throw new UsageError(
      `Cannot merge into "${file}" (--merge): it must be a file that ends in .jsonl`,
    );
  }
  if (realFolderOf(file) === realFolderOf(stem)) {
    const merged = splitPath(file);
    throw new UsageError(
      `Cannot merge into "${file}" (--merge): the shards are in the same folder, and loading it ` +
        "would load every row twice. Name a file in another folder, such as --merge " +
        shellWord(`${merged.start}merged/${merged.name}`),
    );
  }
  return file;
}

/** Throws if the merge could not write its files: it would fail once all shards are paid for. */
export async function checkMergedFiles(
  mergedResults: string,
  inputs: readonly string[],
): Promise<void> {
  const output = filesOf("", stemOf(mergedResults));
  await checkOutputs(inputs, [output]);
  await checkReplaceable(output);
}

/**
 * Throws if every shard would fail, because of wrong settings, a `--limit` that cannot be divided,
 * answers with other settings, or files that a merge has moved.
 *
 * @param request The settings of the shards; undefined if they cannot be read on this machine.
 */
export async function checkShards(
  stem: string,
  plan: ShardPlan,
  request: RunRequest | undefined,
  io: Pick<Io, "env">,
): Promise<void> {
  const { shards } = plan;
  const identity = request && identityOfShards(request, shards, io);
  if (request?.run.limit !== undefined && rowsBefore(plan)[shards - 1] === undefined) {
    throw new UsageError(
      "Cannot use --limit with shards of compressed files, whose rows are not counted: leave it " +
        "out, or decompress them",
    );
  }
  if (!(await haveStarted(stem))) return;
  const runs = await findRuns([`${stem}.jsonl`], { shards, needsRunFile: true });
  const moved = runs.find(({ files, originalFiles }) => files.runJson !== originalFiles.runJson);
  if (moved !== undefined) {
    throw new UsageError(
      `Cannot submit: the shards were merged, and their files were moved to "${
        dirname(moved.files.runJson)
      }/". Move them back, or name another output`,
    );
  }
  if (request === undefined || identity === undefined || request.run.allowMixed) return;
  const mixAdvice = "to have both in one file, add --allow-mixed, and --no-proof to the merge";
  for (const { runFile, files: { results, failures } } of runs) {
    if (runFile === undefined || !(await hasContent(results) || await hasContent(failures))) {
      continue;
    }
    const problem = `Cannot submit: answers in "${results}" were`;
    checkSameIdentity(problem, runFile.identity, identity, { ...request.run, mixAdvice });
  }
}

/**
 * Whether any shard has a run file. Lists the folder of the shards, and that of moved shards,
 * because looking for the files of thousands of shards one by one would be slow.
 */
async function haveStarted(stem: string): Promise<boolean> {
  const { start, name } = splitPath(stem);
  const files = [...await namesIn(start || "."), ...await namesIn(movedFolderOf(stem))];
  return files.some((file) => parseShardStem(file.replace(/\.run\.json$/, ""))?.stem === name);
}

function identityOfShards(
  { settings, config, generator, run: { finalMessages, think } }: RunRequest,
  shards: number,
  io: Pick<Io, "env">,
): Identity {
  const complete = () => Promise.reject(new Error("No shard runs here"));
  const teachers = modelsOf(settings, config?.teachers ?? [], io)
    .map((model) => ({ teacher: { model, complete } }));
  const options = asUsage(() => resolveOptions({ ...generator, teachers }));
  return identityOf({ ...options, finalMessages, think, shards });
}

export function mergeArguments(
  stem: string,
  mergedResults: string,
  shards: number,
  settings: Settings,
): string[] {
  const limit = settings.text("limit");
  return [
    "merge",
    `${stem}.jsonl`,
    `--shards=${shards}`,
    `--output=${mergedResults}`,
    "--replace",
    ...limit === undefined ? [] : [`--limit=${limit}`],
  ];
}

export interface JobOutput {
  /** Path of the output without `.jsonl`: `out/x`. */
  readonly stem: string;
  /** The runs of the shards; undefined if the output exists only in the cluster, as on a volume. */
  readonly runs?: readonly MergeRun[];
}

/** @param operation What follows "Cannot" in errors: `cancel a job`. */
export async function findOutput(
  outputs: readonly string[],
  settings: Settings,
  operation: string,
): Promise<JobOutput> {
  if (outputs.length === 0) {
    throw new UsageError(`Cannot ${operation} without its output: name one, as in out/`);
  }
  if (outputs.length > 1) {
    const count = outputs.length;
    throw new UsageError(`Cannot ${operation}: it takes one output, and ${count} were named`);
  }
  const [output] = outputs;
  if (await hasShards(output)) {
    const shards = settings.integer("shards", 1);
    const find = (awaitsRuns = false) =>
      findRuns(outputs, { shards, needsRunFile: true, awaitsRuns });
    const sharedStem = ([{ originalFiles: { results } }]: MergeRun[]) =>
      parseShardStem(stemOf(results))?.stem;
    let runs = await find();
    // Until a shard has started, other runs in the folder are found instead.
    if (sharedStem(runs) === undefined) runs = await find(true);
    return { runs, stem: sharedStem(runs)! };
  }
  if (output.endsWith(".jsonl") && !(await exists(output))) return { stem: stemOf(output) };
  throw new UsageError(
    `Cannot ${operation}: "${output}" has no shards. Name the output that was given to submit ` +
      "(-o). If it exists only on the cluster, or no pod has started yet, name its results file, as in " +
      "out/prompts.jsonl",
  );
}

/** Whether a results file, or any in a folder, has a shard plan (`.retort/NAME.shards-16.json`). */
async function hasShards(output: string): Promise<boolean> {
  const isWholeFolder = await isFolder(output);
  const { start, name } = splitPath(isWholeFolder ? inFolder(output, "x") : stemOf(output));
  return (await plannedDivisions(start))
    .some(({ stem }) => isWholeFolder || stem === `${start}${name}`);
}
