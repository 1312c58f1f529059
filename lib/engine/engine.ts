/**
 * Keeps the teachers busy: gives each lane a row and a teacher to ask, one attempt after the other, and
 * hands the outcome to the sink. A row that has to wait holds no lane.
 *
 * @module
 */

import type { RunState, TeacherStatus } from "../progress/events.ts";
import type { Outcome, Row } from "../row.ts";
import { Attempts } from "./attempts.ts";
import type { Channel } from "./channel.ts";
import type { EngineOptions } from "./engine_options.ts";
import { Clock } from "./clock.ts";
import { Fleet, type Rest } from "./fleet.ts";
import { Intake } from "./intake.ts";
import { Lanes } from "./lanes.ts";
import { RetryBudget } from "./retry_budget.ts";
import { RowClock } from "./row_clock.ts";
import { WaitingRoom } from "./waiting_room.ts";
import { newWork, type Work } from "./work.ts";

/** Runs rows through teachers. One engine makes one run. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #now: () => number;
  readonly #intake: Intake<Row>;
  readonly #room: WaitingRoom<Work>;
  readonly #fleet: Fleet;
  readonly #lanes: Lanes<Work>;
  readonly #retryBudget: RetryBudget;
  readonly #attempts: Attempts;
  readonly #rowClock: RowClock;
  readonly #calls = new AbortController();
  readonly #gates = new Set<string>();
  /** Rows that a lane holds, from taking them to handing over the outcome. */
  #held = 0;
  #sequence = 0;
  /** Rows whose outcome the sink has taken. */
  #settled = 0;
  /** Where the last new row went: the other samples of its input row follow it. */
  #lastChannel: Channel | undefined;
  #end: "done" | "halted" | undefined;
  #haltReason: string | undefined;
  #crash: { readonly error: unknown } | undefined;
  #lastState: RunState = "running";

  /** Throws `RangeError` when the concurrency is out of range. */
  constructor(options: EngineOptions) {
    this.#options = options;
    const clock = new Clock(options.now ?? (() => performance.now()));
    this.#now = clock.read;
    this.#intake = new Intake(options.source);
    this.#lanes = new Lanes<Work>(options.concurrency, {
      next: () => this.#next(),
      work: (work) => this.#attempt(work),
      isFinished: () => this.#intake.exhausted && this.#room.size === 0 && this.#held === 0,
      onIdle: () => this.#onIdle(),
      onError: (error) => this.#fail(error),
    });
    this.#fleet = new Fleet({
      ...options,
      read: clock.read,
      now: clock.last,
      wallClock: Date.now,
      random: options.random ?? Math.random,
      onReady: () => this.#wake(),
      onTick: () => this.#onTick(),
    });
    this.#rowClock = new RowClock(this.#now);
    this.#attempts = new Attempts({
      ...options,
      now: this.#now,
      rowNow: this.#rowClock.now,
      signal: this.#calls.signal,
      onEnd: () => this.#wakeParked(),
      onHalt: (reason) => this.halt(reason),
      onChannelHalt: (reason) => this.#onChannelHalt(reason),
      isOver: () => this.#lanes.isClosed,
      isResting: () => this.#fleet.rest !== undefined,
    });
    this.#retryBudget = new RetryBudget(clock.last);
    this.#room = new WaitingRoom<Work>(this.#now, () => this.#wake());
  }

  /** What the engine is doing. */
  get state(): RunState {
    if (this.#lanes.isClosed) return this.#end ?? (this.#isDone() ? "done" : "draining");
    if (this.#gates.size > 0) return this.#gates.has("pause") ? "paused" : "disk_full";
    const isWaiting = this.#held === 0 && this.#room.size > 0;
    return isWaiting || this.#fleet.rest !== undefined ? "backing_off" : "running";
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#attempts.inFlight;
  }

  /** Rows between two attempts. */
  get waiting(): number {
    return this.#room.size;
  }

  /** The target number of lanes. */
  get concurrency(): number {
    return this.#lanes.target;
  }

  /** How many attempts may be under way now. */
  get limit(): number {
    return Math.min(this.#lanes.target, this.#fleet.limit);
  }

  /** Why nothing is sent, and until when; undefined while something is. */
  get rest(): Rest | undefined {
    if (this.#lanes.isClosed) return undefined;
    const rest = this.#fleet.rest;
    if (rest !== undefined || this.state !== "backing_off") return rest;
    const waitMs = Math.max(0, this.#room.dueAt - this.#now());
    return { until: Date.now() + waitMs, reason: "every row that is left waits to be tried again" };
  }

  /** Why the run was halted, in words, or undefined. */
  get haltReason(): string | undefined {
    return this.#haltReason;
  }

  /** Where each teacher stands. */
  teacherStatuses(): TeacherStatus[] {
    return this.#fleet.statuses();
  }

  /** Works until all rows are settled, or until it is stopped, halted or aborted. Rejects with what the
   * source or the sink threw, after all lanes have come home. */
  async run(): Promise<void> {
    this.#fleet.open();
    await this.#lanes.run();
    this.#fleet.close();
    if (this.#crash === undefined) await this.#settle(this.#attempts.leave());
    this.#end = this.#isDone() && this.#crash === undefined ? "done" : "halted";
    this.#room.clear();
    await this.#intake.close().catch((error) => this.#fail(error));
    this.#noteState();
    if (this.#crash !== undefined) throw this.#crash.error;
  }

  /** Lets more or fewer lanes work, from now on. Throws `RangeError` outside 1 to 100,000. */
  setConcurrency(concurrency: number): void {
    this.#lanes.setTarget(concurrency);
    this.#fleet.setConcurrency(concurrency);
    this.#wake();
  }

  /** Starts no attempt until every gate that was closed is opened again. */
  closeGate(name: string): void {
    this.#gates.add(name);
    this.#noteState();
  }

  /** Opens a gate that `closeGate` closed. */
  openGate(name: string): void {
    if (this.#gates.delete(name)) this.#wake();
  }

  /** Finishes what is in flight and starts nothing more; what waits stays pending. */
  stop(): void {
    this.#lanes.close();
    this.#noteState();
  }

  /** Stops for a reason that a person has to see to. */
  halt(reason: string): void {
    if (!this.#lanes.isClosed) this.#haltReason ??= reason;
    this.stop();
  }

  /** Stops, and aborts the calls in flight; their rows stay pending. */
  abort(reason?: unknown): void {
    this.stop();
    this.#calls.abort(reason);
  }

  /** What a lane can do right now. Whom it asks is decided here, so that no two lanes take one place. */
  #next(): Work | undefined {
    if (this.#gates.size > 0) return undefined;
    const channel = this.#fleet.pick();
    const work = channel && this.#choose(channel.isDown);
    if (work === undefined) return undefined;
    work.channel = channel;
    if (work.attempts === 0) {
      if (work.row.sample > 0) work.channel = this.#fleet.pick(this.#lastChannel);
      this.#lastChannel = work.channel;
    }
    work.channel!.take();
    this.#held++;
    return work;
  }

  /** A due retry before a new row, as long as retries have a place. To a teacher that is down, a row that
   * has failed there proves less than a new one. */
  #choose(isProbe: boolean): Work | undefined {
    if (this.#room.size > 0) {
      const isFull = this.#isRoomFull();
      const isNewFirst = !isFull && (isProbe || !this.#retryBudget.allows);
      const due = isNewFirst && !this.#intake.isEmpty ? undefined : this.#room.takeDue();
      if (due !== undefined) {
        if (isNewFirst) this.#pull();
        this.#retryBudget.retry();
        return due;
      }
      if (isFull) return undefined;
    }
    const row = this.#intake.take();
    if (row === undefined) return undefined;
    this.#retryBudget.first();
    return newWork(row, this.#sequence++, this.#options.params);
  }

  /** Counts the rows that lanes hold too, for each may come back to the room. */
  #isRoomFull(): boolean {
    return this.#room.size + this.#held >= Math.max(1_000, 4 * this.#lanes.target);
  }

  /** Whether no row is left pending. */
  #isDone(): boolean {
    const { rowCount } = this.#options;
    if (rowCount !== undefined) return this.#settled === rowCount;
    return this.#intake.exhausted && this.#settled === this.#sequence;
  }

  #onIdle(): void {
    this.#noteState();
    if (this.#gates.size === 0 && !this.#isRoomFull()) this.#pull();
  }

  #pull(): void {
    this.#intake.pull((error) => {
      if (error === undefined) return this.#wake();
      this.#crash ??= { error };
      this.stop();
    });
  }

  #wake(): void {
    this.#lanes.wake();
    this.#noteState();
  }

  /** A teacher has a place free again, or the waiting room has; or it is the end. */
  #wakeParked(): void {
    if (this.#lanes.areParked) this.#wake();
  }

  /** One attempt at a row, from a lane. */
  async #attempt(work: Work): Promise<void> {
    const after = await this.#attempts.make(work);
    if (after !== undefined) await this.#settle(after);
    else if (work.dueInMs !== undefined && !this.#lanes.isClosed) {
      this.#room.add(work, work.dueInMs);
    }
    this.#held--;
    this.#wakeParked();
  }

  /** Hands outcomes over. One that is rejected ends the run; its row stays pending. */
  async #settle(outcomes: Outcome | readonly Outcome[]): Promise<void> {
    try {
      for (const outcome of "row" in outcomes ? [outcomes] : outcomes) {
        await this.#options.sink.put(outcome);
        this.#settled++;
      }
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #onTick(): void {
    this.#rowClock.tick(this.#gates.size > 0 || this.#fleet.rest !== undefined);
    this.#noteState();
  }

  /** The run ends with the last teacher that could be asked. */
  #onChannelHalt(reason: string): void {
    if (this.#fleet.isHalted) this.halt(reason);
    else this.#options.onNotice?.(reason);
  }

  /** Ends the run at once, for outcomes can no longer be kept; the first error is the one told. */
  #fail(error: unknown): void {
    this.#crash ??= { error };
    this.abort(error);
  }

  #noteState(): void {
    const state = this.state;
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#options.listener.stateChanged();
  }
}
