// @ts-check
/**
 * All that the page knows of the run, in bounded memory: a fold over the server's messages.
 *
 * @module
 */

/** @import { Notice, RunStart, Summary } from "../../lib/progress/events.ts" */
/** @import { AnswerFigures, ChartMark, History, LatencyHistogram, MonitorState, RunAbout, Sample, Samples, ServerMessage, SnapshotMessage, TeacherFigures, WireSnapshot } from "../protocol.ts" */

/** As many notices are kept as the server keeps. */
const MAX_NOTICES = 100;

/** As many marks are kept as the server keeps. */
const MAX_CHART_MARKS = 60;

/** A wait that is shorter is not worth a word: while rows wait for a moment, the state changes all the time. */
const BACKING_OFF_MS = 2_000;

/** More points than the server ever sends mean that something is wrong. */
const MAX_HISTORY = 2_000;

/**
 * What changed: what is drawn anew.
 *
 * @typedef {"run" | "snapshot" | "history" | "samples" | "notices"} Part
 */

/** @type {readonly Part[]} */
export const ALL_PARTS = ["run", "snapshot", "history", "samples", "notices"];

/** Which samples there are; those themselves are in `byId`. @typedef {"latest" | "reservoir" | "failures"} SampleList */

/** @type {History} */
const EMPTY_HISTORY = {
  point_s: 1,
  columns: /** @type {History["columns"]} */ ({ elapsed_s: /** @type {number[]} */ ([]) }),
};

/** @type {AnswerFigures} */
const NO_ANSWERS = {
  finish_reasons: [],
  answered: 0,
  truncated: 0,
  completion_tokens: 0,
  reasoning_tokens: 0,
};

/** Holds the run as it was last heard of. */
export class RunStore {
  /** @type {RunStart | null} */
  run = null;
  /** @type {WireSnapshot | null} */
  snapshot = null;
  /** @type {History | null} */
  history = null;
  /** @type {LatencyHistogram} */
  latency = { bounds_ms: [], counts: [] };
  /** @type {AnswerFigures | null} */
  answers = null;
  /** @type {TeacherFigures[]} */
  teacherFigures = [];
  /** @type {ChartMark[]} */
  marks = [];
  /** @type {Record<SampleList, number[]>} */
  lists = { latest: [], reservoir: [], failures: [] };
  /** @type {Map<number, Sample>} */
  byId = new Map();
  /** @type {Notice[]} */
  notices = [];
  retryWhenDone = false;
  /** @type {Summary | null} */
  summary = null;
  ended = false;
  /** @type {RunAbout | null} */
  about = null;
  /** When the run was last heard of, where the connection to it is lost: Unix milliseconds. @type {number | null} */
  lostSinceMs = null;
  /** When the last message was put together, on the server's clock: Unix milliseconds. */
  time = 0;
  /** The server's clock less that of the page, in milliseconds: they may be two machines. */
  clockOffsetMs = 0;
  /** When the run's clock stood at 0, on the page's clock: Unix milliseconds. */
  zeroMs = 0;
  /** Since when nothing is sent: milliseconds, undefined while something is. @type {number | undefined} */
  #waitsSinceMs;
  /** Whether points are missing, so that none are added until everything is told anew. */
  #isBehind = false;

  /**
   * Takes a message.
   *
   * @param {ServerMessage} message
   * @param {number} nowMs when it came: Unix milliseconds
   * @returns {readonly Part[]} what has changed
   */
  apply(message, nowMs) {
    switch (message.type) {
      case "hello":
        this.replace(message, nowMs);
        return ALL_PARTS;
      case "snapshot":
        return this.#takeSnapshot(message, nowMs);
      case "samples":
        this.#takeSamples(message);
        return ["samples"];
      case "notice":
        this.notices = [...this.notices, message.notice].slice(-MAX_NOTICES);
        return ["notices"];
      case "marks":
        this.marks = [...this.marks, ...message.marks].slice(-MAX_CHART_MARKS);
        return ["history"];
      case "end":
        this.ended = true;
        this.summary = message.summary;
        this.about = message.about;
        return ["run", "snapshot"];
      default:
        return [];
    }
  }

