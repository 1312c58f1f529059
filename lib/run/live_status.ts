/**
 * What a run tells other processes. The run's lock file holds an upper bound for the calls in
 * flight, in case of a crash. The run's status file is read by `monitor OUT`, merges and other
 * shards.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import type { Engine } from "../engine/mod.ts";
import { formatCountOf, sumOf } from "../figures.js";
import { stemOf } from "../files.ts";
import {
  countTeacherStates,
  mostUrgentTeachers,
  type Snapshot,
  type Summary,
} from "../progress/mod.ts";
import type { Lock, RunNote } from "../sink/mod.ts";
import { every as everyMs } from "../timer.ts";
import { VERSION } from "../version.ts";
import type { Job } from "./job.ts";
import type { Jobs, RunSetup } from "./jobs.ts";
import {
  fieldsOf,
  isPermanent,
  readStatus,
  type RunStatus,
  STATUS_COUNTS,
  STATUS_ESTIMATES,
  STATUS_LIMITS,
  statusPathOf,
  writeStatus,
} from "./run_status.ts";
import type { OtherShards } from "./shard_run.ts";

export interface HeartbeatOptions {
  /** Rows with an attempt in flight, or with an answer that is not written yet. */
  readonly unwrittenRows: () => number;
  /** Maximum number of attempts in flight. The number in a note is not doubled beyond it. */
  readonly ceiling: () => number;
  /** Called once a second. @default nothing */
  readonly onTick?: () => void;
  /** Calls back at an interval until the returned function is called. @default a timer */
  readonly every?: (intervalMs: number, callback: () => void) => () => void;
}

const INTERVAL_MS = 1_000;

/**
 * Notes the calls in flight of a run in its lock files, which must be held until `stop`.
 *
 * After a crash, these calls may have been billed, and their rows are sent again. A call counts
 * from its start until its answer is written, even while the answer waits for disk space. The note
 * is an upper bound at any moment, also for `kill -9`: it is doubled before an attempt would exceed
 * it, so that a run that speeds up writes few notes. Once a second, it is lowered to the peak of
 * that second.
 */
export class Heartbeat {
  readonly #locks: readonly Pick<Lock, "note">[];
  readonly #options: HeartbeatOptions;
  readonly #started = new Date().toISOString();
  #notedCalls = 0;
  /** The highest value of `unwrittenRows` since the last tick. */
  #peak = 0;
  #cancel: (() => void) | undefined;

  /** Writes the first note. From now on, a run that ends without `stop` has crashed. */
  constructor(locks: readonly Pick<Lock, "note">[], options: HeartbeatOptions) {
    this.#locks = locks;
    this.#options = options;
    this.#note(0, { running: true });
    const { every = everyMs } = options;
    this.#cancel = every(INTERVAL_MS, () => this.#tick());
  }

