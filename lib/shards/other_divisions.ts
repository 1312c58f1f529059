/**
 * Keeps an output to one division into shards, or to a run over the whole input: another one would
 * pay for the same rows again.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { hasContent } from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { OWN_FOLDER, splitPath } from "../paths.ts";

/** The files with the borders of a division, and the number of its shards. */
const PLAN_NAME = /^(.*)\.shards-(\d+)\.json$/;
const RESULTS_NAME = /^(.*)-\d{5,}-of-(\d{5,})\.jsonl$/;

/** Shards or a run over the whole input have answered what another division would ask again. */
export class OtherDivisionError extends UsageError {}

/** The part of an output that is to be continued. */
export interface OwnPart {
  /** The number of shards. @default a run over the whole input */
  readonly count?: number;
  /** Results of runs over the whole input. */
  readonly wholeResults: readonly string[];
}

/**
 * Throws if the output holds results of another number of shards, or shards are wanted and it holds
 * those of a run over the whole input. What has answers itself may be continued.
 */
export async function refuseOtherDivisions(stem: string, own: OwnPart): Promise<void> {
  const { count, wholeResults } = own;
  const { start, name } = splitPath(stem);
  const plans = (await namesIn(`${start}${OWN_FOLDER}`)).map((file) => PLAN_NAME.exec(file));
  const hasOthers = plans.some((plan) => plan?.[1] === name && Number(plan[2]) !== count);
  const whole = await wholeResultsIn(wholeResults);
  if (!hasOthers && (count === undefined || whole === undefined)) return;
  const results = (await namesIn(dirname(stem))).flatMap((file) => {
    const match = RESULTS_NAME.exec(file);
    return match?.[1] === name ? [{ path: `${start}${file}`, shards: Number(match[2]) }] : [];
  });
  const { own: ofOwn = [], other = [] } = Object.groupBy(
    results,
    ({ shards }) => shards === count ? "own" : "other",
  );
  const hasBegun = count === undefined ? whole : await firstWithContent(ofOwn);
  if (hasBegun !== undefined) return;
  const found = hasOthers ? await firstWithContent(other) : undefined;
  if (found !== undefined) throw refused(stem, count, found);
  if (count !== undefined && whole !== undefined) throw refusedWhole(stem, count, whole);
}

/** The stems in the folder of this one that were divided into shards. */
export async function dividedStemsBeside(stem: string): Promise<ReadonlySet<string>> {
  const { start } = splitPath(stem);
  const plans = (await namesIn(`${start}${OWN_FOLDER}`)).map((file) => PLAN_NAME.exec(file));
  return new Set(plans.flatMap((plan) => plan === null ? [] : [`${start}${plan[1]}`]));
}

async function firstWithContent<T extends { readonly path: string }>(
  files: readonly T[],
): Promise<T | undefined> {
  for (const file of files) if (await hasContent(file.path)) return file;
  return undefined;
}

/** The first of these files that Retort has written results to. */
async function wholeResultsIn(paths: readonly string[]): Promise<string | undefined> {
  const haveContent = await Promise.all(paths.map(hasContent));
  for (const path of paths.filter((_, i) => haveContent[i])) {
    if (await holdsOwnLines(path, "results")) return path;
  }
  return undefined;
}

function refused(
  stem: string,
  count: number | undefined,
  { path, shards }: { path: string; shards: number },
): OtherDivisionError {
  const wanted = count === undefined ? "without --shard" : `in ${count} shards`;
  return new OtherDivisionError(
    `Cannot run "${stem}.jsonl" ${wanted}: "${path}" and others ` +
      `hold answers of ${shards} shards, which would be paid for again. Continue with ${shards}, ` +
      `merge them (merge ${stem}.jsonl --shards ${shards} --partial -o FILE) and run the rest, or name ` +
      "another output",
  );
}

function refusedWhole(stem: string, count: number, path: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run "${stem}.jsonl" in ${count} shards: "${path}" holds answers of a run without ` +
      "--shard or of a merge, which would be paid for again. Continue without --shard, or name another output",
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
