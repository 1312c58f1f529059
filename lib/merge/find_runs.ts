/**
 * Finds the runs to merge by their files.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { namesIn, OWN_FOLDER, parseShardStem } from "../files.ts";
import { sumOf } from "../figures.js";
import { type InputPiece, withoutCompression } from "../formats/mod.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import {
  compressedCopyOf,
  filesOf,
  inputFilesOf,
  type OutputFiles,
  type RunFile,
} from "../run/mod.ts";
import { rescuedFilesOf } from "../sink/mod.ts";
import {
  type DivisionOptions,
  findShardRuns,
  folderAndName,
  NoRunsError,
  tryRunFile,
} from "./find_division.ts";
import { joinDivisions, type OutputRuns } from "./same_division.ts";

export interface MergeRun {
  /** The name for messages: `shard 3 of 8`, or the results path. */
  readonly name: string;
  /** Where the files are now: an earlier merge may have moved some of them. */
  readonly files: OutputFiles;
  /** Where the run wrote its files. */
  readonly originalFiles: OutputFiles;
  /** Parts of the input that the run reads; empty if unknown or if the shard is empty. */
  readonly pieces: readonly InputPiece[];
  /** For a shard, all inputs of the division, including those without a row in this shard. For
   * other runs, the inputs of `pieces`. */
  readonly inputs: readonly string[];
  /** The run file; undefined if the run has not started, or if the file cannot be read. */
  readonly runFile: RunFile | undefined;
  readonly runFileProblem: string | undefined;
  /** The number of rows in earlier shards: 0 if the run is not a shard, undefined if unknown. */
  readonly rowsBefore: number | undefined;
  /** How inputs have changed since they were divided; empty if the run is not a shard. */
  readonly changes: readonly string[];
}

export interface FindOptions extends DivisionOptions {
  /** Whether runs that are not shards are found by their run files, not by their results. */
  readonly needsRunFile: boolean;
}

/**
 * Finds the runs of the outputs, in the order of the outputs and of the shards.
 *
 * @throws {NoRunsError} If an output holds no runs, or if `shards` is set and no output is divided.
 * @throws {UsageError} If an output holds several divisions, or runs that cannot be merged.
 */
export async function findRuns(
  outputs: readonly string[],
  options: FindOptions,
): Promise<MergeRun[]> {
  const { shards, needsRunFile } = options;
  const found: OutputRuns[] = [];
  for (const output of outputs) {
    const shardRuns = await findShardRuns(output, options);
    const runs = shardRuns ?? await runsIn(output, needsRunFile);
    found.push({ runs, isDivision: shardRuns !== undefined });
  }
  if (shards === undefined || found.some(({ isDivision }) => isDivision)) {
    return await joinDivisions(found);
  }
  const names = outputs.join('", "');
  throw new NoRunsError(
    `Cannot use --shards ${shards}: there is no division into shards in "${names}". Leave --shards out`,
  );
}

async function runsIn(output: string, needsRunFile: boolean): Promise<MergeRun[]> {
  const { folder, name } = await folderAndName(output);
  const names = new Set(await namesIn(folder));
  if (!needsRunFile) refuseOnlyCompressed(folder, name, names);
  const allStems = needsRunFile ? runFileStems(names) : await resultsStems(folder, names);
  // Without run files, results of shards need no plan file, which may be lost. `x.jsonl` next to
  // them may be their input.
  const shardStems = needsRunFile
    ? []
    : allStems.filter((stem) => parseShardStem(stem)?.stem === name);
  const namedStems = shardStems.length > 0 ? shardStems : allStems.filter((stem) => stem === name);
  const stems = (name === undefined ? allStems : namedStems).toSorted(compareNaturally);
  if (stems.length === 0) {
    const advice = await noRunsAdvice(folder, name, names, needsRunFile);
    throw new NoRunsError(
      `Cannot use "${output}" as the output of runs: there are no runs in it. ${advice}`,
    );
  }
  if (needsRunFile && name === undefined) await refuseWithoutRunFile(folder, names);
  return await Promise.all(stems.map(async (stem) => {
    const path = folder === "." ? stem : `${folder}/${stem}`;
    const { runFile, runFileProblem } = await tryRunFile(`${path}.run.json`);
    const results = await resultsPathOf(path, names);
    const files = { ...filesOf(runFile?.input ?? "", path), results };
    const pieces = runFile === undefined || !needsRunFile ? [] : await piecesOfRun(runFile, files);
    return {
      name: results,
      files,
      originalFiles: files,
      pieces,
      inputs: pieces.map(({ name }) => name),
      runFile,
      runFileProblem,
      rowsBefore: 0,
      changes: [],
    };
  }));
}

async function noRunsAdvice(
  folder: string,
  name: string | undefined,
  names: ReadonlySet<string>,
  needsRunFile: boolean,
): Promise<string> {
  const isShardOfName = (stem: string) => parseShardStem(stem)?.stem === name;
  if (name !== undefined && runFileStems(names).some(isShardOfName)) {
    return `There are shards of it, and their plan file ("${OWN_FOLDER}/…") is lost: run one shard to ` +
      "write it again";
  }
  const isNamed = (stem: string) => name === undefined || stem === name;
  return needsRunFile && (await resultsStems(folder, names)).some(isNamed)
    ? "Name the output of the shards, or add --no-proof to join results without run files"
    : "Name the output of the shards, or a folder of results";
}

