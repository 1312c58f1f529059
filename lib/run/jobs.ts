/**
 * All inputs of a run: one job for each input file. A shard, or several files with one output, is
 * one job.
 *
 * If there are at most 64 outputs, all stay open, each with its own lock. If there are more, all
 * share one lock, and each file is opened when a line arrives for it. So 10,000 outputs take fewer
 * file handles (96 × 2 and a lock) than 64 do (64 × 5).
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { fileKeyOf, namesIn, statOf } from "../files.ts";
import type { SummaryParts } from "../progress/mod.ts";
import type { Row } from "../row.ts";
import {
  type Lock,
  OpenFiles,
  openLockFile,
  orCannotWrite,
  refuseRunElsewhere,
  SharedLock,
  type SinkOptions,
  syncFolderOf,
  tryAppend,
} from "../sink/mod.ts";
import type { Findings } from "./findings.ts";
import { crashedInFlight } from "./live_status.ts";
import { findInputs } from "./inputs.ts";
import { Job } from "./job.ts";
import type { RunContext } from "./active_run.ts";
import type { UidSelection } from "./retry.ts";
import type { ResolvedRunOptions } from "./run_options.ts";
import type { RunNotices } from "./notices.ts";
import type { Identity } from "./run_file.ts";
import type { WatchedOutput } from "./unwritable_outputs.ts";
import { makeFolders, refuseDivided } from "./claim.ts";
import { statusPathOf } from "./run_status.ts";
import { type OutputFiles, outputFilesOf } from "./outputs.ts";
import type { ShardFiles } from "./shard_run.ts";
import { sumOf } from "../figures.js";

/** What a run and its jobs share. */
export interface RunSetup {
  readonly context: RunContext;
  readonly options: ResolvedRunOptions;
  readonly selection: UidSelection;
  readonly identity: Identity;
  /** Ids of the retry, from `retryIdsOf`; empty without `--retry`. */
  readonly retryIds: readonly string[];
  readonly notices: RunNotices;
  /** Aborted when the run is stopped. */
  readonly signal: AbortSignal;
}

export interface JobOptions extends RunSetup {
  /** Whether the rows of a small input stay in memory for the second pass. False with several
   * outputs, whose rows would all be in memory at once, and for a preview, which has no second
   * pass. */
  readonly keepsRows: boolean;
  /** Maximum number of rows; `Infinity` without a limit. */
  readonly limit: number;
}

/** Maximum number of outputs that all stay open. Each takes a lock and four handles. */
const MAX_KEPT_OPEN = 64;
/** With more than `MAX_KEPT_OPEN` outputs, the maximum number of open files. Each takes two
 * handles. */
const MAX_OPEN_FILES = 96;
/** With more than `MAX_KEPT_OPEN` outputs, the number of concurrent jobs. They mostly wait for the
 * disk. */
const MAX_CONCURRENT_JOBS = 16;

/** The jobs of a run, in the order of its inputs. Call `close` after use. */
export class Jobs {
  readonly list: readonly Job[];
  readonly shard: ShardFiles | undefined;
  readonly #setup: RunSetup;
  #sharedLock: SharedLock | undefined;
  #openFiles: OpenFiles | undefined;

  constructor(setup: RunSetup, list: readonly Job[] = [], shard?: ShardFiles) {
    this.#setup = setup;
    this.list = list;
    this.shard = shard;
  }

  get findings(): Findings[] {
    return this.list.map(({ findings }) => findings);
  }

  /** Whether the run has neither rows to send nor bad lines to write. */
  get isIdle(): boolean {
    return this.sum(({ plan }) => plan.toAsk + plan.bad) === 0;
  }

  get areMany(): boolean {
    return this.list.length > MAX_KEPT_OPEN;
  }

