/**
 * A run over one shard: its files, its part of the input, its part of `--limit`, and its share of
 * the rate limits.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { exists, hasContent, OWN_FOLDER, parseShardStem, shardStem } from "../files.ts";
import type { InputOptions } from "../formats/mod.ts";
import {
  movedFolderOf,
  OtherDivisionError,
  type OwnOutput,
  piecesOf,
  planFor,
  type PlanOptions,
  rowsBefore,
  type Shard,
  type ShardPlan,
  shareOfInput,
} from "../shards/mod.ts";
import { checkOutputs, filesOf, type OutputFiles, sharedOutput } from "./outputs.ts";
import { checkReadableTwice } from "./input_files.ts";
import { readRunFile, type RunFile } from "./run_file.ts";
import { readStatus, type RunStatus, STATUS_ENDING, writeFailedStatus } from "./run_status.ts";

export interface ShardFilesOptions extends PlanOptions {
  readonly input: InputOptions;
  /** The inputs as the user named them. */
  readonly inputs: readonly string[];
  /** The files that `inputs` stands for, in their order. */
  readonly files: readonly string[];
  readonly output: string;
  readonly shard: Shard;
  readonly limit?: number;
}

export interface ShardFiles {
  readonly files: OutputFiles;
  readonly inputFiles: readonly string[];
  /** Number of rows at the start of the shard that `--limit` includes; `Infinity` without it. */
  readonly limit: number;
  /** The output that all shards of the input share. */
  readonly shared: OwnOutput;
  /** The shard's share of all rows, of the first `limit` rows or, if rows are not counted, of all
   * bytes. From 0 to 1. */
  readonly share: number;
}

/** Returns what a shard reads and writes.
 *
 * @throws {UsageError | SourceError} when the input cannot be divided, or was changed */
export async function shardFilesOf(options: ShardFilesOptions): Promise<ShardFiles> {
  const { inputs, files, output, shard, limit, input } = options;
  if (files.includes("-")) {
    throw new UsageError(
      'Cannot divide "-" into shards: name the file that standard input came from',
    );
  }
  const shared = await sharedOutput(inputs, files, output);
  const ownFiles = filesOf(inputs.join(", "), shardStem(shared.stem, shard));
  try {
    await checkOutputs(files, [ownFiles]);
    await refuseMerged(ownFiles);
    await Promise.all(files.map((file) => checkReadableTwice(file)));
    const plan = await planFor(shared, files, shard.count, options);
    return {
      files: { ...ownFiles, pieces: piecesOf(plan, shard.index, input) },
      inputFiles: files,
      limit: limit === undefined ? Infinity : limitOf(shard, plan, limit),
      shared,
      share: shareOfInput(plan, shard.index, limit),
    };
  } catch (error) {
    const isFailure = options.writes !== false && !options.signal?.aborted;
    if (isFailure) await recordFailedStart(ownFiles.results, shard, error);
    throw error;
  }
}

/** Records that a shard could not start, so that no merge waits for it forever. */
export async function recordFailedStart(
  results: string,
  shard: Shard,
  error: unknown,
): Promise<void> {
  // If another division holds the answers, a merge waits for this shard only if both were submitted
  // together (`job`).
  const isAwaited = !(error instanceof OtherDivisionError) || shard.job !== undefined;
  if (isAwaited) await writeFailedStatus(results, shard, error);
}

function limitOf({ index }: Shard, plan: ShardPlan, limit: number): number {
  const before = rowsBefore(plan);
  // All rows before the last shard must be counted. Otherwise, a later shard might be unable to
  // run, and the answers of this shard could not be merged.
  if (before.at(-1) !== undefined) return Math.max(0, limit - before[index]!);
  throw new UsageError(
    "Cannot use --limit with shards of compressed files, whose rows are not counted: decompress them, or name fewer files",
  );
}

/** Throws if a merge has moved the shard's files: its rows would be paid for again. */
async function refuseMerged({ runJson }: OutputFiles): Promise<void> {
  const folder = movedFolderOf(runJson);
  if (!(await exists(`${folder}/${basename(runJson)}`)) || await exists(runJson)) return;
  throw new UsageError(
    `Cannot run this shard: it was merged, and its files were moved to "${folder}/". ` +
      "Move them back, or name another output",
  );
}

/** Returns the runs of shard 0 and of the two neighbors of this shard, if they have results. Other
 * run files are not read: if each of a thousand shards read all of them, they would be read a
 * million times. */
export async function answeredNear(
  runJson: string,
  shard: Shard,
): Promise<{ results: string; run: RunFile }[]> {
  const { stem } = parseShardStem(runJson.slice(0, -".run.json".length))!;
  const nearIndexes = new Set([0, shard.index - 1, shard.index + 1]);
  nearIndexes.delete(shard.index);
  const runs: { results: string; run: RunFile }[] = [];
  for (const index of nearIndexes) {
    const other = filesOf("", shardStem(stem, { ...shard, index }));
    // An unreadable run file must not stop other shards.
    const run = await readRunFile(other.runJson).catch(() => undefined);
    if (run !== undefined && await hasContent(other.results)) {
      runs.push({ results: other.results, run });
    }
  }
  return runs;
}

/** A shard is silent after this many polls without a new heartbeat. */
const SILENT_POLLS = 3;
/** Average number of status files per poll. A thousand shards that read all of them would read a
 * million files every 5 s. */
const FILES_PER_POLL = 100;

