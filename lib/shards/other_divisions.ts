/**
 * Refuses a run if its output folder already has outcomes of the same rows, from another division
 * into shards or from a run over whole files: the rows would be paid for again.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { hasContent, namesIn, splitPath, stemOf } from "../files.ts";
import { commandText, shellWord } from "../printable.ts";
import { delay } from "../timer.ts";
import {
  areAnswersNear,
  DividedAnswers,
  type Division,
  type FindInputs,
  firstAnswers,
  isFailuresPath,
  plannedDivisions,
  type Shard,
  type ShardAnswers,
  withLostDivisions,
} from "./divisions.ts";
import {
  failuresPathOf,
  firstWithFailures,
  mergedAnswers,
  type MergedResults,
  movedResultsOf,
  ownResultsIn,
  rescuedIn,
  runningOutput,
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
  /** Finds the inputs of shards whose plan file is lost. @default none */
  readonly findInputs?: FindInputs;
}

/** Throws if other shards, a run over whole files or a merge have processed rows of `files`. */
export async function requireNoOtherDivision(
  { stem, isNamed, wholeResults, findMerges, findInputs }: OwnOutput,
  files: readonly string[],
  count: number,
): Promise<void> {
  const isOwn = (division: Division) => division.stem === stem && division.count === count;
  const { start } = splitPath(stem), planned = await plannedDivisions(start);
  // If the plan file of this division is lost, `withLostDivisions` may still find the division. It
  // can be continued, because an unchanged input gets the same borders again.
  const divisions = planned.some(isOwn) ? planned : await withLostDivisions(start, planned);
  const ownDivision = divisions.find(isOwn);
  const others = divisions.filter((division) => division !== ownDivision);
  // Only a new division looks for merges: otherwise, thousands of shards would read the folder.
  const merges = ownDivision === undefined ? await findMerges?.() ?? [] : [];
  const mergePath = await mergedAnswers(merges, files);
  const answeredPath = await ownResultsIn(wholeResults) ?? await rescuedIn(wholeResults) ??
    mergePath;
  const wholePath = answeredPath ?? await firstWithFailures(wholeResults);
  const movedPath = wholePath === undefined ? await movedResultsOf(wholeResults, files) : undefined;
  if (wholePath === undefined && movedPath === undefined && others.length === 0) return;
  // A division that has started may be continued.
  if (ownDivision !== undefined && await firstAnswers(ownDivision) !== undefined) return;
  const attempt = runName(stem, count);
  const divided = await DividedAnswers.read(others, { ignoresInputs: isNamed, findInputs });
  const answers = await divided.find(stem, files);
  if (answers !== undefined) throw await answersInShardsError(attempt, answers);
  if (movedPath !== undefined) throw movedAnswersError(attempt, movedPath);
  if (wholePath !== undefined) {
    const isMerge = wholePath === mergePath, isFailed = answeredPath === undefined;
    throw wholeAnswersError(attempt, stem, wholePath, { isMerge, isFailed });
  }
}

const ANSWERS = { what: "answers", again: "paid for again" };
const FAILURES = { what: "failed rows", again: "sent again" };

/** Returns the error if the rows already have answers of a run over whole files or of a merge. With
 * `isFailed`, they have only failures. */
function wholeAnswersError(
  attempt: string,
  stem: string,
  results: string,
  { isMerge = false, isFailed = false } = {},
): OtherDivisionError {
  const { what, again } = isFailed ? FAILURES : ANSWERS;
  const needsName = results === `${stem}.jsonl` || isMerge || results.endsWith(".ndjson");
  const file = isFailed ? failuresPathOf(results) : results;
  const outputFlag = needsName ? ` and with -o ${shellWord(results)}` : "";
  return new OtherDivisionError(
    `Cannot run ${attempt}: "${file}" holds ${what} of a run without --shard or of a merge, and ` +
      `they would be ${again}. Continue without --shard${outputFlag}, or name another output`,
  );
}

/**
 * Throws if a run over whole files would send rows that shards have already sent, or whose answers
 * a merge has collected or moved. Results that hold answers may be continued.
 *
 * With `isClaimed`, checks again after the run has claimed its output, because shards may start at
 * the same time. Both kinds of runs claim first and then look for the other, so at least one sees
 * the other.
 */