  /**
   * Forgets everything and takes this.
   *
   * @param {MonitorState} state
   * @param {number} nowMs when it came: Unix milliseconds
   */
  replace(state, nowMs) {
    this.run = state.run;
    this.snapshot = state.snapshot;
    this.history = state.history;
    this.latency = state.latency;
    this.answers = state.answers ?? null;
    this.teacherFigures = state.teacher_figures ?? [];
    this.marks = [...state.marks ?? []];
    this.#waitsSinceMs = state.snapshot?.state === "backing_off" ? -Infinity : undefined;
    this.notices = state.notices.slice(-MAX_NOTICES);
    this.retryWhenDone = state.retry_when_done;
    this.summary = state.summary;
    this.ended = state.ended;
    this.about = state.about;
    this.time = state.time;
    this.clockOffsetMs = state.time - nowMs;
    this.byId.clear();
    this.#takeSamples(state.samples);
    const lastS = state.history.columns.elapsed_s.at(-1) ?? 0;
    // An ended run is told of at any later time: its end tells where its clock stood.
    const endMs = this.localTime(state.summary?.ended ?? "");
    const lastMs = Number.isNaN(endMs) ? nowMs : endMs;
    this.zeroMs = lastMs - Math.max(lastS * 1000, state.snapshot?.elapsed_ms ?? 0);
    this.#isBehind = false;
  }

  /** What the run is doing, without waits that are over at once. @param {number} nowMs */
  shownState(nowMs) {
    const { state } = this.snapshot ?? {};
    const isShort = nowMs - (this.#waitsSinceMs ?? -Infinity) < BACKING_OFF_MS;
    return state === "backing_off" && isShort ? "running" : state;
  }

  /** All that is known, as the server would tell it. @param {number} nowMs @returns {MonitorState} */
  state(nowMs) {
    return {
      time: nowMs + this.clockOffsetMs,
      run: this.run,
      snapshot: this.snapshot,
      history: this.history ?? EMPTY_HISTORY,
      latency: this.latency,
      answers: this.answers ?? NO_ANSWERS,
      teacher_figures: this.teacherFigures,
      marks: this.marks,
      samples: { ...this.lists, added: [...this.byId.values()] },
      notices: this.notices,
      retry_when_done: this.retryWhenDone,
      summary: this.summary,
      ended: this.ended,
      about: this.about,
    };
  }

  /** Takes samples with their whole texts in place of those that are held. @param {readonly Sample[]} samples */
  takeWhole(samples) {
    for (const sample of samples) {
      if (this.byId.has(sample.id)) this.byId.set(sample.id, sample);
    }
  }

  /** A time of the server on the page's clock. @param {string} iso @returns {number} Unix milliseconds, NaN for what is no time */
  localTime(iso) {
    return Date.parse(iso) - this.clockOffsetMs;
  }

  /** @param {SnapshotMessage} message @param {number} nowMs @returns {readonly Part[]} */
  #takeSnapshot(message, nowMs) {
    if (message.snapshot.state !== "backing_off") this.#waitsSinceMs = undefined;
    else this.#waitsSinceMs ??= nowMs;
    this.snapshot = message.snapshot;
    this.latency = message.latency;
    this.answers = message.answers;
    this.teacherFigures = message.teacher_figures;
    this.retryWhenDone = message.retry_when_done;
    this.time = message.time;
    this.clockOffsetMs = message.time - nowMs;
    return this.#takePoint(message.point_index, message.point)
      ? ["snapshot", "history"]
      : ["snapshot"];
  }

  /**
   * A hidden page is left out of some points, and of the thinning of all: then it waits for the `hello`
   * that it gets when it is seen again.
   *
   * @param {number} index
   * @param {readonly (number | null)[]} point
   */
  #takePoint(index, point) {
    if (this.history === null) return false;
    const columns = Object.values(this.history.columns);
    const { length } = columns[0];
    const isNext = index === length || (length > 0 && index === length - 1);
    if (!isNext || index >= MAX_HISTORY) this.#isBehind = true;
    if (this.#isBehind) return false;
    columns.forEach((column, place) => column[index] = point[place]);
    return true;
  }

  /** @param {Samples} samples */
  #takeSamples({ latest, reservoir, failures, added }) {
    this.lists = { latest, reservoir, failures };
    for (const sample of added) this.byId.set(sample.id, sample);
    const named = new Set([...latest, ...reservoir, ...failures]);
    for (const id of this.byId.keys()) {
      if (!named.has(id)) this.byId.delete(id);
    }
  }
}
