/**
 * Keeps an output to one division into shards: those of another one, or a run over the whole input,
 * would pay for the same rows again.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { hasContent } from "../files.ts";
import { OWN_FOLDER, splitPath } from "../paths.ts";

/** The files with the borders of a division, and the number of its shards. */
const PLAN_NAME = /^(.*)\.shards-(\d+)\.json$/;
const RESULTS_NAME = /^(.*)-\d{5,}-of-(\d{5,})\.jsonl$/;

/**
 * Throws if the output holds results of another number of shards.
 *
 * @param count The number of shards that is wanted; undefined for a run over the whole input.
 */
export async function refuseOtherDivisions(stem: string, count?: number): Promise<void> {
  const { start, name } = splitPath(stem);
  const isOther = (match: RegExpExecArray | null) =>
    match !== null && match[1] === name && Number(match[2]) !== count;
  const plans = await namesIn(`${start}${OWN_FOLDER}`);
  if (!plans.some((file) => isOther(PLAN_NAME.exec(file)))) return;
  for (const file of await namesIn(dirname(stem))) {
    const match = RESULTS_NAME.exec(file);
    if (!isOther(match) || !(await hasContent(`${start}${file}`))) continue;
    const shards = Number(match![2]);
    const wanted = count === undefined ? "without --shard" : `in ${count} shards`;
    throw new UsageError(
      `Cannot run "${stem}.jsonl" ${wanted}: "${start}${file}" and others ` +
        `hold answers of ${shards} shards, which would be paid for again. Continue with ${shards}, ` +
        `merge them (merge ${stem}.jsonl --shards ${shards} --partial -o FILE) and run the rest, or name ` +
        "another output",
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
