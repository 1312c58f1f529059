/** The monitor's record of a run, kept whether or not a page is open. @module */

import { Buffer } from "node:buffer";
import {
  countTeacherStates,
  type ErrorGroup,
  mostUrgentTeachers,
  type Notice,
  type RunEvent,
  type RunStart,
  type Snapshot,
  type Summary,
  type TeacherStatus,
} from "../lib/progress/mod.ts";
import { formatCount, sumOf } from "../lib/figures.js";
import { cut } from "../lib/printable.ts";
import type { Outcome } from "../lib/row.ts";
import { History, Marks } from "./history.ts";
import { Latency } from "./latency.ts";
import type {
  ChartMark,
  MonitorState,
  RunAbout,
  TeacherFigures,
  WireSnapshot,
} from "./monitor_state.ts";
import type { SnapshotMessage } from "./protocol.ts";
import { RunFigures } from "./run_figures.ts";
import { Samples, shortenedToFit } from "./samples.ts";

const MAX_NOTICES = 100;

/** Longest text of a notice, in UTF-16 units. */
const MAX_NOTICE = 1_000;

export interface RunRecordOptions {
  now: () => number;
  wallClock: () => number;
  random?: () => number;
  about?: (summary: Summary | null) => RunAbout;
}

/** The record of one generator's runs, in bounded memory. */
export class RunRecord {
  readonly history = new History();
  readonly samples: Samples;
  latency: Latency;
  notices: Notice[] = [];
  snapshot: Snapshot | undefined;
  ended = false;
  /** Whether a user requested a retry of failed rows at the end of the run. */
  retryWhenDone = false;
  readonly #wallClock: () => number;
  readonly #about: RunRecordOptions["about"];
  readonly #now: () => number;
  readonly #marks = new Marks();
  #figures: RunFigures;
  #run: RunStart | null = null;
  #summary: Summary | null = null;

  constructor(options: RunRecordOptions) {
    this.#wallClock = options.wallClock;
    this.#about = options.about;
    this.#now = options.now;
    this.samples = new Samples(options.random);
    this.latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
  }

  get about(): RunAbout | null {
    return this.#about?.(this.#summary) ?? null;
  }

  get #teacherFigures(): TeacherFigures[] {
    return this.#figures.teachers(this.snapshot?.teachers ?? []);
  }

  /** Records an event. Returns the marks that it adds to the charts. */
  add(event: RunEvent): ChartMark[] {
    if (event.type === "snapshot") {
      this.snapshot = event;
      return this.#marks.observe(event, this.#axisS);
    }
    if (event.type === "notice") return this.#addNotice(event);
    if (event.type === "run-start") this.#begin(event);
    else this.end(event);
    return [];
  }

  addOutcomes(outcomes: readonly Outcome[]): void {
    this.samples.add(outcomes);
    this.#figures.add(outcomes);
    const answered = outcomes.filter(({ failure }) => failure === undefined);
    this.latency.record(answered.map(({ latencyMs }) => latencyMs));
  }

  /** Records the end of the run. `summary` is null if an error ended it. */
  end(summary: Summary | null): void {
    if (!this.ended) this.#summary = summary;
    this.ended = true;
  }

  /**
   * Adds the latest snapshot to the history.
   *
   * @param lagMs How late the monitor's last beat was; snapshots have only percentiles of the lag.
   */
  addPoint(lagMs: number): void {
    if (this.snapshot === undefined) return;
    this.history.add({ ...this.snapshot, ...this.latency.window(), lag_ms: lagMs });
  }

  /** Encodes the message about `snapshot` and the last point. */
  snapshotMessage(snapshot: Snapshot): string {
    const index = this.history.length - 1;
    return encodeSnapshot({
      type: "snapshot",
      time: this.#wallClock(),
      point_index: index,
      point: this.history.valuesAt(index),
      latency: this.latency.histogram(),
      answers: this.#figures.answers(),
      teacher_figures: this.#teacherFigures,
      retry_when_done: this.retryWhenDone,
    }, snapshot);
  }

  /** Returns the state. Texts of samples are truncated for lists. */
  state(): MonitorState {
    const wire = this.snapshot && wireSnapshot(this.snapshot, this.#teacherFigures);
    return {
      time: this.#wallClock(),
      run: this.#run,
      snapshot: wire?.snapshot ?? null,
      history: this.history.columns(),
      latency: this.latency.histogram(),
      answers: this.#figures.answers(),
      teacher_figures: wire?.teacher_figures ?? [],
      marks: this.#marks.all,
      samples: this.samples.since(),
      notices: this.notices,
      retry_when_done: this.retryWhenDone,
      summary: this.#summary,
      ended: this.ended,
      about: this.about,
    };
  }

  /** Returns the state. Texts of samples are truncated only if they exceed `maxBytes` together. */
  wholeState(maxBytes: number): MonitorState {
    return { ...this.state(), samples: shortenedToFit(this.samples.wholeSamples(), maxBytes) };
  }

  /** Position of the latest snapshot on the time axis of the charts. */
  get #axisS(): number {
    return this.history.axisS((this.snapshot?.elapsed_ms ?? 0) / 1000);
  }

  #addNotice(notice: Notice): ChartMark[] {
    const short = { ...notice, message: cut(notice.message, MAX_NOTICE) };
    this.notices = [...this.notices, short].slice(-MAX_NOTICES);
    return this.#marks.observeNotice(short, this.#axisS);
  }

  /**
   * Begins a run. Figures of an earlier run are dropped, and so are its failed samples, because the
   * new run usually retries these rows. Charts, notices and sample answers stay.
   */
  #begin(event: RunStart): void {
    if (this.#run !== null) this.history.beginNextRun();
    this.#marks.restart();
    this.samples.forgetFailures();
    this.latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
    this.#run = event;
    this.snapshot = undefined;
    this.#summary = null;
    this.ended = false;
  }
}

