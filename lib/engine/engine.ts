/**
 * Keeps the teacher busy: makes one attempt after the other at each row until it is settled, and
 * hands the outcome to the sink. A row that has to wait holds no lane.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { RunState } from "../progress/events.ts";
import type { Failure, Outcome, Row } from "../row.ts";
import type { Completion, Params } from "../teacher/teacher.ts";
import { isCompletion, rejectionOf } from "./acceptance.ts";
import type { EngineOptions } from "./engine_options.ts";
import { Intake } from "./intake.ts";
import { Lanes } from "./lanes.ts";
import { WaitingRoom } from "./waiting_room.ts";

/** A row and what has happened to it so far. */
interface Work {
  readonly row: Row;
  readonly params: Params;
  readonly sequence: number;
  attempts: number;
  timeouts: number;
  busyMs: number;
  firstFailedAt: number | undefined;
}

/** Runs rows through a teacher. One engine makes one run. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #now: () => number;
  readonly #intake: Intake<Row>;
  readonly #room: WaitingRoom<Work>;
  readonly #lanes: Lanes<Work>;
  readonly #calls = new AbortController();
  readonly #gates = new Set<string>();
  /** Rows that a lane holds, from taking them to handing over the outcome. */
  #held = 0;
  #inFlight = 0;
  #sequence = 0;
  /** Rows whose outcome the sink has taken. */
  #settled = 0;
  #end: "done" | "halted" | undefined;
  #crash: { readonly error: unknown } | undefined;
  #lastState: RunState = "running";

  /** Throws `RangeError` when the concurrency is out of range. */
  constructor(options: EngineOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#intake = new Intake(options.source);
    this.#lanes = new Lanes<Work>(options.concurrency, {
      next: () => this.#next(),
      work: (work) => this.#attempt(work),
      isFinished: () => this.#isFinished(),
      onIdle: () => this.#onIdle(),
      onError: (error) => this.#fail(error),
    });
    this.#room = new WaitingRoom<Work>(this.#now, () => this.#wake());
  }

  /** What the engine is doing. */
  get state(): RunState {
    if (this.#lanes.isClosed && this.#held > 0) return "draining";
    if (this.#lanes.isClosed) return this.#end ?? (this.#isDone() ? "done" : "halted");
    if (this.#gates.size > 0) return "paused";
    if (this.#held === 0 && this.#room.size > 0) return "backing_off";
    return "running";
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Rows between two attempts. */
  get waiting(): number {
    return this.#room.size;
  }

  /** The target number of lanes. */
  get concurrency(): number {
    return this.#lanes.target;
  }

  /** Works until all rows are settled, or until it is stopped or aborted. Rejects with what the
   * source or the sink threw, after all lanes have come home. */
  async run(): Promise<void> {
    await this.#lanes.run();
    this.#end = this.#isDone() && this.#crash === undefined ? "done" : "halted";
    this.#room.clear();
    await this.#intake.close().catch((error) => this.#fail(error));
    this.#noteState();
    if (this.#crash !== undefined) throw this.#crash.error;
  }

  /** Lets more or fewer lanes work, from now on. Throws `RangeError` outside 1 to 100,000. */
  setConcurrency(concurrency: number): void {
    this.#lanes.setTarget(concurrency);
    this.#noteState();
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

  /** Stops, and aborts the calls in flight; their rows stay pending. */
  abort(reason?: unknown): void {
    this.stop();
    this.#calls.abort(reason);
  }

  /** What a lane can do right now: a due retry before a new row. */
  #next(): Work | undefined {
    if (this.#gates.size > 0) return undefined;
    if (this.#room.size > 0) {
      const due = this.#room.takeDue();
      if (due !== undefined) return this.#hold(due);
      if (this.#isRoomFull()) return undefined;
    }
    const row = this.#intake.take();
    return row === undefined ? undefined : this.#hold(this.#workOf(row));
  }

  #hold(work: Work): Work {
    this.#held++;
    return work;
  }

  #workOf(row: Row): Work {
    const { params } = this.#options;
    return {
      row,
      params: row.params === undefined ? params : { ...params, ...row.params },
      sequence: this.#sequence++,
      attempts: 0,
      timeouts: 0,
      busyMs: 0,
      firstFailedAt: undefined,
    };
  }

  /** Counts the rows that lanes hold too, for each may come back to the room. */
  #isRoomFull(): boolean {
    return this.#room.size + this.#held >= Math.max(1_000, 4 * this.#lanes.target);
  }

  #isFinished(): boolean {
    return this.#intake.exhausted && this.#room.size === 0 && this.#held === 0;
  }

  /** Whether no row is left pending. */
  #isDone(): boolean {
    const { rowCount } = this.#options;
    if (rowCount !== undefined) return this.#settled === rowCount;
    return this.#intake.exhausted && this.#settled === this.#sequence;
  }

  #onIdle(): void {
    this.#noteState();
    if (this.#gates.size > 0 || this.#isRoomFull()) return;
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

  async #attempt(work: Work): Promise<void> {
    const { teacher, listener } = this.#options;
    work.attempts++;
    this.#inFlight++;
    listener.attempt();
    const startedAt = this.#now();
    let completion: Completion | undefined;
    let error: unknown;
    try {
      completion = await teacher.complete({
        uid: work.row.uid,
        messages: work.row.messages,
        params: work.params,
      }, this.#calls.signal);
    } catch (thrown) {
      error = thrown ?? new Error("The teacher threw nothing");
    }
    this.#inFlight--;
    const latencyMs = this.#now() - startedAt;
    work.busyMs += latencyMs;
    const outcome = isCompletion(completion)
      ? this.#answered(work, latencyMs, completion)
      : this.#refused(work, latencyMs, error);
    // A rejected hand-over ends the run, and with it this lane; the row stays pending.
    if (outcome !== undefined) {
      try {
        await this.#options.sink.put(outcome);
        this.#settled++;
      } catch (cause) {
        this.#fail(cause);
      }
    }
    this.#held--;
    // Parked lanes learn of an end, or of a place that has become free in the waiting room.
    if (this.#lanes.areParked) this.#wake();
  }

  #answered(work: Work, latencyMs: number, completion: Completion): Outcome {
    const failure = rejectionOf(completion, this.#options.onTruncated);
    if (failure !== undefined) this.#noteFailure(work, failure);
    return settle(work, latencyMs, completion, failure);
  }

  /** Sends the row to the waiting room, or gives its failure; undefined leaves the row pending. */
  #refused(work: Work, latencyMs: number, thrown: unknown): Outcome | undefined {
    if (this.#calls.signal.aborted) return undefined;
    const error = asTeacherError(thrown);
    const failure = { type: error.type, message: error.message, status: error.status ?? null };
    this.#noteFailure(work, failure);
    if (error.type === "timeout") work.timeouts++;
    const delayMs = this.#options.retryPolicy.delayMs(error, work);
    if (delayMs === undefined) return settle(work, latencyMs, undefined, failure);
    if (!this.#lanes.isClosed) this.#room.add(work, delayMs);
    return undefined;
  }

  #noteFailure(work: Work, failure: Failure): void {
    work.firstFailedAt ??= Date.now();
    this.#options.listener.attemptFailed(failure);
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

function settle(
  work: Work,
  latencyMs: number,
  completion: Completion | undefined,
  failure: Failure | undefined,
): Outcome {
  return {
    row: work.row,
    sequence: work.sequence,
    attempts: work.attempts,
    busyMs: work.busyMs,
    latencyMs,
    firstFailedAt: work.firstFailedAt,
    settledAt: Date.now(),
    completion,
    failure,
  };
}

function asTeacherError(thrown: unknown): TeacherError {
  if (thrown instanceof TeacherError) return thrown;
  if (thrown === undefined) {
    return new TeacherError("The teacher gave something that is no completion", {
      type: "response",
    });
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new TeacherError(message, { type: "teacher", cause: thrown });
}
