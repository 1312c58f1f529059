/**
 * The other shards of a run, and the share of the rate limits that they leave for one shard.
 *
 * There is no coordinator: each shard reads the status files of the others and takes no more of
 * `--rpm` and `--tpm` than they leave. It starts with the limit divided by the number of shards
 * that run at once. It takes more only if others are done, or have been silent for three polls. A
 * shard is silent if the heartbeat counter in its status does not change: times are not compared,
 * because the clocks of nodes differ. A shard that was silent itself, because its process was
 * stopped, starts again with what the others leave.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { OWN_FOLDER } from "../paths.ts";
import { type Shard, shardStem } from "../shards/mod.ts";
import { readStatus, type RunStatus } from "./run_status.ts";

/** Polls in a row without a heartbeat after which a shard counts as silent. */
const SILENT_POLLS = 3;
/**
 * Maximum number of status files to read per poll, on average: a thousand shards must not read a
 * million files every 5 s.
 */
const FILES_PER_POLL = 100;

/**
 * After a stop of this length, the other shards may count the process as silent: they do so after
 * 15 s without a new status, and its last one may have been 5 s old when it was stopped.
 */
const STOPPED_MS = 10_000;

/** Matches the name of a status file; captures the stem, the index and the number of shards. */
const STATUS_NAME = /^(.*)-(\d{5,})-of-(\d{5,})\.status\.json$/;

/**
 * Keeps the rate of a shard below its share. Shards do not send in step, so a minute may hold one
 * more request of each: with a limit of 600 a minute, eight processes sent up to 604.
 */
const SAFETY_FACTOR = 0.98;

interface OtherShard {
  status: RunStatus;
  /** Polls in a row that found no heartbeat. */
  silence: number;
}

/** The other shards of the same input, as one shard sees them. */
export class OtherShards {
  readonly #folder: string;
  readonly #stem: string;
  readonly #shard: Shard;
  readonly #parallel: number;
  readonly #others = new Map<number, OtherShard>();
  readonly #now: () => number;
  #share = 0;
  #tickedAt: number;
  /** How often the process was stopped. */
  #stops = 0;
  #isPolling = false;
  #skippedPolls = 0;
  /** Polls since the last one that also read the shards that are done. */
  #partialPolls = 0;
  /** The number of shards that were not done at the last poll. */
  #unfinishedCount = 0;

  /**
   * Starts without a share, which the first poll determines.
   *
   * @param stem The common beginning of all outputs, such as `out/x`.
   * @param parallel How many shards run at once.
   * @param now A monotonic clock, in milliseconds.
   */
  constructor(stem: string, shard: Shard, parallel: number, now = () => performance.now()) {
    this.#folder = `${dirname(stem)}/${OWN_FOLDER}`;
    this.#stem = basename(stem);
    this.#shard = shard;
    this.#parallel = Math.min(parallel, shard.count);
    this.#now = now;
    this.#tickedAt = now();
  }

  /** The share of `rpm` and `tpm` that this shard claims for itself, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  /** The share that this shard really uses: slightly below `share`. */
  get rateShare(): number {
    return SAFETY_FACTOR * this.#share;
  }

  /**
   * To be called about once a second. Gives the share up if the process was stopped, because the
   * others may have taken it.
   */
  tick(): void {
    const now = this.#now();
    if (now - this.#tickedAt > STOPPED_MS) {
      this.#stops++;
      this.#share = 0;
      this.#skippedPolls = this.#partialPolls = Infinity;
    }
    this.#tickedAt = now;
  }

  /** Reads the status of the other shards, and returns the new share. Called about every 5 s. */
  async poll(): Promise<number> {
    if (this.#isPolling || ++this.#skippedPolls < this.#unfinishedCount / FILES_PER_POLL) {
      return this.#share;
    }
    this.#isPolling = true;
    this.#skippedPolls = 0;
    const stops = this.#stops;
    // A shard that is done may be started again, to retry its failed rows.
    const readsAll = ++this.#partialPolls >= this.#others.size / FILES_PER_POLL;
    if (readsAll) this.#partialPolls = 0;
    try {
      for (const index of await this.#startedShards()) {
        const other = this.#others.get(index);
        if (readsAll || other === undefined || !isDone(other)) await this.#pollShard(index);
      }
      // What was read before the process was stopped is not true any more.
      if (stops === this.#stops) this.#share = this.#fairShare();
    } finally {
      this.#isPolling = false;
    }
    return this.#share;
  }

  /** The indexes of the other shards that have a status file. */
  async #startedShards(): Promise<number[]> {
    const indexes: number[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        const match = STATUS_NAME.exec(name);
        if (match === null || match[1] !== this.#stem) continue;
        if (Number(match[3]) !== this.#shard.count) continue;
        const index = Number(match[2]);
        if (index !== this.#shard.index) indexes.push(index);
      }
    } catch {
      // A folder that cannot be read now may be readable at the next poll.
    }
    return indexes;
  }

  async #pollShard(index: number): Promise<void> {
    const earlier = this.#others.get(index);
    const stem = shardStem(this.#stem, { index, count: this.#shard.count });
    const status = await readStatus(`${this.#folder}/${stem}.status.json`);
    if (status === undefined) return;
    const isSame = earlier?.status.beat === status.beat &&
      earlier.status.started === status.started;
    this.#others.set(index, { status, silence: isSame ? earlier.silence + 1 : 0 });
  }

  #fairShare(): number {
    let active = 0, taken = 0, unfinished = this.#shard.count, done = 0;
    for (const other of this.#others.values()) {
      const { status, silence } = other, isSilent = silence >= SILENT_POLLS;
      if (isDone(other)) done++;
      // The share of an interrupted shard stays reserved until it is silent: it may be started
      // again at once.
      if (isDone(other) || isSilent) unfinished--;
      if (status.ended || isSilent) continue;
      active++;
      taken += status.share ?? 0;
    }
    this.#unfinishedCount = this.#others.size - done;
    const running = Math.max(active + 1, Math.min(this.#parallel, unfinished));
    // Gives back only what exceeds the fair share. The others do the same, and more would stay
    // unused.
    return Math.min(1 / running, Math.max(this.#share, 1 - taken));
  }
}

function isDone({ status }: OtherShard): boolean {
  return status.ended && status.state === "done";
}
