/**
 * The status of a run, in a small file next to its output: for `monitor OUT`, and for other shards that share
 * its limits. It holds counts and states, never a prompt, an answer or a key.
 *
 * @module
 */

import { cannotRead } from "../files.ts";
import { inFolder, OWN_FOLDER, type PathLike, pathOf } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import type { Snapshot, Summary } from "../progress/mod.ts";
import type { Shard } from "../shards/mod.ts";
import { writeFileDurably } from "../sink/mod.ts";
import { VERSION } from "../version.ts";

/** A kind of failed attempts. */
export interface StatusError {
  /** The failure type. */
  readonly type: string;
  /** The HTTP status, or null. */
  readonly status: number | null;
  /** The number of attempts that failed in this way. */
  readonly count: number;
}

/** A teacher of the run. */
export interface StatusTeacher {
  /** Its address, without credentials. */
  readonly address: string;
  /** Whether it takes requests: see `TeacherStatus`. */
  readonly state: string;
  /** Attempts in flight. */
  readonly in_flight: number;
  /** Attempts that it answered. */
  readonly answered: number;
}

/** The content of `out/.retort/<name>.status.json`. */
export interface RunStatus {
  /** The version of Retort that wrote the file. */
  readonly retort: string;
  /** The name of the output. */
  readonly name: string;
  /** Increases with each write: a run whose number does not change is dead, whatever the clocks say. */
  readonly beat: number;
  /** When the run started: distinguishes runs over the same output. */
  readonly started: string;
  /** Whether the run has ended, so that the file will not be written again. */
  readonly ended: boolean;
  /** What the run is doing, or how it ended. */
  readonly state: string;
  /** Why nothing is sent, or why it was halted, or null. */
  readonly reason: string | null;
  /** The shard, from 0, and how many there are; null for a run over the whole input. */
  readonly shard: readonly [index: number, count: number] | null;
  /** The requested model. */
  readonly model: string;
  /** Rows, or null while the input is read. */
  readonly total: number | null;
  /** Rows that needed nothing from this run. */
  readonly skipped: number;
  /** Rows that got a result. */
  readonly succeeded: number;
  /** Rows that failed. */
  readonly failed: number;
  /** Attempts in flight. */
  readonly in_flight: number;
  /** Attempts made. */
  readonly attempts: number;
  /** Attempts that failed. */
  readonly failed_attempts: number;
  /** Rows a second, recently. */
  readonly rate_per_s: number;
  /** Seconds until the end, or null. */
  readonly eta_s: number | null;
  /** Milliseconds since the first row could be sent. */
  readonly elapsed_ms: number;
  /** Completion tokens that were paid for. */
  readonly completion_tokens: number;
  /** US dollars of this run, or null. */
  readonly cost_usd: number | null;
  /** US dollars of this run and of all runs of the shard before it, or null. */
  readonly spent_usd: number | null;
  /** The share of `rpm` and `tpm` that this run uses, or null if there is no such limit. */
  readonly share: number | null;
  /** Kinds of failed attempts, the most frequent first. */
  readonly errors: readonly StatusError[];
  /** The teachers; at most 16. */
  readonly teachers: readonly StatusTeacher[];
}

const BEAT_TICKS = 5;
const MOST_ERRORS = 12;
const MOST_TEACHERS = 16;
const MOST_CHARS = 300;

/** The path of the status of an output: `out/.retort/x.status.json` for `out/x.jsonl`. */
export function statusPathOf(results: string): string {
  const name = basename(results).replace(/\.(jsonl|ndjson)$/, "");
  return `${dirname(results)}/${OWN_FOLDER}/${name}.status.json`;
}

/** Reads a status; undefined if there is no complete one. */
export async function readStatus(path: string): Promise<RunStatus | undefined> {
  try {
    const status = JSON.parse(await Deno.readTextFile(path)) as RunStatus;
    return isStatus(status) ? status : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The status of all runs in an output folder, shards and others, running or ended, by name. A run writes it every
 * 5 s; a run whose `beat` does not change without `ended` is dead.
 *
 * @param output The folder of the runs.
 * @throws {SinkError} The folder cannot be read.
 */
export async function runStatuses(output: PathLike): Promise<RunStatus[]> {
  const folder = inFolder(pathOf(output), OWN_FOLDER);
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".status.json")) names.push(name);
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cannotRead(folder, cause);
  }
  const found = await Promise.all(names.sort().map((name) => readStatus(inFolder(folder, name))));
  return found.filter((status) => status !== undefined);
}

