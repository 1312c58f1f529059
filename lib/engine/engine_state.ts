/**
 * The state of an engine as users see it, and notices about outages, long waits without an answer
 * and changed models.
 *
 * @module
 */

import { formatCountOf, formatDuration } from "../figures.js";
import { posixWord } from "../printable.ts";
import type { RunState } from "../progress/mod.ts";
import type { Failure } from "../row.ts";
import type { Completion, Teacher } from "../teacher/mod.ts";
import type { AttemptsOptions } from "./attempts.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Backoff, Endpoint, TeacherPool } from "./flow/mod.ts";
import type { Lanes } from "./lanes.ts";
import type { AttemptResult, Delivery, Work } from "./work.ts";
import type { WorkQueue } from "./work_queue.ts";

interface EngineParts {
  readonly options: EngineOptions;
  readonly lanes: Lanes<Work, AttemptResult>;
  readonly queue: WorkQueue;
  readonly pool: TeacherPool;
  readonly delivery: Delivery;
  readonly now: () => number;
  readonly wallClock: () => number;
  readonly onHalt: (reason: string) => void;
}

/** The default of `waitForTeacherMs` if the host exists. */
export const WAIT_FOR_TEACHER_MS = 60_000;

/** The minimum wait for a teacher once rows are answered. A rolling restart takes minutes, and the
 * jobs that `submit` creates do not repeat a halted run. */
export const WAIT_AFTER_ROWS_MS = 15 * 60_000;

