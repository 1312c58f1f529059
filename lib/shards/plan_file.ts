/**
 * The file with the pinned borders of a division.
 *
 * @module
 */

import { cannotRead, ifThere, writeAll } from "../files.ts";
import { OWN_FOLDER, splitPath } from "../paths.ts";
import { cannotWrite } from "../sink/mod.ts";
import type { ShardPlan } from "./divide.ts";

/** The file with the pinned borders of an output: `out/.retort/x.shards-16.json`. */
export function planPathOf(stem: string, count: number): string {
  const { start, name } = splitPath(stem);
  return `${start}${OWN_FOLDER}/${name}.shards-${count}.json`;
}

/** Parses the name of such a file, as in `x.shards-16.json`; undefined for other names. */
export function parsePlanName(file: string): { name: string; shards: number } | undefined {
  const [, name, shards] = /^(.*)\.shards-(\d+)\.json$/.exec(file) ?? [];
  return name === undefined ? undefined : { name, shards: Number(shards) };
}

/** Reads pinned borders; undefined if there are none, or if a crash truncated them. */
export async function readPlan(path: string): Promise<ShardPlan | undefined> {
  const text = await ifThere(Deno.readTextFile(path), (cause) => cannotRead(path, cause));
  if (text === undefined) return undefined;
  try {
    const plan = JSON.parse(text) as ShardPlan;
    return isPlan(plan) ? plan : undefined;
  } catch {
    return undefined;
  }
}

function isPlan(plan: ShardPlan): boolean {
  return typeof plan?.retort === "string" && Array.isArray(plan.inputs) &&
    Array.isArray(plan.starts) && plan.starts.length === plan.shards &&
    plan.starts.every(({ input, byte, number, rows }) =>
      [input, byte, number, rows].every(Number.isSafeInteger)
    );
}

/** Called only if there is no complete file: a file that exists is left from a crash. */
export async function writePlan(path: string, plan: ShardPlan): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(plan)}\n`);
  try {
    await Deno.remove(path).catch(() => {});
    using file = await Deno.open(path, { write: true, createNew: true });
    await writeAll(file, bytes);
    await file.syncData();
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}
