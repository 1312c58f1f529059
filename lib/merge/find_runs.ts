/**
 * Finds the runs to merge by their files, and moves those files away once the merge has been proven
 * complete.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { exists, ifThere, statOf } from "../files.ts";
import type { InputPiece } from "../formats/mod.ts";
import { OWN_FOLDER, withoutSeparator } from "../paths.ts";
import { filesOf, inputFilesOf, type OutputFiles, readRunFile, type RunFile } from "../run/mod.ts";
import {
  changeOf,
  piecesOf,
  readPlan,
  rowsBefore,
  type ShardPlan,
  shardStem,
} from "../shards/mod.ts";
import { acquireLock, cannotWrite } from "../sink/mod.ts";

/** One run to be merged. */
export interface MergeRun {
  /** For messages: `shard 3 of 8`, or the results path. */
  readonly name: string;
  /** Where its files are now: a merge may have moved some or all of them. */
  readonly files: OutputFiles;
  /** Where the run wrote its files. */
  readonly own: OutputFiles;
  /** The parts of the input that the run reads; empty if unknown, or if the shard is empty. */
  readonly pieces: readonly InputPiece[];
  /** The content of its run file; undefined if it has not run. */
  readonly runFile: RunFile | undefined;
  /** The rows of the input before those of this shard; 0 for other runs, undefined if unknown. */
  readonly rowsBefore: number | undefined;
  /** How files of the input have changed since they were divided into shards, for messages. */
  readonly changes: readonly string[];
}

/**
 * An output holds no runs yet, or an incomplete division into shards: a merge may wait for them.
 */
export class NoRunsError extends UsageError {}

/**
 * Finds the runs of outputs, in the order of the outputs and of the shards.
 *
 * @param shards The number of shards, to choose one of several divisions.
 * @param needsRunFile Whether results count as a run only with their run file.
 * @throws {UsageError} If an output holds no runs, or several divisions.
 */
export async function findRuns(
  outputs: readonly string[],
  { shards, needsRunFile }: { shards?: number; needsRunFile: boolean },
): Promise<MergeRun[]> {
  const runs: MergeRun[] = [];
  for (const output of outputs) {
    const planned = await findPlan(output, shards);
    if (planned !== undefined) runs.push(...await runsOfPlan(planned.plan, planned.stem));
    else runs.push(...await runsIn(output, needsRunFile));
  }
  return runs;
}

/** The folder of an output's files, and their common name; undefined if all files count. */
export async function folderAndName(
  output: string,
): Promise<{ folder: string; name: string | undefined }> {
  const path = withoutSeparator(output) || "/";
  const isFolder = path !== output || (await statOf(output))?.isDirectory;
  if (isFolder) return { folder: path, name: undefined };
  return { folder: dirname(path), name: basename(path).replace(/\.(jsonl|ndjson)$/, "") };
}

