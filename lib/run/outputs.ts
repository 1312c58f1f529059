/**
 * Names the files that a run writes, and checks them before anything is created.
 *
 * @module
 */

import * as stdPath from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import {
  fileKeyOf,
  inFolder,
  isFolder,
  kindOf,
  namesIn,
  parseShardStem,
  RESULTS_EXTENSION,
  splitPath,
  statOf,
  stemOf,
  withoutSeparator,
} from "../files.ts";
import { INPUT_EXTENSIONS, type InputPiece } from "../formats/mod.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import type { MergedResults, OwnOutput } from "../shards/mod.ts";
import { outdatedPathOf, refuseLongName, refuseStream } from "../sink/mod.ts";
import { inputFilesOf, nameOf, PATTERN } from "./inputs.ts";
import { readRunFile } from "./run_file.ts";

export interface OutputFiles {
  /** The input, as the user named it; `-` is standard input. */
  readonly input: string;
  /** The parts of the input, in the order in which they are read: one file, several files, or the
   * parts of a shard. */
  readonly pieces: readonly InputPiece[];
  readonly results: string;
  /** Holds failed rows, bad rows, and rejected answers to pending rows. */
  readonly failures: string;
  /** Holds the settings of the run, and its summary. */
  readonly runJson: string;
  readonly lock: string;
  /** All inputs of the merge that the run continues, if the run reads only some of them. */
  readonly mergedInputs?: readonly string[];
}

/** A path with the extension of a data file names a file, not a folder. */
const FILE_NAME = new RegExp(`\\.(${[...INPUT_EXTENSIONS, "gz", "zst"].join("|")})$`);

/**
 * Returns the output files of each input: `out/<input name>.jsonl` and its companions, or the
 * results file that `output` names and its companions.
 *
 * @throws {UsageError} as `checkOutputs` does, or when several inputs would be written to one file
 * that no merge created
 */
export async function outputFilesOf(
  inputs: readonly string[],
  output: string,
): Promise<OutputFiles[]> {
  if (inputs.length === 0) throw new UsageError("Cannot run without an input file: name one");
  const files = await isResultsFile(output)
    ? [await resultsFileOf(inputs, output)]
    : inputs.map((input) => filesOf(input, inFolder(output, nameOf(input))));
  await checkOutputs(inputs, files);
  return files;
}

/** Returns the files of one output. Several inputs share it only after a merge, to add missing
 * answers. */
async function resultsFileOf(inputs: readonly string[], output: string): Promise<OutputFiles> {
  const files = { ...filesOf(inputs[0], stemOf(output)), results: output };
  if (inputs.length === 1) {
    return { ...files, mergedInputs: await mergedInputsOf(files.runJson, inputs) };
  }
  const runFile = await readRunFile(files.runJson);
  if (runFile === undefined || inputs.includes("-") || (await inputFilesOf(runFile)).length < 2) {
    throw new UsageError(
      `Cannot write ${inputs.length} inputs to the one file "${output}": name a folder, as in "out/"`,
    );
  }
  // The run file keeps the inputs that this run omits, so that a later run can read all of them.
  const knownNames = namesOf(runFile.inputs ?? []);
  const mergedInputs = knownNames.isSubsetOf(namesOf(inputs))
    ? undefined
    : [...runFile.inputs!, ...inputs.filter((path) => !knownNames.has(stdPath.basename(path)))];
  const pieces = inputs.map((path) => ({ path, name: path }));
  return { ...files, input: runFile.input, pieces, mergedInputs };
}

/** Returns the inputs of the merge that `runJson` describes, if one of them has the same name as
 * one of `files`. Paths are not compared, because folders may have moved. */
async function mergedInputsOf(
  runJson: string,
  files: readonly string[],
): Promise<readonly string[] | undefined> {
  const { inputs } = await readRunFile(runJson).catch(() => undefined) ?? {};
  return namesOf(inputs ?? []).isDisjointFrom(namesOf(files)) ? undefined : inputs;
}

function namesOf(paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => stdPath.basename(path)));
}

export function filesOf(input: string, stem: string): OutputFiles {
  return {
    input,
    pieces: [{ path: input, name: input }],
    results: `${stem}.jsonl`,
    failures: `${stem}_error.jsonl`,
    runJson: `${stem}.run.json`,
    lock: `${stem}.lock`,
  };
}

