/**
 * Finds the runs of a merge. Waits until all are done, or until one has failed and its scheduler
 * will not restart it. Refuses an output in the folder of the runs.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { parseShardStem, realFolderOf, RESULTS_EXTENSION, splitPath, statOf } from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import {
  type OutputFiles,
  readStatus,
  type RunStatus,
  runStatuses,
  statusPathOf,
} from "../run/mod.ts";
import { shellWord } from "../printable.ts";
import { isCopyOf, movedFolderOf } from "../shards/mod.ts";
import { mayBeRemote } from "../sink/mod.ts";
import { delay } from "../timer.ts";
import { folderAndName, leftOutNotice, NoRunsError } from "./find_division.ts";
import { findRuns, type MergeRun } from "./find_runs.ts";
import type { MergeOptions } from "./mod.ts";

/** The first pause between two checks. Each later pause is twice as long, up to `MAX_PAUSE_MS`. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
/** The pause is at least this many times as long as the last check: a check of 16,000 shards reads
 * as many files. */
const PAUSE_FACTOR = 9;

/**
 * Returns the runs once all are done or one has failed, at the latest after `waitMs`.
 *
 * @param beforeWait Called once, before the first pause.
 * @throws {UsageError} If there are no runs after `waitMs`, or the output is in their folder.
 */
export async function readyRuns(
  outputs: readonly string[],
  files: OutputFiles,
  { waitMs = 0, shards, proof = true, partial, tidy, onWait, job, signal }: MergeOptions,
  beforeWait: () => Promise<void>,
): Promise<MergeRun[]> {
  const end = performance.now() + waitMs;
  const options = { shards, needsRunFile: proof, awaitsRuns: waitMs > 0 };
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs)) {
    const startedAt = performance.now(), mayWait = startedAt < end;
    const runs = await findRuns(outputs, options).catch(async (error) => {
      // The first shard may still start, unless a status file says that it failed to start.
      const mayStartLater = mayWait && error instanceof NoRunsError &&
        !(await hasFailedStatus(outputs, job));
      return mayStartLater ? undefined : Promise.reject(error);
    });
    const progress = { done: 0, runs: runs?.length ?? 0 };
    if (runs !== undefined) {
      if (!tidy) refuseSameFolder(runs, files, { mayTidy: proof && !partial });
      const unfinished = runs.filter((run) => !isDone(run));
      if (unfinished.length === 0 || !mayWait || await hasFailed(unfinished, job)) return runs;
      progress.done = runs.length - unfinished.length;
    }
    signal?.throwIfAborted();
    if (pauseMs === FIRST_PAUSE_MS) await beforeWait();
    onWait?.(progress);
    const now = performance.now(), leftMs = Math.max(0, end - now);
    await delay(Math.min(leftMs, Math.max(pauseMs, PAUSE_FACTOR * (now - startedAt))), signal);
    signal?.throwIfAborted();
  }
}

/** Longer than mounts show old sizes of files: sshfs 20 s. */
const OLD_SIZES_MS = 25_000;

/** Waits if runs that are done by their run files seem incomplete because a mount shows old sizes of
 * their results. Returns whether it has waited. */
export async function awaitSizes(
  runs: readonly MergeRun[],
  { waitMs = 0, signal }: MergeOptions,
): Promise<boolean> {
  const folder = await statOf(dirname(runs[0].files.results));
  if (waitMs === 0 || !runs.every(isDone) || !folder || !(await mayBeRemote(folder))) return false;
  await delay(OLD_SIZES_MS, signal);
  signal?.throwIfAborted();
  return true;
}

function isDone({ runFile, runFileProblem, pieces }: MergeRun): boolean {
  if (runFileProblem !== undefined) return false;
  if (pieces.length === 0 || runFile?.merged?.pending === 0) return true;
  return runFile?.summary?.state === "done" && runFile.summary.pending === 0;
}

/** Whether a run has failed and will not be restarted, or its run file cannot be read. */
async function hasFailed(runs: readonly MergeRun[], job: string | undefined): Promise<boolean> {
  for (const { runFile, runFileProblem, originalFiles } of runs) {
    if (runFileProblem !== undefined) return true;
    // If no job is named, a run that was halted before the merge will not continue.
    if (job === undefined && runFile?.summary?.state === "halted") return true;
    const status = await readStatus(statusPathOf(originalFiles.results));
    if (status !== undefined && isFailure(status, job)) return true;
  }
  return false;
}

