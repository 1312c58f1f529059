/**
 * One run of a generator, or one `generate()`, from its preparation to its end.
 *
 * @module
 */

import type { Engine } from "../engine/mod.ts";
import type { Budget } from "../engine/answers/mod.ts";
import {
  type Gauges,
  type Listeners,
  Progress,
  type RunListener,
  type RunState,
} from "../progress/mod.ts";
import type { FinishedRow, Outcome } from "../row.ts";
import { prepare, type Prepared } from "./context.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import type { Run } from "./run.ts";
import { after } from "../timer.ts";

/** Called with outcomes once they are on disk, or taken by the consumer. */
export type OutcomeListener = (outcomes: readonly Outcome[]) => void;

/** Controls the engine of one run or `generate()`, and passes on its progress and outcomes. */
export class ActiveRun {
  /** Counts rows and attempts, and informs the listeners. */
  readonly progress: Progress;
  /** Aborting it ends the preparation. */
  readonly preparing = new AbortController();
  /** Set if this is a run over files. */
  run: Run | undefined;
  readonly #options: ResolvedOptions;
  readonly #outcomeListeners: Listeners<readonly Outcome[]>;
  #concurrency: number;
  /** As the user set it: for a shard, the limit of all shards together. */
  #maxCostUsd: number | null;
  /** The part of the limit that this run may use, from 0 to 1. */
  #costShare = 1;
  /** US dollars that earlier runs have spent of that part. */
  #spentBefore = 0;
  #budget: Budget | undefined;
  #checks: Disposable | undefined;
  #engine: Engine | undefined;
  #isPaused = false;
  #cancelDeadline: (() => void) | undefined;
  #stopFollowing: (() => void) | undefined;

  constructor(
    options: ResolvedOptions,
    parts: {
      concurrency: number;
      maxCostUsd: number | null;
      listeners: Iterable<RunListener>;
      outcomeListeners: Listeners<readonly Outcome[]>;
    },
  ) {
    this.#options = options;
    this.#concurrency = parts.concurrency;
    this.#outcomeListeners = parts.outcomeListeners;
    this.#maxCostUsd = parts.maxCostUsd;
    this.progress = new Progress({
      concurrency: parts.concurrency,
      isExploring: options.isExploring,
      updateInterval: options.updateInterval,
      gauges: () => this.#gauges(),
    });
    for (const listener of parts.listeners) this.progress.on(listener);
  }

  get state(): RunState {
    return this.#engine?.state ?? "preparing";
  }