  get locks(): Lock[] {
    if (this.#sharedLock !== undefined) return [this.#sharedLock.lock];
    return this.list.flatMap(({ lock }) => lock ?? []);
  }

  get watched(): readonly WatchedOutput[] {
    const files = this.#openFiles, shared = this.#sharedLock;
    if (files === undefined) return this.list;
    return [{
      check: async (isLast) => await files.check(isLast) ?? await shared?.lock.check(),
      moveAway: (paths) => files.moveAway(paths),
    }];
  }

  /** Runs `work` for one job after the other, or for 16 at once if there are many. Starts no job
   * after an error. */
  async each(work: (job: Job, index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const lane = async () => {
      try {
        while (next < this.list.length) {
          const index = next++;
          await work(this.list[index], index);
        }
      } catch (error) {
        next = Infinity;
        throw error;
      }
    };
    const lanes = Array.from({ length: this.areMany ? MAX_CONCURRENT_JOBS : 1 }, lane);
    for (const end of await Promise.allSettled(lanes)) {
      if (end.status === "rejected") throw end.reason;
    }
  }

  async claim(): Promise<void> {
    const { options: { lock: required }, notices, signal } = this.#setup;
    const files = this.list.map((job) => job.files);
    await makeFolders(files);
    const locks = files.map(({ lock }) => lock);
    // Checking thousands of results files takes too long: the status file of their run is enough.
    const results = this.areMany ? [] : files.map(({ results }) => results);
    const hasWaited = await refuseRunElsewhere(
      this.areMany ? [SharedLock.pathFor(locks)] : locks,
      [statusPathOf(files[0].results), ...results],
      { signal },
    );
    if (hasWaited) {
      notices.add(
        "info",
        "Waited 8 s to see whether the last run, which did not end properly, is active on another " +
          "machine: the filesystem of the output may not share locks",
      );
    }
    await refuseSameNames(files);
    if (this.areMany) this.#sharedLock = await SharedLock.acquire(locks, { required });
    await this.each((job) => {
      signal.throwIfAborted();
      return job.claim(this.#sharedLock);
    });
  }

  /** Throws if the same rows are sent or answered elsewhere: by a run that divides the input
   * differently or not at all, or in the output of a merge. Called once the locks are held. */
  async refuseAnsweredElsewhere(): Promise<void> {
    const { options: { input, output, shard }, signal } = this.#setup;
    const outputs = this.list.map(({ files }) => files);
    if (this.shard === undefined) {
      return await refuseDivided(input, output, outputs, { isClaimed: true });
    }
    const { requireNoOtherRun } = await import("../shards/mod.ts");
    const { shared, inputFiles: files } = this.shard;
    await requireNoOtherRun(shared, { shard: shard!, files, signal });
  }

  /** @throws {LockedError} If a run on another machine has also taken a lock. */
  async requireLocks(): Promise<void> {
    for (const lock of this.locks) await lock.requireNotTaken();
  }

  /** Opens the outputs. If there are many, only creates them: each is opened for its first line. */
  async open(optionsOf: (job: Job, index: number) => SinkOptions): Promise<void> {
    if (this.areMany) this.#openFiles = new OpenFiles(MAX_OPEN_FILES);
    await this.each((job, index) => job.open(optionsOf(job, index), this.#openFiles));
    // All outputs are in one folder, so trying one of them is enough.
    await tryAppend(this.list[0].files.results);
  }

  /** Makes the names of all outputs and run files durable: all are in one folder. */
  async syncNames(): Promise<void> {
    const { results } = this.list[0].files;
    await orCannotWrite(results, () => syncFolderOf(results));
  }

  /** Closes all files, and releases the locks. `each` reaches every job, because `Job.close` does
   * not throw. If the disk of an output is full (`isStalled`), waiting lines go to another file, or
   * are dropped if that fails. */
  async close(isStalled: (index: number) => boolean): Promise<void> {
    using _shared = this.#sharedLock;
    await this.each((job, index) => job.close({ abandon: isStalled(index) }));
  }

  sum(countOf: (findings: Findings) => number): number {
    return sumOf(this.findings, countOf);
  }

  /** The first pass over all inputs. Returns false if the signal ended it early. */
  async preflight(): Promise<boolean> {
    const { signal } = this.#setup;
    try {
      await this.list.find(({ files }) => files.input === "-")?.spool();
      await this.each((job) => job.preflight());
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  get remaining(): number {
    return sumOf(this.list, (job) => job.remaining);
  }

  get missingLines(): number {
    return sumOf(this.list, ({ sink }) => sink?.missingLines ?? 0);
  }

  async *rows(): AsyncGenerator<Row[]> {
    for (const [index, job] of this.list.entries()) yield* job.rows(index);
  }

  counts(): Omit<SummaryParts, "state" | "reason" | "started"> {
    const files = this.list.map((job) => job.summary());
    return {
      total: this.sum((findings) => findings.total),
      skipped: this.sum((findings) => findings.finished),
      pending: sumOf(files, (file) => file.pending),
      failures_on_disk: sumOf(files, (file) => file.failed),
      crashed_in_flight: crashedInFlight(this.list.map(({ lock }) => lock?.previous)),
      bad_rows: this.sum(({ bad }) => bad.count),
      merged_duplicates: this.sum(({ merged }) => merged),
      files,
    };
  }
}

/** Finds the inputs and their outputs. With `writes`, saves the plan that divides an input. */
export async function makeJobs(setup: RunSetup, { writes }: { writes: boolean }): Promise<Jobs> {
  const { options, notices, signal, context } = setup;
  const { input, output, shard, limit } = options;
  const inputs = await findInputs(input, signal);
  for (const note of inputs.notes) notices.add("info", note);
  if (shard === undefined) {
    const outputs = await outputFilesOf(inputs.files, output);
    await refuseDivided(input, output, outputs);
    const keepsRows = writes && outputs.length === 1;
    const jobOptions = { ...setup, limit: limit ?? Infinity, keepsRows };
    return new Jobs(setup, outputs.map((outputFiles) => new Job(outputFiles, jobOptions)));
  }
  const { shardFilesOf } = await import("./shard_run.ts");
  const shardFiles = await shardFilesOf({
    ...{ output, shard, limit, writes, signal },
    inputs: input,
    files: inputs.files,
    input: context.generator,
    needsLock: options.lock,
  });
  const jobOptions = { ...setup, limit: shardFiles.limit, keepsRows: writes };
  return new Jobs(setup, [new Job(shardFiles.files, jobOptions)], shardFiles);
}

/** Throws if two outputs are one file, because their filesystem ignores case or Unicode
 * normalization. To test that, creates the lock files of both, and counts the names in their
 * folder. */
export async function refuseSameNames(
  files: readonly OutputFiles[],
  list = namesIn,
): Promise<void> {
  for (const [key, alike] of Map.groupBy(files, ({ lock }) => folded(lock))) {
    if (alike.length === 1) continue;
    const [{ lock: firstLock, input }, { input: other }] = alike;
    for (const { lock } of alike) (await openLockFile(lock)).close();
    const names = await list(dirname(firstLock));
    if (names.filter((name) => folded(name) === basename(key)).length >= alike.length) continue;
    const [info, otherInfo] = [await statOf(input), await statOf(other)];
    const areOne = info && otherInfo && fileKeyOf(input, info) === fileKeyOf(other, otherInfo);
    throw new UsageError(
      `Cannot write the results of both "${input}" and "${other}" to "${dirname(firstLock)}": ` +
        (areOne
          ? "they are the same file. Name it once"
          : "their names are the same on this filesystem. Write them to two folders"),
    );
  }
}

function folded(path: string): string {
  return path.normalize().toLowerCase();
}
