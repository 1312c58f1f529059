/**
 * Finds the divisions into shards that an output folder holds, even if the file with the borders of
 * one is gone.
 *
 * @module
 */

import { namesIn, OWN_FOLDER, parseShardStem, readTextOf, splitPath } from "../files.ts";
import { parsePlanName } from "./plan.ts";

export interface Division {
  /** Path of the file with the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  readonly count: number;
  /** The input, if the file with the borders is gone: as the run file of a shard names it. */
  readonly input?: string;
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
    const shardName = resultsStem(file);
    const parsed = parseShardStem(shardName);
    if (parsed === undefined) continue;
    const { count } = parsed;
    const stem = `${start}${parsed.stem}`;
    const runJson = `${shardName}.run.json`;
    if (known.has(keyOf(stem, count)) || !existing.has(runJson)) continue;
    // Datasets use such names, too (`train-00000-of-00004.jsonl`), and may be inputs of other runs.
    const input = await inputOfShard(`${start}${runJson}`, count);
    if (input === undefined) continue;
    known.add(keyOf(stem, count));
    lost.push({ path: "", stem, count, input });
  }
  return lost;
}

/** The input of a shard's run; undefined if the run file is none of a shard. */
async function inputOfShard(runJson: string, count: number): Promise<string | undefined> {
  try {
    const { identity, input } = JSON.parse(await readTextOf(runJson));
    return identity.shards === count ? String(input) : undefined;
  } catch {
    return undefined;
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
