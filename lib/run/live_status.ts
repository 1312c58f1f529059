/**
 * Writes the status of a run to a file for other processes. A shard also adjusts its share of the
 * rate limits to what the other shards use.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import {
  countTeacherStates,
  mostUrgentTeachers,
  type Snapshot,
  type Summary,
} from "../progress/mod.ts";
import type { Shard } from "../shards/mod.ts";
import { VERSION } from "../version.ts";
import type { RunContext } from "./context.ts";
import type { Jobs } from "./jobs.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import type { OtherShards } from "./other_shards.ts";
import type { ShardFiles } from "./own_shard.ts";
import {
  readStatus,
  type RunStatus,
  STATUS_LIMITS,
  statusPathOf,
  writeStatus,
} from "./run_status.ts";
import { stemOf } from "../paths.ts";

/** The part of an engine whose rate limits are shared. */
interface RateLimited {
  setRateShare(share: number): void;
}

/** The status of one run, and the share of the rate limits of a shard. */
export class LiveStatus {
  readonly #file: StatusFile;
  readonly #otherShards: OtherShards | undefined;
  /** US dollars that earlier runs of the shard have spent; 0 for other runs. */
  readonly spentBefore: number;

  private constructor(file: StatusFile, otherShards: OtherShards | undefined, spentBefore: number) {
    this.#file = file;
    this.#otherShards = otherShards;
    this.spentBefore = spentBefore;
  }

  /**
   * Writes the first status. A shard waits until it is written, because the others must know of it
   * before it sends. The first request of any other run does not wait for the disk.
   */
  static async open(
    { progress, generator, prepared }: Pick<RunContext, "progress" | "generator" | "prepared">,
    { shard }: ResolvedRunOptions,
    jobs: Jobs,
    model: string,
  ): Promise<LiveStatus> {
    const [job] = jobs.list;
    const path = job.files.results;
    const isShared = generator.teachers.some(({ rpm, tpm }) => (rpm ?? tpm) !== undefined);
    const otherShards = jobs.shard && isShared
      ? await otherShardsOf(jobs.shard, shard!)
      : undefined;
    const earlierStatus = shard && await readStatus(statusPathOf(path));
    const spentBefore = earlierStatus?.spent_usd ?? 0;
    const file = new StatusFile(path, {
      snapshot: () => progress.snapshot(),
      model,
      shard,
      spentBefore,
      share: otherShards && (() => otherShards.share),
      mode: job.replacementOptions.mode,
      isLedger: () => shard !== undefined && prepared.budget.maxCostUsd !== null,
    });
    const written = file.write();
    if (shard !== undefined) await written;
    return new LiveStatus(file, otherShards, spentBefore);
  }

  /**
   * To be called about once a second: writes the status when it is due, and gives up the share of
   * the rate limits if the process was stopped. Every fifth call updates the share.
   */
  tick(engine: RateLimited | undefined): void {
    const otherShards = this.#otherShards;
    otherShards?.tick();
    // Also outside of beats: a share that was given up must not be used.
    if (otherShards?.share === 0) engine?.setRateShare(0);
    if (this.#file.tick()) this.takeShare(engine);
  }

  /** Reads the status of the other shards and sets this shard's share of the rate limits. */
  takeShare(engine: RateLimited | undefined): void {
    const otherShards = this.#otherShards;
    if (otherShards === undefined) return;
    const set = () => engine?.setRateShare(otherShards.rateShare);
    set();
    otherShards.poll().then(set, () => {});
  }

  /** Writes the last status; `summary` is undefined if the run failed. */
  async end(summary: Summary | undefined): Promise<void> {
    await this.#file.end(summary);
  }
}

async function otherShardsOf(
  { stem }: ShardFiles,
  shard: NonNullable<ResolvedRunOptions["shard"]>,
): Promise<OtherShards> {
  const { OtherShards } = await import("./other_shards.ts");
  const otherShards = new OtherShards(stem, shard, shard.parallel ?? shard.count);
  await otherShards.poll();
  return otherShards;
}

/** Ticks, of about a second each, from one write of the status to the next. */
const BEAT_TICKS = 5;

/** What a status is made of, and how it is written. */
export interface StatusSource {
  readonly snapshot: () => Snapshot;
  /** The requested models, joined by commas. */
  readonly model: string;
  /** @default the whole input */
  readonly shard?: Shard;
  /** US dollars that earlier runs of the shard have spent. @default 0 */
  readonly spentBefore?: number;
  /** The share of the rate limits that the run uses. @default no limits are shared */
  readonly share?: () => number;
  /**
   * The permissions of the file: only users who may read the input may read it.
   * @default the umask's
   */
  readonly mode?: number;
  /**
   * Whether the cost in the file must survive a crash: then the file is written at every tick.
   * @default false
   */
  readonly isLedger?: () => boolean;
}

/** Writes the status of a run to its file. */
export class StatusFile {
  readonly #path: string;
  readonly #name: string;
  readonly #source: StatusSource;
  readonly #started = new Date().toISOString();
  #beat = 0;
  #ticks = 0;
  #writing: Promise<void> | undefined;

