/**
 * The status file of a run, read by `monitor OUT`, by shards that share its limits, and by merges
 * that wait. It holds counts and states, never a prompt, an answer or a key.
 *
 * @module
 */

import { DamagedFileError, SourceError, UsageError } from "../errors.ts";
import { inFolder, namesIn, OWN_FOLDER, type PathLike, pathOf, stemOf } from "../files.ts";
import { isObject } from "../json.ts";
import { basename, dirname } from "../deps/std_path.ts";
import type { Shard } from "../shards/mod.ts";
import { writeFileDurably } from "../sink/mod.ts";
import { VERSION } from "../version.ts";

/** Failed attempts of one kind. */
export interface StatusError {
  /** The failure type: see `FailureType`. */
  readonly type: string;
  /** The HTTP status; null if the failure has none. */
  readonly status: number | null;
  /** The number of failed attempts of this kind. */
  readonly count: number;
}

/** One teacher of the run. */
export interface StatusTeacher {
  /** The address without credentials. */
  readonly address: string;
  /** Whether the teacher takes requests: see `TeacherStatus`. */
  readonly state: string;
  /** Attempts in flight. */
  readonly in_flight: number;
  /** Attempts that ended with an answer. */
  readonly answered: number;
}

/** The content of `out/.retort/<name>.status.json`. */
export interface RunStatus {
  /** The version of Retort that wrote the file. */
  readonly retort: string;
  /** The name of the output: `x` for `out/x.jsonl`. */
  readonly name: string;
  /** Increases with each write. If it stays the same, a run that has not ended is dead. This does
   * not depend on clocks, which may differ between machines. */
  readonly beat: number;
  /** Start of the run, in ISO 8601. Distinguishes runs over the same output. */
  readonly started: string;
  /** Whether the run has ended and will not write the file again. */
  readonly ended: boolean;
  /** What the run is doing (see `RunState`), or how it ended: `done`, `halted`, `interrupted` or
   * `failed`. */
  readonly state: string;
  /** Id of the submission (`RETORT_JOB`) that started the run; absent if none did. */
  readonly job?: string;
  /** Why nothing is sent now, or why the run was halted, or cannot start or continue; null
   * otherwise, also if the run failed and another start may succeed. */
  readonly reason: string | null;
  /** The shard, from 0, and the number of shards; null for a run over the whole input. */
  readonly shard: readonly [index: number, count: number] | null;
  /** The requested models, joined by commas. */
  readonly model: string;
  /** Rows times samples, finished or not; null while the input is read. */
  readonly total: number | null;
  /** Answers that were finished before this run, or that it does not request. */
  readonly skipped: number;
  /** Answers of this run that are results. */
  readonly succeeded: number;
  /** Answers of this run that failed. */
  readonly failed: number;
  /** Attempts in flight. */
  readonly in_flight: number;
  /** Attempts of this run, retries included. */
  readonly attempts: number;
  /** Attempts that failed. */
  readonly failed_attempts: number;
  /** Answers finished per second, failures included: over the last 30 s or, once the run has ended,
   * over the whole run; 0 if it failed. */
  readonly rate_per_s: number;
  /** Estimated seconds until the end; null while unknown. */
  readonly eta_s: number | null;
  /** Milliseconds since the first row could be sent. */
  readonly elapsed_ms: number;
  /** Completion tokens of this run that were paid for. */
  readonly completion_tokens: number;
  /** US dollars of this run; null if a price is not known. */
  readonly cost_usd: number | null;
  /** US dollars of this run and of earlier runs of the shard; null if no cost is known. */
  readonly spent_usd: number | null;
  /** The share of `rpm` and `tpm` that this run claims, from 0 to 1; null without such a limit, or
   * if the run is not a shard. */
  readonly share: number | null;
  /** Failed attempts by type and status, the most frequent first; at most 12. */
  readonly errors: readonly StatusError[];
  /** The teachers, except those that have left: at most 16, preferably those that are not up. */
  readonly teachers: readonly StatusTeacher[];
  /** The number of teachers in each state, except those that have left; absent in files of earlier
   * versions. */
  readonly teacher_states?: Readonly<Record<string, number>>;
}

/** Maximum numbers of entries, and of characters in a text. They keep the file below 8 KB. */
export const STATUS_LIMITS = { errors: 12, teachers: 16, states: 8, chars: 300, address: 150 };

/** Fields that a status takes from the snapshot of a run. */
export const STATUS_COUNTS = [
  "skipped",
  "succeeded",
  "failed",
  "in_flight",
  "attempts",
  "failed_attempts",
  "rate_per_s",
  "elapsed_ms",
  "completion_tokens",
] as const;
/** Further fields from the snapshot, which may be null. */
export const STATUS_ESTIMATES = ["total", "eta_s", "cost_usd"] as const;

export function fieldsOf<Name extends string, Value>(
  names: readonly Name[],
  valueOf: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<Name, Value>;
}

export const STATUS_ENDING = ".status.json";

export function statusPathOf(results: string): string {
  const name = stemOf(basename(results));
  return `${dirname(results)}/${OWN_FOLDER}/${name}${STATUS_ENDING}`;
}

/** Larger files are ignored. Retort's own status files stay below 8 KB. */
const MAX_STATUS_BYTES = 65_536;

/** Reads a status. Returns undefined if the file is missing, unreadable or not a status. */
export async function readStatus(path: string): Promise<RunStatus | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    // Opening a pipe would block forever.
    if (!isFile || size > MAX_STATUS_BYTES) return undefined;
    return parseStatus(await Deno.readTextFile(path), basename(path));
  } catch {
    return undefined;
  }
}

