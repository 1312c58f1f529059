/** One run over files, from the claim on its outputs to the summary. @module */

import { Engine } from "../engine/mod.ts";
import { type SinkError, UsageError } from "../errors.ts";
import type { Summary } from "../progress/mod.ts";
import { engineOptions, type RunContext } from "./active_run.ts";
import { addStartNotices, type Preview, previewOf, RunNotices } from "./notices.ts";
import { lineFormat } from "./resolve_options.ts";
import { identityOf } from "./run_file.ts";
import { Jobs, makeJobs, type RunSetup } from "./jobs.ts";
import type { RunOptions } from "./options.ts";
import { DisplacedAnswers, OutputWatch, StalledOutputs } from "./unwritable_outputs.ts";
import { refuseProblems } from "./input_report.ts";
import { crashWarning, Heartbeat, LiveStatus } from "./live_status.ts";
import { retryIdsOf, UidSelection } from "./retry.ts";
import { resolveRunOptions } from "./run_options.ts";
import { lastModelsOf, tryReplace } from "../sink/mod.ts";

/** Executes or previews one run. An instance can be used once. */
export class Run {
  readonly #setup: RunSetup;
  readonly #started = new Date();
  #jobs: Jobs;
  #engine: Engine | undefined;
  #heartbeat: Heartbeat | undefined;
  #outputWatch: OutputWatch | undefined;
  #status: LiveStatus | undefined;
  /** What has ended the run without a summary. */
  #error: unknown;
  #summary: Summary | undefined;
  readonly stalledOutputs: StalledOutputs;
  readonly #displacedAnswers: DisplacedAnswers;

  constructor(context: RunContext, runOptions: RunOptions) {
    const { generator, activeRun } = context;
    const options = resolveRunOptions(runOptions, generator);
    const { finalMessages, think, shard, uids, excludeUids } = options;
    const identity = identityOf({ ...generator, finalMessages, think, shards: shard?.count });
    const notices = new RunNotices(activeRun.progress);
    this.#setup = {
      ...{ context, options, identity, notices },
      selection: new UidSelection(uids, excludeUids),
      retryIds: retryIdsOf(options, generator, identity),
      signal: activeRun.stopController.signal,
    };
    this.#jobs = new Jobs(this.#setup);
    this.stalledOutputs = new StalledOutputs(notices, () => this.#engine);
    this.#displacedAnswers = new DisplacedAnswers(notices);
  }

  execute(): Promise<Summary> {
    return this.#displacedAnswers.after(this.#execute());
  }

