/**
 * One run over files, or over the rows of `generate()` or `distill()`: creates checks, prices and
 * budget, and controls the engine.
 *
 * @module
 */

import { type Checks, createChecks } from "../checks/mod.ts";
import { AnswerPolicy, Budget } from "../engine/answers/mod.ts";
import type { Engine, EngineOptions } from "../engine/mod.ts";
import { UsageError } from "../errors.ts";
import { type Prices, pricesOf } from "../prices/mod.ts";
import { type Gauges, Listeners, Progress, type RunEvent, type RunState } from "../progress/mod.ts";
import type { FinishedRow, Outcome } from "../row.ts";
import { autoConcurrency, type ResolvedOptions } from "./resolve_options.ts";
import type { Run } from "./run.ts";
import { after } from "../timer.ts";

/** Called with outcomes that are on disk, or that the consumer has taken. */
export type OutcomeListener = (outcomes: readonly Outcome[]) => void;

export class ActiveRun {
  readonly progress: Progress;
  /** Aborted by `stop` and `abort`. Ends the preparation and the reading of rows. */
  readonly stopController = new AbortController();
  /** The run over files; undefined in a run over an iterable. */
  run: Run | undefined;
  readonly options: ResolvedOptions;
  readonly #outcomeListeners: Listeners<readonly Outcome[]>;
  #concurrency: number;
  /** The cost limit as it was set; for a shard, the limit of all shards together. */
  #budgetUsd: number | null;
  #budget: Budget | undefined;
  #checks: Checks | undefined;
  #engine: Engine | undefined;
  #isPaused = false;
  #cancelDeadline: (() => void) | undefined;
  #stopFollowing: (() => void) | undefined;

  constructor(
    options: ResolvedOptions,
    listeners = new Listeners<RunEvent>(),
    outcomeListeners = new Listeners<readonly Outcome[]>(),
  ) {
    this.options = options;
    this.#concurrency = options.concurrency;
    this.#outcomeListeners = outcomeListeners;
    this.#budgetUsd = options.maxCostUsd ?? null;
    this.progress = new Progress({
      concurrency: options.concurrency,
      isExploring: options.isExploring,
      updateInterval: options.updateInterval,
      gauges: () => this.#gauges(),
      listeners,
    });
  }

  get state(): RunState {
    return this.#engine?.state ?? "preparing";
  }

  get isPriced(): boolean {
    return this.#budget?.isPriced ?? false;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  /** Creates what the run needs. Until `end`, the caller's signal aborts the run. */
  async prepare(): Promise<RunContext> {
    const { signal } = this.options;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
    try {
      return await this.#createContext();
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      throw new UsageError(error.message, { cause: error });
    }
  }

  async #createContext(): Promise<RunContext> {
    const { options } = this, { maxCompletionTokens } = options;
    const teachers = options.teachers.map(({ teacher }) => teacher);
    const { priceOf, ratesOf, unpriced, notes } = await pricesOf(teachers, options);
    const maxCostUsd = this.#budgetUsd ?? undefined;
    const budget = new Budget({ priceOf, unpriced, maxCostUsd, maxCompletionTokens });
    this.#budget = budget;
    const { list: checks } = this.#checks = await createChecks(options);
    // The module is loaded on demand, because few runs need it.
    const { isRefusal } = options.rejectRefusals ? await import("../refusals.ts") : {};
    const policy = new AnswerPolicy({ ...options, isRefusal, checks });
    return { generator: options, activeRun: this, policy, budget, ratesOf, notes };
  }

  readonly #onAbort = (): void => this.abort(this.options.signal?.reason);

