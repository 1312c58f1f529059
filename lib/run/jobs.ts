/**
 * All inputs of a run: one job for each file, or a single one for a shard or for several files that
 * share an output.
 *
 * Up to 64 outputs stay open, each with its own lock. More outputs share one lock, and their files
 * are opened when lines come for them: 10,000 outputs need 300 open files.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { SummaryParts } from "../progress/mod.ts";
import type { Row } from "../row.ts";
import { type Lock, OpenFiles, SharedLock, type SinkOptions, syncFolderOf } from "../sink/mod.ts";
import type { Shard } from "../shards/mod.ts";
import type { UidSelection } from "./admission.ts";
import type { JobContext, RunContext, RunNotices } from "./context.ts";
import type { Findings } from "./findings.ts";
import { crashedInFlight } from "./heartbeat.ts";
import { findInputs } from "./inputs.ts";
import { Job } from "./job.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import type { WatchedOutput } from "./unwritable_outputs.ts";
import { makeFolders, type OutputFiles, outputFilesOf, refuseDivided } from "./outputs.ts";
import { rowParserOf } from "./resolve_options.ts";
import type { Identity } from "./run_file.ts";
import type { ShardFiles } from "./own_shard.ts";
import { sumOf } from "../figures.ts";

/** What `makeJobs` needs of a run. */
export interface JobsOptions {
  readonly context: RunContext;
  readonly options: ResolvedRunOptions;
  readonly selection: UidSelection;
  readonly identity: Identity;
  readonly notices: RunNotices;
  /** False for a preview, which does not pin the borders of shards. */
  readonly writes: boolean;
}

/** Maximum number of outputs that all stay open: each takes a lock, and two handles on each of its
 * two files. */
const MAX_KEPT_OPEN = 64;
/** With more outputs: the most files that are open at once, with two handles each. */
const MAX_OPEN_FILES = 96;
/** With more outputs: for how many `each` works at once. Each waits for the disk most of the time. */
const MAX_CONCURRENT_JOBS = 16;

/** The jobs of one run, in the order of its inputs. Call `close` after use. */
export class Jobs {
  readonly list: readonly Job[];
  /** Set if the run is a shard. */
  readonly shard: ShardFiles | undefined;
  #sharedLock: SharedLock | undefined;
  #openFiles: OpenFiles | undefined;

  constructor(list: readonly Job[] = [], shard?: ShardFiles) {
    this.list = list;
    this.shard = shard;
  }

  /** As the user named them. */
  get inputs(): string[] {
    return this.list.map(({ files }) => files.input);
  }

  /** What the first pass found in each input. */
  get findings(): Findings[] {
    return this.list.map(({ findings }) => findings);
  }

  /** Whether there are more outputs than stay open. */
  get areMany(): boolean {
    return this.list.length > MAX_KEPT_OPEN;
  }

