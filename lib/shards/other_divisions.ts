/**
 * Refuses runs whose rows were already sent into the same output folder, by another division into
 * shards or by a run over whole files: the rows would be paid for again.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { hasContent, namesIn, splitPath, stemOf } from "../files.ts";
import { commandText, shellWord } from "../printable.ts";
import { type Division, divisionsBeside } from "./divisions.ts";
import {
  DividedAnswers,
  firstAnswers,
  mergedAnswers,
  type MergedResults,
  movedResultsOf,
  ownResultsIn,
  rescuedIn,
  type ShardAnswers,
} from "./earlier_answers.ts";
import { MOVED_FOLDER, movedFolderOf } from "./plan.ts";

export class OtherDivisionError extends UsageError {}

export interface OwnOutput {
  /** The stem that all shards of the output share: `out/x`. */
  readonly stem: string;
  /** Whether the user named the results, for example after another model. Shards of other outputs
   * in the folder then do not matter. */
  readonly isNamed: boolean;
  /** Results paths of runs over whole files, whether or not the files exist. */
  readonly wholeResults: readonly string[];
  /** Finds merges of several inputs in the output's folder. @default none */
  readonly findMerges?: () => Promise<readonly MergedResults[]>;
}

export async function refuseOtherDivisions(
  { stem, isNamed, wholeResults, findMerges }: OwnOutput,
  files: readonly string[],
  count: number,
): Promise<void> {
  const isOwn = (division: Division) => division.stem === stem && division.count === count;
  const divisions = await divisionsBeside(stem, (pinned) => !pinned.some(isOwn));
  // This division counts even if its file of borders is lost: an unchanged input gets the same
  // borders again.
  const own = divisions.find(isOwn);
  const others = divisions.filter((division) => division !== own);
  // Merges are not searched once the borders exist: each of thousands of shards would read the
  // folder.
  const merges = own === undefined ? await findMerges?.() ?? [] : [];
  const merge = await mergedAnswers(merges, files);
  const whole = await ownResultsIn(wholeResults) ?? await rescuedIn(wholeResults) ?? merge;
  const moved = whole === undefined ? await movedResultsOf(wholeResults, files) : undefined;
  if (whole === undefined && moved === undefined && others.length === 0) return;
  if (own !== undefined && await firstAnswers(own) !== undefined) return;
  const what = `"${stem}.jsonl" in ${count} shards`;
  const answers = await (await DividedAnswers.read(others, isNamed)).find(stem, files);
  if (answers !== undefined) throw await refused(what, answers);
  if (moved !== undefined) throw refusedMoved(what, moved);
  if (whole !== undefined) throw refusedWhole(what, stem, whole, whole === merge);
}

export function refusedWhole(
  what: string,
  stem: string,
  whole: string,
  isMerge: boolean,
): OtherDivisionError {
  const needsName = whole === `${stem}.jsonl` || isMerge || whole.endsWith(".ndjson");
  const outputFlag = needsName ? ` and with -o ${shellWord(whole)}` : "";
  return new OtherDivisionError(
    `Cannot run ${what}: "${whole}" holds answers of a run without --shard or of a merge, which ` +
      `would be paid for again. Continue without --shard${outputFlag}, or name another output`,
  );
}

/**
 * Throws if a run over whole files would send rows again that shards have sent, or whose answers
 * are in a merge of several files. Results that have answers may be continued.
 *
 * With `isClaimed`, checks again after the run has claimed its output, because shards may start at
 * the same time. Both kinds of runs claim first and then look for the other, so at least one sees
 * the other.
 */
