/**
 * What a generator has under way: one run, or one `generate()`, from its preparation to its end.
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
import type { Outcome } from "../row.ts";
import { prepare, type Prepared } from "./context.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import type { Run } from "./run.ts";
import { after } from "../timer.ts";

/** Called with rows once they are settled: on disk, or taken by the consumer. */
export type OutcomeListener = (outcomes: readonly Outcome[]) => void;

/** What is under way. */
export class ActiveRun {
  /** Who counts and tells. */
  readonly progress: Progress;
  /** Ends the preparation of a run. */
  readonly preparing = new AbortController();
  /** The run over files, if it is one. */
  run: Run | undefined;
  readonly #options: ResolvedOptions;
  readonly #outcomeListeners: Listeners<readonly Outcome[]>;
  #concurrency: number;
  #maxCostUsd: number | null;
  #budget: Budget | undefined;
  #checks: Disposable | undefined;
  #engine: Engine | undefined;
  #isPaused = false;
  #cancelDeadline: (() => void) | undefined;
  #stopFollowing: (() => void) | undefined;

  /** Nothing runs yet. */
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

  /** What the run is doing. */
  get state(): RunState {
    return this.#engine?.state ?? "preparing";
  }

  /** Whether the price of every teacher is known. */
  get isPriced(): boolean {
    return (this.#budget?.costUsd ?? null) !== null;
  }

  /** Makes what the work needs; rejects when it cannot be done as it was asked for. */
  async prepare(): Promise<Prepared> {
    const prepared = await prepare(this.#options, this.#maxCostUsd);
    // It may have been set meanwhile.
    prepared.budget.setMaxCost(this.#maxCostUsd);
    this.#budget = prepared.budget;
    this.#checks = prepared.checks;
    return prepared;
  }

  /** Takes the engine over; what was asked for while there was none counts anyway. */
  attach(engine: Engine): void {
    this.#engine = engine;
    if (this.#isPaused) engine.closeGate("pause");
    if (this.preparing.signal.aborted) engine.stop();
    this.#followTeachers(engine);
    const { deadlineMs } = this.#options;
    if (deadlineMs === undefined) return;
    const words = `The time for the run, ${deadlineMs / 1_000} s (--deadline), is up`;
    this.#cancelDeadline = after(deadlineMs, () => engine.halt(words));
  }

  #followTeachers(engine: Engine): void {
    const { teacherList } = this.#options;
    if (teacherList === undefined) return;
    const notice = (level: "info" | "warning", message: string) =>
      this.progress.notice(level, message);
    this.#stopFollowing = teacherList.watch(({ joined, left }) => {
      // Those that are new first: a run ends when no one is left.
      for (const place of joined) engine.addTeacher(this.#options.endpointOf(place));
      for (const teacher of left) engine.removeTeacher(teacher);
      this.progress.stateChanged();
    }, notice);
  }

  /** Rows are settled. */
  settled(outcomes: readonly Outcome[]): void {
    this.progress.settled(outcomes);
    this.#outcomeListeners.emit(outcomes);
  }

  /** Starts no attempt until `resume()`. */
  pause(): void {
    this.#isPaused = true;
    this.#engine?.closeGate("pause");
  }

  /** Continues. */
  resume(): void {
    this.#isPaused = false;
    this.#engine?.openGate("pause");
  }

  /** Lets more or fewer rows be asked at once. */
  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency;
    if (this.run !== undefined) this.run.setConcurrency(concurrency);
    else this.#engine?.setConcurrency(concurrency);
    this.progress.stateChanged();
  }

  /** Sets what the run may cost; a run that has cost as much already is halted. */
  setMaxCost(usd: number | null): void {
    this.#budget?.setMaxCost(usd);
    this.#maxCostUsd = usd;
    const reason = this.#budget?.exhausted;
    if (reason !== undefined) this.#engine?.halt(reason);
    this.progress.stateChanged();
  }

  /** Takes a share of what all shards may cost, of which earlier runs of this one have spent a part. */
  shareMaxCost(share: number, spentBefore: number): void {
    this.#budget?.countBefore(spentBefore);
    if (this.#maxCostUsd !== null) this.setMaxCost(this.#maxCostUsd * share);
  }

  /** Finishes what is in flight and starts nothing more. */
  stop(): void {
    this.preparing.abort();
    this.#engine?.stop();
  }

  /** Stops, and aborts the calls in flight. */
  abort(reason?: unknown): void {
    this.preparing.abort(reason);
    this.#engine?.abort(reason);
    this.run?.giveUp();
  }

  /** It is over. */
  end(): void {
    this.#cancelDeadline?.();
    this.#stopFollowing?.();
    this.#checks?.[Symbol.dispose]();
    this.progress.stop();
  }

  #gauges(): Gauges {
    const engine = this.#engine;
    const rest = engine?.rest;
    return {
      state: this.state,
      inFlight: engine?.inFlight ?? 0,
      waiting: engine?.waiting ?? 0,
      concurrency: this.#concurrency,
      limit: engine?.limit ?? this.#concurrency,
      backingOffUntil: rest?.until ?? null,
      reason: engine?.haltReason ?? rest?.reason ?? null,
      costUsd: this.#budget?.costUsd ?? null,
      maxCostUsd: this.#maxCostUsd,
      teachers: () => engine?.teacherStatuses() ?? [],
    };
  }
}