  async #execute(): Promise<Summary> {
    const { signal, notices } = this.#setup;
    try {
      this.#jobs = await makeJobs(this.#setup, { writes: true });
      await this.#jobs.each((job) => job.checkReadable());
      await this.#reportUnreadable();
      await this.#jobs.claim();
      await this.#jobs.refuseAnsweredElsewhere();
      const hasReadInputs = await this.#jobs.preflight();
      if (!hasReadInputs) return this.#emitSummary(this.#summarize({ hasReadInputs }));
      this.#refuseProblems();
      await this.#runEngine();
      return await this.#finish();
    } catch (error) {
      // The user has stopped the run while it found, divided or claimed files.
      if (signal.aborted && error === signal.reason) {
        return this.#emitSummary(this.#summarize({ hasReadInputs: false }));
      }
      this.#error = error;
      await this.#recordFailedStart(error);
      throw error;
    } finally {
      notices.start();
      this.#heartbeat?.stop(this.#jobs.missingLines + (this.#engine?.lostCalls ?? 0));
      await this.#outputWatch?.close();
      await this.#status?.end(this.#summary, this.#error);
      await this.#jobs.close((index) => this.stalledOutputs.has(index));
    }
  }

  async #recordFailedStart(error: unknown): Promise<void> {
    const { options: { shard }, signal } = this.#setup;
    const [job] = this.#jobs.list;
    const isFailedStart = this.#status === undefined && !signal.aborted;
    if (shard === undefined || job === undefined || !isFailedStart) return;
    const { recordFailedStart } = await import("./shard_run.ts");
    await recordFailedStart(job.files.results, shard, error);
  }

  /** Previews the run without making a call or changing anything on disk. */
  async preview(): Promise<Preview> {
    this.#jobs = await makeJobs(this.#setup, { writes: false });
    if (this.#setup.options.input.includes("-")) {
      throw new UsageError("Cannot preview standard input: name a file");
    }
    await this.#jobs.each(async (job) => {
      await job.checkReadable();
      await job.checkIdentity();
      await job.preflight();
    });
    this.#refuseProblems();
    addStartNotices(this.#setup, this.#jobs.findings);
    return previewOf(this.#setup, this.#jobs.findings);
  }

  async #reportUnreadable(): Promise<void> {
    if (this.#jobs.list.every(({ findings }) => findings.unreadable === undefined)) return;
    await this.#jobs.each(async (job) => {
      if (job.files.input !== "-") await job.preflight();
    });
    this.#refuseProblems();
  }

  #refuseProblems(): void {
    const { options, context: { generator: { mixedShapes } } } = this.#setup;
    // A shard of a small input, or beyond the limit, may have no rows.
    const allowEmpty = options.allowEmpty || options.shard !== undefined;
    refuseProblems(this.#jobs.findings, { ...options, mixedShapes, allowEmpty });
  }

  /** Prepares the outputs for more or fewer lanes. The engine's own limit is set separately. */
  setConcurrency(concurrency: number): void {
    for (const { sink } of this.#jobs.list) sink?.setConcurrency(concurrency);
  }

  async #openJobs(): Promise<void> {
    const { options, context, notices } = this.#setup;
    const { generator, activeRun, budget: { isPriced } } = context;
    const format = { ...lineFormat(generator, options), isPriced };
    const { isIdle } = this.#jobs;
    await this.#jobs.each((job) => job.makeRoom());
    const writing = this.#jobs.each((job) => job.writeRunFile(null, { isIdle }));
    const opening = this.#jobs.open((job, index) => ({
      format,
      concurrency: activeRun.concurrency,
      fsync: options.fsync ?? "always",
      keepsOutcomes: () => activeRun.hasOutcomeListeners,
      onDurable: (rows) => {
        job.settled(rows);
        activeRun.settled(rows);
      },
      onStall: (error) => this.stalledOutputs.add(index, job, error),
      onRecover: () => this.stalledOutputs.remove(index),
      onBroken: (error) => this.#stopForLostOutput(error),
      onRescue: (...file) => this.#displacedAnswers.add(job.files.results, ...file),
      onUnlocked: (path, reason) => {
        if (options.lock !== false) notices.warnUnlocked(path, reason, job.files.lock);
      },
    }));
    // Both promises wait for the disk. If one of them fails, the outputs must not be closed before
    // the other has ended.
    await Promise.allSettled([writing, opening]);
    await Promise.all([writing, opening]);
    await this.#jobs.syncNames();
    if (!isIdle) await tryReplace(this.#jobs.list[0].files.runJson);
  }

  async #runEngine(): Promise<void> {
    const { activeRun } = this.#setup.context;
    // The locks are checked before anything is deleted, and again afterwards, because another run
    // may have taken one in between.
    await this.#jobs.requireLocks();
    await this.#openJobs();
    await this.#jobs.requireLocks();
    this.#announceStart();
    const status = this.#status = await LiveStatus.open(this.#setup, this.#jobs);
    const outputWatch = this.#outputWatch = new OutputWatch(
      this.#jobs.watched,
      (error) => this.#stopForLostOutput(error),
    );
    const heartbeat = this.#heartbeat = new Heartbeat(this.#jobs.locks, {
      unwrittenRows: () => this.#engine?.unwritten ?? 0,
      ceiling: () => this.#engine?.limits.inFlight ?? activeRun.concurrency,
      onTick: () => {
        outputWatch.tick();
        status.tick(this.#engine);
      },
    });
    const engine = this.#engine = this.#makeEngine(heartbeat);
    activeRun.attach(engine);
    const { shard } = this.#jobs;
    // A shard without rows has a share of 0, which a budget does not accept.
    if (shard && shard.share > 0) activeRun.shareMaxCost(shard.share, status.spentBefore);
    status.applyShare(engine);
    await engine.run();
    await outputWatch.end();
  }

  #makeEngine(heartbeat: Heartbeat): Engine {
    const jobs = this.#jobs.list;
    return new Engine({
      ...engineOptions(this.#setup.context),
      onAttempt: (unwritten) => heartbeat.beforeAttempt(unwritten),
      source: this.#jobs.rows(),
      readsAhead: true,
      sink: {
        put: (outcome) => jobs[outcome.row.input].put(outcome),
        keep: (outcome) => jobs[outcome.row.input].keep(outcome),
      },
      lastModelOf: lastModelsOf(jobs.map(({ files }) => files.results)),
      isProven: jobs.some(({ findings }) => findings.succeeded > 0),
      hasAnsweredBefore: jobs.some(({ findings }) => findings.succeeded + findings.failed > 0),
      rowCount: this.#jobs.sum(({ plan }) => plan.toAsk),
    });
  }

  /** Starts no more calls. Calls in flight finish, because they are paid for. */
  #stopForLostOutput(error: SinkError): void {
    this.#setup.notices.add("warning", `${error.message}. Nothing more is sent`);
    this.#engine?.stop();
  }

  #announceStart(): void {
    const { notices, identity, context } = this.#setup;
    const { generator, activeRun: { progress, concurrency } } = context;
    addStartNotices(this.#setup, this.#jobs.findings);
    const { total, skipped, crashed_in_flight: crashed } = this.#jobs.counts();
    const pending = this.#jobs.sum(({ plan }) => plan.toAsk);
    if (crashed > 0 && pending > 0) notices.add("warning", crashWarning(crashed));
    progress.start({ total, skipped, toSend: pending });
    progress.emit({
      type: "run-start",
      time: this.#started.toISOString(),
      model: identity.model,
      teacher: generator.address,
      total,
      skipped,
      pending,
      concurrency,
      concurrency_is_auto: generator.isExploring,
    });
    notices.start();
  }

  async #finish(): Promise<Summary> {
    await this.#jobs.each((job) => job.tidy());
    const summary = this.#summarize({ hasReadInputs: true });
    const { isIdle } = this.#jobs;
    await this.#jobs.each((job, index) => {
      // If each of 10,000 run files listed the files of all inputs, they would take 20 GB.
      const files = this.#jobs.areMany ? [summary.files[index]] : summary.files;
      return job.writeRunFile({ ...summary, files }, { isIdle });
    });
    await this.#jobs.syncNames();
    return this.#emitSummary(summary);
  }

  /** Emits the last snapshot, and then the summary as the last event. */
  #emitSummary(summary: Summary): Summary {
    const { notices, context: { activeRun: { progress } } } = this.#setup;
    notices.start();
    progress.stop();
    progress.emit(summary);
    this.#summary = summary;
    return summary;
  }

  #summarize({ hasReadInputs }: { hasReadInputs: boolean }): Summary {
    const { remaining } = this.#jobs;
    const haltReason = remaining > 0 ? this.#engine?.haltReason : undefined;
    const { signal, context: { activeRun } } = this.#setup;
    const isInterrupted = signal.aborted && (!hasReadInputs || remaining > 0);
    return activeRun.progress.summary({
      state: haltReason !== undefined ? "halted" : isInterrupted ? "interrupted" : "done",
      reason: haltReason ?? null,
      started: this.#started.toISOString(),
      ...this.#jobs.counts(),
    });
  }
}
