/**
 * All inputs of a run together: a job for each file, or the one of a shard.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { SummaryParts } from "../progress/mod.ts";
import type { Row } from "../row.ts";
import type { Shard } from "../shards/mod.ts";
import type { UidSelection } from "./admission.ts";
import type { RunContext, RunNotices } from "./context.ts";
import type { Preflight } from "./findings.ts";
import { crashedInFlight } from "./heartbeat.ts";
import { findInputs } from "./inputs.ts";
import { Job } from "./job.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import { type OutputFiles, outputFilesOf } from "./outputs.ts";
import { rowParserOf } from "./resolve_options.ts";
import type { Identity } from "./run_file.ts";
import type { ShardFiles } from "./own_shard.ts";

/** What the jobs of a run are made with. */
export interface JobsOptions {
  /** What the generator hands to the run. */
  readonly context: RunContext;
  /** What the run was told. */
  readonly options: ResolvedRunOptions;
  /** The answers that the user has chosen. */
  readonly chosen: UidSelection;
  /** What the answers are made with. */
  readonly identity: Identity;
  /** Where notices go. */
  readonly notices: RunNotices;
  /** Whether the run may write: a preview pins no borders of shards. */
  readonly writes: boolean;
}

/** The jobs of one run, in the order of its inputs. */
export class Jobs {
  /** One for each input, or the one of the shard. */
  readonly list: readonly Job[];
  /** The files of the shard, where the run is one. */
  readonly shard: ShardFiles | undefined;

  constructor(list: readonly Job[] = [], shard?: ShardFiles) {
    this.list = list;
    this.shard = shard;
  }

  /** The inputs as they were named. */
  get inputs(): string[] {
    return this.list.map(({ files }) => files.input);
  }

  /** What the first pass found in each. */
  get found(): Preflight[] {
    return this.list.map(({ found }) => found);
  }

  /** Adds a count of the first pass up over all inputs. */
  sum(countOf: (found: Preflight) => number): number {
    return sum(this.found, countOf);
  }

  /** Makes the first pass over all inputs; false when the signal has ended it before it was through. */
  async look(signal: AbortSignal, stdin?: ReadableStream<Uint8Array>): Promise<boolean> {
    try {
      await this.#readStandardInput(stdin);
      for (const job of this.list) await job.look();
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

  /** What is planned and not on disk yet. */
  get left(): number {
    return sum(this.list, (job) => job.left);
  }

  /** Lines that may not be in the output files. */
  get missingLines(): number {
    return sum(this.list, (job) => job.missingLines);
  }

  /** The rows to send, input by input. */
  async *rows(): AsyncGenerator<Row[]> {
    for (const [index, job] of this.list.entries()) yield* job.rows(index);
  }

  /** What the summary says of rows and files. */
  counts(): Omit<SummaryParts, "state" | "reason" | "started"> {
    const files = this.list.map((job) => job.summary());
    const total = this.sum((found) => found.total);
    return {
      total,
      skipped: total - this.sum(({ plan }) => plan.toAsk),
      pending: sum(files, (file) => file.pending),
      failuresOnDisk: sum(files, (file) => file.failed),
      crashedInFlight: crashedInFlight(this.list.map(({ lock }) => lock?.previous)),
      badRows: this.sum(({ bad }) => bad.count),
      mergedDuplicates: this.sum(({ merged }) => merged),
      files,
    };
  }
}

/** Finds the inputs and makes their jobs. Nothing is read yet but the names. */
export async function makeJobs(options: JobsOptions): Promise<Jobs> {
  const inputs = await findInputs(options.options.input);
  for (const note of inputs.notes) options.notices.add("info", note);
  const { shard, output } = options.options;
  if (shard === undefined) {
    const files = await outputFilesOf(inputs.files, output);
    return new Jobs(files.map((one) => jobOf(options, one)));
  }
  const own = await shardFiles(inputs.files, shard, options);
  return new Jobs([jobOf(options, own.files, own.limit)], own);
}

function jobOf(
  { context: { generator, signal }, options, chosen, identity, notices }: JobsOptions,
  files: OutputFiles,
  limit?: number,
): Job {
  return new Job(files, {
    limit,
    options,
    chosen,
    parserOf: (order) => rowParserOf(generator, order),
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

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