export const MAX_SNAPSHOT_BYTES = 8 * 1024;

/** Longest uid, in UTF-16 units. Users search for uids, so most must not be truncated. */
const MAX_UID = 80;

interface Limits {
  readonly errors: number;
  readonly teachers: number;
  /** Longest text, in UTF-16 units. */
  readonly text: number;
}

/**
 * Limits, tried in this order. With the last, any snapshot fits: in JSON, even 24 control
 * characters take only 144 bytes.
 */
const LIMITS: readonly Limits[] = [
  { errors: 50, teachers: 32, text: 400 },
  { errors: 30, teachers: 16, text: 240 },
  { errors: 20, teachers: 12, text: 160 },
  { errors: 12, teachers: 8, text: 120 },
  { errors: 8, teachers: 6, text: 80 },
  { errors: 4, teachers: 4, text: 40 },
  { errors: 2, teachers: 2, text: 24 },
];

/**
 * Shortens a snapshot, by default to the limits of `hello` messages and reports. Also returns the
 * figures of the teachers that remain in it.
 *
 * @param figures The figures of each teacher of the snapshot.
 */
export function wireSnapshot(
  snapshot: Snapshot,
  figures: readonly TeacherFigures[],
  limits: Limits = LIMITS[0],
): { snapshot: WireSnapshot; teacher_figures: TeacherFigures[] } {
  const { teachers } = snapshot;
  // Teachers that left always have an entry, so that the sums of the table are complete.
  const departed = sumOfDeparted(teachers.filter((teacher) => !isPresent(teacher)));
  const shown = mostUrgentTeachers(teachers, limits.teachers - departed.length);
  return {
    snapshot: {
      ...snapshot,
      reason: cutOrNull(snapshot.reason, limits.text),
      errors: snapshot.errors.slice(0, limits.errors).map((group) => cutGroup(group, limits.text)),
      errors_total: snapshot.errors.length,
      teachers: [...shown.map((i) => teachers[i]), ...departed]
        .map((teacher) => cutTeacher(teacher, limits.text)),
      teachers_total: teachers.filter(isPresent).length + departed.length,
      teachers_left: departed.length,
      teacher_states: countTeacherStates(teachers),
    },
    teacher_figures: [
      ...shown.map((i) => figures[i]),
      ...departed.map(() => ({ rows_per_s: 0, p50_ms: null })),
    ],
  };
}

function isPresent({ state }: TeacherStatus): boolean {
  return state !== "left";
}

/** Sums up teachers that have left in one entry. Returns no entry if no teacher has left. */
function sumOfDeparted(departed: readonly TeacherStatus[]): TeacherStatus[] {
  if (departed.length < 2) return [...departed];
  const count = sumOf(departed, ({ teachers = 1 }) => teachers);
  return [{
    ...departed[0],
    address: `${formatCount(count)} teachers that left`,
    model: "",
    answered: sumOf(departed, ({ answered }) => answered),
    failed: sumOf(departed, ({ failed }) => failed),
    completion_tokens: sumOf(departed, ({ completion_tokens }) => completion_tokens),
    cost_usd: sumOf(departed, ({ cost_usd }) => cost_usd),
    teachers: count,
  }];
}

/** Encodes a message in at most 8 KB: if necessary with fewer errors, teachers and characters. */
export function encodeSnapshot(
  message: Omit<SnapshotMessage, "snapshot">,
  snapshot: Snapshot,
): string {
  let text = "";
  for (const limits of LIMITS) {
    text = JSON.stringify({
      ...message,
      ...wireSnapshot(snapshot, message.teacher_figures, limits),
    });
    if (Buffer.byteLength(text) <= MAX_SNAPSHOT_BYTES) break;
  }
  return text;
}

function cutGroup(group: ErrorGroup, length: number): ErrorGroup {
  return {
    ...group,
    message: cut(group.message, length),
    uids: group.uids.map((uid) => cut(uid, Math.min(length, MAX_UID))),
  };
}

function cutTeacher(teacher: TeacherStatus, length: number): TeacherStatus {
  return {
    ...teacher,
    address: cut(teacher.address, length),
    model: cut(teacher.model, length),
    reason: cutOrNull(teacher.reason, length),
  };
}

function cutOrNull(text: string | null, length: number): string | null {
  return text === null ? null : cut(text, length);
}
