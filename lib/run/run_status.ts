/**
 * The status file of a run, read by `monitor OUT`, by other shards that share its limits, and by a
 * merge that waits. It holds counts and states, never a prompt, an answer or a key.
 *
 * @module
 */

import { DamagedFileError, SourceError, UsageError } from "../errors.ts";
import { cannotRead, inFolder, OWN_FOLDER, type PathLike, pathOf, stemOf } from "../files.ts";
import { isObject } from "../json.ts";
import { basename, dirname } from "../deps/std_path.ts";
import type { Shard } from "../shards/mod.ts";
import { writeFileDurably } from "../sink/mod.ts";
import { VERSION } from "../version.ts";

/** Failed attempts of one kind. */
export interface StatusError {
  /** The failure type: see `FailureType`. */
  readonly type: string;
  /** Null if the failure has no HTTP status. */
  readonly status: number | null;
  /** How many attempts failed in this way. */
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
  /**
   * Increases with each write. A run that has not ended is dead if this stays the same, whatever
   * the clocks say.
   */
  readonly beat: number;
  /** Start of the run, in ISO 8601: distinguishes runs over the same output. */
  readonly started: string;
  /** Whether the run has ended: the file will not be written again. */
  readonly ended: boolean;
  /**
   * What the run is doing (see `RunState`), or how it ended: `done`, `halted`, `interrupted` or
   * `failed`.
   */
  readonly state: string;
  /** Identifies the job submission that started the run; absent if none did. */
  readonly job?: string;
  /** Why nothing is sent now, or why the run was halted; null otherwise. */
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
  /** Answers finished per second over the last 30 s, failures included. */
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
  /**
   * The share of `rpm` and `tpm` that this run uses, from 0 to 1; null if it does not share such a
   * limit with other shards.
   */
  readonly share: number | null;
  /** Failed attempts by type and status, the most frequent first; at most 12. */
  readonly errors: readonly StatusError[];
  /** At most 16. If there are more, those that are not up are kept. Leaves out those that left. */
  readonly teachers: readonly StatusTeacher[];
  /**
   * Number of teachers in each state, without those that have left; absent in files of earlier
   * versions.
   */
  readonly teacher_states?: Readonly<Record<string, number>>;
}

/** The most entries, and the most characters of a text: they keep the file below 8 KB. */
export const STATUS_LIMITS = { errors: 12, teachers: 16, states: 8, chars: 300 };

/** The end of the name of a status file. */
export const STATUS_ENDING = ".status.json";

/** `out/.retort/x.status.json` for `out/x.jsonl`. */
export function statusPathOf(results: string): string {
  const name = stemOf(basename(results));
  return `${dirname(results)}/${OWN_FOLDER}/${name}${STATUS_ENDING}`;
}

/** Larger files are ignored. Retort's own status files stay below 8 KB. */
const MAX_STATUS_BYTES = 65_536;

/** Undefined if there is no file, or if it cannot be read or is not a status. */
export async function readStatus(path: string): Promise<RunStatus | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    // Opening a pipe would wait forever.
    if (!isFile || size > MAX_STATUS_BYTES) return undefined;
    return parseStatus(await Deno.readTextFile(path), basename(path));
  } catch {
    return undefined;
  }
}

/**
 * Undefined if the JSON value lacks `retort`, `beat` or `started`. Other versions and programs may
 * have written the file: other fields that cannot be used count as 0, empty or unknown.
 *
 * @throws {SyntaxError} when the text is not JSON, such as half a file
 */
export function parseStatus(text: string, file: string): RunStatus | undefined {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || typeof value.retort !== "string") return undefined;
  const { beat, started, ended } = value;
  if (!Number.isSafeInteger(beat) || typeof started !== "string") return undefined;
  const count = (name: keyof RunStatus) => numberOf(value[name]) ?? 0;
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
    total: numberOf(value.total),
    skipped: count("skipped"),
    succeeded: count("succeeded"),
    failed: count("failed"),
    in_flight: count("in_flight"),
    attempts: count("attempts"),
    failed_attempts: count("failed_attempts"),
    rate_per_s: count("rate_per_s"),
    eta_s: numberOf(value.eta_s),
    elapsed_ms: count("elapsed_ms"),
    completion_tokens: count("completion_tokens"),
    cost_usd: numberOf(value.cost_usd),
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

/** From 0 to 2^53 - 1, not only integers; null for anything else. */
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
 * The statuses of all runs in an output folder, sorted by name: shards and others, running or
 * ended. A run writes its status every 5 s; a run whose `beat` does not change without `ended` is
 * dead.
 *
 * @param output The folder of the runs.
 * @throws {SinkError} The folder cannot be read.
 */
export async function runStatuses(output: PathLike): Promise<RunStatus[]> {
  const folder = inFolder(pathOf(output), OWN_FOLDER);
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(STATUS_ENDING)) names.push(name);
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cannotRead(folder, cause);
  }
  const statuses = await Promise.all(
    names.sort().map((name) => readStatus(inFolder(folder, name))),
  );
  return statuses.filter((status) => status !== undefined);
}

/**
 * Tells merges that wait that a shard could not start. Writes nothing if another start may succeed,
 * as after a disk error, or if an earlier run is done. Keeps the counts and costs of earlier runs.
 */
export async function writeFailedStatus(
  results: string,
  shard: Shard,
  error: unknown,
): Promise<void> {
  if (!isPermanent(error)) return;
  const path = statusPathOf(results);
  const before = await readStatus(path) ?? parseStatus(NO_STATUS, basename(path))!;
  if (before.ended && before.state === "done") return;
  const status: RunStatus = {
    ...before,
    retort: VERSION,
    beat: before.beat + 1,
    started: new Date().toISOString(),
    ended: true,
    state: "failed",
    job: shard.job,
    // The error message itself may quote a row.
    reason: "it could not start: its log says why",
    shard: [shard.index, shard.count],
    in_flight: 0,
    rate_per_s: 0,
    eta_s: null,
  };
  // Without a job, no merge waits: no folder is created for a mistyped name.
  await writeStatus(path, status, { makesFolder: shard.job !== undefined });
}

/** These errors have exit code 2: another start would fail in the same way. */
function isPermanent(error: unknown): boolean {
  return [UsageError, SourceError, DamagedFileError, Deno.errors.NotCapable].some((kind) =>
    error instanceof kind
  );
}

const NO_STATUS = JSON.stringify({ retort: VERSION, beat: 0, started: "" });

/** Errors are ignored: a run does not end because its status cannot be written. */
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
