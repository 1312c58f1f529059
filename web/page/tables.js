// @ts-check
/// <reference lib="dom" />
/**
 * Tables of teachers, and of errors by kind. On narrow screens the style turns rows into cards; the
 * explicit roles keep them tables for screen readers.
 *
 * @module
 */

import {
  byId,
  fillRows,
  icon,
  make,
  setAttribute,
  setIcon,
  setShown,
  setText,
  setWords,
} from "./dom.js";
import {
  formatClock,
  formatCompact,
  formatCount,
  formatLatency,
  formatMoment,
  formatRate,
  formatUsd,
  UNKNOWN,
} from "./figures.js";
import { adviceFor, worstFirst } from "./problems.js";

/** @import { ErrorGroup, FailureAction, TeacherStatus } from "../../lib/progress/snapshot.ts" */
/** @import { RunStore } from "./store.js" */

/** Kinds of errors that are shown before "Show all" is used. */
const FIRST_ERRORS = 5;

/**
 * A row and its cells by column.
 *
 * @typedef {{ element: HTMLElement, cells: Record<string, HTMLElement>, mark: Element }} Row
 */

/**
 * @type {Record<TeacherStatus["state"], { word: string, until: string, icon: string, tone: string
 * }>}
 */
const TEACHER_STATES = {
  up: { word: "up", until: "", icon: "check", tone: "good" },
  cooling_down: { word: "cooling down", until: "until", icon: "clock", tone: "wait" },
  down: { word: "down", until: "next check at", icon: "alert", tone: "bad" },
  leaving: { word: "leaving", until: "", icon: "clock", tone: "calm" },
  left: { word: "left", until: "", icon: "stop", tone: "calm" },
  halted: { word: "halted", until: "", icon: "stop", tone: "bad" },
};

/**
 * Worst first: an error group has the icon and colour of its first action.
 *
 * @type {Record<FailureAction, { word: string, icon: string, tone: string }>}
 */
const ACTIONS = {
  failed: { word: "failed", icon: "cross", tone: "bad" },
  halted: { word: "interrupted", icon: "stop", tone: "wait" },
  retried: { word: "retried", icon: "retry", tone: "calm" },
};

const TEACHER_COLUMNS = [
  ["state", "State"],
  ["teacher", "Teacher"],
  ["weight", "Weight"],
  ["flight", "In flight / limit"],
  ["rate", "Rows/s"],
  ["p50", "p50"],
  ["answered", "Answers"],
  ["failed", "No answer"],
  ["tokens", "Output tokens"],
  ["cost", "Cost"],
];

const ERROR_COLUMNS = [
  ["type", "Type"],
  ["message", "Message"],
  ["count", "Count"],
  ["action", "Action"],
  ["first", "First"],
  ["last", "Last"],
  ["show", ""],
];

/** Table of teachers. Always shown: the page must not jump whenever one of them is in trouble. */
export class TeacherTable {
  #table = byId("teacher-table", HTMLElement);
  #body = makeTable("teacher-table", TEACHER_COLUMNS);
  #more = byId("teachers-more", HTMLElement);
  /** @type {Row[]} */
  #rows = [];

  /** @param {RunStore} store */
  update(store) {
    const teachers = store.snapshot?.teachers ?? [];
    const total = store.snapshot?.teachers_total ?? 0;
    const items = teachers.map((teacher, i) => ({ teacher, figures: store.teacherFigures[i] }));
    fillRows(this.#body, this.#rows, items, makeTeacherRow, (row, { teacher, figures }) => {
      fillTeacher(row, teacher, store);
      setText(row.cells.rate, figures === undefined ? UNKNOWN : formatRate(figures.rows_per_s));
      const p50 = figures?.p50_ms ?? null;
      setText(row.cells.p50, p50 === null ? UNKNOWN : formatLatency(p50));
    });
    // Equal weights say nothing, and take room from addresses.
    const isWeighted = teachers.some(({ weight }) => weight !== teachers[0].weight);
    setAttribute(this.#table, "data-weighted", isWeighted);
    const missing = total - teachers.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more` : "");
  }
}

/** Table of failed attempts by kind. Kinds that made rows fail come first. */
export class ErrorTable {
  #showRows;
  #all = byId("errors-all", HTMLButtonElement);
  #isWhole = false;
  /** Groups of the shown rows, in order. @type {ErrorGroup[]} */
  #groups = [];
  #nowMs = 0;
  /** @type {RunStore | undefined} */
  #store;
  #box = byId("error-table", HTMLElement);
  #body = makeTable("error-table", ERROR_COLUMNS);
  #none = byId("errors-none", HTMLElement);
  #more = byId("errors-more", HTMLElement);
  /** @type {Row[]} */
  #rows = [];

  /**
   * @param {(type: string, status: number | null) => void} showRows shows the failed rows of a kind
   */
  constructor(showRows) {
    this.#showRows = showRows;
    this.#all.addEventListener("click", () => {
      this.#isWhole = true;
      if (this.#store !== undefined) this.update(this.#store, this.#nowMs);
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.#store = store;
    this.#nowMs = nowMs;
    const all = worstFirst(store.snapshot?.errors ?? []);
    const errors = this.#isWhole ? all : all.slice(0, FIRST_ERRORS);
    this.#groups = errors;
    setShown(this.#all, !this.#isWhole && all.length > errors.length);
    setText(this.#all, `Show all ${formatCount(all.length)} kinds`);
    setShown(this.#none, errors.length === 0);
    setShown(this.#box, errors.length > 0);
    const { failed_attempts = 0, attempts = 0 } = store.snapshot ?? {};
    setText(
      byId("errors-sum", HTMLElement),
      failed_attempts === 0
        ? ""
        : `${formatCount(failed_attempts)} of ${formatCount(attempts)} attempts failed`,
    );
    fillRows(this.#body, this.#rows, errors, () => this.#makeRow(), (row, group) => {
      fillError(row, group, store, nowMs);
    });
    const missing = (store.snapshot?.errors_total ?? 0) - all.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more kinds, less frequent` : "");
  }

  #makeRow() {
    const row = makeErrorRow();
    const button = make("button", { type: "button", class: "small" }, "Show rows");
    button.append(row.cells.of = make("span", { class: "unseen" }));
    button.addEventListener("click", () => {
      const group = this.#groups[this.#rows.indexOf(row)];
      if (group !== undefined) this.#showRows(group.type, group.status);
    });
    row.cells.show.replaceWith(button);
    row.cells.show = button;
    return row;
  }
}