export async function requireNoShards(
  { stem, isNamed, wholeResults, findMerges, findInputs }: OwnOutput,
  runs: readonly { readonly files: readonly string[]; readonly results: string }[],
  { isClaimed = false } = {},
): Promise<void> {
  const startedResults = new Set<string>();
  for (const { results } of runs) if (await hasContent(results)) startedResults.add(results);
  const haveAllStarted = startedResults.size === runs.length;
  // All runs continue existing results, so only a running shard could conflict. The later call with
  // `isClaimed` looks for one, so this call need not read the run files of a thousand shards.
  if (haveAllStarted && !isClaimed) return;
  const { start } = splitPath(stem);
  const divisions = await withLostDivisions(start, await plannedDivisions(start));
  if (haveAllStarted && divisions.length === 0) return;
  const ownResults = new Set(runs.map(({ results }) => results));
  const wholePath = await ownResultsIn(wholeResults.filter((path) => !ownResults.has(path)));
  const merges = isClaimed ? [] : await findMerges?.() ?? [];
  const hasMoved = (await namesIn(movedFolderOf(stem))).length > 0;
  if (wholePath === undefined && merges.length === 0 && divisions.length === 0 && !hasMoved) return;
  const divided = await DividedAnswers.read(divisions, {
    ignoresInputs: isNamed || haveAllStarted,
    findsRuns: isClaimed,
    findInputs,
  });
  for (const { files, results } of runs) {
    const isContinued = startedResults.has(results) || await rescuedIn([results]) !== undefined;
    if (isContinued && !isClaimed) continue;
    const existing = wholePath ?? await mergedAnswers(merges, files, results);
    if (existing !== undefined && !isContinued) throw existingAnswersError(results, existing);
    // Shards of another output, for example of another model, may run beside continued results.
    const answers = await divided.find(stemOf(results), isContinued ? [] : files);
    if (answers !== undefined && (answers.isRunning || !isContinued)) {
      throw await answersInShardsError(`"${results}" without --shard`, answers);
    }
    const movedPath = await movedResultsOf([results], files);
    if (movedPath !== undefined && !isContinued) throw movedAnswersError(`"${results}"`, movedPath);
  }
}

export interface StartedShard {
  readonly shard: Shard;
  readonly files: readonly string[];
  /** Ends the wait for other runs without an error. */
  readonly signal: AbortSignal;
}

/** Maximum time to wait until another run ends because it has found this shard. */
const WAIT_FOR_END_MS = 2_000;
const POLL_MS = 100;

/** Throws if another run would send the same rows. Call it once the shard has claimed its output.
 * Shards of one division do not wait for each other. */
export async function requireNoOtherRun(output: OwnOutput, run: StartedShard): Promise<void> {
  const { stem, wholeResults } = output, { shard, signal } = run;
  const hasStarted = await areAnswersNear(stem, shard);
  // `firstAnswers` also finds locked results, but not those of this shard, which do not exist yet.
  const isContinued = async () =>
    hasStarted || await firstAnswers({ path: "", stem, count: shard.count }) !== undefined;
  const find = async () =>
    await runningWhole(output, run) ?? (hasStarted ? undefined : await otherDivision(output, run));
  const endsAt = performance.now() + WAIT_FOR_END_MS;
  let other = await find();
  if (other !== undefined && !other.isSameOutput && await isContinued()) return;
  while (other?.mayYield && performance.now() < endsAt && !signal.aborted) {
    await delay(POLL_MS);
    other = await find();
  }
  if (signal.aborted) return;
  if (other !== undefined) throw other.error;
  const wholePath = await ownResultsIn(wholeResults);
  if (wholePath === undefined || await isContinued()) return;
  throw wholeAnswersError(runName(stem, shard.count), stem, wholePath);
}

interface OtherRun {
  /** Why the shard is refused while the other run continues. */
  readonly error: OtherDivisionError;
  /** Whether the other run may end because it finds this shard. */
  readonly mayYield: boolean;
  /** Whether the other run writes to the path of the merged shards. If not, it may read another
   * input with the same name. */
  readonly isSameOutput: boolean;
}

