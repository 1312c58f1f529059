/**
 * The files that a run writes.
 *
 * @module
 */

import * as system from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { INPUT_EXTENSIONS, type InputPiece } from "../formats/mod.ts";
import { targetOf, temporaryPathOf } from "../sink/mod.ts";
import { hasContent, isFolder, makeFolder, namesIn, statOf } from "../files.ts";
import {
  inFolder,
  type PathRules,
  RESULTS_EXTENSION,
  splitPath,
  stemOf,
  withoutSeparator,
} from "../paths.ts";
import type { MergedResults, OwnOutput } from "../shards/mod.ts";
import { checkOutputs, siblingOf } from "./output_checks.ts";
import { findInputs, PATTERN } from "./inputs.ts";
import { readRunFile, type RunFile } from "./run_file.ts";

/** One input, and the files of its output. */
export interface OutputFiles {
  /** As the user named it; `-` is standard input. */
  readonly input: string;
  /**
   * What is read of the input: a shard's part, or several files in their order.
   * @default all of the one file
   */
  readonly pieces?: readonly InputPiece[];
  /** Holds the answers, one a line. */
  readonly results: string;
  /** Holds failed rows, and for pending rows the answers that were not accepted. */
  readonly failures: string;
  /** Holds the settings of the run, and its summary. */
  readonly runJson: string;
  /** Locked by the run that writes to these files. */
  readonly lock: string;
  /** The inputs of the merge that the run continues, if its own input is only one of them. */
  readonly mergedInputs?: readonly string[];
}

/** The path of the copy of standard input, which exists while a run needs it. */
export function spoolPathOf({ lock }: OutputFiles, token: string): string {
  return `${lock.replace(/\.lock$/, "")}.input.${token}`;
}

/** Temporary files that a crashed run may have left next to its output. */
export async function temporaryFilesOf(files: OutputFiles, token: string): Promise<string[]> {
  const { results, failures, runJson } = files;
  const replaced = await Promise.all([results, failures, runJson].map(targetOf));
  return [spoolPathOf(files, token), ...replaced.map((path) => temporaryPathOf(path, token))];
}

/** An output with such a name is meant as a file. A run can write only `.jsonl` and `.ndjson`. */
const FILE_NAME = new RegExp(`\\.(${[...INPUT_EXTENSIONS, "gz", "zst"].join("|")})$`);
/** Matches the extensions of an input, which the name of its output lacks. */
const INPUT_ENDING = new RegExp(`(\\.(${INPUT_EXTENSIONS.join("|")}))?(\\.(gz|zst))?$`);

/**
 * Returns the output files of each input: `out/<input name>.jsonl` and its companions, or those of
 * the one results file that `output` names.
 *
 * @throws {UsageError} when two are the same file, when one is an input, when one exists and is not
 * a regular file, or when several inputs would be written to one file that no merge created
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

/**
 * The files whose results file is `output`. Several inputs share one only if a merge created it:
 * then it holds the rows of all of them, in their order, and a run may answer those that are
 * missing.
 */
async function resultsFileOf(inputs: readonly string[], output: string): Promise<OutputFiles> {
  const files = { ...filesOf(inputs[0], stemOf(output)), results: output };
  if (inputs.length === 1) return { ...files, mergedInputs: await mergedInputsOf(files) };
  const merged = await readRunFile(files.runJson);
  if (merged === undefined || inputs.includes("-") || (await inputFilesOf(merged)).length < 2) {
    throw new UsageError(
      `Cannot write ${inputs.length} inputs to the one file "${output}": name a folder, as in "out/"`,
    );
  }
  return { ...files, input: merged.input, pieces: inputs.map((path) => ({ path, name: path })) };
}

/**
 * The input files that a run file names, in their order.
 *
 * @throws {SourceError} when a folder cannot be read
 */
export async function inputFilesOf(
  { input, inputs }: Pick<RunFile, "input" | "inputs">,
): Promise<readonly string[]> {
  if (inputs !== undefined) return inputs;
  if (input === "-" || (await statOf(input))?.isFile) return [input];
  // An earlier version wrote the names of several files as one text.
  return (await findInputs(input.split(", "))).files;
}

/** The inputs of a merge that a run over one of them continues. */
async function mergedInputsOf(
  { input, runJson }: OutputFiles,
): Promise<readonly string[] | undefined> {
  const merged = await readRunFile(runJson).catch(() => undefined);
  const isOneOf = merged?.inputs?.some((one) => system.basename(one) === system.basename(input));
  return isOneOf ? merged?.inputs : undefined;
}

/** The output files with a stem such as `out/x`. */
export function filesOf(input: string, stem: string): OutputFiles {
  return {
    input,
    results: `${stem}.jsonl`,
    failures: `${stem}_error.jsonl`,
    runJson: `${stem}.run.json`,
    lock: `${stem}.lock`,
  };
}

