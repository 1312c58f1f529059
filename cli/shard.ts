/** The shard of this run, from `--shard` and the scheduler. @module */

import { shardStem } from "../lib/files.ts";
import type { UsageError } from "../lib/errors.ts";
import { findInputs, sharedOutput, writeFailedStatus } from "../lib/run/mod.ts";
import { MAX_SHARDS, type Shard } from "../lib/shards/mod.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { Settings } from "./settings.ts";

const RULE = "it must be auto, auto/N, or I/N with I from 0 to N-1, as in 3/16";

/** Reads `--shard`. Returns undefined without the flag: the run then reads the whole input. */
export function readShard(settings: Settings, io: Pick<Io, "env">): Shard | undefined {
  const text = settings.text("shard");
  if (text === undefined) return undefined;
  const match = /^(auto|\d+)(?:\/(\d+))?$/.exec(text);
  const isAuto = match?.[1] === "auto";
  const count = match?.[2] === undefined ? undefined : Number(match[2]);
  const errorFor = (problem: string) => settings.wrong("shard", problem);
  if (match === null || (!isAuto && count === undefined)) throw errorFor(RULE);
  const shard = isAuto ? schedulerShard(count, io, errorFor) : { index: Number(match[1]), count };
  if (shard.count === undefined) throw errorFor(RULE);
  if (shard.count < 1 || shard.count > MAX_SHARDS) {
    throw errorFor(`there must be 1 to ${MAX_SHARDS} shards, not ${shard.count}`);
  }
  const parallel = numberOf("RETORT_PARALLEL", io, errorFor);
  if (parallel === 0) throw errorFor("the variable RETORT_PARALLEL must be 1 or more");
  if (shard.index < shard.count) {
    const job = io.env("RETORT_JOB") || undefined;
    return { index: shard.index, count: shard.count, parallel, job };
  }
  const { index, count: n } = shard;
  const existing = n === 1 ? "the only one is 0/1" : `the first is 0/${n}, the last ${n - 1}/${n}`;
  throw errorFor(`there is no shard ${index}/${n}: ${existing}`);
}

/** Replaces `--shard auto` with numbers, because printed commands must work outside of the job. */
export function withNamedShard(args: ParsedArgs, shard: Shard | undefined): ParsedArgs {
  if (shard === undefined) return args;
  const flags = new Map(args.flags).set("shard", `${shard.index}/${shard.count}`);
  return { ...args, flags };
}

/**
 * Records that a shard cannot start, for example without a key, so that the job's merge does not
 * wait for it.
 */
export async function recordFailedShard(args: ParsedArgs, io: Io, error: unknown): Promise<void> {
  if (!io.env("RETORT_JOB")) return;
  try {
    const settings = new Settings(args);
    const shard = readShard(settings, io), output = settings.text("output");
    if (shard === undefined || output === undefined) return;
    const { files } = await findInputs(args.inputs);
    const { stem } = await sharedOutput(args.inputs, files, output);
    await writeFailedStatus(`${shardStem(stem, shard)}.jsonl`, shard, error);
  } catch {
    // There may be no shard or input, and the write may fail. The caller reports the run's error.
  }
}

type ErrorFor = (problem: string) => UsageError;

/**
 * Reads the shard from the scheduler's variables. Uses the size of a Slurm array only if it is
 * complete: for `sbatch --array=3`, Slurm sets the size to 1, and the task would pay for all rows.
 *
 * @param flagCount N of `--shard auto/N`.
 */
function schedulerShard(
  flagCount: number | undefined,
  io: Pick<Io, "env">,
  errorFor: ErrorFor,
): { index: number; count: number | undefined } {
  const read = (name: string) => numberOf(name, io, errorFor);
  const slurmTask = read("SLURM_ARRAY_TASK_ID");
  const task = slurmTask ?? read("JOB_COMPLETION_INDEX");
  if (task === undefined) {
    throw errorFor(
      "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set. Outside of an array or Indexed Job, " +
        "name the shard, as in --shard 3/16",
    );
  }
  const count = flagCount ?? read("RETORT_SHARDS");
  // A large job consists of several arrays, each with the index of its first shard as its base.
  if (count !== undefined) return { index: task + (read("RETORT_SHARD_BASE") ?? 0), count };
  const [size, min, max, step] = ["COUNT", "MIN", "MAX", "STEP"]
    .map((name) => read(`SLURM_ARRAY_TASK_${name}`));
  // `0-2:2,5-6` has as many tasks as `0-6:2`, but not the same ones.
  const isWhole = size !== undefined && size > 1 && min !== undefined && max !== undefined &&
    step !== undefined && size === (max - min) / step + 1 && (task - min) % step === 0;
  if (!isWhole) {
    const reason = slurmTask === undefined
      ? "Kubernetes does not pass it to pods"
      : "this is not a complete Slurm array of several tasks";
    throw errorFor(
      `the number of shards is unknown, because ${reason}. Set RETORT_SHARDS, or name the number, as ` +
        "in --shard auto/16",
    );
  }
  return { index: (task - min) / step, count: size };
}

function numberOf(name: string, io: Pick<Io, "env">, errorFor: ErrorFor): number | undefined {
  const text = io.env(name);
  if (text === undefined || text === "") return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw errorFor(
    `the variable ${name} is ${JSON.stringify(text)}, but must be a whole number from 0`,
  );
}