async function findPlan(
  output: string,
  shards: number | undefined,
): Promise<{ plan: ShardPlan; stem: string } | undefined> {
  const { folder, name } = await folderAndName(output);
  const plans: { plan: ShardPlan; stem: string; file: string }[] = [];
  for (const file of await namesIn(`${folder}/${OWN_FOLDER}`)) {
    const match = /^(.*)\.shards-(\d+)\.json$/.exec(file);
    if (match === null || (name !== undefined && match[1] !== name)) continue;
    if (shards !== undefined && Number(match[2]) !== shards) continue;
    const plan = await readPlan(`${folder}/${OWN_FOLDER}/${file}`);
    if (plan === undefined) {
      throw new NoRunsError(
        `Cannot read "${folder}/${OWN_FOLDER}/${file}": it is incomplete. Run any shard again, which rewrites it`,
      );
    }
    plans.push({ plan, stem: `${folder}/${match[1]}`.replace(/^\.\//, ""), file });
  }
  if (plans.length < 2) return plans[0];
  const list = plans.map(({ file }) => file).join(", ");
  throw new UsageError(
    `Cannot choose among the shards of "${output}": it holds several divisions (${list}). Name one as a results path, as in ` +
      `"${plans[0].stem}.jsonl", or with --shards N`,
  );
}

async function runsOfPlan(plan: ShardPlan, stem: string): Promise<MergeRun[]> {
  const runs: MergeRun[] = [];
  const moved = new Set(await namesIn(movedFolderOf(stem)));
  const changes = await changesOf(plan);
  for (let index = 0; index < plan.shards; index++) {
    const ownStem = shardStem(stem, { index, count: plan.shards });
    const own = filesOf(plan.inputs.map(({ path }) => path).join(", "), ownStem);
    const files = await locate(own, moved);
    const runFile = await readRunFile(files.runJson);
    const binaryColumns = runFile?.rows.binaryColumns;
    runs.push({
      name: `shard ${index} of ${plan.shards}`,
      files,
      own,
      pieces: piecesOf(plan, index, { binaryColumns }),
      runFile,
      rowsBefore: rowsBefore(plan, index),
      changes,
    });
  }
  return runs;
}

async function changesOf({ inputs }: ShardPlan): Promise<string[]> {
  const changes: string[] = [];
  for (const input of inputs) {
    // An input that cannot be read is reported when the merge reads it.
    const change = await changeOf(input.path, input).catch(() => undefined);
    if (change !== undefined) changes.push(`"${input.path}": ${change}`);
  }
  return changes;
}

/** The folder to which files of merged runs are moved, given one of their own paths. */
function movedFolderOf(path: string): string {
  return `${dirname(path)}/${OWN_FOLDER}/shards`;
}

/**
 * Where the files of a run are now.
 *
 * @param own Where the run wrote them.
 * @param moved The names of the files that a merge has moved.
 */
async function locate(own: OutputFiles, moved: ReadonlySet<string>): Promise<OutputFiles> {
  const placeOf = async (path: string) => {
    const isMoved = moved.has(basename(path)) && !(await exists(path));
    return isMoved ? `${movedFolderOf(path)}/${basename(path)}` : path;
  };
  return {
    ...own,
    results: await placeOf(own.results),
    failures: await placeOf(own.failures),
    runJson: await placeOf(own.runJson),
  };
}

/** Runs that are not shards: all in a folder, or the one of a results path. */
async function runsIn(output: string, needsRunFile: boolean): Promise<MergeRun[]> {
  const { folder, name } = await folderAndName(output);
  const names = new Set(await namesIn(folder));
  if (!needsRunFile) refuseCompressed(folder, name, names);
  const stems = [...names].flatMap((file) => stemsOf(file, names, needsRunFile))
    .filter((stem) => name === undefined || stem === name).toSorted(compareNaturally);
  if (stems.length === 0) {
    const advice = needsRunFile
      ? "Name the output of the shards, or add --no-proof to join results without run files"
      : "Name a folder of results";
    throw new NoRunsError(
      `Cannot use "${output}" as the output of runs: there are no runs in it. ${advice}`,
    );
  }
  return await Promise.all(stems.map(async (stem) => {
    const path = folder === "." ? stem : `${folder}/${stem}`;
    const runFile = await readRunFile(`${path}.run.json`);
    const files = filesOf(runFile?.input ?? "", path);
    const pieces = runFile === undefined || !needsRunFile ? [] : await piecesOfRun(runFile, files);
    return { name: files.results, files, own: files, pieces, runFile, rowsBefore: 0, changes: [] };
  }));
}

async function piecesOfRun(run: RunFile, { results }: OutputFiles): Promise<InputPiece[]> {
  if ((run.identity.shards ?? null) !== null) {
    throw new UsageError(
      `Cannot merge "${results}": it is a shard, and without the borders of all shards ` +
        `("${OWN_FOLDER}/…shards-${run.identity.shards}.json") its rows are not known. Name the ` +
        "output of all shards. If the borders are lost, run one shard, which writes them again",
    );
  }
  const paths = await inputFilesOf(run);
  if (paths.includes("-")) {
    throw new UsageError(
      `Cannot compare "${results}" with its input, which was standard input. Add --no-proof to ` +
        "join results without their inputs",
    );
  }
  const { inputFormat, jsonColumns, binaryColumns } = run.rows;
  const options = { inputFormat, jsonColumns, binaryColumns };
  return paths.map((path) => ({ path, name: path, options }));
}

/** The stem of a run, if the file is its run file or, without run files, its results file. */
function stemsOf(file: string, names: ReadonlySet<string>, needsRunFile: boolean): string[] {
  if (needsRunFile) return file.endsWith(".run.json") ? [file.slice(0, -".run.json".length)] : [];
  const stem = /^([^.].*)\.jsonl$/.exec(file)?.[1];
  const isCompanion = stem === undefined || /\.(outdated|duplicates|rescued-\d+)$/.test(stem) ||
    (stem.endsWith("_error") && names.has(`${stem.slice(0, -"_error".length)}.jsonl`));
  return isCompanion ? [] : [stem];
}

/** Throws if results exist only compressed: without run files, nothing else would tell of them. */
function refuseCompressed(
  folder: string,
  name: string | undefined,
  names: ReadonlySet<string>,
): void {
  for (const file of names) {
    const [, results, stem] = /^(([^.].*)\.jsonl)\.(?:gz|zst)$/.exec(file) ?? [];
    if (results === undefined || names.has(results)) continue;
    if (name !== undefined && stem !== name) continue;
    throw new UsageError(
      `Cannot join "${folder}/${file}", which is compressed: decompress it, or move it away`,
    );
  }
}

const { compare: compareNaturally } = new Intl.Collator("en", { numeric: true });

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
  }
  return names;
}

/**
 * Moves the files of all runs to `.retort/shards/` in their folders. Returns the last of these
 * folders.
 *
 * @throws {LockedError} If a run is active; the files of runs before it have been moved.
 */
export async function tidyUp(runs: readonly MergeRun[]): Promise<string> {
  let target = "";
  for (const { own: { results, failures, runJson, lock } } of runs) {
    target = movedFolderOf(results);
    await Deno.mkdir(target, { recursive: true }).catch((cause) => {
      throw cannotWrite(target, cause);
    });
    // The run file first: once it is moved, the shard refuses to run again, even after a crash
    // here.
    const paths = [runJson, results, failures, results.replace(/\.jsonl$/, ".outdated.jsonl")];
    if (!(await Promise.all([...paths, lock].map(exists))).includes(true)) continue;
    {
      using _held = await acquireLock(lock);
      for (const path of paths) await move(path, target);
    }
    await move(lock, target);
  }
  return `${target}/`;
}

async function move(path: string, folder: string): Promise<void> {
  const to = `${folder}/${basename(path)}`;
  await ifThere(Deno.rename(path, to), (cause) => cannotWrite(to, cause));
}