/** Whether `output` is one results file, not a folder. Throws if it can be neither. */
async function isResultsFile(output: string): Promise<boolean> {
  if (output === "") {
    throw new UsageError("Cannot write results to an empty path: name a file or folder");
  }
  if (output === "-") {
    throw new UsageError(
      "Cannot write results to standard output, where a run could not read them back: name a file " +
        "or folder, as in out/",
    );
  }
  if (!FILE_NAME.test(output) || await isFolder(output)) return false;
  if (RESULTS_EXTENSION.test(output)) return true;
  throw new UsageError(
    `Cannot write to "${output}": it must be a file that ends in .jsonl, or a folder, as in "out/"`,
  );
}

/** Returns the output that shards of these inputs share. A run over whole files looks there for
 * shards, too. `wholeResults` omits files that are inputs. */
export async function sharedOutput(
  inputs: readonly string[],
  files: readonly string[],
  output: string,
): Promise<OwnOutput> {
  const name = outputNameOf(inputs, files);
  const isFile = await isResultsFile(output);
  const { visibleStem } = await import("../shards/mod.ts");
  const stem = isFile ? stemOf(output) : await visibleStem(inFolder(output, name));
  const results = isFile
    ? [output]
    : files.map((file) => `${inFolder(output, nameOf(file))}.jsonl`);
  if (!isFile && files.length > 1) {
    const mergedInputs = await mergedInputsOf(`${stem}.run.json`, files) ?? [];
    if (mergedInputs.length > 1) results.push(`${stem}.jsonl`);
  }
  const inputPaths = new Set(files.map((file) => stdPath.resolve(file)));
  return {
    stem,
    isNamed: isFile && splitPath(stem).name !== name,
    wholeResults: results.flatMap((path) => [path, siblingOf(path)])
      .filter((path) => !inputPaths.has(stdPath.resolve(path))),
    findMerges: isFile ? undefined : () => mergesIn(output),
    findInputs: inputFilesOf,
  };
}

/** Finds the results of merges over several inputs in a folder, by their run files. Does not read
 * the run files of shards, of which there may be thousands. */
async function mergesIn(folder: string): Promise<MergedResults[]> {
  const merges: MergedResults[] = [];
  for (const file of await namesIn(folder)) {
    const name = /^(.*)\.run\.json$/.exec(file)?.[1];
    if (name === undefined || parseShardStem(name) !== undefined) continue;
    // An invalid run file is reported by the next run over its output.
    const { inputs = [] } = await readRunFile(inFolder(folder, file)).catch(() => undefined) ?? {};
    if (inputs.length > 1) merges.push({ path: inFolder(folder, `${name}.jsonl`), inputs });
  }
  return merges;
}

/** Names the shared output: `x` for the file `x.jsonl`, the folder `x/` or the pattern `x/*.jsonl`;
 * `x-and-2-more` for three inputs. */
function outputNameOf(inputs: readonly string[], files: readonly string[]): string {
  if (files.length === 1) return nameOf(files[0]);
  if (inputs.length > 1) return `${nameOf(inputs[0])}-and-${inputs.length - 1}-more`;
  const parts = withoutSeparator(inputs[0]).split(stdPath.SEPARATOR_PATTERN);
  const end = parts.findIndex((part) => PATTERN.test(part));
  return stdPath.basename(parts.slice(0, end === -1 ? undefined : end).join("/")) || "input";
}

/**
 * Checks that no two outputs share a file, and that each file is regular or missing, and is not an
 * input.
 *
 * @throws {UsageError} if a check fails, or if results with the other extension (`.jsonl`,
 *   `.ndjson`) exist
 */
export async function checkOutputs(
  inputs: readonly string[],
  files: readonly OutputFiles[],
): Promise<void> {
  for (const { results } of files) refuseStream(results);
  for (const { runJson } of files) refuseLongName(runJson);
  const [inputStats, stats] = await Promise.all([statsOf(inputs), statsOf(files.flatMap(pathsOf))]);
  checkOwners(files, stats);
  const inputsByKey = new Map([...inputStats].map(([path, info]) => [fileKeyOf(path, info), path]));
  for (const [path, info] of stats) {
    const input = inputsByKey.get(fileKeyOf(path, info));
    if (input === undefined) continue;
    throw new UsageError(`Cannot write "${path}": it is the input "${input}". Name another output`);
  }
  await checkRegular(files, stats);
  await checkSiblings(inputsByKey, files, stats);
}