/** A shard that was suspended for longer may have lost its share: others take it 15 s after its
 * last status, which may already have been 5 s old. */
const MAX_SUSPENSION_MS = 10_000;

/** The part of its claimed share that a shard uses. Shards do not send in step: with a limit of 600
 * a minute, eight processes sent up to 604. */
const SAFETY_FACTOR = 0.98;

interface OtherShard {
  readonly status: RunStatus;
  readonly silentPolls: number;
}

/**
 * The other shards of a run, and the share of the rate limits that they leave for this one.
 *
 * There is no coordinator. Each shard reads the status files of the others and takes at most what
 * they leave of `--rpm` and `--tpm`. It starts with the limit divided by the number of shards that
 * run at once, and takes more only if others are done or have been silent for three polls. A shard
 * is silent if the heartbeat counter in its status stays the same. Times are not compared, because
 * the clocks of nodes differ. A shard whose process was suspended starts again with what the others
 * leave.
 */
export class OtherShards {
  readonly #folder: string;
  readonly #stem: string;
  readonly #shard: Shard;
  readonly #parallel: number;
  readonly #others = new Map<number, OtherShard>();
  readonly #now: () => number;
  #share = 0;
  #tickedAt: number;
  #suspensions = 0;
  #isPolling = false;
  #skippedPolls = 0;
  /** Polls since the last one that also read the finished shards. */
  #partialPolls = 0;
  #unfinishedCount = 0;

  /** The share is 0 until the first poll. `now` is a monotonic clock in milliseconds. */
  constructor(stem: string, shard: Shard, now = () => performance.now()) {
    this.#folder = `${dirname(stem)}/${OWN_FOLDER}`;
    this.#stem = basename(stem);
    this.#shard = shard;
    this.#parallel = Math.min(shard.parallel ?? shard.count, shard.count);
    this.#now = now;
    this.#tickedAt = now();
  }

  /** The share of `rpm` and `tpm` that this shard claims, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  /** The share that this shard uses: slightly less than it claims. */
  get rateShare(): number {
    return SAFETY_FACTOR * this.#share;
  }

  /** Called about once a second. After a suspension, drops the share: others may have taken it. */
  tick(): void {
    const now = this.#now();
    if (now - this.#tickedAt > MAX_SUSPENSION_MS) {
      this.#suspensions++;
      this.#share = 0;
      this.#skippedPolls = this.#partialPolls = Infinity;
    }
    this.#tickedAt = now;
  }

  /** Called about every 5 s. Reads the status files of other shards, and adapts the share. With
   * many unfinished shards, some calls read nothing (`FILES_PER_POLL`). */
  async poll(): Promise<number> {
    if (this.#isPolling || ++this.#skippedPolls < this.#unfinishedCount / FILES_PER_POLL) {
      return this.#share;
    }
    this.#isPolling = true;
    this.#skippedPolls = 0;
    const suspensions = this.#suspensions;
    // A finished shard may be started again to retry its failed rows.
    const readsAll = ++this.#partialPolls >= this.#others.size / FILES_PER_POLL;
    if (readsAll) this.#partialPolls = 0;
    try {
      for (const index of await this.#startedShards()) {
        const other = this.#others.get(index);
        if (readsAll || other === undefined || !isDone(other)) await this.#pollShard(index);
      }
      // What was read before a suspension is outdated.
      if (suspensions === this.#suspensions) this.#share = this.#fairShare();
    } finally {
      this.#isPolling = false;
    }
    return this.#share;
  }

  async #startedShards(): Promise<number[]> {
    const indexes: number[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        if (!name.endsWith(STATUS_ENDING)) continue;
        const shard = parseShardStem(name.slice(0, -STATUS_ENDING.length));
        if (shard?.stem !== this.#stem || shard.count !== this.#shard.count) continue;
        if (shard.index !== this.#shard.index) indexes.push(shard.index);
      }
    } catch {
      // The folder may be readable at the next poll.
    }
    return indexes;
  }

  async #pollShard(index: number): Promise<void> {
    const earlier = this.#others.get(index);
    const stem = shardStem(this.#stem, { index, count: this.#shard.count });
    const status = await readStatus(`${this.#folder}/${stem}${STATUS_ENDING}`);
    if (status === undefined) return;
    const hasSameBeat = earlier?.status.beat === status.beat &&
      earlier.status.started === status.started;
    this.#others.set(index, { status, silentPolls: hasSameBeat ? earlier.silentPolls + 1 : 0 });
  }

  #fairShare(): number {
    let active = 0, taken = 0, unfinished = this.#shard.count, done = 0;
    for (const other of this.#others.values()) {
      const { status, silentPolls } = other, isSilent = silentPolls >= SILENT_POLLS;
      if (isDone(other)) done++;
      // An interrupted shard may start again at once, so it is unfinished until it is silent.
      if (isDone(other) || isSilent) unfinished--;
      if (status.ended || isSilent) continue;
      active++;
      taken += status.share ?? 0;
    }
    this.#unfinishedCount = this.#others.size - done;
    const running = Math.max(active + 1, Math.min(this.#parallel, unfinished));
    // The shard gives back only what exceeds the fair share. If all shards gave back more, some of
    // the limit would be unused.
    return Math.min(1 / running, Math.max(this.#share, 1 - taken));
  }
}

function isDone({ status }: OtherShard): boolean {
  return status.ended && status.state === "done";
}
