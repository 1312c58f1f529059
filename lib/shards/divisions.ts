/**
 * Finds the divisions into shards that an output folder holds, even if the file with the borders of
 * one is gone.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { namesIn, OWN_FOLDER, parseShardStem, readTextOf, splitPath } from "../files.ts";
import { parsePlanName } from "./plan.ts";

export interface Division {
  /** Path of the file with the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  readonly count: number;
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
  const pinned = (await namesIn(folder)).flatMap((file) => {
    const plan = parsePlanName(file);
    if (plan === undefined) return [];
    return [{ path: `${folder}/${file}`, stem: `${start}${plan.name}`, count: plan.shards }];
  });
  return needsLost(pinned) ? [...pinned, ...await lostDivisions(stem, pinned)] : pinned;
}

async function lostDivisions(stem: string, pinned: readonly Division[]): Promise<Division[]> {
  const { start, name } = splitPath(stem);
  const lost = new Map<number, Division>();
  for (const file of await namesIn(dirname(stem))) {
    const shard = resultsStem(file), { stem: outputName, count = 0 } = parseShardStem(shard) ?? {};
    if (outputName !== name || lost.has(count)) continue;
    if (pinned.some((division) => division.stem === stem && division.count === count)) continue;
    // Datasets use such names, too (`train-00000-of-00004.jsonl`), and may be inputs of other runs.
    const isShard = await isShardOf(`${start}${shard}.run.json`, count);
    if (isShard) lost.set(count, { path: "", stem, count });
  }
  return [...lost.values()];
}

async function isShardOf(runJson: string, count: number): Promise<boolean> {
  try {
    return JSON.parse(await readTextOf(runJson)).identity.shards === count;
  } catch {
    return false;
  }
}

export function isResultsName(file: string, { stem, count }: Division): boolean {
  const shard = parseShardStem(resultsStem(file));
  return shard?.stem === splitPath(stem).name && shard.count === count;
}

/** The stem of a results file, or of a file with rescued lines of it; "" for other files. */
function resultsStem(file: string): string {
  return /^(.*?)(?:\.rescued-\d+)?\.jsonl$/s.exec(file)?.[1] ?? "";
}