  /** Connects the engine with the teacher list, starts the deadline, and applies a pause or stop
   * that was requested before the engine existed. */
  attach(engine: Engine): void {
    this.#engine = engine;
    if (this.#isPaused) engine.closeGate("pause");
    if (this.stopController.signal.aborted) engine.stop();
    this.#followTeachers(engine);
    const { deadlineMs } = this.options;
    if (deadlineMs === undefined) return;
    const reason = `The deadline of ${deadlineMs / 1_000} s (--deadline) is reached`;
    this.#cancelDeadline = after(deadlineMs, () => {
      engine.halt(reason);
      this.run?.stalledOutputs.end("rescue");
    });
  }

  #followTeachers(engine: Engine): void {
    const { teacherList, teachers, isExploring } = this.options;
    if (teacherList === undefined) return;
    let count = teachers.length, maximum = autoConcurrency(count);
    this.#stopFollowing = teacherList.watch(({ joined, left, changed = [] }) => {
      // New teachers are added before others are removed. Otherwise, a run might briefly have no
      // teacher, and report that.
      for (const place of joined) engine.addTeacher(this.options.endpointOf(place));
      for (const teacher of left) engine.removeTeacher(teacher);
      for (const place of changed) engine.changeTeacher(this.options.endpointOf(place));
      count += joined.length - left.length;
      // A concurrency that was set during the run is kept.
      if (isExploring && this.#concurrency === maximum && autoConcurrency(count) > maximum) {
        this.setConcurrency(maximum = autoConcurrency(count));
      }
      this.progress.stateChanged();
    }, this.progress.notice.bind(this.progress));
  }

  get hasOutcomeListeners(): boolean {
    return this.#outcomeListeners.count > 0;
  }

  /** Called with rows whose lines are on disk, or whose outcomes the consumer has taken. */
  settled(rows: readonly FinishedRow[]): void {
    this.progress.settled(rows);
    if (!this.hasOutcomeListeners) return;
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
    this.run?.setConcurrency(concurrency);
    this.#engine?.setConcurrency(concurrency);
    this.progress.stateChanged();
  }

  /** Sets the cost limit in US dollars; null removes it. For a shard, this is the limit of all
   * shards together. Halts the run if it has already used up the limit or its share of it. */
  setMaxCost(usd: number | null): void {
    this.#budget?.setMaxCost(usd);
    this.#budgetUsd = usd;
    const reason = this.#budget?.exhaustedReason;
    if (reason !== undefined) this.#engine?.halt(reason);
    this.progress.stateChanged();
  }

  /** Limits a shard to `share` (above 0) of the cost limit. The shard's earlier runs have spent
   * `earlierCostUsd` of its share. Halts a shard that has spent its whole share. */
  shareMaxCost(share: number, earlierCostUsd: number): void {
    this.#budget?.setShare(share, earlierCostUsd);
    this.setMaxCost(this.#budgetUsd);
  }

  /** Finishes calls in flight and starts no others. */
  stop(): void {
    this.stopController.abort();
    this.#engine?.stop();
  }

  /** Like `stop()`, but also aborts the calls in flight. */
  abort(reason?: unknown): void {
    this.stopController.abort(reason);
    this.#engine?.abort(reason);
    this.run?.stalledOutputs.end("abandon");
  }

  end(): void {
    this.options.signal?.removeEventListener("abort", this.#onAbort);
    this.#cancelDeadline?.();
    this.#stopFollowing?.();
    this.#checks?.[Symbol.dispose]();
    this.progress.stop();
  }

  #gauges(): Gauges {
    const engine = this.#engine, budget = this.#budget;
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
      costUsd: budget?.costUsd ?? null,
      // For a shard, this is the part of its share that its earlier runs have not spent.
      maxCostUsd: budget === undefined ? this.#budgetUsd : budget.remainingCostUsd,
      budgetUsd: this.#budgetUsd,
      minBudgetUsd: budget?.usedUpMaxCostUsd ?? null,
      teachers: () => engine?.teacherStatuses() ?? [],
    };
  }
}

/** The result of `ActiveRun.prepare`. */
export interface RunContext {
  /** The options from which the other fields were created. */
  readonly generator: ResolvedOptions;
  readonly activeRun: ActiveRun;
  readonly policy: AnswerPolicy;
  readonly budget: Budget;
  readonly ratesOf: Prices["ratesOf"];
  /** Messages about where the prices come from. */
  readonly notes: readonly string[];
}

export function engineOptions(
  { generator, policy, budget, activeRun: { progress, concurrency } }: RunContext,
): Omit<EngineOptions, "source" | "sink"> {
  return {
    ...generator,
    mayTeachersJoin: generator.teacherList !== undefined,
    policy,
    budget,
    concurrency,
    listener: progress,
    onNotice: (message) => progress.notice("warning", message),
  };
}
