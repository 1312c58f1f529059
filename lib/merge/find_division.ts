/**
 * Finds the division into shards for a merge, and the runs of the shards, including files that an
 * earlier merge has moved.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import {
  exists,
  isFolder,
  namesIn,
  parseShardStem,
  shardStem,
  stemOf,
  withoutSeparator,
} from "../files.ts";
import { filesOf, inputFilesOf, type OutputFiles, readRunFile, type RunFile } from "../run/mod.ts";
import {
  changeOf,
  isOutputName,
  movedFolderOf,
  piecesOf,
  plannedDivisions,
  readPlan,
  rowsBefore,
  type ShardPlan,
} from "../shards/mod.ts";
import { shellWord } from "../printable.ts";
import type { MergeRun } from "./find_runs.ts";

/** Thrown if no runs are found: the output is empty, is not divided into the requested number of
 * shards, or has an incomplete plan file. A merge that waits for runs tries again. */
export class NoRunsError extends UsageError {}

interface PlannedDivision {
  readonly plan: ShardPlan;
  readonly stem: string;
}

export interface DivisionOptions {
  /** The number of shards, to choose among several divisions. @default the only division */
  readonly shards?: number;
  /** Whether a division is a candidate even if none of its shards has started. @default false */
  readonly awaitsRuns?: boolean;
}

/** Finds the shards to merge for `output`. Returns undefined if runs without shards are to be
 * merged. */
export async function findShardRuns(
  output: string,
  options: DivisionOptions,
): Promise<MergeRun[] | undefined> {
  const division = await findDivision(output, options);
  return division && await runsOf(division);
}

async function findDivision(
  output: string,
  { shards, awaitsRuns = false }: DivisionOptions,
): Promise<PlannedDivision | undefined> {
  const divisions = await divisionsOf(output, shards);
  if (divisions.length === 0) {
    if (shards !== undefined) await refuseOtherCount(output, shards);
    return undefined;
  }
  if (divisions.length === 1 && shards !== undefined) return divisions[0];
  const startedDivisions: PlannedDivision[] = [];
  for (const division of divisions) if (await isStarted(division)) startedDivisions.push(division);
  const hasStarted = startedDivisions.length > 0;
  // If no shard has started, the other runs in the folder are merged. Without other runs, the
  // missing shards are reported.
  if (!hasStarted && !awaitsRuns && shards === undefined && await holdsRuns(output)) {
    return undefined;
  }
  // A merge that waits must not choose the division that happened to start first.
  const candidates = hasStarted && !awaitsRuns ? startedDivisions : divisions;
  if (candidates.length > 1) throw ambiguityError(output, candidates);
  const [division] = candidates;
  if (hasStarted) await refuseOtherRuns(output, division);
  return division;
}

async function refuseOtherCount(output: string, shards: number): Promise<void> {
  const divisions = await divisionsOf(output, undefined);
  const counts = [...new Set(divisions.map(({ plan }) => plan.shards))];
  if (counts.length === 0) return;
  const choices = counts.map((count) => `--shards ${count}`).join(" or ");
  throw new NoRunsError(
    `Cannot find ${formatCountOf(shards, "shard")} in "${output}": it is divided into ${
      counts.join(" and ")
    }. Use ${choices}`,
  );
}

