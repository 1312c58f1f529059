/**
 * One run over files, from the claim on its outputs to the summary.
 *
 * @module
 */

import { Engine } from "../engine/mod.ts";
import { type SinkError, UsageError } from "../errors.ts";
import type { Summary } from "../progress/mod.ts";
import type { Row } from "../row.ts";
import { engineOptions, lineFormat, type RunContext, RunNotices } from "./context.ts";
import { crashedInFlight, Ground, Heartbeat } from "./heartbeat.ts";
import { type Identity, identityOf, runFileOf, writeRunFile } from "./run_file.ts";
import { Job } from "./job.ts";
import { type ResolvedRunOptions, resolveRunOptions } from "./option_rules.ts";
import type { RunOptions } from "./options.ts";
import type { Preflight } from "./findings.ts";
import { makeFolders, type OutputFiles, outputFilesOf } from "./outputs.ts";
import { type Preview, previewOf, startNotices } from "./preview.ts";
import { readAhead } from "./planned_rows.ts";
import { rowParserOf } from "./resolve_options.ts";
import { checkInput } from "./input_problems.ts";
import { findInputs } from "./inputs.ts";
import type { Shard } from "../shards/mod.ts";
import type { Fleet } from "./fleet.ts";
import type { ShardFiles } from "./shard_files.ts";
import { readStatus, StatusFile, statusPathOf } from "./status_file.ts";
import { UidSelection, unmetUidsWords } from "./admission.ts";

/** A run over files. */
export class Run {
  readonly #context: RunContext;
  readonly #options: ResolvedRunOptions;
  readonly #chosen: UidSelection;
  readonly #identity: Identity;
  readonly #started = new Date();
  readonly #notices: RunNotices;
  #jobs: Job[] = [];
  #engine: Engine | undefined;
  #heartbeat: Heartbeat | undefined;
  #ground: Ground | undefined;
  #shard: ShardFiles | undefined;
  #status: StatusFile | undefined;
  #summary: Summary | undefined;
  #fleet: Fleet | undefined;
  /** US dollars that earlier runs of the shard have spent. */
  #spentBefore = 0;
  #concurrency: number;
  /** Inputs whose disk takes nothing at the moment. */
  readonly #stalled = new Set<number>();
  #hasGivenUp = false;

