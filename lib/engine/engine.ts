/**
 * Keeps the teachers of a run busy: gives each lane a row and a teacher, makes the attempt, and
 * hands the outcome to the sink. A row that must wait holds no lane.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import type { RunState, TeacherStatus } from "../progress/mod.ts";
import { Attempts } from "./attempts.ts";
import { type Backoff, type EndpointOptions, TeacherPool } from "./flow/mod.ts";
import { ActiveClock, Clock } from "../timer.ts";
import type { EngineOptions } from "./engine_options.ts";
import { EngineState } from "./engine_state.ts";
import { type AttemptResult, Delivery, type Work } from "./work.ts";
import { Lanes } from "./lanes.ts";
import { WorkQueue } from "./work_queue.ts";

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue: WorkQueue;
  readonly #pool: TeacherPool;
  readonly #lanes: Lanes<Work, AttemptResult>;
  readonly #attempts: Attempts;
  readonly #rowClock: ActiveClock;
  readonly #delivery: Delivery;
  readonly #state: EngineState;
  readonly #calls = new AbortController();
  readonly #departure = Promise.withResolvers<void>();
  #crash: { readonly error: unknown } | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#delivery = new Delivery(options.sink);
    const clock = new Clock(options.now ?? (() => performance.now()));
    const wallClock = options.wallClock ?? Date.now;
    this.#pool = this.#makePool(clock, wallClock);
    this.#queue = new WorkQueue({
      ...options,
      clock,
      pool: this.#pool,
      needsCall: (work) => this.#attempts.needsCall(work),
      onReady: () => this.#wake(),
      onError: (error) => this.#fail(error, true),
    });
    this.#lanes = new Lanes(options.concurrency, {
      next: () => this.#state.gates.size > 0 ? undefined : this.#queue.next(this.#isFull),
      work: (work) => this.#attempts.make(work),
      deliver: (work, result) => this.#deliver(work, result),
      isFinished: () =>
        this.#queue.isExhausted && this.#queue.waiting === 0 && this.unwritten === 0,
      onIdle: () => this.#onIdle(),
      onError: (error) => this.#fail(error),
    });
    this.#state = new EngineState({
      options,
      lanes: this.#lanes,
      queue: this.#queue,
      pool: this.#pool,
      delivery: this.#delivery,
      now: clock.read,
      wallClock,
      onHalt: (reason) => this.halt(reason),
    });
    this.#rowClock = new ActiveClock(clock.read);
    this.#attempts = this.#makeAttempts(clock);
  }

  #makePool(clock: Clock, wallClock: () => number): TeacherPool {
    return new TeacherPool({
      ...this.#options,
      readClock: clock.read,
      now: clock.last,
      wallClock,
      random: this.#options.random ?? Math.random,
      onReady: () => this.#wake(),
      onTick: () => {
        this.#updateRowClock();
        this.#state.tick();
      },
      onOutage: (endpoint) => this.#state.noteOutage(endpoint),
    });
  }

  #makeAttempts(clock: Clock): Attempts {
    return new Attempts({
      ...this.#options,
      pool: this.#pool,
      now: clock.read,
      rowNow: this.#rowClock.now,
      signal: this.#calls.signal,
      onAttempt: () => this.#options.onAttempt?.(this.unwritten),
      onEnd: () => {
        // The teacher may now have room for another attempt.
        if (this.#lanes.hasIdle) this.#wake();
      },
      silence: this.#state.silence,
      onHalt: (reason) => this.halt(reason),
      onEndpointHalt: (reason) => this.#onEndpointHalt(reason),
      onSendAgain: (work) => this.#retryLater(work, 0),
      unfinishedAction: () => this.#lanes.isClosed ? "halted" : "retried",
    });
  }

  get state(): RunState {
    return this.#state.value;
  }

  get inFlight(): number {
    return this.#attempts.inFlight;
  }

  /** The number of rows that are in flight or have an outcome that the sink has not taken yet. */
  get unwritten(): number {
    return this.#lanes.busy;
  }

  /** The number of calls that were aborted because an error ended the run. They may have been
   * billed. */
  get lostCalls(): number {
    return this.#crash === undefined ? 0 : this.#attempts.abandoned;
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  /** The number of attempts that may be in flight, and the number per second that `rpm` and `tpm`
   * allow. */
  get limits(): { readonly inFlight: number; readonly perSecond: number } {
    const { limit, maxPerSecond } = this.#pool;
    return { inFlight: Math.min(this.#lanes.target, limit), perSecond: maxPerSecond };
  }

  get backoff(): Backoff | undefined {
    return this.#state.backoff;
  }

  /** Why the run was halted; undefined if it was not, or if all rows were finished anyway. */
  get haltReason(): string | undefined {
    return this.#state.haltReason;
  }

  teacherStatuses(): TeacherStatus[] {
    return this.#pool.statuses();
  }

  get callsSignal(): AbortSignal {
    return this.#calls.signal;
  }

  /** Resolves when all rows are finished or the engine was stopped, halted or aborted. Rejects with
   * the error of the source or the sink. Waits for all lanes to end, unless `leave()` is called. */
  async run(): Promise<void> {
    this.#pool.open();
    await Promise.race([this.#lanes.run(), this.#departure.promise]);
    this.#pool.close();
    for (const work of this.#queue.clear()) this.#delivery.leavePending(work);
    const failed = this.#crash === undefined ? this.#attempts.failHeldAtEnd() : [];
    await this.#delivery.putAll(failed).catch((error) => this.#fail(error));
    await this.#delivery.end().catch((error) => this.#fail(error));
    this.#state.end(this.#crash !== undefined);
    await this.#queue.close().catch((error) => this.#fail(error));
    this.#state.reportChange();
    if (this.#crash !== undefined) throw this.#crash.error;
  }

  setConcurrency(concurrency: number): void {
    this.#lanes.setTarget(concurrency);
    this.#pool.setConcurrency(concurrency);
  }

  addTeacher(teacher: EndpointOptions): void {
    this.#attempts.teacherJoins(teacher.teacher);
    this.#pool.add(teacher);
  }

  changeTeacher(teacher: EndpointOptions): void {
    this.#pool.change(teacher);
  }

  /** Sends no more rows to the teacher. Calls in flight to this teacher are finished. */
  removeTeacher(teacher: EndpointOptions["teacher"]): void {
    this.#pool.remove(teacher);
  }

  /** Limits this run to a share, from 0 to 1, of `rpm` and `tpm`. The other running shards use the
   * rest. */
  setRateShare(share: number): void {
    this.#pool.setRateShare(share);
  }

  /** Prevents new attempts until all gates are open. A pause closes a gate, and each full disk
   * closes another. */
  closeGate(name: string): void {
    this.#updateRowClock();
    this.#state.gates.add(name);
    this.#state.reportChange();
  }

  openGate(name: string): void {
    this.#updateRowClock();
    if (this.#state.gates.delete(name)) this.#wake();
  }

  /** Starts no more attempts. Calls in flight are finished; waiting rows stay pending. */
  stop(): void {
    this.#lanes.close();
    this.#state.reportChange();
  }

  halt(reason: string): void {
    this.#state.halt(reason);
    this.stop();
  }

  /** Stops the run and aborts the calls in flight. Their rows stay pending. */
  abort(reason?: unknown): void {
    this.stop();
    this.#calls.abort(reason);
  }

  /** Makes `run()` end even if aborted calls are still open: a teacher may ignore the signal. */
  leave(): void {
    this.#departure.resolve();
  }

  /** Called when a lane has no row. Pulls rows even while a gate is closed, so that the run notices
   * the end of its input. */
  #onIdle(): void {
    this.#state.reportChange();
    if (!this.#isFull) this.#queue.pull();
  }

  get #isFull(): boolean {
    return this.#queue.isFull(this.unwritten, this.#lanes.target);
  }

  #wake(): void {
    this.#lanes.wake();
    this.#state.reportChange();
  }

  /** Delivers the result of an attempt. On the hot path, it returns the sink's own promise instead
   * of creating another one. */
  #deliver(work: Work, result: AttemptResult): Promise<void> {
    return result.kind === "answered" && result.others.length === 0
      ? this.#delivery.put(result.outcome)
      : this.#deliverAll(work, result);
  }

  async #deliverAll(work: Work, result: AttemptResult): Promise<void> {
    await this.#delivery.deliver(work, result);
    if (result.kind === "retry") this.#retryLater(work, result.delayMs);
  }

  #retryLater(work: Work, delayMs: number): void {
    if (this.#lanes.isClosed) this.#delivery.leavePending(work);
    else this.#queue.add(work, delayMs);
  }

  #updateRowClock(): void {
    const isBlocked = this.#pool.isUnusable || this.#pool.backoff !== undefined;
    this.#rowClock.tick(this.#state.gates.size > 0 || isBlocked);
  }

  #onEndpointHalt(reason: string): void {
    if (this.#pool.isUnusable && !this.#options.mayTeachersJoin) this.halt(reason);
    else this.#options.onNotice?.(reason);
  }

  /** Ends the run with its first error. If the input failed, calls in flight are finished because
   * they will be billed; after any other error, they are aborted. */
  #fail(error: unknown, isInputError = error instanceof SourceError): void {
    this.#crash ??= { error };
    if (isInputError) this.stop();
    else this.abort(error);
  }
}