/** Returns the path of the results. After a run with `-o x.ndjson`, `x.jsonl` may be an input. */
async function resultsPathOf(stem: string, names: ReadonlySet<string>): Promise<string> {
  const jsonl = `${stem}.jsonl`, ndjson = `${stem}.ndjson`;
  if (!names.has(basename(ndjson))) return jsonl;
  const isJsonl = names.has(basename(jsonl)) && await holdsOwnLines(jsonl, "results");
  return isJsonl || !(await holdsOwnLines(ndjson, "results")) ? jsonl : ndjson;
}

async function piecesOfRun(run: RunFile, { results }: OutputFiles): Promise<InputPiece[]> {
  if ((run.identity.shards ?? null) !== null) {
    // Network mounts may not show a new file for a while.
    throw new NoRunsError(
      `Cannot merge "${results}": it is a shard, and without the plan file of all shards ` +
        `("${OWN_FOLDER}/…shards-${run.identity.shards}.json") its rows are not known. Name the ` +
        "output of all shards. If the plan file is lost, run one shard to write it again",
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

function runFileStems(names: ReadonlySet<string>): string[] {
  return [...names].flatMap((file) => /^(.*)\.run\.json$/.exec(file)?.[1] ?? []);
}

/** Returns the stems of results in a folder, found without run files, which may be missing. */
async function resultsStems(folder: string, names: ReadonlySet<string>): Promise<string[]> {
  const stems = new Set<string>();
  for (const file of names) {
    const [, fileStem, extension] = /^([^.].*)\.(jsonl|ndjson)$/.exec(file) ?? [];
    // Rescued lines may be all that is left of the results.
    const stem = fileStem?.replace(/\.rescued-\d+$/, "");
    if (stem === undefined || stems.has(stem) || isCompanion(stem, names)) continue;
    // Rescued lines may also be failures, and a file named .ndjson is usually an input.
    const isCertain = extension === "jsonl" && stem === fileStem;
    if (isCertain || await holdsOwnLines(`${folder}/${file}`, "results")) stems.add(stem);
  }
  return [...stems];
}

/** Throws if a merge would omit results whose run file is gone. */
async function refuseWithoutRunFile(folder: string, names: ReadonlySet<string>): Promise<void> {
  for (const stem of await resultsStems(folder, names)) {
    if (names.has(`${stem}.run.json`)) continue;
    const results = await resultsPathOf(`${folder}/${stem}`, names);
    if (!(await holdsOwnLines(results, "results"))) continue;
    throw new UsageError(
      `Cannot merge "${results}": there is no "${stem}.run.json", and its input is not known. Move ` +
        "it away, or add --no-proof to join all results without their inputs",
    );
  }
}

/** Whether Retort writes a file with this stem next to results, such as failures (`x_error`). */
function isCompanion(stem: string, names: ReadonlySet<string>): boolean {
  if (/\.(outdated|duplicates|rescued-\d+)$/.test(stem)) return true;
  const parent = /^(.*)_error$/.exec(stem)?.[1];
  if (parent === undefined) return false;
  return ["jsonl", "ndjson", "run.json"].some((extension) => names.has(`${parent}.${extension}`));
}

/** Throws if results exist only as a compressed copy, which a join would omit. */
function refuseOnlyCompressed(
  folder: string,
  name: string | undefined,
  names: ReadonlySet<string>,
): void {
  for (const file of names) {
    const results = withoutCompression(file);
    const [, stem] = /^([^.].*)\.(?:jsonl|ndjson)$/.exec(results) ?? [];
    if (stem === undefined || names.has(results)) continue;
    if (name !== undefined && stem !== name) continue;
    throw new UsageError(
      `Cannot join "${folder}/${file}", which is compressed: decompress it, or move it away`,
    );
  }
}

/** Returns a message if the results of a run exist only as a compressed copy. */
export async function compressedProblem(
  { files: { results }, pieces }: MergeRun,
): Promise<string | undefined> {
  const copy = await compressedCopyOf(results, pieces.map(({ path }) => path));
  return copy &&
    `"${results}" holds no answers, but "${copy}" is a compressed copy: decompress the copy`;
}

/** Returns a message if answers of a run are in files of rescued lines. */
export async function rescuedProblem(
  { files: { results, failures } }: MergeRun,
): Promise<string | undefined> {
  const [path] = [
    ...await rescuedFilesOf(results, "results"),
    ...await rescuedFilesOf(failures, "failures"),
  ];
  return path && `answers are in "${path}": start the run again, which adds them to its output`;
}

/** Returns how many rows of a run, from its first row, are within the limit of a merge. */
export function limitOf({ rowsBefore }: MergeRun, limit: number): number {
  if (limit === Infinity) return limit;
  if (rowsBefore !== undefined) return Math.max(0, limit - rowsBefore);
  throw new UsageError(
    "Cannot use --limit with shards of compressed files, whose rows are not counted: leave it out",
  );
}

/** Returns the smallest number of samples of the runs that have started. With a larger number, a
 * complete merge would lack samples of some runs. */
export function fewestSamples(runs: readonly MergeRun[]): number {
  const counts = runs.flatMap(({ runFile }) => runFile ? runFile.rows.samples ?? 1 : []);
  return counts.reduce((fewest, count) => Math.min(fewest, count), counts[0] ?? 1);
}

/** Returns the number of rows of a run: exact for shards whose rows are counted, otherwise an
 * estimate. */
export function expectedRows({ pieces, runFile }: MergeRun): number {
  const counted = sumOf(pieces, ({ part }) => part ? part.to.rows - part.from.rows : 0);
  return counted > 0 ? counted : runFile?.summary?.total ?? 1_000;
}

const { compare: compareNaturally } = new Intl.Collator("en", { numeric: true });