export async function refuseShards(
  { stem, isNamed, wholeResults, findMerges }: OwnOutput,
  runs: readonly { readonly files: readonly string[]; readonly results: string }[],
  { isClaimed = false } = {},
): Promise<void> {
  const begun = new Set<string>();
  for (const { results } of runs) if (await hasContent(results)) begun.add(results);
  const areAllBegun = begun.size === runs.length;
  // Every run continues its results, so only a running shard could conflict. The call with
  // `isClaimed` looks for it, so that the run files of a thousand shards need not be read.
  if (areAllBegun && !isClaimed) return;
  const divisions = await divisionsBeside(stem);
  if (areAllBegun && divisions.length === 0) return;
  const own = new Set(runs.map(({ results }) => results));
  const whole = await ownResultsIn(wholeResults.filter((path) => !own.has(path)));
  const merges = isClaimed ? [] : await findMerges?.() ?? [];
  const hasMoved = (await namesIn(movedFolderOf(stem))).length > 0;
  if (whole === undefined && merges.length === 0 && divisions.length === 0 && !hasMoved) return;
  const divided = await DividedAnswers.read(divisions, isNamed || areAllBegun, isClaimed);
  for (const { files, results } of runs) {
    const isContinued = begun.has(results) || await rescuedIn([results]) !== undefined;
    if (isContinued && !isClaimed) continue;
    const merged = whole ?? await mergedAnswers(merges, files, results);
    if (merged !== undefined && !isContinued) throw refusedMerged(results, merged);
    // Shards of another output, for example of another model, may run beside continued results.
    const answers = await divided.find(stemOf(results), isContinued ? [] : files);
    if (answers !== undefined && (answers.isRunning || !isContinued)) {
      throw await refused(`"${results}" without --shard`, answers);
    }
    const moved = await movedResultsOf([results], files);
    if (moved !== undefined && !isContinued) throw refusedMoved(`"${results}"`, moved);
  }
}

function refusedMerged(results: string, merged: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run into "${results}": "${merged}" holds answers to these inputs, which would be ` +
      `paid for again. Continue it with -o ${shellWord(merged)}, or name another output`,
  );
}

function refusedMoved(what: string, moved: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run ${what}: a merge has moved its answers to "${moved}", and they would be paid for ` +
      "again. Continue the merged results with -o and their name, move the files back, or name " +
      "another output",
  );
}

export async function refused(
  what: string,
  { division, path, isRunning }: ShardAnswers,
): Promise<OtherDivisionError> {
  const { count } = division;
  if (isRunning) {
    return new OtherDivisionError(
      `Cannot run ${what}: a run is writing to "${path}", one of ${count} shards, whose rows ` +
        "would be paid for twice. Continue those shards with the inputs that they were given, or name " +
        "another output folder",
    );
  }
  return new OtherDivisionError(
    `Cannot run ${what}: "${path}" and others hold answers of ${count} shards, which would be ` +
      "paid for again. Continue those shards with the inputs that they were given. To send all rows " +
      "again, name another output folder. To continue without --shard, " +
      await wayOut(division, path),
  );
}

/** Advises how to continue without `--shard`. Once a merge has moved the shards, a run may have
 * continued the merged results, which then hold answers that no shard has. */
async function wayOut(division: Division, path: string): Promise<string> {
  const merged = `${division.stem}.jsonl`, isMoved = path.includes(MOVED_FOLDER);
  // The input of the shards may have this path, too.
  if (isMoved && await ownResultsIn([merged]) !== undefined) {
    return `run the inputs of those shards with -o ${shellWord(merged)}`;
  }
  const unlessMoved = isMoved ? "run their inputs with -o and the merged results, or " : "";
  return `${unlessMoved}${mergeAdvice(division, "--partial")}`;
}

export function mergeAdvice({ stem, count }: Division, flag: "--partial" | "--no-proof"): string {
  const { start, name } = splitPath(stem);
  const merged = `${start}merged/${name}.jsonl`;
  const merge = commandText(
    ...["merge", `${stem}.jsonl`, "--shards", String(count), flag, "-o", merged],
  );
  return `merge what is there:\n  ${merge}\nand run the inputs of those shards with -o ${
    shellWord(merged)
  }`;
}