  /** Called before each attempt. `unwrittenRows` includes the attempt's row. This is on the hot
   * path. */
  beforeAttempt(unwrittenRows: number): void {
    if (unwrittenRows > this.#peak) this.#peak = unwrittenRows;
    if (unwrittenRows <= this.#notedCalls) return;
    const doubled = Math.min(2 * unwrittenRows, this.#options.ceiling());
    this.#note(Math.max(unwrittenRows, doubled), { running: true });
  }

  /** Writes the last note; a second call does nothing. If the answers of `lostCalls` calls could
   * not be written, the note is that of a crashed run with these calls in flight. */
  stop(lostCalls = 0): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#note(lostCalls, { running: lostCalls > 0 });
  }

  #tick(): void {
    this.#options.onTick?.();
    const unwrittenRows = this.#options.unwrittenRows();
    const peak = Math.max(this.#peak, unwrittenRows);
    this.#peak = unwrittenRows;
    if (peak !== this.#notedCalls) this.#note(peak, { running: true });
  }

  #note(inFlight: number, { running }: Pick<RunNote, "running">): void {
    this.#notedCalls = inFlight;
    const note = { pid: Deno.pid, started: this.#started, running, in_flight: inFlight };
    for (const lock of this.#locks) lock.note(note);
  }
}

/** Returns the number of calls that may have been in flight at crashes. A run with several inputs
 * counts once. */
export function crashedInFlight(notes: readonly (RunNote | undefined)[]): number {
  const runs = new Map<string, number>();
  for (const note of notes) {
    // The start of a run identifies it. The process id does not, because the next holder of the
    // lock writes its own id into the note.
    if (note?.running) {
      runs.set(note.started, Math.max(runs.get(note.started) ?? 0, note.in_flight));
    }
  }
  return sumOf(runs.values(), (inFlight) => inFlight);
}

/** Returns a warning for the start of a run: a run that a supervisor restarts after each crash
 * never reaches its summary, and pays for the calls in flight each time. */
export function crashWarning(inFlight: number): string {
  return `The last run crashed with at most ${
    formatCountOf(inFlight, "call")
  } in flight. Rows in ` +
    "flight are sent again, and may be billed twice. If the run was killed for lack of memory " +
    "(exit code 137), lower -c: each restart pays again";
}

/** Ticks between two writes of the status. A tick is about a second. */
const BEAT_TICKS = 5;

/** Writes a run's status file, and sets a shard's share of the rate limits. */
export class LiveStatus {
  readonly #setup: RunSetup;
  /** The status file is named after this job's results, and created with the same permissions. */
  readonly #job: Job;
  readonly #otherShards: OtherShards | undefined;
  /** US dollars spent by earlier runs of the shard; 0 for other runs. */
  readonly spentBefore: number;
  readonly #started = new Date().toISOString();
  #beat = 0;
  #ticks = 0;
  #writing: Promise<void> | undefined;

  private constructor(
    setup: RunSetup,
    job: Job,
    otherShards: OtherShards | undefined,
    spentBefore: number,
  ) {
    this.#setup = setup;
    this.#job = job;
    this.#otherShards = otherShards;
    this.spentBefore = spentBefore;
  }

  /** Waits until a shard's status is written: others must know of the shard before it sends. */
  static async open(setup: RunSetup, jobs: Jobs): Promise<LiveStatus> {
    const { context, options: { shard } } = setup;
    const [job] = jobs.list;
    const isLimited = context.generator.teachers.some(({ rpm, tpm }) => (rpm ?? tpm) !== undefined);
    let otherShards: OtherShards | undefined;
    if (jobs.shard && isLimited) {
      const { OtherShards } = await import("./shard_run.ts");
      otherShards = new OtherShards(jobs.shard.shared.stem, shard!);
      await otherShards.poll();
    }
    const earlier = shard && await readStatus(statusPathOf(job.files.results));
    const status = new LiveStatus(setup, job, otherShards, earlier?.spent_usd ?? 0);
    status.#write();
    if (shard !== undefined) await status.#writing;
    return status;
  }

  /** Called about once a second. A shard whose process was suspended gives up its share. */
  tick(engine: Engine | undefined): void {
    const { options: { shard }, context: { budget } } = this.#setup;
    this.#otherShards?.tick();
    // Other shards may already use this share, so it is given up at once, not at the next beat.
    if (this.#otherShards?.share === 0) engine?.setRateShare(0);
    const isBeat = this.#ticks++ % BEAT_TICKS === 0;
    // The status holds the shard's cost, which must survive a crash.
    if (isBeat || (shard !== undefined && budget.maxCostUsd !== null)) this.#write();
    if (isBeat) this.applyShare(engine);
  }

  /** Sets the engine's share of the rate limits, and again once the other shards were polled. */
  applyShare(engine: Engine | undefined): void {
    const otherShards = this.#otherShards;
    if (otherShards === undefined) return;
    const set = () => engine?.setRateShare(otherShards.rateShare);
    set();
    otherShards.poll().then(set, () => {});
  }

  /** Writes the last status. `summary` is undefined if `error` has ended the run. */
  async end(summary: Summary | undefined, error?: unknown): Promise<void> {
    await this.#writing;
    await this.#save({ ended: true, in_flight: 0, ...endFields(summary, error) });
  }

  #write(): void {
    this.#writing ??= this.#save().finally(() => this.#writing = undefined);
  }

  async #save(changes: Partial<RunStatus> = {}): Promise<void> {
    const { files: { results }, replacementOptions: { mode } } = this.#job;
    await writeStatus(statusPathOf(results), { ...this.#status(), ...changes }, { mode });
  }

  #status(): RunStatus {
    const { context, identity: { model }, options: { shard } } = this.#setup;
    const { spentBefore } = this;
    const snapshot = context.activeRun.progress.snapshot();
    const { errors, teachers, state, reason, cost_usd } = snapshot;
    return {
      retort: VERSION,
      name: stemOf(basename(this.#job.files.results)),
      beat: ++this.#beat,
      started: this.#started,
      ended: false,
      state,
      job: shard?.job,
      reason: reason?.slice(0, STATUS_LIMITS.chars) ?? null,
      shard: shard === undefined ? null : [shard.index, shard.count],
      model: model.slice(0, STATUS_LIMITS.chars),
      ...fieldsOf(STATUS_COUNTS, (name) => snapshot[name]),
      ...fieldsOf(STATUS_ESTIMATES, (name) => snapshot[name]),
      // What earlier runs have spent counts even if the price is now unknown.
      spent_usd: cost_usd === null && spentBefore === 0 ? null : spentBefore + (cost_usd ?? 0),
      share: this.#otherShards?.share ?? null,
      errors: errors.slice(0, STATUS_LIMITS.errors)
        .map(({ type, status, count }) => ({ type: String(type), status: status ?? null, count })),
      teachers: teachersOf(teachers),
      teacher_states: countTeacherStates(teachers),
    };
  }
}

function teachersOf(teachers: Snapshot["teachers"]): RunStatus["teachers"] {
  return mostUrgentTeachers(teachers, STATUS_LIMITS.teachers).map((i) => {
    const { address, state, in_flight, answered } = teachers[i];
    return { address: address.slice(0, STATUS_LIMITS.address), state, in_flight, answered };
  });
}

function endFields(summary: Summary | undefined, error: unknown): Partial<RunStatus> {
  if (summary === undefined) {
    const reason = isPermanent(error) ? "it cannot continue: its log says why" : null;
    return { state: "failed", reason, rate_per_s: 0, eta_s: null };
  }
  const { state, pending, rate_per_s } = summary;
  const reason = summary.reason?.slice(0, STATUS_LIMITS.chars) ?? null;
  return { state, reason, rate_per_s, eta_s: pending === 0 ? 0 : null };
}