/**
 * Parses a status. Returns undefined if the JSON value lacks `retort`, `beat` or `started`. Other
 * versions and programs may have written the file, so other invalid fields are read as 0, empty or
 * unknown.
 *
 * @throws {SyntaxError} when the text is not JSON, such as half a file
 */
export function parseStatus(text: string, file: string): RunStatus | undefined {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || typeof value.retort !== "string") return undefined;
  const { beat, started, ended } = value;
  if (!Number.isSafeInteger(beat) || typeof started !== "string") return undefined;
  const [index, shards] = Array.isArray(value.shard) ? value.shard.map(numberOf) : [];
  return {
    retort: value.retort,
    name: file.replace(/\.status\.json$/, ""),
    beat: beat as number,
    started,
    ended: ended === true,
    state: textOf(value.state),
    ...typeof value.job === "string" ? { job: textOf(value.job) } : {},
    reason: typeof value.reason === "string" ? textOf(value.reason) : null,
    shard: index == null || shards == null ? null : [index, shards],
    model: textOf(value.model),
    ...fieldsOf(STATUS_COUNTS, (name) => numberOf(value[name]) ?? 0),
    ...fieldsOf(STATUS_ESTIMATES, (name) => numberOf(value[name])),
    spent_usd: numberOf(value.spent_usd),
    share: typeof value.share === "number" ? Math.min(1, numberOf(value.share) ?? 0) : null,
    errors: objectsOf(value.errors, STATUS_LIMITS.errors).map(errorOf),
    teachers: objectsOf(value.teachers, STATUS_LIMITS.teachers).map(teacherOf),
    ...isObject(value.teacher_states) ? { teacher_states: countsOf(value.teacher_states) } : {},
  };
}

type Fields = Readonly<Record<string, unknown>>;

function errorOf({ type, status, count }: Fields): RunStatus["errors"][number] {
  return { type: textOf(type), status: numberOf(status), count: numberOf(count) ?? 0 };
}

function teacherOf(value: Fields): RunStatus["teachers"][number] {
  return {
    address: textOf(value.address),
    state: textOf(value.state),
    in_flight: numberOf(value.in_flight) ?? 0,
    answered: numberOf(value.answered) ?? 0,
  };
}

function countsOf(value: Fields): Record<string, number> {
  const counts = Object.entries(value).slice(0, STATUS_LIMITS.states);
  return Object.fromEntries(counts.map(([name, count]) => [textOf(name), numberOf(count) ?? 0]));
}

/** Returns numbers from 0 to 2^53 - 1, including fractions, unchanged. Returns null for other
 * values. */
function numberOf(value: unknown): number | null {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, STATUS_LIMITS.chars) : "";
}

function objectsOf(value: unknown, maxCount: number): Fields[] {
  return Array.isArray(value) ? value.slice(0, maxCount).filter(isObject) : [];
}

/**
 * Returns the statuses of all runs in an output folder, sorted by name, including shards and runs
 * that have ended. A run writes its status at least every 5 s. It is dead if `beat` stays the same
 * and `ended` is false.
 *
 * @param output The folder of the runs.
 * @throws {SinkError} The folder cannot be read.
 */
export async function runStatuses(output: PathLike): Promise<RunStatus[]> {
  const folder = inFolder(pathOf(output), OWN_FOLDER);
  const names = (await namesIn(folder)).filter((name) => name.endsWith(STATUS_ENDING));
  const statuses = await Promise.all(
    names.sort().map((name) => readStatus(inFolder(folder, name))),
  );
  return statuses.filter((status) => status !== undefined);
}

/** Tells waiting merges that a shard could not start. Writes nothing if another start may succeed,
 * as after a disk error, or if an earlier run is done. Keeps the counts and costs of earlier runs.
 */
export async function writeFailedStatus(
  results: string,
  shard: Shard,
  error: unknown,
): Promise<void> {
  if (!isPermanent(error)) return;
  const path = statusPathOf(results);
  const statusBefore = await readStatus(path) ?? parseStatus(NO_STATUS, basename(path))!;
  if (statusBefore.ended && statusBefore.state === "done") return;
  const status: RunStatus = {
    ...statusBefore,
    retort: VERSION,
    beat: statusBefore.beat + 1,
    started: new Date().toISOString(),
    ended: true,
    state: "failed",
    job: shard.job,
    // The error message is not written, because it may quote a row.
    reason: "it could not start: its log says why",
    shard: [shard.index, shard.count],
    in_flight: 0,
    rate_per_s: 0,
    eta_s: null,
  };
  // Without a job, no merge waits, and a mistyped output must not get a folder.
  await writeStatus(path, status, { makesFolder: shard.job !== undefined });
}

/** Whether the exit code is 2, so that another start would fail in the same way. */
export function isPermanent(error: unknown): boolean {
  return [UsageError, SourceError, DamagedFileError, Deno.errors.NotCapable].some((kind) =>
    error instanceof kind
  );
}

const NO_STATUS = JSON.stringify({ retort: VERSION, beat: 0, started: "" });

/** Writes a status. Errors are ignored, because a run must not end if its status cannot be
 * written. */
export async function writeStatus(
  path: string,
  status: RunStatus,
  { mode, makesFolder = true }: { mode?: number; makesFolder?: boolean } = {},
): Promise<void> {
  try {
    if (makesFolder) await Deno.mkdir(dirname(path), { recursive: true });
    await writeFileDurably(path, `${JSON.stringify(status)}\n`, { mode, followsLinks: false });
  } catch {
    // A full disk is reported by the writer of the results.
  }
}
