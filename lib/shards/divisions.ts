/**
 * Finds the ways in which inputs were divided into shards for the outputs of a folder, even if a
 * plan file is gone.
 *
 * @module
 */

import { isAbsolute, resolve, SEPARATOR_PATTERN } from "../deps/std_path.ts";
import { namesIn, OWN_FOLDER, parseShardStem, readTextOf, splitPath } from "../files.ts";
import { parsePlanName } from "./plan.ts";

export interface Division {
  /** Path of the plan file, which contains the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  readonly count: number;
  /** What the run file of one shard says about the inputs. Undefined unless the plan file is
   * gone. */
  readonly run?: ShardRun;
}

/** What the run file of a shard says about its inputs. */
export interface ShardRun {
  readonly input: string;
  readonly inputs?: readonly string[];
  readonly identity: { readonly shards: number };
  /** The working directory of the run; undefined if it is not known. */
  readonly folder?: string;
}

/**
 * Finds the divisions in the folder of an output, by their plan files and the run files of their
 * shards.
 *
 * @param needsLost Decides, from the divisions with a plan file, whether to search run files for
 * other divisions. That lists the folder, which may have thousands of files. @default always
 */
export async function divisionsBeside(
  stem: string,
  needsLost: (planned: readonly Division[]) => boolean = () => true,
): Promise<Division[]> {
  const { start } = splitPath(stem);
  const folder = `${start}${OWN_FOLDER}`;
  const plannedDivisions = (await namesIn(folder)).flatMap((file) => {
    const plan = parsePlanName(file);
    if (plan === undefined) return [];
    return [{ path: `${folder}/${file}`, stem: `${start}${plan.name}`, count: plan.shards }];
  });
  return needsLost(plannedDivisions)
    ? [...plannedDivisions, ...await lostDivisions(start, plannedDivisions)]
    : plannedDivisions;
}

async function lostDivisions(
  start: string,
  plannedDivisions: readonly Division[],
): Promise<Division[]> {
  const keyOf = (stem: string, count: number) => `${count} ${stem}`;
  const known = new Set(plannedDivisions.map(({ stem, count }) => keyOf(stem, count)));
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

/** Reads the run file of a shard. Returns undefined if it cannot be read, or is not of a shard with
 * this count. */
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

/** The working directory from which `name` leads to the file at `path`; undefined if there is none,
 * or if `name` is absolute. */
export function workingFolderOf(path: string, name: string): string | undefined {
  if (isAbsolute(name)) return undefined;
  if (resolve(name) === resolve(path)) return resolve(".");
  const parts = name.split(SEPARATOR_PATTERN).filter((part) => part !== "" && part !== ".");
  const folder = resolve(path, ...parts.map(() => ".."));
  return resolve(folder, name) === resolve(path) ? folder : undefined;
}

/** Whether `file` is the name of a shard's results, failures or rescued lines in the division. */
export function isOutputName(file: string, { stem, count }: Division): boolean {
  const shard = parseShardStem(outputStem(file));
  return shard?.stem === splitPath(stem).name && shard.count === count;
}

/** `x` for the results `x.jsonl`, the failures `x_error.jsonl`, and files with rescued lines of
 * either; "" for other files. */
function outputStem(file: string): string {
  return /^(.*?)(?:_error)?(?:\.rescued-\d+)?\.jsonl$/s.exec(file)?.[1] ?? "";
}