export class EngineState {
  /** Reasons why no attempt may start: the run is paused (`pause`), or a disk is full. */
  readonly gates = new Set<string>();
  readonly #parts: EngineParts;
  readonly silence: Silence;
  #end: "done" | "halted" | undefined;
  #haltReason: string | undefined;
  /** When the wait for a usable teacher began; undefined while the run does not wait for one. */
  #unusableSince: number | undefined;
  /** When it was noticed that no teacher has a server; undefined if one may or a gate is closed. */
  #absentSince: number | undefined;
  #lastReported: RunState = "running";

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.silence = new Silence(parts.now);
  }

  get value(): RunState {
    const { isClosed } = this.#parts.lanes, isPaused = this.gates.has("pause");
    if (isClosed && this.#end !== undefined) return this.#end;
    if (isPaused && !isClosed) return "paused";
    // Even after Ctrl-C, a run with a full disk waits until the answers in memory can be written.
    if (this.gates.size > (isPaused ? 1 : 0)) return "disk_full";
    if (isClosed) return this.#isDone ? "done" : "draining";
    return this.backoff === undefined ? "running" : "backing_off";
  }

  get backoff(): Backoff | undefined {
    const { lanes, pool } = this.#parts;
    if (lanes.isClosed) return undefined;
    if (pool.isUnusable) return this.#joinBackoff;
    const { backoff } = pool;
    if (backoff === undefined) return this.#rowsBackoff;
    const { text } = this.silence;
    return text === "" ? backoff : { ...backoff, reason: `${text}: ${backoff.reason}` };
  }

  /** The backoff that users see while no teacher can be used. */
  get #joinBackoff(): Backoff {
    const { pool: { halted }, now, wallClock } = this.#parts;
    const waitedMs = now() - (this.#unusableSince ?? now());
    const reason = halted === undefined
      ? "no teacher is left"
      : `all remaining teachers are halted: the ${nameOf(halted.teacher)} (${halted.reason})`;
    return { until: wallClock() + this.#joinWaitMs - waitedMs, reason };
  }

  get #joinWaitMs(): number {
    const waitMs = this.#parts.options.waitForTeacherMs ?? WAIT_FOR_TEACHER_MS;
    return Math.max(waitMs, this.#hasRows ? WAIT_AFTER_ROWS_MS : 0);
  }

  get #hasRows(): boolean {
    const { options: { hasAnsweredBefore = false }, delivery } = this.#parts;
    return hasAnsweredBefore || delivery.finished > 0;
  }

  /** The backoff while all rows wait for their retries; undefined if a row may be sent now. */
  get #rowsBackoff(): Backoff | undefined {
    const { options, lanes, queue, now, wallClock } = this.#parts;
    const { waiting, dueAt, isExhausted, taken } = queue;
    if (lanes.busy > 0 || waiting === 0) return undefined;
    const remainingMs = dueAt - now();
    if (remainingMs <= 0) return undefined;
    const areAllTaken = isExhausted || taken === options.rowCount;
    if (!areAllTaken && !queue.isFull(0, lanes.target)) return undefined;
    const waitingRows = `${formatCountOf(waiting, "row")} ${waiting === 1 ? "is" : "are"}`;
    const subject = areAllTaken ? "all remaining rows are" : waitingRows;
    return { until: wallClock() + remainingMs, reason: `${subject} waiting to be retried` };
  }

  get haltReason(): string | undefined {
    return this.#end === "done" ? undefined : this.#haltReason;
  }

  /** Sets the reason for a halt, unless there is a reason already or the run is ending. */
  halt(reason: string): void {
    if (!this.#parts.lanes.isClosed) this.#haltReason ??= reason;
  }

  /** @param hasCrashed Whether outcomes could not be written or the input could not be read. */
  end(hasCrashed: boolean): void {
    this.#end = this.#isDone && !hasCrashed ? "done" : "halted";
  }

  get #isDone(): boolean {
    const { options: { rowCount }, queue, delivery: { finished }, lanes } = this.#parts;
    if (lanes.busy > 0) return false;
    if (rowCount !== undefined) return finished === rowCount;
    return queue.isExhausted && finished === queue.taken;
  }

  tick(): void {
    this.reportChange();
    const { lanes, pool, options } = this.#parts, { silence } = this;
    if (!pool.isUnusable || this.gates.size > 0) this.#unusableSince = undefined;
    if (!pool.isAbsent || this.gates.size > 0) this.#absentSince = undefined;
    else this.#absentSince ??= this.#parts.now();
    // Nothing is sent while a gate is closed.
    if (this.gates.size > 0) silence.reset();
    else if (lanes.isClosed) return;
    else if (pool.isUnusable) this.#waitForTeacher();
    else if (silence.isNoticeDue && pool.backoff !== undefined) {
      options.onNotice?.(silence.notice(pool.backoff.reason));
    }
  }

  /** Tells the user that the run is waiting, and halts the run if it has waited too long. */
  #waitForTeacher(): void {
    const { options, now, onHalt } = this.#parts;
    const isNew = this.#unusableSince === undefined;
    // Includes the time without a server if no row is finished: `--wait` limits the whole wait.
    this.#unusableSince ??= (this.#hasRows ? undefined : this.#absentSince) ?? now();
    const { reason } = this.#joinBackoff, waitMs = this.#joinWaitMs;
    const duration = waitMs < Infinity ? ` for ${formatDuration(waitMs)}` : "";
    if (now() - this.#unusableSince >= waitMs) {
      onHalt(`No teacher could be used${duration}: ${reason}`);
    } else if (isNew) {
      const limit = duration === "" ? "" : `${duration} (--wait waits longer)`;
      options.onNotice?.(
        `No teacher can be used: ${reason}. Waiting${limit} for one to join; Ctrl-C stops`,
      );
    }
  }

  noteOutage(endpoint: Endpoint): void {
    const { pool, options: { onNotice } } = this.#parts;
    const { isDown, hasAnswered, reason, teacher } = endpoint;
    if (isDown && !hasAnswered) onNotice?.(firstOutageNotice(endpoint));
    else if (!pool.hasSeveral) return;
    else if (isDown) onNotice?.(`Lost the ${nameOf(teacher)} (${reason}); the others continue`);
    else onNotice?.(`The ${nameOf(teacher)} is back`);
  }

  reportChange(): void {
    const state = this.value;
    if (state === this.#lastReported) return;
    this.#lastReported = state;
    this.#parts.options.listener.stateChanged();
  }
}

