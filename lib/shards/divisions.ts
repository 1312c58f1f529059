/**
 * Finds the divisions into shards that an output folder holds, even if the file with the borders of
 * one is gone.
 *
 * @module
 */

import { isAbsolute, resolve, SEPARATOR_PATTERN } from "../deps/std_path.ts";
import { namesIn, OWN_FOLDER, parseShardStem, readTextOf, splitPath } from "../files.ts";
import { parsePlanName } from "./plan.ts";

export interface Division {
  /** Path of the file with the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  readonly count: number;
  /** The run of a shard, if the file with the borders is gone. */
  readonly run?: ShardRun;
}

/** The inputs of a shard's run, as its run file names them. */
export interface ShardRun {
  readonly input: string;
  readonly inputs?: readonly string[];
  readonly identity: { readonly shards: number };
  /** The working folder of the run; undefined if it is not known. */
  readonly folder?: string;
}

/**
 * The divisions in the folder of an output, found by the files with their borders.
 *
 * @param needsLost Whether to also find divisions without such a file, by the names of results.
 * That lists the folder of thousands of files. @default always
 */
export async function divisionsBeside(
  stem: string,
  needsLost: (pinned: readonly Division[]) => boolean = () => true,
): Promise<Division[]> {
  const { start } = splitPath(stem);
  const folder = `${start}${OWN_FOLDER}`;
  const pinnedDivisions = (await namesIn(folder)).flatMap((file) => {
    const plan = parsePlanName(file);
    if (plan === undefined) return [];
    return [{ path: `${folder}/${file}`, stem: `${start}${plan.name}`, count: plan.shards }];
  });
  return needsLost(pinnedDivisions)
    ? [...pinnedDivisions, ...await lostDivisions(start, pinnedDivisions)]
    : pinnedDivisions;
}

async function lostDivisions(
  start: string,
  pinnedDivisions: readonly Division[],
): Promise<Division[]> {
  const keyOf = (stem: string, count: number) => `${count} ${stem}`;
  const known = new Set(pinnedDivisions.map(({ stem, count }) => keyOf(stem, count)));
  const names = await namesIn(start || ".");
  const existing = new Set(names);
  const lost: Division[] = [];
  for (const file of names) {
    const shardName = outputStem(file);
    const parsed = parseShardStem(shardName);
    if (parsed === undefined) continue;
    const { count } = parsed;
    const stem = `${start}${parsed.stem}`;
    const runJson = `${shardName}.run.json`;
    if (known.has(keyOf(stem, count)) || !existing.has(runJson)) continue;
    // Datasets use such names, too (`train-00000-of-00004.jsonl`), and may be inputs of other runs.
    const run = await runOfShard(`${start}${shardName}`, count);
    if (run === undefined) continue;
    known.add(keyOf(stem, count));
    lost.push({ path: "", stem, count, run });
  }
  return lost;
}

/** Reads the run file of a shard; undefined if it is none of a shard. */
async function runOfShard(stem: string, count: number): Promise<ShardRun | undefined> {
  try {
    const { identity, input, inputs, summary } = JSON.parse(await readTextOf(`${stem}.run.json`));
    if (identity.shards !== count) return undefined;
    const results = summary?.files?.[0]?.results;
    return {
      input: String(input),
      inputs: Array.isArray(inputs) ? inputs.map(String) : undefined,
      identity: { shards: count },
      folder: results && workingFolderOf(`${stem}.jsonl`, String(results)),
    };
  } catch {
    return undefined;
  }
}

/** The working folder in which `name` named the file at `path`; undefined if it is not known, as
 * for an absolute name. */
export function workingFolderOf(path: string, name: string): string | undefined {
  if (isAbsolute(name)) return undefined;
  if (resolve(name) === resolve(path)) return resolve(".");
  const parts = name.split(SEPARATOR_PATTERN).filter((part) => part !== "" && part !== ".");
  const folder = resolve(path, ...parts.map(() => ".."));
  return resolve(folder, name) === resolve(path) ? folder : undefined;
}

/** Whether the file has this name because a shard of the division has written its results or
 * failures. */
export function isOutputName(file: string, { stem, count }: Division): boolean {
  const shard = parseShardStem(outputStem(file));
  return shard?.stem === splitPath(stem).name && shard.count === count;
}

/** `x` for the results `x.jsonl`, the failures `x_error.jsonl`, and files with rescued lines of
 * them; "" for other files. */
function outputStem(file: string): string {
  return /^(.*?)(?:_error)?(?:\.rescued-\d+)?\.jsonl$/s.exec(file)?.[1] ?? "";
}
