/**
 * Derives the state of an engine as users see it, and words the notices about teachers that go down
 * or come back.
 *
 * @module
 */

import type { RunState } from "../progress/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint, Rest, TeacherPool } from "./flow/mod.ts";
import type { Lanes } from "./lanes.ts";
import type { Delivery, Work } from "./work.ts";
import type { WorkQueue } from "./work_queue.ts";

export interface EngineParts {
  readonly options: Pick<EngineOptions, "rowCount" | "listener">;
  readonly lanes: Lanes<Work>;
  readonly queue: WorkQueue;
  readonly pool: TeacherPool;
  readonly delivery: Delivery;
  readonly now: () => number;
  readonly wallClock: () => number;
  /** Rows that lanes hold, from taking them until the sink has their outcome. */
  readonly held: () => number;
}

export class EngineState {
  /** Reasons to start no attempt at the moment: `pause`, or a full disk. */
  readonly gates = new Set<string>();
  readonly #parts: EngineParts;
  #end: "done" | "halted" | undefined;
  #haltReason: string | undefined;
  #last: RunState = "running";

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  get value(): RunState {
    if (this.#parts.lanes.isClosed) return this.#end ?? (this.isDone() ? "done" : "draining");
    if (this.gates.size > 0) return this.gates.has("pause") ? "paused" : "disk_full";
    return this.rest === undefined ? "running" : "backing_off";
  }

  /** Why nothing is sent, and until when; undefined while attempts are made. */
  get rest(): Rest | undefined {
    const { lanes, pool } = this.#parts;
    if (lanes.isClosed) return undefined;
    return pool.rest ?? this.#rowsRest;
  }

  /** Set while every row that may be sent waits for its retry. New rows may be sent too, unless the
   * retry queue is full. */
  get #rowsRest(): Rest | undefined {
    const { options, lanes, queue, now, wallClock, held } = this.#parts;
    const { waiting, dueAt, isExhausted, taken } = queue;
    if (held() > 0 || waiting === 0) return undefined;
    const inMs = dueAt - now();
    if (inMs <= 0) return undefined;
    const isAll = isExhausted || taken === options.rowCount;
    if (!isAll && !queue.isFull(held(), lanes.target)) return undefined;
    const who = isAll ? "every row left waits" : `${waiting} rows wait`;
    return { until: wallClock() + inMs, inMs, reason: `${who} to be tried again` };
  }

  /**
   * Why the run was halted; undefined if it was not, or if all rows were finished in spite of it.
   */
  get haltReason(): string | undefined {
    return this.#end === "done" ? undefined : this.#haltReason;
  }

  /** Records why the run is halted; later reasons are ignored. */
  halt(reason: string): void {
    if (!this.#parts.lanes.isClosed) this.#haltReason ??= reason;
  }

  /**
   * Called once all work has ended.
   *
   * @param hasCrashed Whether outcomes could not be written, or the input could not be read.
   */
  end(hasCrashed: boolean): void {
    this.#end = this.isDone() && !hasCrashed ? "done" : "halted";
  }

  /** Whether no row is pending. */
  isDone(): boolean {
    const { options: { rowCount }, queue, delivery: { finished }, held } = this.#parts;
    if (held() > 0) return false;
    if (rowCount !== undefined) return finished === rowCount;
    return queue.isExhausted && finished === queue.taken;
  }

  /** Notifies the listener if the state has changed since the last call. */
  note(): void {
    const state = this.value;
    if (state === this.#last) return;
    this.#last = state;
    this.#parts.options.listener.stateChanged();
  }
}

/** Tells the user that one of several teachers is down or back, or that there may be no server at
 * an address. */
export function noteOutage(
  endpoint: Endpoint,
  { onNotice, teachers }: Pick<EngineOptions, "onNotice" | "teachers">,
): void {
  const notice = outageNotice(endpoint, teachers.length > 1);
  if (notice !== undefined) onNotice?.(notice);
}

function outageNotice(
  { isDown, hasAnswered, reason, teacher, now, probedBy }: Endpoint,
  isOneOfSeveral: boolean,
): string | undefined {
  const place = teacher.address ? `the teacher at ${teacher.address}` : "the teacher";
  if (isDown && !hasAnswered) {
    const seconds = Math.round((probedBy - now) / 1_000);
    const howLong = seconds < Infinity ? ` for ${seconds} s (--wait waits longer)` : "";
    return `No response from ${place} (${reason}). Is it running there? Retrying${howLong}; ` +
      "Ctrl-C stops";
  }
  if (!isOneOfSeveral) return undefined;
  return isDown ? `Lost ${place} (${reason}); the others continue` : `Found ${place} again`;
}