/**
 * Whether an output is one results file rather than a folder.
 *
 * @throws {UsageError} when it can be neither
 */
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
  if (!RESULTS_EXTENSION.test(output)) {
    throw new UsageError(
      `Cannot write to "${output}": it must be a file that ends in .jsonl, or a folder, as in "out/"`,
    );
  }
  return true;
}

/**
 * Creates the folders that the files will be in.
 *
 * @throws {UsageError} when there is a file of that name
 * @throws {SinkError} when one cannot be created
 */
export async function makeFolders(files: readonly OutputFiles[]): Promise<void> {
  for (const folder of new Set(files.map(({ results }) => system.dirname(results)))) {
    await makeFolder(folder);
  }
}

/** The name of an input without folder and extensions: `x` for `in/x.jsonl.gz`, `stdin` for `-`. */
export function nameOf(input: string, { basename }: Pick<PathRules, "basename"> = system): string {
  return input === "-" ? "stdin" : basename(input).replace(INPUT_ENDING, "");
}

/**
 * The output that shards of these inputs have in common, and the results that runs over whole files
 * would write there, without those that are inputs themselves.
 */
export async function sharedOutput(
  named: readonly string[],
  files: readonly string[],
  output: string,
): Promise<OwnOutput> {
  const name = outputNameOf(named, files);
  const isFile = await isResultsFile(output);
  const stem = isFile ? stemOf(output) : inFolder(output, name);
  const results = isFile
    ? [output]
    : files.map((file) => `${inFolder(output, nameOf(file))}.jsonl`);
  if (!isFile && files.length > 1 && await isMergeOf(files, stem)) results.push(`${stem}.jsonl`);
  const inputs = new Set(files.map((file) => system.resolve(file)));
  return {
    stem,
    isNamed: isFile && splitPath(stem).name !== name,
    wholeResults: results.flatMap((path) => [path, siblingOf(path)])
      .filter((path) => !inputs.has(system.resolve(path))),
    findMerges: isFile ? undefined : () => mergesIn(output),
  };
}

/** Merges of several inputs. Shards, of which there may be thousands, are none. */
async function mergesIn(folder: string): Promise<MergedResults[]> {
  const merges: MergedResults[] = [];
  for (const file of await namesIn(folder)) {
    const name = /^(.*)(?<!-\d{5,}-of-\d{5,})\.run\.json$/.exec(file)?.[1];
    if (name === undefined) continue;
    // A file that is not a run file is reported by the run whose output it is.
    const { inputs = [] } = await readRunFile(inFolder(folder, file)).catch(() => undefined) ?? {};
    if (inputs.length > 1) merges.push({ path: inFolder(folder, `${name}.jsonl`), inputs });
  }
  return merges;
}

/**
 * Throws if shards, or a merge of several inputs, hold answers to the rows of an output that has
 * none.
 *
 * @param named The inputs as the user named them.
 */
export async function refuseDivided(
  named: readonly string[],
  output: string,
  files: readonly OutputFiles[],
): Promise<void> {
  if (files.length === 1 && await hasContent(files[0].results)) return;
  const runs = files.map(({ input, pieces = [{ path: input }], results }) => ({
    files: pieces.map(({ path }) => path),
    results,
  }));
  const { refuseShards } = await import("../shards/mod.ts");
  await refuseShards(await sharedOutput(named, runs.flatMap(({ files }) => files), output), runs);
}

/**
 * Whether the results with this stem are a merge of several inputs, of which one has the name of one
 * of these files: their folders may have other paths now.
 */
async function isMergeOf(files: readonly string[], stem: string): Promise<boolean> {
  // A file that is not a run file is reported by the run whose output it is.
  const run = await readRunFile(`${stem}.run.json`).catch(() => undefined);
  if (run?.inputs === undefined || run.inputs.length < 2) return false;
  const names = new Set(files.map((file) => system.basename(file)));
  return run.inputs.some((input) => names.has(system.basename(input)));
}

/**
 * Names the output of an input: after its file or folder, or after the first of several and how
 * many follow.
 */
function outputNameOf(named: readonly string[], files: readonly string[]): string {
  if (files.length === 1) return nameOf(files[0]);
  if (named.length > 1) return `${nameOf(named[0])}-and-${named.length - 1}-more`;
  const parts = withoutSeparator(named[0]).split(system.SEPARATOR_PATTERN);
  const firstPattern = parts.findIndex((part) => PATTERN.test(part));
  const fixed = firstPattern === -1 ? parts : parts.slice(0, firstPattern);
  return system.basename(fixed.join("/")) || "input";
}
