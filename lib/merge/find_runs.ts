/**
 * Finds the runs of a merge by their files, and moves them away once the merge is proven.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { ifThere, statOf } from "../files.ts";
import type { InputPiece } from "../formats/mod.ts";
import { OWN_FOLDER, withoutSeparator } from "../paths.ts";
import { filesOf, type OutputFiles, readRunFile, type RunFile } from "../run/mod.ts";
import { piecesOf, readPlan, rowsBefore, type ShardPlan, shardStem } from "../shards/mod.ts";
import { acquireLock, cannotWrite } from "../sink/mod.ts";

/** One run to be merged. */
export interface MergeRun {
  /** Its name in messages. */
  readonly name: string;
  /** Its files. */
  readonly files: OutputFiles;
  /** The parts of the input that it reads. */
  readonly pieces: readonly InputPiece[];
  /** Its run file; undefined if it has not run. */
  readonly run: RunFile | undefined;
  /** The number of rows of the whole input before a shard, if it is known. */
  readonly rowsBefore: number | undefined;
}

/** Finds the runs of outputs, in the order of the outputs and of the shards.
 *
 * @throws {UsageError} when there are none
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

/** The folder of an output's files, and the start of their names; undefined for any name. */
function partsOf(output: string, isFolder: boolean): { folder: string; name: string | undefined } {
  const path = withoutSeparator(output) || "/";
  if (isFolder) return { folder: path, name: undefined };
  return { folder: dirname(path), name: basename(path).replace(/\.(jsonl|ndjson)$/, "") };
}

async function findPlan(
  output: string,
  shards: number | undefined,
): Promise<{ plan: ShardPlan; stem: string } | undefined> {
  const { folder, name } = partsOf(output, (await statOf(output))?.isDirectory ?? false);
  const found: { plan: ShardPlan; stem: string; file: string }[] = [];
  for (const file of await namesIn(`${folder}/${OWN_FOLDER}`)) {
    const match = /^(.*)\.shards-(\d+)\.json$/.exec(file);
    if (match === null || (name !== undefined && match[1] !== name)) continue;
    if (shards !== undefined && Number(match[2]) !== shards) continue;
    const plan = await readPlan(`${folder}/${OWN_FOLDER}/${file}`);
    if (plan === undefined) {
      throw new UsageError(
        `Cannot read "${folder}/${OWN_FOLDER}/${file}": it is incomplete. Run a shard, which writes it again`,
      );
    }
    found.push({ plan, stem: `${folder}/${match[1]}`.replace(/^\.\//, ""), file });
  }
  if (found.length < 2) return found[0];
  const list = found.map(({ file }) => file).join(", ");
  throw new UsageError(
    `Cannot merge "${output}": it holds several divisions (${list}). Name one as a results path, as in ` +
      `"${found[0].stem}.jsonl", or with --shards N`,
  );
}

async function runsOfPlan(plan: ShardPlan, stem: string): Promise<MergeRun[]> {
  const runs: MergeRun[] = [];
  for (let index = 0; index < plan.shards; index++) {
    const own = shardStem(stem, { index, count: plan.shards });
    const files = filesOf(plan.inputs.map(({ path }) => path).join(", "), own);
    const run = await readRunFile(files.runJson);
    const binaryColumns = run?.rows.binaryColumns;
    runs.push({
      name: `shard ${index} of ${plan.shards}`,
      files,
      pieces: piecesOf(plan, index, { binaryColumns }),
      run,
      rowsBefore: rowsBefore(plan, index),
    });
  }
  return runs;
}

/** The runs of a folder or of one results path, over inputs that were split by hand. */
async function runsIn(output: string, needsRunFile: boolean): Promise<MergeRun[]> {
  const { folder, name } = partsOf(output, (await statOf(output))?.isDirectory ?? false);
  const names = new Set(await namesIn(folder));
  const stems = [...names].flatMap((file) => stemsOf(file, names, needsRunFile))
    .filter((stem) => name === undefined || stem === name).toSorted(naturally);
  if (stems.length === 0) {
    const advice = needsRunFile
      ? "Name the output of the shards, or add --no-proof to join results without run files"
      : "Name a folder of results";
    throw new UsageError(`Cannot merge "${output}": it holds no run. ${advice}`);
  }
  return await Promise.all(stems.map(async (stem) => {
    const path = folder === "." ? stem : `${folder}/${stem}`;
    const run = await readRunFile(`${path}.run.json`);
    const files = filesOf(run?.input ?? "", path);
    const { inputFormat, jsonColumns, binaryColumns } = run?.rows ?? {};
    const options = { inputFormat, jsonColumns, binaryColumns };
    const pieces = run === undefined ? [] : [{ path: run.input, name: run.input, options }];
    return { name: files.results, files, pieces, run, rowsBefore: 0 };
  }));
}

function stemsOf(file: string, names: ReadonlySet<string>, needsRunFile: boolean): string[] {
  if (needsRunFile) return file.endsWith(".run.json") ? [file.slice(0, -".run.json".length)] : [];
  const stem = /^([^.].*)\.jsonl$/.exec(file)?.[1];
  const isCompanion = stem === undefined || /\.(outdated|duplicates|rescued-\d+)$/.test(stem) ||
    (stem.endsWith("_error") && names.has(`${stem.slice(0, -"_error".length)}.jsonl`));
  return isCompanion ? [] : [stem];
}

const { compare: naturally } = new Intl.Collator("en", { numeric: true });

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
 * Moves the files of all runs to `.retort/shards/` in their folders, and returns the last such
 * folder.
 *
 * @throws {LockedError} when one of them is running; others may already have been moved
 */
export async function tidyUp(runs: readonly MergeRun[]): Promise<string> {
  let target = "";
  for (const { files } of runs) {
    const { results, failures, runJson, lock } = files;
    target = `${dirname(results)}/${OWN_FOLDER}/shards`;
    await Deno.mkdir(target, { recursive: true }).catch((cause) => {
      throw cannotWrite(target, cause);
    });
    const paths = [results, failures, runJson, results.replace(/\.jsonl$/, ".outdated.jsonl")];
    if (await ifThere(Deno.stat(lock)) === undefined) continue;
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
