/**
 * Keeps the teachers busy: gives each lane a row and a teacher to ask, one attempt after the other, and
 * hands the outcome to the sink. A row that has to wait holds no lane.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import type { RunState, TeacherStatus } from "../progress/mod.ts";
import { Attempts } from "./attempts.ts";
import { type Rest, TeacherPool } from "./flow/mod.ts";
import { Clock, type EngineOptions, noteHealth } from "./engine_options.ts";
import { EngineState } from "./engine_state.ts";
import { Delivery, type HeldBack, wait, type Work } from "./work.ts";
import { Lanes } from "./lanes.ts";
import { RowClock } from "./retry_policy.ts";
import { WorkQueue } from "./work_queue.ts";
import { Dispatch } from "./dispatch.ts";

/** Runs rows through teachers. One engine makes one run. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #queue: WorkQueue;
  readonly #pool: TeacherPool;
  readonly #dispatch: Dispatch;
  readonly #lanes: Lanes<Work>;
  readonly #attempts: Attempts;
  readonly #rowClock: RowClock;
  readonly #delivery: Delivery;
  readonly #state: EngineState;
  readonly #calls = new AbortController();
  /** Resolves when calls that were aborted are waited for no longer. */
  readonly #left = Promise.withResolvers<void>();
  /** Rows that a lane holds, from taking them to handing over the outcome. */
  #held = 0;
  #crash: { readonly error: unknown } | undefined;

  /** Throws `RangeError` when the concurrency is out of range. */
  constructor(options: EngineOptions) {
    this.#options = options;
    this.#delivery = new Delivery(options.sink);
    const clock = new Clock(options.now ?? (() => performance.now()));
    const wallClock = options.wallClock ?? Date.now;
    this.#queue = new WorkQueue({
      ...options,
      clock,
      onReady: () => this.#wake(),
      onError: (error) => {
        this.#crash ??= { error };
        this.stop();
      },
    });
    this.#lanes = new Lanes<Work>(options.concurrency, {
      next: () => this.#next(),
      work: (work) => this.#attempt(work),
      isFinished: () => this.#queue.isExhausted && this.#queue.waiting === 0 && this.#held === 0,
      onIdle: () => this.#onIdle(),
      onError: (error) => this.#fail(error),
    });
    this.#pool = this.#makePool(clock, wallClock);
    this.#state = new EngineState({
      options,
      lanes: this.#lanes,
      queue: this.#queue,
      pool: this.#pool,
      delivery: this.#delivery,
      now: clock.read,
      wallClock,
      held: () => this.#held,
      isRoomFull: () => this.#isRoomFull(),
    });
    this.#dispatch = new Dispatch(this.#pool, this.#queue, options.affinity);
    this.#rowClock = new RowClock(clock.read);
    this.#attempts = this.#makeAttempts(clock);
  }

  #makePool(clock: Clock, wallClock: () => number): TeacherPool {
    return new TeacherPool({
      ...this.#options,
      read: clock.read,
      now: clock.last,
      wallClock,
      random: this.#options.random ?? Math.random,
      onReady: () => this.#wake(),
      onTick: () => this.#onTick(),
      onHealth: (endpoint) => noteHealth(endpoint, this.#options),
    });
  }

  #makeAttempts(clock: Clock): Attempts {
    return new Attempts({
      ...this.#options,
      now: clock.read,
      rowNow: this.#rowClock.now,
      signal: this.#calls.signal,
      onAttempt: () => this.#options.onAttempt?.(this.#held),
      onEnd: () => this.#wakeParked(),
      onHalt: (reason) => this.halt(reason),
      onEndpointHalt: (reason) => this.#onEndpointHalt(reason),
      onAgain: (work) => this.#askAgain(work, 0),
      isOver: () => this.#lanes.isClosed,
      soonestMs: (work) => this.#pool.soonestMs(work.holds ?? []),
    });
  }

  /** What the engine is doing. */
  get state(): RunState {
    return this.#state.value;
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#attempts.inFlight;
  }

  /** Rows whose attempt is under way, or whose answer the sink has not taken yet. */
  get unwritten(): number {
    return this.#held;
  }

  /** Calls that were given up because the run could not continue: they may have been billed. */
  get lostCalls(): number {
    return this.#crash === undefined ? 0 : this.#attempts.abandoned;
  }

  /** Rows between two attempts. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** How many attempts may be under way now. */
  get limit(): number {
    return Math.min(this.#lanes.target, this.#pool.limit);
  }

  /** Why nothing is sent, and until when; undefined while something is. */
  get rest(): Rest | undefined {
    return this.#state.rest;
  }

  /** Why the run was halted, in words, or undefined; one that was done anyway was not. */
  get haltReason(): string | undefined {
    return this.#state.haltReason;
  }

  /** Where each teacher stands. */
  teacherStatuses(): TeacherStatus[] {
    return this.#pool.statuses();
  }

  /** Aborted when the calls in flight are. */
  get callsSignal(): AbortSignal {
    return this.#calls.signal;
  }

  /** Works until all rows are settled, or until it is stopped, halted or aborted. Rejects with what the
   * source or the sink threw, after all lanes have come home. */
  async run(): Promise<void> {
    this.#pool.open();
    await Promise.race([this.#lanes.run(), this.#left.promise]);
    this.#pool.close();
    for (const work of this.#queue.clear()) this.#delivery.leave(work);
    const held = this.#crash === undefined ? this.#attempts.leave() : [];
    await this.#delivery.putAll(held).catch((error) => this.#fail(error));
    await this.#delivery.end().catch((error) => this.#fail(error));
    this.#state.end(this.#crash !== undefined);
    await this.#queue.close().catch((error) => this.#fail(error));
    this.#state.note();
    if (this.#crash !== undefined) throw this.#crash.error;
  }

  /** Lets more or fewer lanes work, from now on. Throws `RangeError` outside 1 to 100,000. */
  setConcurrency(concurrency: number): void {
    this.#lanes.setTarget(concurrency);
    this.#pool.setConcurrency(concurrency);
    this.#wake();
  }

  /** Asks one more teacher, from now on. */
  addTeacher(teacher: EngineOptions["teachers"][number]): void {
    this.#pool.add(teacher);
    this.#pool.setConcurrency(this.#lanes.target);
  }

  /** Asks a teacher nothing more; what is under way there is finished. */
  removeTeacher(teacher: EngineOptions["teachers"][number]["teacher"]): void {
    this.#pool.remove(teacher);
  }

  /** Takes this share of `rpm` and `tpm`, from now on: other processes take the rest. */
  setRateShare(share: number): void {
    this.#pool.setRateShare(share);
  }

  /** Starts no attempt until every gate that was closed is opened again. */
  closeGate(name: string): void {
    this.#state.gates.add(name);
    this.#state.note();
  }

  /** Opens a gate that `closeGate` closed. */
  openGate(name: string): void {
    if (this.#state.gates.delete(name)) this.#wake();
  }

  /** Finishes what is in flight and starts nothing more; what waits stays pending. */
  stop(): void {
    this.#lanes.close();
    this.#state.note();
  }

  /** Stops for a reason that the user has to see to. */
  halt(reason: string): void {
    this.#state.halt(reason);
    this.stop();
  }

  /** Stops, and aborts the calls in flight; their rows stay pending. */
  abort(reason?: unknown): void {
    this.stop();
    this.#calls.abort(reason);
  }

  /** Ends `run()` although calls that were aborted have not ended: their teacher does not obey its signal. */
  leave(): void {
    this.#left.resolve();
  }

  /** What a lane can do right now. Whom it asks is decided here, so that no two lanes take one place. */
  #next(): Work | undefined {
    if (this.#state.gates.size > 0) return undefined;
    const work = this.#dispatch.next(this.#isRoomFull());
    if (work !== undefined) this.#held++;
    return work;
  }

  /** Counts the rows that lanes hold too, because each may return to the retry queue. */
  #isRoomFull(): boolean {
    return this.#queue.waiting + this.#held >= Math.max(1_000, 4 * this.#lanes.target);
  }

  /** Reads on, behind closed gates too: a run that has no more rows ends there as well. */
  #onIdle(): void {
    this.#state.note();
    if (!this.#isRoomFull()) this.#queue.pull();
  }

  #wake(): void {
    this.#lanes.wake();
    this.#state.note();
  }

  /** Capacity may be free, at a teacher or in the retry queue, or the run may be over. */
  #wakeParked(): void {
    if (this.#lanes.areParked) this.#wake();
  }

  /** One attempt at a row, from a lane. */
  async #attempt(work: Work): Promise<void> {
    const result = await this.#attempts.make(work);
    try {
      if (result.kind === "answered" && result.others.length === 0) {
        await this.#delivery.put(result.outcome);
      } else {
        await this.#delivery.follow(work, result);
        if (result.kind === "retry") this.#askAgain(work, result.delayMs, result.heldBack);
      }
    } catch (cause) {
      this.#fail(cause);
    }
    this.#held--;
    this.#wakeParked();
  }

  /** Lets a row wait for its next attempt; it stays pending where there will be none. */
  #askAgain(work: Work, delayMs: number, heldBack?: HeldBack): void {
    if (this.#lanes.isClosed) return this.#delivery.leave(work);
    wait(work, heldBack);
    this.#queue.add(work, delayMs);
  }

  #onTick(): void {
    this.#rowClock.tick(this.#state.gates.size > 0 || this.#pool.rest !== undefined);
    this.#state.note();
  }

  /** The run ends with the last teacher that could be asked. */
  #onEndpointHalt(reason: string): void {
    if (this.#pool.isHalted) this.halt(reason);
    else this.#options.onNotice?.(reason);
  }

  /** Ends the run at once, for outcomes can no longer be kept; the first error is the one told. What is in
   * flight when the input cannot be read on is paid for, and is finished. */
  #fail(error: unknown): void {
    this.#crash ??= { error };
    if (error instanceof SourceError) this.stop();
    else this.abort(error);
  }
}