  /** Whether the price of every teacher is known. */
  get isPriced(): boolean {
    return (this.#budget?.costUsd ?? null) !== null;
  }

  /**
   * Prepares checks, prices and budget.
   *
   * @throws {UsageError} when an option cannot be used
   */
  async prepare(): Promise<Prepared> {
    const prepared = await prepare(this.#options, this.#maxCostUsd);
    // The cost limit may have been changed meanwhile.
    prepared.budget.setMaxCost(this.#shareOf(this.#maxCostUsd));
    this.#budget = prepared.budget;
    this.#checks = prepared.checks;
    return prepared;
  }

  /**
   * Takes the engine, and applies to it what was requested before it existed. Starts the deadline,
   * and follows the list of teachers.
   */
  attach(engine: Engine): void {
    this.#engine = engine;
    if (this.#isPaused) engine.closeGate("pause");
    if (this.preparing.signal.aborted) engine.stop();
    this.#followTeachers(engine);
    const { deadlineMs } = this.#options;
    if (deadlineMs === undefined) return;
    const reason = `The deadline of ${deadlineMs / 1_000} s (--deadline) is reached`;
    this.#cancelDeadline = after(deadlineMs, () => engine.halt(reason));
  }

  #followTeachers(engine: Engine): void {
    const { teacherList } = this.#options;
    if (teacherList === undefined) return;
    const notice = (level: "info" | "warning", message: string) =>
      this.progress.notice(level, message);
    this.#stopFollowing = teacherList.watch(({ joined, left, changed = [] }) => {
      // New teachers first: a run without any teacher ends.
      for (const place of joined) engine.addTeacher(this.#options.endpointOf(place));
      for (const teacher of left) engine.removeTeacher(teacher);
      for (const place of changed) engine.changeTeacher(this.#options.endpointOf(place));
      this.progress.stateChanged();
    }, notice);
  }

  /** Whether a listener wants the outcomes of rows. */
  get keepsOutcomes(): boolean {
    return this.#outcomeListeners.count > 0;
  }

  /**
   * Called with rows that are finished: their lines are on disk, or the consumer has taken them.
   */
  settled(rows: readonly FinishedRow[]): void {
    this.progress.settled(rows);
    if (!this.keepsOutcomes) return;
    const outcomes = rows.map(({ outcome }) => outcome).filter((outcome) => outcome !== undefined);
    if (outcomes.length > 0) this.#outcomeListeners.emit(outcomes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#engine?.closeGate("pause");
  }

  resume(): void {
    this.#isPaused = false;
    this.#engine?.openGate("pause");
  }

  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency;
    if (this.run !== undefined) this.run.setConcurrency(concurrency);
    else this.#engine?.setConcurrency(concurrency);
    this.progress.stateChanged();
  }

  /**
   * Sets the cost limit in US dollars, for a shard that of all shards together; null removes it. A
   * run that has already cost this much is halted.
   */
  setMaxCost(usd: number | null): void {
    this.#budget?.setMaxCost(this.#shareOf(usd));
    this.#maxCostUsd = usd;
    const reason = this.#budget?.exhaustedReason;
    if (reason !== undefined) this.#engine?.halt(reason);
    this.progress.stateChanged();
  }

  /**
   * For a shard: limits the run to a share of the cost limit, from 0 to 1. `spentBefore` is what
   * the shard's earlier runs have already spent of that share, in US dollars.
   */
  shareMaxCost(share: number, spentBefore: number): void {
    this.#budget?.countEarlierRuns(spentBefore);
    this.#costShare = share;
    this.#spentBefore = spentBefore;
    this.setMaxCost(this.#maxCostUsd);
  }

  #shareOf(usd: number | null): number | null {
    return usd === null ? null : usd * this.#costShare;
  }

  /** What this run may cost: for a shard, what its earlier runs have left of its share. */
  get #runMaxCostUsd(): number | null {
    const usd = this.#shareOf(this.#maxCostUsd);
    return usd === null ? null : Math.max(0, usd - this.#spentBefore);
  }

  /**
   * The cost limit at or below which this run ends: its share of that limit is spent then. For a
   * shard without a share, what it has cost.
   */
  get #minBudgetUsd(): number | null {
    const costUsd = this.#budget?.costUsd ?? null;
    if (costUsd === null || this.#costShare === 0) return costUsd;
    return (costUsd + this.#spentBefore) / this.#costShare;
  }

  /** Finishes what is in flight and starts nothing more. */
  stop(): void {
    this.preparing.abort();
    this.#engine?.stop();
  }

  /** `stop()`, and aborts the calls in flight. */
  abort(reason?: unknown): void {
    this.preparing.abort(reason);
    this.#engine?.abort(reason);
    this.run?.giveUp();
  }

  /** Called when the run has ended: stops timers, the teacher list's watcher and the checks. */
  end(): void {
    this.#cancelDeadline?.();
    this.#stopFollowing?.();
    this.#checks?.[Symbol.dispose]();
    this.progress.stop();
  }

  #gauges(): Gauges {
    const engine = this.#engine;
    const { backoff, limits } = engine ?? {};
    return {
      state: this.state,
      inFlight: engine?.inFlight ?? 0,
      waiting: engine?.waiting ?? 0,
      concurrency: this.#concurrency,
      limit: limits?.inFlight ?? this.#concurrency,
      maxPerSecond: limits?.perSecond ?? Infinity,
      backingOffUntil: backoff?.until ?? null,
      reason: engine?.haltReason ?? backoff?.reason ?? null,
      costUsd: this.#budget?.costUsd ?? null,
      maxCostUsd: this.#runMaxCostUsd,
      budgetUsd: this.#maxCostUsd,
      minBudgetUsd: this.#minBudgetUsd,
      teachers: () => engine?.teacherStatuses() ?? [],
    };
  }
}
