/**
 * Claims an output: takes the lock, repairs what a crash left, and checks that the output may be
 * continued.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { COMPRESSED_EXTENSIONS } from "../formats/mod.ts";
import { checkOwnFile } from "../line_blocks.ts";
import {
  acquireLock,
  type Lock,
  mergeRescued,
  modeMadeFrom,
  moveOutdatedLines,
  repairTail,
  requireUnlocked,
  rescuedFilesOf,
  type SharedLock,
  targetOf,
  temporaryPathOf,
} from "../sink/mod.ts";
import { dirname } from "../deps/std_path.ts";
import { hasContent, makeFolder, realPathOf, removeIfThere, statOf } from "../files.ts";
import { checkSameIdentity, type Identity, readRunFile, type RunFile } from "./run_file.ts";
import type { RunNotices } from "./notices.ts";
import type { RunOptions } from "./options.ts";
import { type OutputFiles, sharedOutput } from "./outputs.ts";
import { formatCountOf } from "../figures.js";

const KINDS = ["results", "failures"] as const;

export interface ClaimOptions {
  readonly options: Pick<RunOptions, "lock" | "resume" | "overwrite">;
  /** The one lock of a run with many outputs. @default a lock for each output */
  readonly shared?: SharedLock;
  readonly notices: Pick<RunNotices, "add">;
}

/** An output that this run may write to, until it releases the lock. */
export interface Claim {
  readonly lock: Lock;
  /** Permissions for new files; undefined for the system's default. */
  readonly mode: number | undefined;
}

/**
 * Takes the lock. Then, unless the run starts over, repairs truncated last lines and adds rescued
 * lines to the output.
 *
 * @throws {LockedError} when another run or a merge is writing to the output
 * @throws {UsageError} when an output path holds a file that Retort did not write, or when answers
 * would be deleted or paid for again
 */