/**
 * @param {string} id
 * @param {string[][]} columns
 */
function makeTable(id, columns) {
  const head = make("tr", { role: "row" });
  for (const [name, title] of columns) {
    head.append(make(
      "th",
      { role: "columnheader", scope: "col", class: name },
      title === "" ? make("span", { class: "unseen" }, "Rows") : title,
    ));
  }
  const body = make("tbody", { role: "rowgroup" });
  const label = byId(id, HTMLElement).dataset.label ?? "";
  byId(id, HTMLElement).replaceChildren(
    make(
      "table",
      { role: "table", class: "rows", "aria-label": label },
      make("thead", { role: "rowgroup" }, head),
      body,
    ),
  );
  return body;
}

/** @param {string[][]} columns @returns {Row} */
function makeRow(columns) {
  const element = make("tr", { role: "row" });
  /** @type {Record<string, HTMLElement>} */
  const cells = {};
  for (const [name, title] of columns) {
    cells[name] = make("span", { class: "text" });
    element.append(make("td", { role: "cell", class: name, "data-title": title }, cells[name]));
  }
  return { element, cells, mark: icon("dots") };
}

function makeTeacherRow() {
  const row = makeRow(TEACHER_COLUMNS);
  row.cells.state.before(row.mark);
  row.cells.until = make("span", { class: "note" });
  row.cells.state.after(row.cells.until);
  row.cells.reason = make("span", { class: "note" });
  row.cells.teacher.after(row.cells.reason);
  return row;
}

/** @param {Row} row @param {TeacherStatus} teacher @param {RunStore} store */
function fillTeacher({ element, cells, mark }, teacher, store) {
  const { word, until, icon: name, tone } = TEACHER_STATES[teacher.state];
  const time = formatClock(store.localTime(teacher.until ?? ""));
  const others = [teacher.model, teacher.reason ?? ""].filter((text) => text !== "");
  setAttribute(element, "data-tone", tone);
  setIcon(mark, name);
  setText(cells.state, word);
  setText(cells.until, teacher.until === null || until === "" ? "" : `${until} ${time}`);
  setText(cells.teacher, teacher.address);
  setText(cells.reason, others.join(" · "));
  setText(cells.weight, formatCount(teacher.weight));
  setText(cells.flight, `${formatCount(teacher.in_flight)} / ${formatCount(teacher.limit)}`);
  setText(cells.answered, formatCount(teacher.answered));
  setText(cells.failed, formatCount(teacher.failed));
  setText(cells.tokens, formatCompact(teacher.completion_tokens));
  // Reports of earlier versions have no cost per teacher.
  const cost = teacher.cost_usd ?? 0;
  setText(cells.cost, cost > 0 ? formatUsd(cost) : UNKNOWN);
}

function makeErrorRow() {
  const row = makeRow(ERROR_COLUMNS);
  row.cells.advice = make("span", { class: "note advice" });
  row.cells.message.after(row.cells.advice);
  row.cells.action.before(row.mark);
  row.cells.status = make("span", { class: "note" });
  row.cells.type.after(row.cells.status);
  row.cells.uids = make("span", { class: "note" });
  row.cells.advice.after(row.cells.uids);
  return row;
}

/** @param {Row} row @param {ErrorGroup} group @param {RunStore} store @param {number} nowMs */
function fillError({ element, cells, mark }, group, store, nowMs) {
  const taken = Object.entries(ACTIONS)
    .map(([action, words]) => ({
      ...words,
      count: group.actions[/** @type {FailureAction} */ (action)],
    }))
    .filter(({ count }) => count > 0);
  setAttribute(element, "data-tone", taken[0]?.tone ?? "calm");
  setIcon(mark, taken[0]?.icon ?? "dots");
  setText(cells.type, group.type);
  setText(cells.status, group.status === null ? "" : `HTTP ${group.status}`);
  setText(cells.message, group.message || UNKNOWN);
  setText(cells.uids, exampleWords(group.uids));
  setText(cells.count, formatCount(group.count));
  setText(cells.action, taken.map(({ count, word }) => `${formatCount(count)} ${word}`).join(", "));
  setWords(cells.advice, adviceFor(group.type));
  setText(cells.of, ` that failed with ${group.type} ${group.status ?? ""}`);
  setShown(cells.show, (group.actions.failed ?? 0) > 0);
  setText(cells.first, formatMoment(store.localTime(group.first_seen), nowMs));
  setText(cells.last, formatMoment(store.localTime(group.last_seen), nowMs));
}

/** Most characters of example ids on one line. Of ids that are hashes, only one fits. */
const MOST_UID_CHARS = 56;

/** @param {readonly string[]} uids */
function exampleWords([first, ...others]) {
  if (first === undefined) return "";
  let words = `For example: ${first}`;
  for (const uid of others) {
    if (words.length + uid.length > MOST_UID_CHARS) break;
    words += `, ${uid}`;
  }
  return words;
}