async function hasFailedStatus(
  outputs: readonly string[],
  job: string | undefined,
): Promise<boolean> {
  for (const output of outputs) {
    const { folder, name } = await folderAndName(output);
    const failures = (await runStatuses(folder)).filter((status) => isFailure(status, job));
    // All runs of a job are shards of the output. Without a job, other runs may be in the folder.
    if (failures.some((status) => job !== undefined || isRunOf(status.name, name))) return true;
  }
  return false;
}

/** Whether a run has this name, or is a shard of an output with this name. True without a name. */
function isRunOf(run: string, name: string | undefined): boolean {
  return name === undefined || (parseShardStem(run)?.stem ?? run) === name;
}

/** Whether a run was halted or has failed. False for a run of a job that may start it again, as after
 * a disk error, and for runs of other jobs than `onlyJob`, if that is set. */
function isFailure({ ended, state, job, reason }: RunStatus, onlyJob: string | undefined): boolean {
  if (!ended || onlyJob !== undefined && job !== onlyJob) return false;
  const mayRestart = onlyJob !== undefined && reason === null;
  return state === "halted" || state === "failed" && !mayRestart;
}

/** Throws if the output is in the folder of its runs, which would then hold each row twice. */
function refuseSameFolder(
  runs: readonly MergeRun[],
  files: OutputFiles,
  { mayTidy }: { mayTidy: boolean },
): void {
  const outputFolder = realFolderOf(files.results);
  for (const { files: { results } } of runs) {
    const isSame = results === files.results;
    if (!isSame && realFolderOf(results) !== outputFolder) continue;
    const { start, name } = splitPath(files.results);
    const problem = isSame
      ? "it is one of the runs"
      : "the runs are in the same folder, and loading it would load every row twice";
    const tidying = mayTidy && !isSame
      ? `, or add --tidy to move the shards to "${movedFolderOf(results)}/"`
      : "";
    throw new UsageError(
      `Cannot merge into "${files.results}": ${problem}. Name a file in another folder, such as -o ` +
        `${shellWord(`${start}merged/${name}`)}${tidying}`,
    );
  }
}

export async function noticesOf(
  runs: readonly MergeRun[],
  outputs: readonly string[],
  { shards, proof = true }: MergeOptions,
): Promise<string[]> {
  const notices = shards === undefined
    ? []
    : await Promise.all(outputs.map((output) => leftOutNotice(output, shards)));
  if (proof) notices.push(await otherInputNotice(runs));
  return notices.filter((notice) => notice !== undefined);
}

/** Returns a notice for a copied project: the runs have read an input by its absolute path, and a
 * file of that name, but with other content, is nearby. */
async function otherInputNotice(runs: readonly MergeRun[]): Promise<string | undefined> {
  const folders = new Map<string, string>();
  for (const { pieces, originalFiles: { results }, runFile, changes } of runs) {
    // The input of these shards has not changed since it was divided.
    if (typeof runFile?.identity.shards === "number" && changes.length === 0) continue;
    for (const { path } of pieces) if (isAbsolute(path)) folders.set(path, dirname(results));
  }
  for (const [path, folder] of folders) {
    const copy = await namesakeNear(folder, path);
    if (copy === undefined) continue;
    return `rows are compared with the input "${path}", which the runs have read, not with "${copy}"`;
  }
}

/** Finds a file near `folder` that has the name of an input, but other content. For the folder
 * `out` and the input `/old/data/x.jsonl`, it looks for `out/x.jsonl`, `data/x.jsonl` and
 * `x.jsonl`. */
async function namesakeNear(folder: string, path: string): Promise<string | undefined> {
  if (await statOf(path) === undefined) return undefined;
  const start = await Deno.realPath(folder).catch(() => resolve(folder));
  const name = basename(path), inner = join(basename(dirname(path)), name);
  for (const candidate of [join(start, name), join(start, "..", inner), join(start, "..", name)]) {
    const other = await statOf(candidate);
    if (!other?.isFile || await mayBeResults(candidate)) continue;
    return await isCopyOf(candidate, path).catch(() => false) ? undefined : candidate;
  }
}

/** Whether a file may hold results. Reads JSONL only, because a JSON array may be one line of
 * gigabytes. Returns true for a file that cannot be read: a notice must not fail the merge. */
async function mayBeResults(path: string): Promise<boolean> {
  return RESULTS_EXTENSION.test(path) && await holdsOwnLines(path, "results").catch(() => true);
}
