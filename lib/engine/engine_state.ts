/**
 * What an engine is doing, in the words that users see.
 *
 * @module
 */

import type { RunState } from "../progress/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Rest, TeacherPool } from "./flow/mod.ts";
import type { Lanes } from "./lanes.ts";
import type { Delivery, Work } from "./work.ts";
import type { WorkQueue } from "./work_queue.ts";

/** What the state follows from. */
export interface EngineParts {
  readonly options: Pick<EngineOptions, "rowCount" | "listener">;
  readonly lanes: Lanes<Work>;
  readonly queue: WorkQueue;
  readonly pool: TeacherPool;
  readonly delivery: Delivery;
  readonly now: () => number;
  readonly wallClock: () => number;
  /** Rows that a lane holds, from taking them to handing over the outcome. */
  readonly held: () => number;
  /** Whether no more rows may come to wait. */
  readonly isRoomFull: () => boolean;
}

/** The state of one engine. */
export class EngineState {
  /** The reasons for which nothing is started at the moment: `pause`, or a full disk. */
  readonly gates = new Set<string>();
  readonly #parts: EngineParts;
  #end: "done" | "halted" | undefined;
  #haltReason: string | undefined;
  #last: RunState = "running";

  /** Derives everything from the parts; nothing of them is kept twice. */
  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** What the engine is doing. */
  get value(): RunState {
    if (this.#parts.lanes.isClosed) return this.#end ?? (this.isDone() ? "done" : "draining");
    if (this.gates.size > 0) return this.gates.has("pause") ? "paused" : "disk_full";
    return this.rest === undefined ? "running" : "backing_off";
  }

  /** Why nothing is sent, and until when; undefined while something is. */
  get rest(): Rest | undefined {
    const { lanes, pool } = this.#parts;
    if (lanes.isClosed) return undefined;
    return pool.rest ?? this.#rowsRest;
  }

  /** Until when all rows wait that could be sent: those that were not asked yet could be, unless too many
   * wait. */
  get #rowsRest(): Rest | undefined {
    const { options, queue, now, wallClock, held, isRoomFull } = this.#parts;
    const { waiting, dueAt, isExhausted, taken } = queue;
    if (held() > 0 || waiting === 0) return undefined;
    const inMs = dueAt - now();
    if (inMs <= 0) return undefined;
    const isAll = isExhausted || taken === options.rowCount;
    if (!isAll && !isRoomFull()) return undefined;
    const who = isAll ? "every row left waits" : `${waiting} rows wait`;
    return { until: wallClock() + inMs, inMs, reason: `${who} to be tried again` };
  }

  /** Why the run was halted, in words, or undefined; one that was done anyway was not. */
  get haltReason(): string | undefined {
    return this.#end === "done" ? undefined : this.#haltReason;
  }

  /** Notes why the run is halted; the first reason is the one told. */
  halt(reason: string): void {
    if (!this.#parts.lanes.isClosed) this.#haltReason ??= reason;
  }

  /** All work has ended. `hasCrashed`: outcomes could not be kept. */
  end(hasCrashed: boolean): void {
    this.#end = this.isDone() && !hasCrashed ? "done" : "halted";
  }

  /** Whether no row is left pending. */
  isDone(): boolean {
    const { options: { rowCount }, queue, delivery: { finished }, held } = this.#parts;
    if (held() > 0) return false;
    if (rowCount !== undefined) return finished === rowCount;
    return queue.isExhausted && finished === queue.taken;
  }

  /** Tells the listener where the state is another one than before. */
  note(): void {
    const state = this.value;
    if (state === this.#last) return;
    this.#last = state;
    this.#parts.options.listener.stateChanged();
  }
}