  /** Nothing is touched yet. */
  constructor(context: RunContext, options: RunOptions) {
    this.#context = context;
    this.#notices = new RunNotices(context.progress);
    this.#options = resolveRunOptions(options);
    this.#chosen = new UidSelection(options.uids, options.excludeUids);
    const { generator } = context;
    this.#concurrency = generator.concurrency;
    this.#identity = identityOf({
      ...generator,
      finalMessages: options.finalMessages ?? false,
      think: options.think ?? "wrap",
      shards: options.shard?.count,
    });
    if (options.shard !== undefined && generator.duplicates === "keep") {
      throw new UsageError(
        "Cannot use --duplicates keep with --shard: copies are numbered over the whole input",
      );
    }
  }

  /** Makes the run. Rejects when it cannot be started, or when its output cannot be kept. */
  async execute(): Promise<Summary> {
    try {
      this.#jobs = await this.#makeJobs({ writes: true });
      for (const job of this.#jobs) await job.checkInput();
      if (this.#jobs.some(({ found }) => found.unreadable !== undefined)) await this.#refuse();
      await makeFolders(this.#jobs.map((job) => job.files));
      for (const job of this.#jobs) await job.claim();
      if (!(await this.#look())) return this.#tell(this.#summarise({ isReady: false }));
      this.#checkInput();
      await this.#work();
      return await this.#finish();
    } finally {
      this.#notices.start();
      const missing = sum(this.#jobs, ({ missingLines }) => missingLines);
      this.#heartbeat?.stop(missing + (this.#engine?.lostCalls ?? 0));
      await this.#ground?.close();
      await this.#status?.end(this.#summary);
      for (const [index, job] of this.#jobs.entries()) {
        await job.close({ abandon: this.#stalled.has(index) });
      }
    }
  }

  /** Says what the run would do, without a call and without a change on disk. */
  async preview(): Promise<Preview> {
    this.#jobs = await this.#makeJobs({ writes: false });
    if (this.#options.input.includes("-")) {
      throw new UsageError("Cannot try out standard input: name a file");
    }
    for (const job of this.#jobs) {
      await job.checkInput();
      await job.checkIdentity();
      await job.look();
    }
    this.#checkInput();
    return previewOf(this.#context, this.#inputs, this.#found);
  }

  /** Tells what is wrong with all inputs where one of them cannot be read. */
  async #refuse(): Promise<void> {
    for (const job of this.#jobs) {
      if (job.files.input !== "-") await job.look();
    }
    this.#checkInput();
  }

  #checkInput(): void {
    const { mixedShapes } = this.#context.generator;
    // A shard of a small input, or behind the limit, may have no rows.
    const allowEmpty = this.#options.allowEmpty || this.#options.shard !== undefined;
    checkInput(this.#found, { ...this.#options, input: this.#inputs, mixedShapes, allowEmpty });
  }

  /** From now on the run ends rather than wait for a full disk. */
  giveUp(): void {
    this.#hasGivenUp = true;
    for (const index of this.#stalled) this.#jobs[index].sink.abandon();
  }

  /** Follows the concurrency of the generator. */
  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency;
    if (this.#engine === undefined) return;
    for (const job of this.#jobs) job.sink.setConcurrency(concurrency);
    this.#engine.setConcurrency(concurrency);
  }

  async #makeJobs({ writes }: { writes: boolean }): Promise<Job[]> {
    const inputs = await findInputs(this.#options.input);
    for (const note of inputs.notes) this.#notices.add("info", note);
    const files = this.#options.shard === undefined
      ? (await outputFilesOf(inputs.files, this.#options.output)).map((one) => ({ files: one }))
      : [this.#shard = await this.#shardFiles(inputs.files, this.#options.shard, writes)];
    const { generator, signal } = this.#context;
    return files.map(({ files: one, limit }: { files: OutputFiles; limit?: number }) =>
      new Job(one, {
        limit,
        options: this.#options,
        chosen: this.#chosen,
        parserOf: (order) => rowParserOf(generator, order),
        imagesRoot: generator.imagesRoot,
        acceptsEndings: (generator.acceptEndings?.length ?? 0) > 0,
        format: generator,
        duplicates: generator.duplicates,
        samples: generator.samples,
        identity: this.#identity,
        notice: (level, message) => this.#notices.add(level, message),
        signal,
      })
    );
  }

  async #shardFiles(files: readonly string[], shard: Shard, writes: boolean): Promise<ShardFiles> {
    const { shardFilesOf } = await import("./shard_files.ts");
    const { input: named, output, limit, lock } = this.#options;
    const { generator: input, signal } = this.#context;
    const { inputFormat, jsonColumns, binaryColumns } = input;
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

  /** The first pass over all inputs; false when it was ended before it was through. */
  async #look(): Promise<boolean> {
    const { signal } = this.#context;
    try {
      await this.#readStandardInput();
      for (const job of this.#jobs) await job.look();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  async #readStandardInput(): Promise<void> {
    const job = this.#jobs.find(({ files }) => files.input === "-");
    if (job === undefined) return;
    if (this.#options.stdin === undefined) {
      throw new UsageError('Cannot read "-": no standard input was given');
    }
    await job.spool(this.#options.stdin);
  }

  async #work(): Promise<void> {
    const { generator, onSettled, onEngine, shareMaxCost } = this.#context;
    const isPriced = this.#context.prepared.budget.costUsd !== null;
    const format = { ...lineFormat(generator, this.#options), isPriced };
    for (const [index, job] of this.#jobs.entries()) {
      await job.makeRoom();
      await this.#writeRunFile(job, null);
      await job.open({
        format,
        concurrency: this.#concurrency,
        fsync: this.#options.fsync ?? "always",
        onDurable: (outcomes) => {
          job.settled(outcomes);
          onSettled(outcomes);
        },
        onStall: (error) => this.#onStall(index, error),
        onRecover: () => this.#onRecover(index),
        onBroken: (error) => this.#engine?.abort(error),
      });
    }
    this.#announce();
    const status = await this.#openStatus();
    const ground = this.#ground = new Ground(this.#jobs, (error) => this.#loseGround(error));
    const heartbeat = new Heartbeat(this.#jobs.flatMap(({ lock }) => lock ?? []), {
      unwritten: () => this.#engine?.unwritten ?? 0,
      ceiling: () => this.#engine?.limit ?? this.#concurrency,
      onTick: () => {
        ground.tick();
        if (status.tick()) this.#takeShare();
      },
    });
    this.#heartbeat = heartbeat;
    const engine = new Engine({
      ...engineOptions(this.#context),
      onAttempt: (unwritten) => heartbeat.beforeAttempt(unwritten),
      source: readAhead(rowsOf(this.#jobs)),
      sink: {
        put: (outcome) => this.#jobs[outcome.row.input].sink.put(outcome),
        keep: (outcome) => this.#jobs[outcome.row.input].keep(outcome),
      },
      concurrency: this.#concurrency,
      isProven: this.#jobs.some(({ found }) => found.succeeded > 0),
      wasAnswered: this.#jobs.some(({ found }) => found.succeeded + found.failed > 0),
      rowCount: sum(this.#jobs, ({ found }) => found.plan.toAsk),
    });
    this.#engine = engine;
    onEngine(engine);
    if (this.#shard !== undefined) shareMaxCost(this.#shard.share, this.#spentBefore);
    this.#takeShare();
    await engine.run();
    await ground.end();
  }

  /** Says from now on where the run is, and counts what earlier runs of a shard have spent. */
  async #openStatus(): Promise<StatusFile> {
    const { progress, generator, prepared } = this.#context;
    const { results } = this.#jobs[0].files;
    const { shard } = this.#options;
    if (shard !== undefined) {
      const before = await readStatus(statusPathOf(results));
      this.#spentBefore = before?.spent_usd ?? 0;
      const isShared = generator.teachers.some(({ rpm, tpm }) => (rpm ?? tpm) !== undefined);
      if (isShared && this.#shard !== undefined) {
        const { Fleet } = await import("./fleet.ts");
        this.#fleet = new Fleet(this.#shard.stem, shard, shard.parallel ?? shard.count);
        await this.#fleet.look();
      }
    }
    const fleet = this.#fleet;
    const status = this.#status = new StatusFile(results, {
      snapshot: () => progress.snapshot(),
      model: this.#identity.model,
      shard,
      spentBefore: this.#spentBefore,
      share: fleet && (() => fleet.share),
      mode: this.#jobs[0].replacing.mode,
      isLedger: shard !== undefined && prepared.budget.maxCostUsd !== null,
    });
    // The others have to know of this shard before it sends.
    await status.write();
    return status;
  }

  /** Takes what other shards leave of the rate limits. */
  #takeShare(): void {
    const fleet = this.#fleet;
    if (fleet === undefined) return;
    this.#engine?.setRateShare(fleet.share);
    fleet.look().then((share) => this.#engine?.setRateShare(share), () => {});
  }

  /** Nothing more is sent; what is in flight is finished and kept. */
  #loseGround(error: SinkError): void {
    this.#notices.add("warning", `${error.message}. Nothing more is sent`);
    this.#engine?.stop();
  }

  #announce(): void {
    const { generator, progress } = this.#context;
    const found = this.#found;
    const { info, warnings } = startNotices(this.#context, this.#inputs, found);
    const { unmet } = this.#chosen;
    if (unmet.length > 0) this.#notices.add("warning", unmetUidsWords(unmet));
    for (const notice of info) this.#notices.add("info", notice);
    for (const notice of warnings) this.#notices.add("warning", notice);
    const total = sum(found, (one) => one.total);
    const pending = sum(found, ({ plan }) => plan.toAsk);
    progress.start({ total, skipped: total - pending });
    progress.emit({
      type: "run-start",
      time: this.#started.toISOString(),
      model: this.#identity.model,
      teacher: generator.address,
      total,
      skipped: total - pending,
      pending,
      concurrency: this.#concurrency,
      concurrency_is_auto: generator.isExploring,
    });
    this.#notices.start();
  }

  /** Nothing is sent while the disk is full; what is in flight is kept in memory. */
  #onStall(index: number, error: SinkError): void {
    this.#stalled.add(index);
    this.#engine?.closeGate(`disk ${index}`);
    this.#notices.add("warning", `${error.message}; nothing more is sent meanwhile`);
    if (this.#hasGivenUp) this.giveUp();
  }

  #onRecover(index: number): void {
    this.#stalled.delete(index);
    this.#notices.add("info", "The disk takes lines again: continuing");
    this.#engine?.openGate(`disk ${index}`);
  }

  async #finish(): Promise<Summary> {
    for (const job of this.#jobs) await job.tidy();
    const summary = this.#summarise({ isReady: true });
    for (const job of this.#jobs) await this.#writeRunFile(job, summary);
    return this.#tell(summary);
  }

  /** The last snapshot, and then the last event. */
  #tell(summary: Summary): Summary {
    const { progress } = this.#context;
    this.#notices.start();
    progress.stop();
    progress.emit(summary);
    this.#summary = summary;
    return summary;
  }

  #summarise({ isReady }: { isReady: boolean }): Summary {
    const found = this.#found;
    const files = this.#jobs.map((job) => job.summary());
    const total = sum(found, (one) => one.total);
    const toAsk = sum(found, ({ plan }) => plan.toAsk);
    const left = sum(this.#jobs, (job) => job.left);
    const haltReason = left > 0 ? this.#engine?.haltReason : undefined;
    const isInterrupted = this.#context.signal.aborted && (!isReady || left > 0);
    return this.#context.progress.summary({
      state: haltReason !== undefined ? "halted" : isInterrupted ? "interrupted" : "done",
      reason: haltReason ?? null,
      started: this.#started.toISOString(),
      total,
      skipped: total - toAsk,
      pending: sum(files, (file) => file.pending),
      failuresOnDisk: sum(files, (file) => file.failed),
      crashedInFlight: crashedInFlight(this.#jobs.map(({ lock }) => lock?.previous)),
      badRows: sum(found, (one) => one.bad.count),
      mergedDuplicates: sum(found, (one) => one.merged),
      files,
    });
  }

  async #writeRunFile(job: Job, summary: Summary | null): Promise<void> {
    const { before, files: { input, runJson }, samples, namedLast } = job;
    // A retry may have other parameters, and the command that it belongs to must continue as before.
    const keepsIdentity = Boolean(this.#options.retry) && !this.#options.allowMixed;
    const identity = keepsIdentity ? before?.identity ?? this.#identity : this.#identity;
    const uidFieldFirst = !namedLast;
    const parts = { input, identity, before, samples, uidFieldFirst, summary };
    await writeRunFile(runJson, runFileOf(this.#context.generator, parts), job.replacing);
  }

  get #inputs(): string[] {
    return this.#jobs.map(({ files }) => files.input);
  }

  get #found(): Preflight[] {
    return this.#jobs.map(({ found }) => found);
  }
}

async function* rowsOf(jobs: readonly Job[]): AsyncGenerator<Row[]> {
  for (const [index, job] of jobs.entries()) yield* job.rows(index);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
