/**
 * Finds the division into shards for a merge.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import {
  isFolder,
  namesIn,
  OWN_FOLDER,
  parseShardStem,
  stemOf,
  withoutSeparator,
} from "../files.ts";
import { inputFilesOf, readRunFile } from "../run/mod.ts";
import { movedFolderOf, parsePlanName, readPlan, type ShardPlan } from "../shards/mod.ts";
import { shellWord } from "../printable.ts";

/** An output holds no runs: it is empty, or has only a division into another number of shards, or
 * borders that are not completely written. A merge that waits for runs tries again. */
export class NoRunsError extends UsageError {}

interface PinnedDivision {
  readonly plan: ShardPlan;
  readonly stem: string;
}

/**
 * Finds the division into shards that a merge of the output is for; undefined if its runs are not
 * shards.
 *
 * @param options `shards` chooses one of several divisions. With `awaitsRuns`, the only division
 * counts before any of its shards has started.
 */
export async function findDivision(
  output: string,
  { shards, awaitsRuns = false }: { shards?: number; awaitsRuns?: boolean },
): Promise<PinnedDivision | undefined> {
  const pinned = await pinnedDivisions(output, shards);
  if (pinned.length === 0) {
    if (shards !== undefined) await refuseOtherCount(output, shards);
    return undefined;
  }
  if (pinned.length === 1 && shards !== undefined) return pinned[0];
  if (awaitsRuns && pinned.length > 1) throw ambiguityError(output, pinned);
  const started: PinnedDivision[] = [];
  for (const division of pinned) if (await hasStarted(division)) started.push(division);
  if (started.length === 1) {
    await refuseOtherRuns(output, started[0]);
    return started[0];
  }
  if (started.length > 1) throw ambiguityError(output, started);
  if (awaitsRuns) return pinned[0];
  // No shard has started. Other runs in the folder are merged; without any, the missing shards are
  // reported.
  const { folder, name } = await folderAndName(output);
  if (await holdsRuns(folder, name)) return undefined;
  if (pinned.length === 1) return pinned[0];
  throw ambiguityError(output, pinned);
}

async function refuseOtherCount(output: string, shards: number): Promise<void> {
  const counts = (await pinnedDivisions(output, undefined)).map(({ plan }) => plan.shards);
  if (counts.length === 0) return;
  const choices = [...new Set(counts)].map((count) => `--shards ${count}`).join(" or ");
  throw new NoRunsError(
    `Cannot use "${output}" as the output of ${shards} shards: it holds other numbers of shards. ` +
      `Use ${choices}`,
  );
}

