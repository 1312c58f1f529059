// @ts-check
/** The page's state of the run, in bounded memory, built from the server's messages. @module */

/** @import { Notice, RunStart, Summary } from "../../lib/progress/events.ts" */
/** @import { ServerMessage, SnapshotMessage } from "../protocol.ts" */
/**
 * @import { AnswerFigures, ChartMark, History, LatencyHistogram, MonitorState, RunAbout, Sample,
 * Samples, TeacherFigures, WireSnapshot } from "../monitor_state.ts"
 */

/** As many as the server keeps. */
const MAX_NOTICES = 100;

/** As many as the server keeps. */
const MAX_CHART_MARKS = 60;

/** Shorter waits count as running: the state would change with each brief backoff. */
const MIN_SHOWN_WAIT_MS = 2_000;

/** More than the 1,000 points that the server keeps. */
const MAX_HISTORY = 2_000;

/**
 * Parts of the state that are redrawn together.
 * @typedef {"run" | "snapshot" | "history" | "samples" | "notices"} Part
 */

/** @type {readonly Part[]} */
export const ALL_PARTS = ["run", "snapshot", "history", "samples", "notices"];

/**
 * Name of a list of sample ids. The samples are in `samplesById`.
 * @typedef {"latest" | "reservoir" | "failures"} SampleList
 */

/** @type {History} */
const EMPTY_HISTORY = {
  point_s: 1,
  columns: /** @type {History["columns"]} */ ({ elapsed_s: /** @type {number[]} */ ([]) }),
};

/** The figures before any answer. @type {AnswerFigures} */
export const NO_ANSWERS = {
  endings: {},
  finish_reasons: [],
  answered: 0,
  truncated: 0,
  completion_tokens: 0,
  reasoning_tokens: 0,
  length_tokens: { p50: 0, p90: 0, p99: 0, max: 0 },
};

export class RunStore {
  /** @type {RunStart | null} */
  run = null;
  /** @type {WireSnapshot | null} */
  snapshot = null;
  /** @type {History | null} */
  history = null;
  /** @type {LatencyHistogram} */
  latency = { bounds_ms: [], counts: [] };
  answers = NO_ANSWERS;
  /** @type {TeacherFigures[]} */
  teacherFigures = [];
  /** @type {ChartMark[]} */
  marks = [];
  /** @type {Record<SampleList, number[]>} */
  lists = { latest: [], reservoir: [], failures: [] };
  /** @type {Map<number, Sample>} */
  samplesById = new Map();
  /** @type {Notice[]} */
  notices = [];
  retryWhenDone = false;
  /** @type {Summary | null} */
  summary = null;
  ended = false;
  /** @type {RunAbout | null} */
  about = null;
  /**
   * Unix milliseconds of the last message; null unless the connection is lost.
   * @type {number | null}
   */
  lostSinceMs = null;
  /** Unix milliseconds of the server's clock at the last message. */
  time = 0;
  /** The server's clock minus the page's: they may be on different machines. */
  clockOffsetMs = 0;
  /** Zero of the run's time axis, in Unix milliseconds of the page's clock. */
  startMs = 0;
  /**
   * When the current wait began, in Unix milliseconds of the page's clock; undefined while requests
   * are sent, -Infinity if the wait is older than the page.
   * @type {number | undefined}
   */
  #waitsSinceMs;
  /** Whether points are missing. None are added then until the next `hello`. */
  #lacksPoints = false;

  /**
   * Applies a message. Returns the parts that have changed.
   * @param {ServerMessage} message
   * @param {number} nowMs when it arrived: Unix milliseconds
   * @returns {readonly Part[]}
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

  /** @param {MonitorState} state @param {number} nowMs when it arrived: Unix milliseconds */
  replace(state, nowMs) {
    this.run = state.run;
    this.snapshot = state.snapshot;
    this.history = state.history;
    this.latency = state.latency;
    this.answers = state.answers;
    this.teacherFigures = state.teacher_figures;
    this.marks = [...state.marks];
    this.#waitsSinceMs = state.snapshot?.state === "backing_off" ? -Infinity : undefined;
    this.notices = state.notices.slice(-MAX_NOTICES);
    this.retryWhenDone = state.retry_when_done;
    this.summary = state.summary;
    this.ended = state.ended;
    this.about = state.about;
    this.time = state.time;
    this.clockOffsetMs = state.time - nowMs;
    this.samplesById.clear();
    this.#takeSamples(state.samples);
    const lastS = state.history.columns.elapsed_s.at(-1) ?? 0;
    // The state of an ended run may arrive much later, so the summary's end time counts.
    const endMs = this.localTime(state.summary?.ended ?? "");
    const lastMs = Number.isNaN(endMs) ? nowMs : endMs;
    this.startMs = lastMs - Math.max(lastS * 1000, state.snapshot?.elapsed_ms ?? 0);
    this.#lacksPoints = false;
  }

  /** Returns the state. Short waits count as running. @param {number} nowMs */
  shownState(nowMs) {
    const { state } = this.snapshot ?? {};
    const isShort = nowMs - (this.#waitsSinceMs ?? -Infinity) < MIN_SHOWN_WAIT_MS;
    return state === "backing_off" && isShort ? "running" : state;
  }

  /** The whole state, as the server would send it. @param {number} nowMs @returns {MonitorState} */
  state(nowMs) {
    return {
      time: nowMs + this.clockOffsetMs,
      run: this.run,
      snapshot: this.snapshot,
      history: this.history ?? EMPTY_HISTORY,
      latency: this.latency,
      answers: this.answers,
      teacher_figures: this.teacherFigures,
      marks: this.marks,
      samples: { ...this.lists, added: [...this.samplesById.values()] },
      notices: this.notices,
      retry_when_done: this.retryWhenDone,
      summary: this.summary,
      ended: this.ended,
      about: this.about,
    };
  }

  /** Keeps whole texts of samples that are still listed. @param {readonly Sample[]} samples */
  takeWhole(samples) {
    for (const sample of samples) {
      if (this.samplesById.has(sample.id)) this.samplesById.set(sample.id, sample);
    }
  }

  /**
   * Converts a time of the server to the page's clock.
   * @param {string} iso
   * @returns {number} Unix milliseconds; NaN for an invalid time
   */
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
   * Adds a point. Returns false if earlier points are missing: a hidden page does not get all
   * points, but a `hello` when it is shown again.
   * @param {number} index
   * @param {readonly (number | null)[]} point
   */
  #takePoint(index, point) {
    if (this.history === null) return false;
    const columns = Object.values(this.history.columns);
    const { length } = columns[0];
    const isNext = index === length || (length > 0 && index === length - 1);
    if (!isNext || index >= MAX_HISTORY) this.#lacksPoints = true;
    if (this.#lacksPoints) return false;
    columns.forEach((column, i) => column[index] = point[i]);
    return true;
  }

  /** @param {Samples} samples */
  #takeSamples({ latest, reservoir, failures, added }) {
    this.lists = { latest, reservoir, failures };
    for (const sample of added) this.samplesById.set(sample.id, sample);
    const listed = new Set([...latest, ...reservoir, ...failures]);
    for (const id of this.samplesById.keys()) {
      if (!listed.has(id)) this.samplesById.delete(id);
    }
  }
}