function isStatus(status: RunStatus): boolean {
  return typeof status?.retort === "string" && Number.isSafeInteger(status.beat) &&
    typeof status.started === "string" && typeof status.ended === "boolean" &&
    Array.isArray(status.errors) && Array.isArray(status.teachers);
}

/** The content of the file. */
export interface StatusSource {
  /** The current state of the run. */
  readonly snapshot: () => Snapshot;
  /** The requested model. */
  readonly model: string;
  /** The shard. @default the whole input */
  readonly shard?: Shard;
  /** The cost of earlier runs of the shard in US dollars. @default nothing */
  readonly spentBefore?: number;
  /** The share of rate limits that it uses. @default there are none */
  readonly share?: () => number;
  /** The permissions of the file: only users who may read the input may read it.
   * @default those of a new file */
  readonly mode?: number;
  /** Whether its cost has to survive a crash: then the file is written every second. @default false */
  readonly isLedger?: boolean;
}

/** Writes the status of one run. */
export class StatusFile {
  readonly #path: string;
  readonly #name: string;
  readonly #source: StatusSource;
  readonly #started = new Date().toISOString();
  #beat = 0;
  #ticks = 0;
  #writing: Promise<void> | undefined;

  /** Nothing is written yet. */
  constructor(results: string, source: StatusSource) {
    this.#path = statusPathOf(results);
    this.#name = basename(results).replace(/\.(jsonl|ndjson)$/, "");
    this.#source = source;
  }

  /** A second has passed. Writes the file when it is due; returns true every fifth time, when the other shards
   * are to be read. */
  tick(): boolean {
    const isBeat = this.#ticks++ % BEAT_TICKS === 0;
    if (isBeat || this.#source.isLedger) this.#write();
    return isBeat;
  }

  /** Writes it now, unless that is in progress. */
  write(): Promise<void> {
    this.#write();
    return this.#writing ?? Promise.resolve();
  }

  /** Writes it for the last time. */
  async end(summary: Summary | undefined): Promise<void> {
    await this.#writing;
    await this.#put({ ...this.#status(), ended: true, ...endOf(summary) });
  }

  #write(): void {
    this.#writing ??= this.#put(this.#status()).finally(() => this.#writing = undefined);
  }

  /** A run does not end because its status cannot be written. */
  async #put(status: RunStatus): Promise<void> {
    try {
      await Deno.mkdir(dirname(this.#path), { recursive: true });
      const { mode } = this.#source;
      const options = { mode, followsLinks: false };
      await writeFileDurably(this.#path, `${JSON.stringify(status)}\n`, options);
    } catch {
      // A full disk is reported where it matters.
    }
  }

  #status(): RunStatus {
    const { snapshot, model, shard, spentBefore = 0, share } = this.#source;
    const now = snapshot();
    const { cost_usd } = now;
    return {
      retort: VERSION,
      name: this.#name,
      beat: ++this.#beat,
      started: this.#started,
      ended: false,
      state: now.state,
      reason: now.reason === null ? null : now.reason.slice(0, MOST_CHARS),
      shard: shard === undefined ? null : [shard.index, shard.count],
      model: model.slice(0, MOST_CHARS),
      total: now.total,
      skipped: now.skipped,
      succeeded: now.succeeded,
      failed: now.failed,
      in_flight: now.in_flight,
      attempts: now.attempts,
      failed_attempts: now.failed_attempts,
      rate_per_s: now.rate_per_s,
      eta_s: now.eta_s,
      elapsed_ms: now.elapsed_ms,
      completion_tokens: now.completion_tokens,
      cost_usd,
      spent_usd: cost_usd === null ? null : spentBefore + cost_usd,
      share: share?.() ?? null,
      errors: errorsOf(now),
      teachers: teachersOf(now),
    };
  }
}

function errorsOf({ errors }: Snapshot): RunStatus["errors"] {
  return errors.slice(0, MOST_ERRORS).map(({ type, status, count }) => ({
    type: String(type),
    status: status ?? null,
    count,
  }));
}

function teachersOf({ teachers }: Snapshot): RunStatus["teachers"] {
  return teachers.slice(0, MOST_TEACHERS).map(({ address, state, in_flight, answered }) => ({
    address: address.slice(0, MOST_CHARS),
    ...{ state, in_flight, answered },
  }));
}

function endOf(summary: Summary | undefined): Partial<RunStatus> {
  if (summary === undefined) return { state: "failed", in_flight: 0, rate_per_s: 0, eta_s: null };
  const { state, reason, pending } = summary;
  return {
    state,
    reason: reason === null ? null : reason.slice(0, MOST_CHARS),
    in_flight: 0,
    rate_per_s: summary.rate_per_s,
    eta_s: pending === 0 ? 0 : null,
  };
}
