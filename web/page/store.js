// @ts-check
/** The page's state of the run, in bounded memory, built from the server's messages. @module */

/** @import { ServerMessage, SnapshotMessage } from "../protocol.ts" */
/** @import { AnswerFigures, History, MonitorState, Sample, Samples } from "../monitor_state.ts" */

// The server has the same limits.
const MAX_NOTICES = 100;
const MAX_CHART_MARKS = 60;

/**
 * Minimum duration of a wait that is shown. Otherwise, each brief backoff would change the state.
 */
const MIN_SHOWN_WAIT_MS = 2_000;

/** Maximum number of points, above the 1,000 that the server keeps. */
const MAX_HISTORY = 2_000;

/**
 * Parts of the state that are redrawn together.
 * @typedef {"run" | "snapshot" | "history" | "samples" | "notices"} Part
 */

/** @type {readonly Part[]} */
export const ALL_PARTS = ["run", "snapshot", "history", "samples", "notices"];

/** @typedef {"latest" | "reservoir" | "failures"} SampleList */

/** @type {AnswerFigures} */
export const NO_ANSWERS = {
  endings: {},
  finish_reasons: [],
  answered: 0,
  truncated: 0,
  completion_tokens: 0,
  reasoning_tokens: 0,
  length_tokens: { p50: 0, p90: 0, p99: 0, max: 0 },
};

/** @type {MonitorState} */
const EMPTY_STATE = {
  time: 0,
  run: null,
  snapshot: null,
  history: {
    point_s: 1,
    columns: /** @type {History["columns"]} */ ({ elapsed_s: /** @type {number[]} */ ([]) }),
  },
  latency: { bounds_ms: [], counts: [] },
  answers: NO_ANSWERS,
  teacher_figures: [],
  marks: [],
  samples: { latest: [], reservoir: [], failures: [], added: [] },
  notices: [],
  retry_when_done: false,
  summary: null,
  ended: false,
  about: null,
};

export class RunStore {
  /** The state that the server sent, without samples, which are in `samplesById`. */
  state = EMPTY_STATE;
  /** @type {Map<number, Sample>} */
  samplesById = new Map();
  /**
   * Unix milliseconds of the last message; null unless the connection is lost.
   * @type {number | null}
   */
  lostSinceMs = null;
  /** The server's clock minus the page's: they may be on different machines. */
  clockOffsetMs = 0;
  /** Zero of the run's time axis, in Unix milliseconds of the page's clock. */
  startMs = 0;
  /**
   * When the run began to back off, in Unix milliseconds of the page's clock; undefined in other
   * states, -Infinity if it began before the page knew of the run.
   * @type {number | undefined}
   */
  #waitsSinceMs;
  /** Whether points are missing. If so, none are added until the next `hello`. */
  #lacksPoints = false;

  /**
   * Applies a message. Returns the parts that have changed.
   * @param {ServerMessage} message
   * @param {number} nowMs when it arrived: Unix milliseconds
   * @returns {readonly Part[]}
   */
  apply(message, nowMs) {
    const { notices, marks } = this.state;
    switch (message.type) {
      case "hello": {
        const { type: _type, ...state } = message;
        this.replace(state, nowMs);
        return ALL_PARTS;
      }
      case "snapshot":
        return this.#applySnapshot(message, nowMs);
      case "samples":
        this.#updateSamples(message);
        return ["samples"];
      case "notice":
        this.#change({ notices: [...notices, message.notice].slice(-MAX_NOTICES) });
        return ["notices"];
      case "marks":
        this.#change({ marks: [...marks, ...message.marks].slice(-MAX_CHART_MARKS) });
        return ["history"];
      case "end":
        this.#change({ ended: true, summary: message.summary, about: message.about });
        return ["run", "snapshot"];
      default:
        return [];
    }
  }

  /** @param {MonitorState} state @param {number} nowMs when it arrived: Unix milliseconds */
  replace(state, nowMs) {
    const { snapshot, history, summary } = state;
    const oldSamples = this.samplesById;
    this.state = { ...state, notices: state.notices.slice(-MAX_NOTICES) };
    const waits = snapshot?.state === "backing_off";
    this.#waitsSinceMs = waits ? this.#waitsSinceMs ?? -Infinity : undefined;
    this.clockOffsetMs = state.time - nowMs;
    this.samplesById = new Map();
    this.#updateSamples(state.samples);
    this.keepWholeTexts([...oldSamples.values()].filter(({ is_cut }) => !is_cut));
    const lastS = history.columns.elapsed_s.at(-1) ?? 0;
    // The state of an ended run may arrive much later than its end, which the summary has.
    const endMs = this.localTime(summary?.ended ?? "");
    const lastMs = Number.isNaN(endMs) ? nowMs : endMs;
    this.startMs = lastMs - Math.max(lastS * 1000, snapshot?.elapsed_ms ?? 0);
    this.#lacksPoints = false;
  }

  /** Returns the state of the run, or `running` in short waits. @param {number} nowMs */
  shownState(nowMs) {
    const { state } = this.state.snapshot ?? {};
    const isShort = nowMs - (this.#waitsSinceMs ?? -Infinity) < MIN_SHOWN_WAIT_MS;
    return state === "backing_off" && isShort ? "running" : state;
  }

  /**
   * Returns the whole state, as the server would send it.
   * @param {number} nowMs
   * @returns {MonitorState}
   */
  wholeState(nowMs) {
    const samples = { ...this.state.samples, added: [...this.samplesById.values()] };
    return { ...this.state, time: nowMs + this.clockOffsetMs, samples };
  }

  /** Keeps the full texts of samples that are still listed. @param {readonly Sample[]} samples */
  keepWholeTexts(samples) {
    for (const sample of samples) {
      const { uid, time } = this.samplesById.get(sample.id) ?? {};
      // After a restart of the server, another sample may have the same id.
      if (uid === sample.uid && time === sample.time) this.samplesById.set(sample.id, sample);
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
  #applySnapshot(message, nowMs) {
    if (message.snapshot.state !== "backing_off") this.#waitsSinceMs = undefined;
    else this.#waitsSinceMs ??= nowMs;
    const { type: _type, point_index, point, ...figures } = message;
    this.#change(figures);
    this.clockOffsetMs = message.time - nowMs;
    return this.#addPoint(point_index, point) ? ["snapshot", "history"] : ["snapshot"];
  }

  /** @param {Partial<MonitorState>} changes */
  #change(changes) {
    this.state = { ...this.state, ...changes };
  }

  /**
   * Adds a point. Returns false if earlier points are missing or the history is full. No points are
   * then added until the next `hello`. A hidden page does not get all points; it gets a `hello`
   * when it is shown again.
   * @param {number} index
   * @param {readonly (number | null)[]} point
   */
  #addPoint(index, point) {
    const columns = Object.values(this.state.history.columns);
    const { length } = columns[0];
    const isNext = index === length || (length > 0 && index === length - 1);
    if (!isNext || index >= MAX_HISTORY) this.#lacksPoints = true;
    if (this.#lacksPoints) return false;
    columns.forEach((column, i) => column[index] = point[i]);
    return true;
  }

  /** @param {Samples} samples */
  #updateSamples({ latest, reservoir, failures, added }) {
    this.#change({ samples: { latest, reservoir, failures, added: [] } });
    for (const sample of added) this.samplesById.set(sample.id, sample);
    const listed = new Set([...latest, ...reservoir, ...failures]);
    for (const id of this.samplesById.keys()) {
      if (!listed.has(id)) this.samplesById.delete(id);
    }
  }
}
