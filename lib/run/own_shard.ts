/**
 * One shard of a run: its files, and its share of the limits that all shards have together.
 *
 * There is no coordinator: each shard reads the status files of the others and takes no more of
 * `--rpm` and `--tpm` than they leave. It starts with the limit divided by the number of shards
 * that run at once. It takes more only if others have ended, or have been silent for three polls. A
 * shard is silent if the heartbeat counter in its status does not change: times are not compared,
 * because the clocks of nodes differ.
 *
 * @module
 */

import { OWN_FOLDER } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { exists } from "../files.ts";
import type { InputOptions } from "../formats/mod.ts";
import {
  piecesOf,
  pinnedPlan,
  type PinOptions,
  rowsBefore,
  type Shard,
  type ShardPlan,
  shardStem,
  shareOfRows,
} from "../shards/mod.ts";
import { filesOf, type OutputFiles, sharedStem, wholeResultsOf } from "./outputs.ts";
import { checkOutputs } from "./output_checks.ts";
import { checkReadableTwice } from "./inputs.ts";
import { readStatus, type RunStatus, writeFailedStatus } from "./run_status.ts";

export interface ShardFilesOptions extends PinOptions {
  /** As the user named them: files, folders and patterns. */
  readonly named: readonly string[];
  /** The files that `named` stands for, in their order. */
  readonly files: readonly string[];
  /** As the user named it. */
  readonly output: string;
  readonly shard: Shard;
  /** At most this many rows of the whole input. */
  readonly limit?: number;
  readonly input: InputOptions;
}

/** What a shard reads and writes. */
export interface ShardFiles {
  readonly files: OutputFiles;
  /** How many rows of the shard count, from its start, if the whole input is limited; else
   * `Infinity`. */
  readonly limit: number;
  /** The common beginning of the output names of all shards, such as `out/x`. */
  readonly stem: string;
  /** The shard's share of all rows, from 0 to 1. */
  readonly share: number;
}

/**
 * Determines what a shard reads and writes. Pins the borders of all shards, if none are pinned and
 * `writes` allows it.
 *
 * @throws {UsageError | SourceError} when the input cannot be divided, or was changed
 */
export async function shardFilesOf(options: ShardFilesOptions): Promise<ShardFiles> {
  const { named, files, output, shard, limit } = options;
  if (files.includes("-")) {
    throw new UsageError(
      'Cannot divide "-" into shards: name the file that standard input came from',
    );
  }
  const stem = await sharedStem(named, files, output);
  const own = filesOf(named.join(", "), shardStem(stem, shard));
  try {
    await checkOutputs(files, [own]);
    await refuseMerged(own);
    await Promise.all(files.map(checkReadableTwice));
    const wholeResults = await wholeResultsOf(files, output);
    const plan = await pinnedPlan(stem, files, shard.count, { ...options, wholeResults });
    return {
      files: { ...own, pieces: piecesOf(plan, shard.index, options.input) },
      limit: limit === undefined ? Infinity : limitOf(shard, plan, limit),
      stem,
      share: shareOfRows(plan, shard.index),
    };
  } catch (error) {
    if (options.writes !== false) await writeFailedStatus(own.results, shard, error);
    throw error;
  }
}

/** The part of a limit that is left for a shard after the rows before it. */
function limitOf({ index }: Shard, plan: ShardPlan, limit: number): number {
  const before = rowsBefore(plan, index);
  if (before !== undefined) return Math.max(0, limit - before);
  throw new UsageError(
    "Cannot use --limit with shards of compressed files, whose rows are not counted: decompress them, or name fewer files",
  );
}

/** Rejects a shard whose files a merge has moved away: its rows would be paid for again. */
async function refuseMerged({ runJson }: OutputFiles): Promise<void> {
  const moved = `${dirname(runJson)}/${OWN_FOLDER}/shards/${basename(runJson)}`;
  if (!(await exists(moved)) || await exists(runJson)) return;
  throw new UsageError(
    `Cannot run this shard: it was merged, and its files were moved to "${dirname(moved)}/". ` +
      "Move them back, or name another output",
  );
}

/** Polls in a row without a heartbeat after which a shard counts as silent. */
const SILENT_POLLS = 3;
/**
 * Maximum number of status files to read per poll, on average: a thousand shards must not read a
 * million files every 5 s.
 */
const FILES_PER_POLL = 100;

/** The name of a status file, with the stem, index and count of its shard. */
const STATUS_NAME = /^(.*)-(\d{5,})-of-(\d{5,})\.status\.json$/;

/**
 * The part of its share that a shard uses. Shards do not send in step, so that a minute may hold
 * one more request of each: with a limit of 600 a minute, eight processes sent up to 604.
 */
const USED = 0.98;

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
  #share: number;
  #isPolling = false;
  #skippedPolls = 0;

  /**
   * @param stem The common beginning of all outputs, such as `out/x`.
   * @param parallel How many shards run at once.
   */
  constructor(stem: string, shard: Shard, parallel: number) {
    this.#folder = `${dirname(stem)}/${OWN_FOLDER}`;
    this.#stem = basename(stem);
    this.#shard = shard;
    this.#parallel = Math.min(parallel, shard.count);
    this.#share = 1 / this.#parallel;
  }

  /** The share of `rpm` and `tpm` that this shard may use, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  /** The share at which this shard sends. */
  get rateShare(): number {
    return USED * this.#share;
  }

  /**
   * Reads the status of the other shards, and returns the new share. Called about every 5 s.
   */
  async poll(): Promise<number> {
    if (this.#isPolling || ++this.#skippedPolls < this.#others.size / FILES_PER_POLL) {
      return this.#share;
    }
    this.#isPolling = true;
    this.#skippedPolls = 0;
    try {
      for (const index of await this.#startedShards()) await this.#pollShard(index);
      this.#share = this.#fairShare();
    } finally {
      this.#isPolling = false;
    }
    return this.#share;
  }

  /** The indexes of the other shards that have a status file. */
  async #startedShards(): Promise<number[]> {
    const found: number[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        const match = STATUS_NAME.exec(name);
        if (match === null || match[1] !== this.#stem) continue;
        if (Number(match[3]) !== this.#shard.count) continue;
        const index = Number(match[2]);
        if (index !== this.#shard.index) found.push(index);
      }
    } catch {
      // A folder that cannot be read now may be readable at the next poll.
    }
    return found;
  }

  async #pollShard(index: number): Promise<void> {
    const before = this.#others.get(index);
    const stem = shardStem(this.#stem, { index, count: this.#shard.count });
    const status = await readStatus(`${this.#folder}/${stem}.status.json`);
    if (status === undefined) return;
    const isSame = before?.status.beat === status.beat && before.status.started === status.started;
    this.#others.set(index, { status, silence: isSame ? before.silence + 1 : 0 });
  }

  #fairShare(): number {
    let active = 0, taken = 0, unfinished = this.#shard.count;
    for (const { status, silence } of this.#others.values()) {
      // The share of an interrupted shard stays reserved until it is silent: it may be started
      // again at once.
      const isDone = status.ended && status.state === "done", isSilent = silence >= SILENT_POLLS;
      if (isDone || isSilent) unfinished--;
      if (status.ended || isSilent) continue;
      active++;
      taken += status.share ?? 0;
    }
    const running = Math.max(active + 1, Math.min(this.#parallel, unfinished));
    return Math.max(0, Math.min(1 / running, 1 - taken));
  }
}
