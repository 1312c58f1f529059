/**
 * Makes the plan of all shards, or checks the one that exists. One process writes the plan to a
 * file that all others read, so each row is in exactly one shard, and a changed input is noticed.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { LockedError, SourceError, UsageError } from "../errors.ts";
import { formatCount } from "../figures.js";
import { makeFolder, OWN_FOLDER, splitPath } from "../files.ts";
import { type InputOptions, statInput } from "../formats/mod.ts";
import { shellWord } from "../printable.ts";
import { acquireLock, type Lock } from "../sink/mod.ts";
import { delay } from "../timer.ts";
import { areAnswersNear, type Division, firstAnswers, type Shard } from "./divisions.ts";
import { requireSameRows } from "./lost_plan.ts";
import { mergeAdvice, type OwnOutput, requireNoOtherDivision } from "./other_divisions.ts";
import {
  divide,
  type PlannedInput,
  planPathOf,
  readPlan,
  type ShardPlan,
  writePlan,
} from "./plan.ts";

/** Maximum number of shards, because the index in file names has five digits. */
export const MAX_SHARDS = 100_000;

/** Returns the path of a file that keeps Slurm jobs from requeuing their shards while it exists. */
export function canceledPathOf(stem: string): string {
  const { start, name } = splitPath(stem);
  return `${start}${OWN_FOLDER}/${name}.cancelled`;
}

export interface PlanOptions {
  /** How the input is read. @default by file name, then by content */
  readonly input?: InputOptions;
  /** The inputs as the user named them, for advice. @default the files */
  readonly inputs?: readonly string[];
  /** Whether to write a new plan to its file. @default true */
  readonly writes?: boolean;
  /** Whether to fail on a filesystem without locks. @default true */
  readonly needsLock?: boolean;
  /** Aborts the scan of the input, and the wait for another process that scans. */
  readonly signal?: AbortSignal;
  /** The shard to run. If this shard, a neighbor or shard 0 has answers, `planFor` does
   * not look for other runs in the folder. @default none */
  readonly shard?: Shard;
}

/**
 * Returns the plan of an output. If there is no plan file, one process divides the input and writes
 * the file while the others wait.
 *
 * @throws {UsageError | SourceError} when the input has changed or cannot be divided, or when
 * another division or a run over whole files has already sent the rows
 */
export async function planFor(
  output: OwnOutput,
  files: readonly string[],
  count: number,
  options: PlanOptions = {},
): Promise<ShardPlan> {
  const { stem } = output, path = planPathOf(stem, count), division = { path, stem, count };
  const earlierPlan = await readPlan(path);
  const hasStarted = earlierPlan !== undefined && options.shard !== undefined &&
    await areAnswersNear(stem, options.shard);
  if (!hasStarted) await requireNoOtherDivision(output, files, count);
  if (earlierPlan !== undefined) {
    return await checkPlan(earlierPlan, division, files, options.input);
  }
  const { input, signal, inputs } = options;
  const makePlan = async () => {
    const plan = await divide(files, count, input, signal, inputs);
    await requireSameRows(plan, division);
    return plan;
  };
  if (options.writes === false) return await makePlan();
  await makeFolder(dirname(path));
  using _lock = await waitForLock(path.replace(/\.json$/, ".lock"), options);
  const latestPlan = await readPlan(path);
  if (latestPlan !== undefined) return await checkPlan(latestPlan, division, files, options.input);
  const plan = await makePlan();
  await writePlan(path, plan);
  return plan;
}

const LOCK_RETRY_MS = 200;

async function waitForLock(path: string, { needsLock, signal }: PlanOptions): Promise<Lock> {
  while (true) {
    signal?.throwIfAborted();
    try {
      return await acquireLock(path, { required: needsLock ?? true });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      await delay(LOCK_RETRY_MS);
    }
  }
}

/** Checks that the plan was made for these files, that they have not changed and that they are read
 * in the same way. Returns the plan with their current paths. */