async function runningWhole(
  { stem, wholeResults }: OwnOutput,
  { shard }: StartedShard,
): Promise<OtherRun | undefined> {
  const isSameOutput = (path: string) => stemOf(path) === stem;
  const running = await runningOutput(wholeResults.filter(isSameOutput)) ??
    await runningOutput(wholeResults);
  if (running === undefined) return undefined;
  const error = new OtherDivisionError(
    `Cannot run ${runName(stem, shard.count)}: a run without --shard, or a merge, is writing to ` +
      `"${running}.jsonl", and rows would be paid for twice. Wait until it ends, or name another ` +
      "output",
  );
  return { error, mayYield: true, isSameOutput: isSameOutput(`${running}.jsonl`) };
}

async function otherDivision(
  { stem, isNamed }: OwnOutput,
  { shard, files }: StartedShard,
): Promise<OtherRun | undefined> {
  const divisions = await plannedDivisions(splitPath(stem).start);
  const others = divisions.filter((one) => one.stem !== stem || one.count !== shard.count);
  if (others.length === 0) return undefined;
  const divided = await DividedAnswers.read(others, { ignoresInputs: isNamed, findsRuns: true });
  const answers = await divided.find(stem, files);
  if (answers === undefined) return undefined;
  const { division, isRunning } = answers;
  // Of two divisions that find each other, the one with fewer shards or the lower stem continues.
  const otherContinues = division.count < shard.count ||
    (division.count === shard.count && division.stem < stem);
  const error = await answersInShardsError(runName(stem, shard.count), answers);
  return { error, mayYield: isRunning && !otherContinues, isSameOutput: false };
}

function runName(stem: string, count: number): string {
  return `"${stem}.jsonl" in ${formatCountOf(count, "shard")}`;
}

function existingAnswersError(results: string, answeredPath: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot write "${results}": "${answeredPath}" holds answers to these inputs, and they would ` +
      `be paid for again. Continue it with -o ${shellWord(answeredPath)}, or name another output`,
  );
}

function movedAnswersError(attempt: string, movedPath: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run ${attempt}: a merge has moved its answers to "${movedPath}", and they would be ` +
      "paid for again. Continue the merged results with -o and their path, move the files back, " +
      "or name another output",
  );
}

async function answersInShardsError(
  attempt: string,
  { division, path, isRunning }: ShardAnswers,
): Promise<OtherDivisionError> {
  const shards = formatCountOf(division.count, "shard");
  if (isRunning) {
    return new OtherDivisionError(
      `Cannot run ${attempt}: a run is writing to "${path}", one of ${shards}, and their rows ` +
        "would be paid for twice. Continue those shards with the inputs that they were given, or " +
        "name another output folder. If both runs were refused, start one of them again",
    );
  }
  const { what, again } = isFailuresPath(path) ? FAILURES : ANSWERS;
  return new OtherDivisionError(
    `Cannot run ${attempt}: "${path}" and others hold ${what} of ${shards}, and they would be ` +
      `${again}. Continue those shards with the inputs that they were given. To send all rows ` +
      "again, name another output folder. To continue without --shard, " +
      await adviceWithoutShards(division, path),
  );
}

/** Advises how to continue without `--shard`. Once a merge has moved the shards, a run may have
 * continued the merged results, which then have answers that no shard has. */
async function adviceWithoutShards(division: Division, path: string): Promise<string> {
  const mergedPath = `${division.stem}.jsonl`, isMoved = path.includes(MOVED_FOLDER);
  // The file at this path may also be the input of the shards.
  if (isMoved && await ownResultsIn([mergedPath]) !== undefined) {
    return `run the inputs of those shards with -o ${shellWord(mergedPath)}`;
  }
  const ifMoved = isMoved ? "run their inputs with -o and the path of the merged results, or " : "";
  return `${ifMoved}${mergeAdvice(division, "--partial")}`;
}

export function mergeAdvice(
  { path, stem, count }: Division,
  flag: "--partial" | "--no-proof",
): string {
  const { start, name } = splitPath(stem);
  // A merge needs the plan file, which any shard writes again.
  const first = path === ""
    ? "run one of those shards to write their lost borders again, and "
    : "";
  const mergedPath = `${start}merged/${name}.jsonl`;
  const merge = ["merge", `${stem}.jsonl`, "--shards", String(count), flag, "-o", mergedPath];
  return `${first}merge what is there:\n  ${
    commandText(...merge)
  }\nand run the inputs of those shards with -o ${shellWord(mergedPath)}`;
}