export async function claimOutput(files: OutputFiles, context: ClaimOptions): Promise<Claim> {
  const { options, shared } = context;
  const mode = files.input === "-" ? undefined : await modeMadeFrom(await inputPathsOf(files));
  const lock = await acquireLock(files.lock, {
    required: options.lock ?? true,
    mode,
    shared,
    onLeftovers: (token) => removeLeftovers(files, token),
  });
  try {
    await requireUnlocked(files.results);
    const earlierRun = await readRunFile(files.runJson);
    if (earlierRun !== undefined && options.resume !== false) {
      await refuseCompressed(files.results, await inputPathsOf(files));
    }
    for (const kind of KINDS) await checkOwnFile(files[kind], kind);
    if (options.resume === false) await checkOverwrite(files, context);
    else await repair(files, context);
    return { lock, mode };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Throws if shards or a merge hold answers to the rows. A run calls this before it claims its
 * outputs, and again afterwards (`isClaimed`), because shards may have started in between. */
export async function refuseDivided(
  inputs: readonly string[],
  output: string,
  files: readonly OutputFiles[],
  { isClaimed = false } = {},
): Promise<void> {
  // A run may continue its own results. `requireNoShards` would also allow this, but its module
  // takes time to load.
  if (!isClaimed && files.length === 1 && await hasContent(files[0].results)) return;
  const runs = files.map(({ pieces, results }) => ({
    files: pieces.map(({ path }) => path),
    results,
  }));
  const { requireNoShards } = await import("../shards/mod.ts");
  const ownOutput = await sharedOutput(inputs, runs.flatMap(({ files }) => files), output);
  await requireNoShards(ownOutput, runs, { isClaimed });
}

/** Throws if results exist only as a compressed copy: their answers would be paid for again. */
async function refuseCompressed(results: string, inputs: readonly string[]): Promise<void> {
  const copy = await compressedCopyOf(results, inputs);
  if (copy === undefined) return;
  throw new UsageError(
    `Cannot continue "${results}": it holds no answers, but "${copy}" is a compressed copy. ` +
      "Decompress the copy",
  );
}

async function inputPathsOf({ input, pieces }: OutputFiles): Promise<string[]> {
  if (pieces.length > 0) return pieces.map(({ path }) => path);
  // A shard without rows has no pieces. Its `input` may be several names, joined by commas.
  return await statOf(input) === undefined ? [] : [input];
}

/** Deletes the output if the run starts over; otherwise moves outdated results away. */
export async function makeRoom(
  files: OutputFiles,
  outdatedUids: ReadonlySet<string>,
  { options, notices }: ClaimOptions,
  token: string | undefined,
): Promise<void> {
  if (options.resume === false) await dropOutput(files);
  else if (outdatedUids.size > 0) {
    const path = await moveOutdatedLines(files.results, outdatedUids, token);
    notices.add("info", `Moved ${formatCountOf(outdatedUids.size, "old answer")} to "${path}"`);
  }
}

async function dropOutput(files: OutputFiles): Promise<void> {
  const { results, failures, runJson } = files;
  await Promise.all([results, failures].map(async (path) => removeIfThere(await targetOf(path))));
  // The last rescued file is removed first: after a crash, a gap in the numbers of rescued files
  // would hide the files beyond it.
  for (const path of [runJson, ...(await rescuedOf(files)).reverse()]) await removeIfThere(path);
}

async function rescuedOf(files: OutputFiles): Promise<string[]> {
  return (await Promise.all(KINDS.map((kind) => rescuedFilesOf(files[kind], kind)))).flat();
}

/** Removes temporary files of a crashed run. */
async function removeLeftovers(files: OutputFiles, token: string): Promise<void> {
  const { results, failures, runJson } = files;
  const targets = await Promise.all([results, failures, runJson].map(targetOf));
  const temporaryPaths = targets.map((path) => temporaryPathOf(path, token));
  for (const path of [spoolPathOf(files, token), ...temporaryPaths]) {
    await removeIfThere(path).catch(() => {});
  }
}

export async function makeFolders(files: readonly OutputFiles[]): Promise<void> {
  for (const folder of new Set(files.map(({ results }) => dirname(results)))) {
    await makeFolder(folder);
  }
}

/** Returns the path of the temporary copy of standard input. */
export function spoolPathOf({ lock }: OutputFiles, token: string): string {
  return `${lock.replace(/\.lock$/, "")}.input.${token}`;
}

async function checkOverwrite(files: OutputFiles, { options }: ClaimOptions): Promise<void> {
  if (options.overwrite) return;
  for (const path of [files.results, files.failures, ...await rescuedOf(files)]) {
    if (!(await hasContent(path))) continue;
    throw new UsageError(
      `Cannot start over: "${path}" is not empty. Add --overwrite to delete results and failures, ` +
        "or name another output",
    );
  }
}

async function repair(files: OutputFiles, { notices }: ClaimOptions): Promise<void> {
  for (const kind of KINDS) {
    const path = files[kind], tail = await repairTail(path);
    if (tail.kind === "completed") {
      notices.add("info", `Completed the last line of "${path}"`);
    } else if (tail.kind === "cut") {
      notices.add(
        "warning",
        `Moved the damaged end of "${path}" to "${tail.keptAt}"; rows whose lines were in it will ` +
          "be sent again",
      );
    }
  }
  for (const kind of KINDS) {
    for (const { from, count } of await mergeRescued(files[kind], kind)) {
      notices.add("info", `Added ${formatCountOf(count, "line")} from "${from}" to the output`);
    }
  }
}

/** Reads the run file, unless the run starts over. Throws if the answers were created with
 * different settings, and warns if there are answers without a run file. */
export async function earlierRunOf(
  { input, results, failures, runJson }: OutputFiles,
  { options, identity, notices }: {
    options: RunOptions;
    identity: Identity;
    notices: ClaimOptions["notices"];
  },
): Promise<RunFile | undefined> {
  const startsOver = options.resume === false;
  const hasAnswers = !startsOver && (await hasContent(results) || await hasContent(failures));
  if (!options.allowMixed && !hasAnswers) await checkOtherShards(runJson, options, identity);
  if (startsOver) return undefined;
  const earlierRun = await readRunFile(runJson);
  if (!hasAnswers || options.allowMixed) return earlierRun;
  if (earlierRun === undefined) {
    notices.add(
      "warning",
      `The settings of the answers in "${results}" are not known, because "${runJson}" is ` +
        "missing: another model or other parameters would go unnoticed",
    );
    return undefined;
  }
  const problem = `Cannot continue "${results}": its answers were`;
  checkSameIdentity(problem, earlierRun.identity, identity, options);
  // Two names may lead to the same file, especially on Windows.
  if (earlierRun.input !== input && realPathOf(earlierRun.input) !== realPathOf(input)) {
    notices.add("info", `The answers in "${results}" came from "${earlierRun.input}" until now`);
  }
  return earlierRun;
}

/** Checks that nearby shards with answers have the same settings as this shard, which a merge
 * requires. Called if this shard has no answers to compare with, or deletes them. */
async function checkOtherShards(
  runJson: string,
  { shard, retry, resume }: RunOptions,
  identity: Identity,
): Promise<void> {
  if (shard === undefined) return;
  const { answeredNear } = await import("./shard_run.ts");
  for (const { results, run } of await answeredNear(runJson, shard)) {
    const problem = `Cannot run shard ${shard.index}/${shard.count}: answers in "${results}" were`;
    const mixAdvice = resume === false
      ? "to start all shards over, add --allow-mixed"
      : "to have both in one file, add --allow-mixed here and --no-proof to the merge";
    checkSameIdentity(problem, run.identity, identity, { retry, mixAdvice });
  }
}

/** Returns the compressed copy of a file that is missing or empty. The run's `inputs` are not
 * copies: `x.jsonl.gz` may be beside its results `x.jsonl`. */
export async function compressedCopyOf(
  path: string,
  inputs: readonly string[],
): Promise<string | undefined> {
  if (await hasContent(path)) return undefined;
  for (const copy of COMPRESSED_EXTENSIONS.map((extension) => `${path}${extension}`)) {
    if (!(await hasContent(copy))) continue;
    const realPath = realPathOf(copy);
    if (inputs.every((input) => realPathOf(input) !== realPath)) return copy;
  }
  return undefined;
}
