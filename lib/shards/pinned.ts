/**
 * The borders of all shards, which are written once. All shards read them, so that each row is in
 * exactly one shard, and a changed input is noticed.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { LockedError, SourceError, UsageError } from "../errors.ts";
import { formatCount } from "../figures.ts";
import type { InputOptions } from "../formats/mod.ts";
import { acquireLock, cannotWrite, type Lock } from "../sink/mod.ts";
import { cannotRead, makeFolder } from "../files.ts";
import { divide, type PlannedInput, type ShardPlan } from "./divide.ts";
import { planPathOf } from "./shard.ts";
import { delay } from "../timer.ts";

/** How borders are pinned. */
export interface PinOptions {
  /** How the input is read. */
  readonly input?: InputOptions;
  /** Writes the file if there is none. @default true */
  readonly writes?: boolean;
  /** Refuses a filesystem without locks. @default true */
  readonly needsLock?: boolean;
  /** Aborts the wait for another process that scans the input. */
  readonly signal?: AbortSignal;
}

const AGAIN_MS = 200;

/**
 * The borders of the output with this stem: the pinned ones, else new ones, which it pins. One
 * process scans the input; the others wait for it.
 *
 * @throws {UsageError | SourceError} when the input has changed or cannot be divided
 */
export async function pinnedPlan(
  stem: string,
  files: readonly string[],
  count: number,
  options: PinOptions = {},
): Promise<ShardPlan> {
  const path = planPathOf(stem, count);
  const pinned = await readPlan(path);
  if (pinned !== undefined) return await checked(pinned, path, files, options.input);
  if (options.writes === false) return await divide(files, count, options.input);
  await makeFolder(dirname(path));
  using _lock = await patientLock(path.replace(/\.json$/, ".lock"), options);
  const others = await readPlan(path);
  if (others !== undefined) return await checked(others, path, files, options.input);
  const plan = await divide(files, count, options.input);
  await write(path, plan);
  return plan;
}

/** Reads pinned borders; undefined if there are none, or if a crash truncated them. */
export async function readPlan(path: string): Promise<ShardPlan | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannotRead(path, error);
  }
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

async function checked(
  plan: ShardPlan,
  path: string,
  files: readonly string[],
  { inputFormat, jsonColumns }: InputOptions = {},
): Promise<ShardPlan> {
  const now = files.map((file) => basename(file));
  const before = plan.inputs.map((input) => basename(input.path));
  const other = before.find((name, i) => name !== now[i]) ?? now[before.length];
  if (other !== undefined) {
    throw new UsageError(
      `Cannot use the borders in "${path}": they were made for other files ("${other}" is one of ` +
        "them or is new). Name the inputs as before, or another output",
    );
  }
  const inputs: PlannedInput[] = [];
  for (const [i, input] of plan.inputs.entries()) {
    await checkUnchanged(files[i], input, path);
    const isOtherwise = (inputFormat !== undefined && inputFormat !== input.format) ||
      (jsonColumns !== undefined && String(jsonColumns) !== String(input.json_columns ?? ""));
    if (isOtherwise) {
      throw new UsageError(
        `Cannot read "${
          files[i]
        }" in another way than the borders in "${path}" were made with: leave ` +
          "out --input-format and --json-columns, or name another output",
      );
    }
    // The folder may have another path on another machine.
    inputs.push({ ...input, path: files[i] });
  }
  return { ...plan, inputs };
}

async function checkUnchanged(
  file: string,
  { size, mtime }: PlannedInput,
  path: string,
): Promise<void> {
  let now: Deno.FileInfo;
  try {
    now = await Deno.stat(file);
  } catch (cause) {
    throw cannotRead(file, cause);
  }
  if (now.size === size && (now.mtime?.getTime() ?? null) === mtime) return;
  const what = now.size === size
    ? "its modification time is different"
    : `it had ${formatCount(size)} bytes and has ${formatCount(now.size)}`;
  throw new SourceError(
    `Cannot use "${file}" in shards: it has changed since the borders in "${path}" were made ` +
      `(${what}). Restore it, or name another output`,
    { path: file },
  );
}

/** Takes the lock, and waits while another process has it. */
async function patientLock(path: string, { needsLock, signal }: PinOptions): Promise<Lock> {
  while (true) {
    signal?.throwIfAborted();
    try {
      return await acquireLock(path, { required: needsLock ?? true });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      await delay(AGAIN_MS);
    }
  }
}

/** Called only if there is no complete file: a file that exists is left from a crash. */
async function write(path: string, plan: ShardPlan): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(plan)}\n`);
  try {
    await Deno.remove(path).catch(() => {});
    using file = await Deno.open(path, { write: true, createNew: true });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.syncData();
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}