  /** The locks that note the calls in flight. */
  get locks(): Lock[] {
    if (this.#sharedLock !== undefined) return [this.#sharedLock.lock];
    return this.list.flatMap(({ lock }) => lock ?? []);
  }

  /** What to check for changes by other programs while the run writes. */
  get watched(): readonly WatchedOutput[] {
    const files = this.#openFiles, shared = this.#sharedLock;
    if (files === undefined) return this.list;
    return [{
      check: async (isLast) => await files.check(isLast) ?? await shared?.lock.check(),
      moveAway: (paths) => files.moveAway(paths),
    }];
  }

  /**
   * Calls `work` for each job: one after the other, or several at once if there are many. After an
   * error, calls it for no further job, and throws once all calls have ended.
   */
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

  /** Takes the locks and repairs what a crash left. */
  async claim({ lock: required }: Pick<ResolvedRunOptions, "lock">): Promise<void> {
    const files = this.list.map((job) => job.files);
    await makeFolders(files);
    if (this.areMany) {
      this.#sharedLock = await SharedLock.acquire(files.map(({ lock }) => lock), { required });
    }
    await this.each((job) => job.claim(this.#sharedLock));
  }

  /** Opens all outputs for writing; many are created here and opened when lines come for them. */
  async open(optionsOf: (job: Job, index: number) => SinkOptions): Promise<void> {
    if (this.areMany) this.#openFiles = new OpenFiles(MAX_OPEN_FILES);
    await this.each((job, index) => job.open(optionsOf(job, index), this.#openFiles));
    if (this.areMany) await syncFolderOf(this.list[0].files.results);
  }

  /**
   * Closes all files, also after an error. An output that waits for disk space (`isStalled`) gives
   * up its lines.
   */
  async close(isStalled: (index: number) => boolean): Promise<void> {
    using _shared = this.#sharedLock;
    await this.each((job, index) => job.close({ abandon: isStalled(index) }));
  }

  /** Sums a count of the first pass over all inputs. */
  sum(countOf: (findings: Findings) => number): number {
    return sumOf(this.findings, countOf);
  }

  /** Runs the first pass over all inputs; returns false if the signal ended it early. */
  async preflight(signal: AbortSignal, stdin?: ReadableStream<Uint8Array>): Promise<boolean> {
    try {
      await this.#readStandardInput(stdin);
      await this.each((job) => job.preflight());
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  async #readStandardInput(stdin: ReadableStream<Uint8Array> | undefined): Promise<void> {
    const job = this.list.find(({ files }) => files.input === "-");
    if (job === undefined) return;
    if (stdin === undefined) throw new UsageError('Cannot read "-": no standard input was given');
    await job.spool(stdin);
  }

  /** Planned answers and bad lines that are not on disk yet. */
  get remaining(): number {
    return sumOf(this.list, (job) => job.remaining);
  }

  /** The number of lines that may not be in the output files. */
  get missingLines(): number {
    return sumOf(this.list, (job) => job.missingLines);
  }

  /** Batches of the rows to send, input by input. */
  async *rows(): AsyncGenerator<Row[]> {
    for (const [index, job] of this.list.entries()) yield* job.rows(index);
  }

  /** The counts of rows and files for the summary. */
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

/**
 * Finds the inputs and creates their jobs. Reads only the names of files, unless a shard must
 * find its borders.
 */
export async function makeJobs(options: JobsOptions): Promise<Jobs> {
  const inputs = await findInputs(options.options.input);
  for (const note of inputs.notes) options.notices.add("info", note);
  const { shard, output } = options.options;
  if (shard === undefined) {
    const files = await outputFilesOf(inputs.files, output);
    await refuseDivided(options.options.input, output, files);
    const parserOf = parsersOf(options);
    const keepsRows = options.writes && files.length === 1;
    const jobs = files.map((ofInput) => jobOf(options, ofInput, parserOf, { keepsRows }));
    return new Jobs(jobs);
  }
  const own = await shardFiles(inputs.files, shard, options);
  const ownContext = { limit: own.limit, keepsRows: options.writes };
  return new Jobs([jobOf(options, own.files, parsersOf(options), ownContext)], own);
}

/** The row parsers that all inputs share: one for each value of `uidFieldLast`. */
function parsersOf({ context: { generator } }: JobsOptions): JobContext["parserOf"] {
  const parsers = [false, true].map((uidFieldLast) => rowParserOf(generator, { uidFieldLast }));
  return ({ uidFieldLast }) => parsers[Number(uidFieldLast)];
}

function jobOf(
  { context: { generator, signal }, options, selection, identity, notices }: JobsOptions,
  files: OutputFiles,
  parserOf: JobContext["parserOf"],
  own: Pick<JobContext, "limit" | "keepsRows">,
): Job {
  return new Job(files, {
    ...own,
    options,
    selection,
    parserOf,
    imagesRoot: generator.imagesRoot,
    acceptsEndings: (generator.acceptEndings?.length ?? 0) > 0,
    format: generator,
    duplicates: generator.duplicates,
    samples: generator.samples,
    identity,
    notice: (level, message) => notices.add(level, message),
    signal,
  });
}

async function shardFiles(
  files: readonly string[],
  shard: Shard,
  { context: { generator, signal }, options, writes }: JobsOptions,
): Promise<ShardFiles> {
  const { shardFilesOf } = await import("./own_shard.ts");
  const { input: named, output, limit, lock } = options;
  const { inputFormat, jsonColumns, binaryColumns } = generator;
  return await shardFilesOf({
    named,
    files,
    output,
    shard,
    limit,
    input: { inputFormat, jsonColumns, binaryColumns },
    writes,
    needsLock: lock,
    signal,
  });
}