function firstOutageNotice({ isUnreachable, reason, teacher, now, breaker }: Endpoint): string {
  const seconds = Math.round((breaker.latestProbeAt - now) / 1_000);
  const duration = seconds < Infinity ? ` for ${seconds} s (--wait waits longer)` : "";
  const problem = isUnreachable
    ? `No response from the ${nameOf(teacher)} (${reason}). Is it running there?`
    : `No answer from the ${nameOf(teacher)} yet (${reason}).`;
  return `${problem} Retrying${duration}; Ctrl-C stops`;
}

const MIN_SHOWN_MS = 60_000;

/** The time without an answer after which the first notice is due. The time doubles after each
 * notice. */
const FIRST_NOTICE_MS = 5 * 60_000;

/** Measures how long no teacher has answered. A run waits for the end of any outage or daily quota,
 * so the user is notified of a long wait. */
export class Silence {
  readonly #now: () => number;
  /** The time of the first failure since the last answer. */
  #since: number | undefined;
  #isQuota = false;
  #noticeMs = FIRST_NOTICE_MS;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The wait so far: `quota, no answer for 12 min`. "" for less than `MIN_SHOWN_MS`. */
  get text(): string {
    if (this.#ms < MIN_SHOWN_MS) return "";
    return `${this.#isQuota ? "quota, " : ""}no answer for ${this.#duration}`;
  }

  get isNoticeDue(): boolean {
    return this.#ms >= this.#noticeMs;
  }

  reset(): void {
    this.#since = undefined;
  }

  failed({ type }: Failure): void {
    if (this.#since === undefined) this.#noticeMs = FIRST_NOTICE_MS;
    this.#since ??= this.#now();
    this.#isQuota = type === "rate_limit";
  }

  /** Returns the notice, and doubles the time until the next one. */
  notice(reason: string): string {
    while (this.isNoticeDue) this.#noticeMs *= 2;
    const why = this.#isQuota
      ? "A daily or monthly quota may be used up"
      : "The teacher may be down for longer";
    return `No answer for ${this.#duration} (${reason}). ${why}. The run keeps trying and ` +
      "continues once there is an answer. Ctrl-C stops it, and the same command continues later; " +
      "--deadline limits the time of a run";
  }

  get #ms(): number {
    return this.#since === undefined ? 0 : this.#now() - this.#since;
  }

  get #duration(): string {
    const minutes = Math.floor(this.#ms / 60_000);
    return minutes < 60 ? `${minutes} min` : formatDuration(minutes * 60_000);
  }
}

/** Maximum number of notices per teacher. A router may choose among many models. */
const MAX_NOTICES = 3;

interface ModelHistory {
  latest: string;
  readonly seen: Set<string>;
}

/** Passes notices of teachers on to the user, and adds a notice when a teacher's model changes.
 * Routers and gateways name the new model only in answers. */
export class TeacherNotices {
  readonly #options: AttemptsOptions;
  /** The map is weak because teachers that have left the run are not removed from it. */
  readonly #models = new WeakMap<Teacher, ModelHistory>();
  readonly #shown = new Set<string>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  passOnOnce(notice: string | undefined): void {
    if (notice === undefined || this.#shown.has(notice)) return;
    this.#shown.add(notice);
    this.#options.onNotice?.(notice);
  }

  answered({ row, endpoint: { teacher } }: Work, { notice, model }: Completion): void {
    this.passOnOnce(notice);
    if (!model || row.params?.model !== undefined) return;
    let history = this.#models.get(teacher);
    if (history === undefined) {
      const latest = this.#options.lastModelOf?.(teacher) ?? model;
      this.#models.set(teacher, history = { latest, seen: new Set([latest]) });
    }
    const { latest, seen } = history;
    if (model === latest) return;
    history.latest = model;
    if (seen.has(model) || seen.size > MAX_NOTICES) return;
    seen.add(model);
    const condition = posixWord(`model_returned == ${JSON.stringify(latest)}`);
    this.#options.onNotice?.(
      `The ${nameOf(teacher)} now answers as the model "${model}" instead of "${latest}": ` +
        `the results hold both. To export the earlier answers alone, add --where ${condition}`,
    );
  }
}

/** Returns a teacher's name for the middle of a sentence: `teacher at http://…`. */
export function nameOf({ address }: Teacher): string {
  return address ? `teacher at ${address}` : "teacher";
}