async function divisionsOf(
  output: string,
  shards: number | undefined,
): Promise<PlannedDivision[]> {
  const { folder, name } = await folderAndName(output);
  const divisions: PlannedDivision[] = [];
  for (const { path, stem, count } of await plannedDivisions(`${folder}/`)) {
    if (name !== undefined && basename(stem) !== name) continue;
    if (shards !== undefined && count !== shards) continue;
    const plan = await readPlan(path);
    if (plan === undefined) {
      throw new NoRunsError(
        `Cannot read "${path}": it is incomplete. Rerun any shard to rewrite it`,
      );
    }
    divisions.push({ plan, stem: stem.replace(/^\.\//, "") });
  }
  return divisions.toSorted((one, other) =>
    one.stem === other.stem ? one.plan.shards - other.plan.shards : one.stem < other.stem ? -1 : 1
  );
}

/** Whether a shard has results, failures or a run file, in place or moved by a merge. */
async function isStarted({ plan: { shards: count }, stem }: PlannedDivision): Promise<boolean> {
  const isOfShard = (file: string) =>
    isOutputName(file.replace(/\.run\.json$/, ".jsonl"), { stem, count });
  for (const folder of [dirname(stem), movedFolderOf(stem)]) {
    if ((await namesIn(folder)).some(isOfShard)) return true;
  }
  return false;
}

/** Throws if a folder also holds runs of other inputs, which a merge of the shards would omit. */
async function refuseOtherRuns(output: string, division: PlannedDivision): Promise<void> {
  for await (const other of otherRuns(output, division)) {
    const [shards, run] = [`${division.stem}.jsonl`, other].map((path) => shellWord(path));
    throw new UsageError(
      `Cannot merge all of "${output}": it holds shards and other runs. Name what to merge: ` +
        `${shards}, or several, such as ${run} ${shards}`,
    );
  }
}

/** Returns a notice if `--shards` leaves out other runs in the folder. */
export async function leftOutNotice(output: string, shards: number): Promise<string | undefined> {
  const [division, ...others] = await divisionsOf(output, shards);
  if (division === undefined || others.length > 0) return undefined;
  const omittedPaths = await Array.fromAsync(otherRuns(output, division));
  if (omittedPaths.length === 0) return undefined;
  const more = omittedPaths.length === 1 ? "" : ` and ${omittedPaths.length - 1} more`;
  return `--shards ${shards} leaves out other runs in "${output}": "${omittedPaths[0]}"${more}`;
}

/** Yields the results paths of runs over other inputs; none if `output` names a file. */
async function* otherRuns(output: string, { plan, stem }: PlannedDivision): AsyncGenerator<string> {
  const { folder, name } = await folderAndName(output);
  if (name !== undefined) return;
  const ownName = basename(stem), otherNames = new Set<string>();
  const ownInputs = new Set(plan.inputs.map(({ path }) => basename(path)));
  for (const file of await namesIn(folder)) {
    const runStem = /^(.*)\.run\.json$/s.exec(file)?.[1];
    const other = runStem && (parseShardStem(runStem)?.stem ?? runStem);
    if (other === undefined || other === ownName || otherNames.has(other)) continue;
    // An unreadable run file may belong to another run.
    const run = await readRunFile(`${folder}/${file}`).catch(() => "unreadable" as const);
    if (run === undefined) continue;
    if (run !== "unreadable") {
      if (run.merged !== undefined) continue;
      // The run may have continued the merged results of these shards.
      if ((await inputFilesOf(run)).every((input) => ownInputs.has(basename(input)))) continue;
    }
    otherNames.add(other);
    yield `${dirname(stem)}/${other}.jsonl`.replace(/^\.\//, "");
  }
}

async function holdsRuns(output: string): Promise<boolean> {
  const { folder, name } = await folderAndName(output);
  return (await namesIn(folder)).some((file) =>
    file.endsWith(".run.json") && (name === undefined || file === `${name}.run.json`)
  );
}

function ambiguityError(output: string, planned: readonly PlannedDivision[]): UsageError {
  const choices = planned.map(({ plan, stem }) => {
    const isOnlyOfName = planned.filter((division) => division.stem === stem).length === 1;
    const path = shellWord(`${stem}.jsonl`);
    return isOnlyOfName ? path : `${path} --shards ${plan.shards}`;
  });
  return new UsageError(
    `Cannot tell which shards in "${output}" are meant: it holds ${planned.length} sets of shards. ` +
      `Name one: ${choices.join(", or ")}`,
  );
}

async function runsOf(division: PlannedDivision): Promise<MergeRun[]> {
  const { stem, plan: { shards: count } } = division;
  const movedNames = new Set(await namesIn(movedFolderOf(stem)));
  const shards = [];
  for (let index = 0; index < count; index++) {
    const originalFiles = filesOf("", shardStem(stem, { index, count }));
    const files = await currentFiles(originalFiles, movedNames);
    shards.push({ index, originalFiles, files, ...await tryRunFile(files.runJson) });
  }
  const plan = await withFoundInputs(division.plan, shards.map(({ runFile }) => runFile));
  const changes = await changesOf(plan);
  const inputs = plan.inputs.map(({ path }) => path);
  const before = rowsBefore(plan), input = inputs.join(", ");
  return shards.map(({ index, originalFiles, files, runFile, runFileProblem }) => ({
    name: `shard ${index} of ${count}`,
    files,
    originalFiles,
    pieces: piecesOf(plan, index, { binaryColumns: runFile?.rows.binaryColumns }),
    inputs,
    // All shards share these lists, because each of thousands of run files may name thousands of
    // inputs.
    runFile: runFile && { ...runFile, input, inputs },
    runFileProblem,
    rowsBefore: before[index],
    changes,
  }));
}

/** Returns the plan with paths at which its inputs exist. A folder may have another path on each
 * machine: the plan has those of the machine that wrote it, and each run file those of its own. */
async function withFoundInputs(
  plan: ShardPlan,
  runFiles: readonly (RunFile | undefined)[],
): Promise<ShardPlan> {
  if (await areThere(plan.inputs.map(({ path }) => path))) return plan;
  const named = new Map(runFiles.map((run) => [String(run?.inputs ?? run?.input), run]));
  for (const run of named.values()) {
    const paths = run === undefined ? [] : await inputFilesOf(run).catch(() => []);
    const isSame = paths.length === plan.inputs.length &&
      plan.inputs.every(({ path }, i) => basename(path) === basename(paths[i]));
    if (!isSame || !(await areThere(paths))) continue;
    return { ...plan, inputs: plan.inputs.map((input, i) => ({ ...input, path: paths[i] })) };
  }
  return plan;
}

export async function areThere(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) if (!(await exists(path))) return false;
  return true;
}

/** Reads a run file, or returns why that failed. One bad file must not hide the other runs. */
export async function tryRunFile(
  path: string,
): Promise<Pick<MergeRun, "runFile" | "runFileProblem">> {
  try {
    return { runFile: await readRunFile(path), runFileProblem: undefined };
  } catch (error) {
    return { runFile: undefined, runFileProblem: (error as Error).message };
  }
}

async function changesOf({ inputs }: ShardPlan): Promise<string[]> {
  const changes: string[] = [];
  for (const input of inputs) {
    // The merge reports an unreadable input when it reads it.
    const change = await changeOf(input.path, input).catch(() => undefined);
    if (change !== undefined) changes.push(`"${input.path}": ${change}`);
  }
  return changes;
}

async function currentFiles(
  originalFiles: OutputFiles,
  movedNames: ReadonlySet<string>,
): Promise<OutputFiles> {
  const currentPathOf = async (path: string) => {
    const isMoved = movedNames.has(basename(path)) && !(await exists(path));
    return isMoved ? `${movedFolderOf(path)}/${basename(path)}` : path;
  };
  return {
    ...originalFiles,
    results: await currentPathOf(originalFiles.results),
    failures: await currentPathOf(originalFiles.failures),
    runJson: await currentPathOf(originalFiles.runJson),
  };
}

/** Returns the folder of an output, and its file name without the extension; `name` is undefined if
 * the output is a folder. */
export async function folderAndName(
  output: string,
): Promise<{ folder: string; name: string | undefined }> {
  const path = withoutSeparator(output) || "/";
  const isWholeFolder = path !== output || await isFolder(output);
  if (isWholeFolder) return { folder: path, name: undefined };
  return { folder: dirname(path), name: stemOf(basename(path)) };
}
