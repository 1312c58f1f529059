// @ts-check
/// <reference lib="dom" />
/**
 * The tables of the page: teachers, and errors by kind. On narrow screens the style makes cards of their
 * rows, hence the explicit roles, which keep them tables for those who hear them.
 *
 * @module
 */

import { byId, fillRows, icon, make, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { formatClock, formatCompact, formatCount, formatMoment, UNKNOWN } from "./figures.js";

/** @import { ErrorGroup, FailureAction, TeacherStatus } from "../../lib/progress/events.ts" */
/** @import { RunStore } from "./store.js" */

/** A row and its cells. @typedef {{ element: HTMLElement, cells: Record<string, HTMLElement>, mark: Element }} Row */

/** @type {Record<TeacherStatus["state"], { word: string, icon: string, tone: string }>} */
const TEACHER_STATES = {
  up: { word: "up", icon: "check", tone: "good" },
  cooling_down: { word: "cooling down", icon: "clock", tone: "wait" },
  down: { word: "down", icon: "alert", tone: "bad" },
  halted: { word: "halted", icon: "stop", tone: "bad" },
};

/** The worst first: its icon and colour stand for the group. @type {Record<FailureAction, { word: string, icon: string, tone: string }>} */
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
  ["answered", "Answered"],
  ["failed", "Failed"],
  ["tokens", "Output tokens"],
];

const ERROR_COLUMNS = [
  ["type", "Type"],
  ["message", "Message"],
  ["count", "Count"],
  ["action", "What was done"],
  ["first", "First"],
  ["last", "Last"],
];

/** Teachers, where there are several or one is in trouble. */
export class TeacherTable {
  #section = byId("teachers", HTMLElement);
  #body = makeTable("teacher-table", TEACHER_COLUMNS);
  #more = byId("teachers-more", HTMLElement);
  /** @type {Row[]} */
  #rows = [];

  /** Writes what has changed. @param {RunStore} store */
  update(store) {
    const teachers = store.snapshot?.teachers ?? [];
    const total = store.snapshot?.teachers_total ?? 0;
    const isShown = total > 1 || teachers.some(({ state }) => state !== "up");
    setShown(this.#section, isShown);
    if (!isShown) return;
    fillRows(this.#body, this.#rows, teachers, makeTeacherRow, (row, teacher) => {
      fillTeacher(row, teacher, store);
    });
    const missing = total - teachers.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more` : "");
  }
}

/** Failed attempts by kind. */
export class ErrorTable {
  #box = byId("error-table", HTMLElement);
  #body = makeTable("error-table", ERROR_COLUMNS);
  #none = byId("errors-none", HTMLElement);
  #more = byId("errors-more", HTMLElement);
  /** @type {Row[]} */
  #rows = [];

  /** Writes what has changed. @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const errors = store.snapshot?.errors ?? [];
    setShown(this.#none, errors.length === 0);
    setShown(this.#box, errors.length > 0);
    const { failed_attempts = 0, attempts = 0 } = store.snapshot ?? {};
    setText(
      byId("errors-sum", HTMLElement),
      failed_attempts === 0
        ? ""
        : `${formatCount(failed_attempts)} of ${formatCount(attempts)} attempts failed`,
    );
    fillRows(this.#body, this.#rows, errors, makeErrorRow, (row, group) => {
      fillError(row, group, store, nowMs);
    });
    const missing = (store.snapshot?.errors_total ?? 0) - errors.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more kinds, less frequent` : "");
  }
}

/**
 * @param {string} id
 * @param {string[][]} columns
 */
function makeTable(id, columns) {
  const head = make("tr", { role: "row" });
  for (const [name, title] of columns) {
    head.append(make("th", { role: "columnheader", scope: "col", class: name }, title));
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
  row.cells.reason = make("span", { class: "note" });
  row.cells.teacher.after(row.cells.reason);
  return row;
}

/** @param {Row} row @param {TeacherStatus} teacher @param {RunStore} store */
function fillTeacher({ element, cells, mark }, teacher, store) {
  const { word, icon: name, tone } = TEACHER_STATES[teacher.state];
  const until = teacher.until === null
    ? ""
    : ` until ${formatClock(store.localTime(teacher.until))}`;
  const others = [teacher.model, teacher.reason ?? ""].filter((text) => text !== "");
  setAttribute(element, "data-tone", tone);
  setIcon(mark, name);
  setText(cells.state, word + until);
  setText(cells.teacher, teacher.address);
  setText(cells.reason, others.join(" · "));
  setText(cells.weight, formatCount(teacher.weight));
  setText(cells.flight, `${formatCount(teacher.in_flight)} / ${formatCount(teacher.limit)}`);
  setText(cells.answered, formatCount(teacher.answered));
  setText(cells.failed, formatCount(teacher.failed));
  setText(cells.tokens, formatCompact(teacher.completion_tokens));
}

function makeErrorRow() {
  const row = makeRow(ERROR_COLUMNS);
  row.cells.action.before(row.mark);
  row.cells.status = make("span", { class: "note" });
  row.cells.type.after(row.cells.status);
  row.cells.uids = make("span", { class: "note" });
  row.cells.message.after(row.cells.uids);
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
  setText(cells.uids, group.uids.length === 0 ? "" : `as in ${group.uids.join(", ")}`);
  setText(cells.count, formatCount(group.count));
  setText(cells.action, taken.map(({ count, word }) => `${formatCount(count)} ${word}`).join(", "));
  setText(cells.first, formatMoment(store.localTime(group.first_seen), nowMs));
  setText(cells.last, formatMoment(store.localTime(group.last_seen), nowMs));
}