type Stats = ReadonlyMap<string, Deno.FileInfo>;

const MAX_CONCURRENT_STATS = 64;

async function statsOf(paths: readonly string[], stat = statOf): Promise<Stats> {
  const stats = new Map<string, Deno.FileInfo>();
  for (let start = 0; start < paths.length; start += MAX_CONCURRENT_STATS) {
    const batch = paths.slice(start, start + MAX_CONCURRENT_STATS);
    const infos = await Promise.all(batch.map((path) => path === "-" ? undefined : stat(path)));
    for (const [i, info] of infos.entries()) if (info !== undefined) stats.set(batch[i], info);
  }
  return stats;
}

/** Returns the paths of an output's files that have fixed names. Other files, such as those of
 * rescued lines, get a number that is free. */
function pathsOf(files: OutputFiles): string[] {
  return [files.results, files.failures, ...sideFilesOf(files)];
}

/** Returns the paths of files that must not be links, because Retort names them, not the user. */
function sideFilesOf({ results, runJson, lock }: OutputFiles): string[] {
  return [runJson, lock, outdatedPathOf(results)];
}

/** Checks that no two outputs have the same path, or paths that lead to the same file. */
function checkOwners(files: readonly OutputFiles[], stats: Stats): void {
  const owners = new Map<string, string>();
  for (const output of files) {
    for (const path of pathsOf(output)) {
      const info = stats.get(path);
      const key = info === undefined ? path : fileKeyOf(path, info);
      const owner = owners.get(key);
      if (owner !== undefined) {
        const advice = stdPath.resolve(owner) === stdPath.resolve(output.input)
          ? "they are the same file. Name it once"
          : "write their results to two folders, or to one file with --shard 0/1";
        throw new UsageError(
          `Cannot write "${path}" for both "${owner}" and "${output.input}": ${advice}`,
        );
      }
      owners.set(key, output.input);
    }
  }
}

/** Throws unless each file is regular or missing: a FIFO, for example, blocks the process or cannot
 * be read back. Only results and failures may be links to files. */
async function checkRegular(files: readonly OutputFiles[], stats: Stats): Promise<void> {
  const lstat = (path: string) => Deno.lstat(path).catch(() => undefined);
  const linkStats = await statsOf(files.flatMap(sideFilesOf), lstat);
  for (const path of files.flatMap(pathsOf)) {
    const target = stats.get(path);
    // The message describes the target of a link, such as a device, not the link.
    const isSpecial = target !== undefined && !target.isFile;
    const info = isSpecial ? target : linkStats.get(path) ?? target;
    if (info === undefined || info.isFile) continue;
    throw new UsageError(
      `Cannot write "${path}": it must be a regular file, and it is ${kindOf(info)}. ` +
        "Name another output",
    );
  }
}

/** Throws if `x.ndjson` and `x.jsonl` would share the failures file, the lock and other files. */
async function checkSiblings(
  inputsByKey: ReadonlyMap<string, string>,
  files: readonly OutputFiles[],
  stats: Stats,
): Promise<void> {
  const siblings = await statsOf(files.map(({ results }) => siblingOf(results)));
  for (const { results, runJson } of files) {
    const sibling = siblingOf(results), info = siblings.get(sibling);
    if (!info?.isFile || inputsByKey.has(fileKeyOf(sibling, info))) continue;
    // An empty sibling is a run's results file if there is a run file and no other results file.
    const isResults = info.size === 0
      ? stats.has(runJson) && !stats.has(results)
      : await holdsOwnLines(sibling, "results");
    if (!isResults) continue;
    throw new UsageError(
      `Cannot write "${results}": the results in "${sibling}" have the same "${runJson}", lock and ` +
        "failures file. Name another output",
    );
  }
}

function siblingOf(results: string): string {
  return stemOf(results) + (results.endsWith(".jsonl") ? ".ndjson" : ".jsonl");
}