async function checkPlan(
  plan: ShardPlan,
  division: Division,
  files: readonly string[],
  { inputFormat, jsonColumns }: InputOptions = {},
): Promise<ShardPlan> {
  const { path, stem } = division;
  const names = files.map((file) => basename(file));
  const plannedNames = plan.inputs.map((input) => basename(input.path));
  const index = plannedNames.findIndex((name, i) => name !== names[i]);
  const addedName = names[plannedNames.length];
  if (index !== -1 || addedName !== undefined) {
    const difference = index === -1
      ? `"${addedName}" was not one of them`
      : `input ${index + 1} was "${plannedNames[index]}"`;
    throw new UsageError(
      `Cannot use the borders in "${path}": they were made for other files (${difference}). Name ` +
        `the same inputs in the same order and -o ${
          shellWord(`${stem}.jsonl`)
        }, or another output ` +
        "folder",
    );
  }
  for (const [i, input] of plan.inputs.entries()) {
    await checkUnchanged(files[i], input, division, files.length);
    const isDifferent = (inputFormat !== undefined && inputFormat !== input.format) ||
      (jsonColumns !== undefined && String(jsonColumns) !== String(input.json_columns ?? ""));
    if (!isDifferent) continue;
    throw new UsageError(
      `Cannot read "${files[i]}" differently than when the borders in "${path}" were made: ` +
        "leave out --input-format and --json-columns, or name another output",
    );
  }
  // On another machine, the folder may have another path.
  return { ...plan, inputs: plan.inputs.map((input, i) => ({ ...input, path: files[i] })) };
}

async function checkUnchanged(
  file: string,
  plannedInput: PlannedInput,
  division: Division,
  inputCount: number,
): Promise<void> {
  const change = await changeOf(file, plannedInput);
  if (change === undefined) return;
  // A restored backup has the same content, but often another time.
  const time = plannedInput.mtime === null
    ? ""
    : ` and its time (touch -d ${new Date(plannedInput.mtime).toISOString()} ${shellWord(file)})`;
  const advice = await changedInputAdvice(division, inputCount);
  throw new SourceError(
    `Cannot use "${file}" in shards: it has changed since the borders in "${division.path}" were ` +
      `made (${change}). Restore it${time}, ${advice}`,
    { path: file },
  );
}

async function changedInputAdvice(division: Division, inputCount: number): Promise<string> {
  if (await firstAnswers(division) === undefined) {
    return `or remove "${division.path}": no shard has answered yet`;
  }
  const startOver = "or name another output folder to send all rows again";
  // Continuing a run over several inputs needs a run file, which a merge with `--no-proof` does not
  // write.
  if (inputCount > 1) return startOver;
  return `${startOver}. To send only what has changed, ${mergeAdvice(division, "--no-proof")}`;
}

/** Returns what has changed in an input since the plan was made; undefined if nothing has. */
export async function changeOf(
  file: string,
  { size, mtime }: PlannedInput,
): Promise<string | undefined> {
  const current = await statInput(file);
  if (current.size !== size) {
    return `it had ${formatCount(size)} bytes and has ${formatCount(current.size)}`;
  }
  const currentMtime = current.mtime?.getTime() ?? null;
  if (isSameTime(currentMtime, mtime)) return undefined;
  const [is, was] = [currentMtime, mtime].map((time) =>
    time === null ? "unknown" : new Date(time).toISOString()
  );
  return `its modification time is ${is} instead of ${was}`;
}

/** The units to which FAT, many file servers and exFAT round times. */
const ROUNDED_TO_MS = [2_000, 1_000, 10];

/** Whether two modification times are equal. A copy on another filesystem may have a rounded time.
 * So may the file itself, on nodes other than the one that wrote it. */
function isSameTime(one: number | null, other: number | null): boolean {
  if (one === null || other === null || one === other) return one === other;
  return ROUNDED_TO_MS.some((step) =>
    (one % step === 0 || other % step === 0) && Math.abs(one - other) < step
  );
}