async function pinnedDivisions(
  output: string,
  shards: number | undefined,
): Promise<PinnedDivision[]> {
  const { folder, name } = await folderAndName(output);
  const pinned: PinnedDivision[] = [];
  for (const file of await namesIn(`${folder}/${OWN_FOLDER}`)) {
    const parsed = parsePlanName(file);
    if (parsed === undefined || (name !== undefined && parsed.name !== name)) continue;
    if (shards !== undefined && parsed.shards !== shards) continue;
    const plan = await readPlan(`${folder}/${OWN_FOLDER}/${file}`);
    if (plan === undefined) {
      throw new NoRunsError(
        `Cannot read "${folder}/${OWN_FOLDER}/${file}": it is incomplete. Run any shard again, which rewrites it`,
      );
    }
    pinned.push({ plan, stem: `${folder}/${parsed.name}`.replace(/^\.\//, "") });
  }
  return pinned.toSorted((one, other) =>
    one.stem === other.stem ? one.plan.shards - other.plan.shards : one.stem < other.stem ? -1 : 1
  );
}

/** Whether a shard has results, failures or a run file, in place or moved by a merge. */
async function hasStarted({ plan: { shards }, stem }: PinnedDivision): Promise<boolean> {
  const isOfShard = (file: string) => {
    const [, shardStem = ""] = /^(.*?)(?:\.run\.json|(?:_error)?\.jsonl)$/s.exec(file) ?? [];
    const shard = parseShardStem(shardStem);
    return shard?.stem === basename(stem) && shard.count === shards;
  };
  for (const folder of [dirname(stem), movedFolderOf(stem)]) {
    if ((await namesIn(folder)).some(isOfShard)) return true;
  }
  return false;
}

/**
 * Throws if a folder also holds runs over other inputs, which a merge of the division would omit.
 */
async function refuseOtherRuns(output: string, division: PinnedDivision): Promise<void> {
  for await (const other of otherRuns(output, division)) {
    const [shards, run] = [`${division.stem}.jsonl`, other].map((path) => shellWord(path));
    throw new UsageError(
      `Cannot merge all of "${output}": it holds shards and other runs. Name what to merge instead: ` +
        `${shards}, or several as in ${run} ${shards}`,
    );
  }
}

/** A notice if a merge of the division into `shards` leaves out other runs in the folder. */
export async function leftOutNotice(output: string, shards: number): Promise<string | undefined> {
  const [division, ...others] = await pinnedDivisions(output, shards);
  if (division === undefined || others.length > 0) return undefined;
  const left = await Array.fromAsync(otherRuns(output, division));
  if (left.length === 0) return undefined;
  const more = left.length === 1 ? "" : ` and ${left.length - 1} more`;
  return `--shards ${shards} leaves out other runs in "${output}": "${left[0]}"${more}`;
}

/** Yields the results paths of runs over other inputs; none if `output` names a file. */
async function* otherRuns(output: string, { plan, stem }: PinnedDivision): AsyncGenerator<string> {
  const { folder, name } = await folderAndName(output);
  if (name !== undefined) return;
  const ownName = basename(stem), otherNames = new Set<string>();
  const ownInputs = new Set(plan.inputs.map(({ path }) => basename(path)));
  for (const file of await namesIn(folder)) {
    const runStem = /^(.*)\.run\.json$/s.exec(file)?.[1];
    const other = runStem && (parseShardStem(runStem)?.stem ?? runStem);
    if (other === undefined || other === ownName || otherNames.has(other)) continue;
    // A file that cannot be read may be that of another run.
    const run = await readRunFile(`${folder}/${file}`).catch(() => "unreadable" as const);
    if (run === undefined) continue;
    if (run !== "unreadable") {
      if (run.merged !== undefined) continue;
      // A run may have continued the merged results of these shards.
      if ((await inputFilesOf(run)).every((input) => ownInputs.has(basename(input)))) continue;
    }
    otherNames.add(other);
    yield `${dirname(stem)}/${other}.jsonl`.replace(/^\.\//, "");
  }
}

async function holdsRuns(folder: string, name: string | undefined): Promise<boolean> {
  return (await namesIn(folder)).some((file) =>
    file.endsWith(".run.json") && (name === undefined || file === `${name}.run.json`)
  );
}

function ambiguityError(output: string, pinned: readonly PinnedDivision[]): UsageError {
  const choices = pinned.map(({ plan, stem }) => {
    const isOnlyOfName = pinned.filter((division) => division.stem === stem).length === 1;
    const path = shellWord(`${stem}.jsonl`);
    return isOnlyOfName ? path : `${path} --shards ${plan.shards}`;
  });
  return new UsageError(
    `Cannot choose among the shards of "${output}": it holds ${pinned.length} divisions. Name one ` +
      `instead: ${choices.join(", or ")}`,
  );
}

/** The folder of an output, and its file name without the extension; `name` is undefined if the
 * output is a folder. */
export async function folderAndName(
  output: string,
): Promise<{ folder: string; name: string | undefined }> {
  const path = withoutSeparator(output) || "/";
  const isWholeFolder = path !== output || await isFolder(output);
  if (isWholeFolder) return { folder: path, name: undefined };
  return { folder: dirname(path), name: stemOf(basename(path)) };
}