  constructor(results: string, source: StatusSource) {
    this.#path = statusPathOf(results);
    this.#name = stemOf(basename(results));
    this.#source = source;
  }

  /**
   * To be called about once a second: writes the file when it is due. Returns true at the first
   * and every fifth tick after it, when the status of other shards is to be read.
   */
  tick(): boolean {
    const isBeat = this.#ticks++ % BEAT_TICKS === 0;
    if (isBeat || this.#source.isLedger?.()) this.#write();
    return isBeat;
  }

  /** Writes the file now, unless a write is in progress. */
  write(): Promise<void> {
    this.#write();
    return this.#writing ?? Promise.resolve();
  }

  /** Writes the last status; `summary` is undefined if the run failed. */
  async end(summary: Summary | undefined): Promise<void> {
    await this.#writing;
    const status = { ...this.#status(), ended: true, ...endOf(summary) };
    await writeStatus(this.#path, status, { mode: this.#source.mode });
  }

  #write(): void {
    this.#writing ??= writeStatus(this.#path, this.#status(), { mode: this.#source.mode })
      .finally(() => this.#writing = undefined);
  }

  #status(): RunStatus {
    const { snapshot, model, shard, spentBefore = 0, share } = this.#source;
    const current = snapshot();
    const { cost_usd } = current;
    return {
      retort: VERSION,
      name: this.#name,
      beat: ++this.#beat,
      started: this.#started,
      ended: false,
      state: current.state,
      job: shard?.job,
      reason: current.reason === null ? null : current.reason.slice(0, STATUS_LIMITS.chars),
      shard: shard === undefined ? null : [shard.index, shard.count],
      model: model.slice(0, STATUS_LIMITS.chars),
      total: current.total,
      skipped: current.skipped,
      succeeded: current.succeeded,
      failed: current.failed,
      in_flight: current.in_flight,
      attempts: current.attempts,
      failed_attempts: current.failed_attempts,
      rate_per_s: current.rate_per_s,
      eta_s: current.eta_s,
      elapsed_ms: current.elapsed_ms,
      completion_tokens: current.completion_tokens,
      cost_usd,
      // If the price is not known now, what earlier runs have spent still counts.
      spent_usd: cost_usd === null && spentBefore === 0 ? null : spentBefore + (cost_usd ?? 0),
      share: share?.() ?? null,
      errors: errorsOf(current),
      teachers: teachersOf(current),
      teacher_states: countTeacherStates(current.teachers),
    };
  }
}

function errorsOf({ errors }: Snapshot): RunStatus["errors"] {
  return errors.slice(0, STATUS_LIMITS.errors).map(({ type, status, count }) => ({
    type: String(type),
    status: status ?? null,
    count,
  }));
}

function teachersOf({ teachers }: Snapshot): RunStatus["teachers"] {
  return mostUrgentTeachers(teachers, STATUS_LIMITS.teachers).map((i) => {
    const { address, state, in_flight, answered } = teachers[i];
    return { address: address.slice(0, STATUS_LIMITS.chars), state, in_flight, answered };
  });
}

function endOf(summary: Summary | undefined): Partial<RunStatus> {
  if (summary === undefined) return { state: "failed", in_flight: 0, rate_per_s: 0, eta_s: null };
  const { state, reason, pending } = summary;
  return {
    state,
    reason: reason === null ? null : reason.slice(0, STATUS_LIMITS.chars),
    in_flight: 0,
    rate_per_s: summary.rate_per_s,
    eta_s: pending === 0 ? 0 : null,
  };
}
