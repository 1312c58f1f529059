// @ts-check
/// <reference lib="dom" />
/**
 * The tables of teachers and failed attempts. On narrow screens CSS turns rows into cards; explicit
 * roles keep the tables for screen readers.
 *
 * @module
 */

import {
  byId,
  fillRows,
  icon,
  make,
  onClick,
  setAttribute,
  setIcon,
  setShown,
  setText,
  setWords,
} from "./dom.js";
import { formatCount, formatCountOf, formatLatency, formatUsd } from "../../lib/figures.js";
import {
  formatClock,
  formatCompact,
  formatId,
  formatMoment,
  formatRate,
  UNKNOWN,
} from "./figures.js";
import { adviceFor, worstFirst } from "./problems.js";

/** @import { ErrorGroup, FailureAction, TeacherStatus } from "../../lib/progress/mod.ts" */
/** @import { TeacherFigures } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

/**
 * `untilWords` is shown before the time of the next change.
 * @type {Record<
 *   TeacherStatus["state"],
 *   { word: string, untilWords: string, icon: string, tone: string }
 * >}
 */
const TEACHER_STATES = {
  up: { word: "up", untilWords: "", icon: "check", tone: "good" },
  cooling_down: { word: "cooling down", untilWords: "until", icon: "clock", tone: "wait" },
  down: { word: "down", untilWords: "next check at", icon: "alert", tone: "bad" },
  leaving: { word: "leaving", untilWords: "", icon: "clock", tone: "calm" },
  left: { word: "left", untilWords: "", icon: "stop", tone: "calm" },
  halted: { word: "halted", untilWords: "", icon: "stop", tone: "bad" },
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

/** The table of teachers. It is always shown, so that the page does not jump when one goes down. */
export class TeacherTable {
  #body = makeTable("teacher-table", "Teachers", TEACHER_COLUMNS);
  /** @type {Row[]} */
  #rows = [];

  /** @param {RunStore} store */
  update(store) {
    const { snapshot, teacher_figures } = store.state;
    const teachers = snapshot?.teachers ?? [];
    const items = teachers.map((teacher, i) => ({ teacher, figures: teacher_figures[i] }));
    fillRows(this.#body, this.#rows, items, makeTeacherRow, (row, { teacher, figures }) => {
      fillTeacher(row, teacher, figures, store);
    });
    // Hides equal weights, which say nothing and leave less room for addresses.
    const isWeighted = teachers.some(({ weight }) => weight !== teachers[0].weight);
    setAttribute("teacher-table", "data-weighted", isWeighted);
    const missing = (snapshot?.teachers_total ?? 0) - teachers.length;
    setText("teachers-more", missing > 0 ? `and ${formatCount(missing)} more` : "");
  }
}

function makeTeacherRow() {
  const row = makeRow(TEACHER_COLUMNS);
  row.cells.state.before(row.mark);
  addNote(row, "until", "state");
  addNote(row, "reason", "teacher");
  return row;
}

/**
 * Fills the row of a teacher. A teacher that left has no rate, latency or attempts in flight.
 * @param {Row} row
 * @param {TeacherStatus} teacher
 * @param {TeacherFigures | undefined} figures
 * @param {RunStore} store
 */
function fillTeacher({ element, cells, mark }, teacher, figures, store) {
  const { word, untilWords, icon: name, tone } = TEACHER_STATES[teacher.state];
  const time = formatClock(store.localTime(teacher.until ?? ""));
  const details = [teacher.model, teacher.reason ?? ""].filter((text) => text !== "");
  const isGone = teacher.state === "left", p50 = figures?.p50_ms ?? null;
  setAttribute(element, "data-tone", tone);
  setIcon(mark, name);
  setTexts(cells, {
    state: word,
    until: teacher.until === null || untilWords === "" ? "" : `${untilWords} ${time}`,
    teacher: teacher.address,
    reason: details.join(" · "),
    weight: formatCount(teacher.weight),
    flight: isGone ? UNKNOWN : `${formatCount(teacher.in_flight)} / ${formatCount(teacher.limit)}`,
    rate: isGone || figures === undefined ? UNKNOWN : formatRate(figures.rows_per_s),
    p50: isGone || p50 === null ? UNKNOWN : formatLatency(p50),
    answered: formatCount(teacher.answered),
    failed: formatCount(teacher.failed),
    tokens: formatCompact(teacher.completion_tokens),
    cost: teacher.cost_usd > 0 ? formatUsd(teacher.cost_usd) : UNKNOWN,
  });
}

/** Number of kinds that are shown before "Show all" is used. */
const FIRST_ERRORS = 5;

/**
 * Actions on failed attempts, worst first. An error group has the icon and tone of the worst action
 * that was taken.
 * @type {readonly { name: FailureAction, word: string, icon: string, tone: string }[]}
 */
const ACTIONS = [
  { name: "failed", word: "failed", icon: "cross", tone: "bad" },
  { name: "halted", word: "interrupted", icon: "stop", tone: "wait" },
  { name: "retried", word: "retried", icon: "retry", tone: "calm" },
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

export class ErrorTable {
  #showRows;
  #showsAll = false;
  #redraw = () => {};
  #body = makeTable("error-table", "Errors by kind", ERROR_COLUMNS);
  /** @type {Row[]} */
  #rows = [];
  /** Groups of the shown rows, in order. @type {ErrorGroup[]} */
  #groups = [];

  /**
   * @param {(type: string, status: number | null) => void} showRows shows the failed rows of a kind
   */
  constructor(showRows) {
    this.#showRows = showRows;
    onClick("errors-all", () => {
      this.#showsAll = true;
      this.#redraw();
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.#redraw = () => this.update(store, nowMs);
    const { snapshot } = store.state;
    const all = worstFirst(snapshot?.errors ?? []);
    const errors = this.#showsAll ? all : all.slice(0, FIRST_ERRORS);
    this.#groups = errors;
    setShown("errors-all", all.length > errors.length);
    setText("errors-all", `Show all ${formatCount(all.length)} kinds`);
    setShown("errors-none", errors.length === 0);
    setShown("error-table", errors.length > 0);
    const { failed_attempts = 0, attempts = 0 } = snapshot ?? {};
    const sum = `${formatCount(failed_attempts)} of ${formatCountOf(attempts, "attempt")} failed`;
    setText("errors-sum", failed_attempts === 0 ? "" : sum);
    fillRows(this.#body, this.#rows, errors, () => this.#makeRow(), (row, group) => {
      fillError(row, group, store, nowMs);
    });
    const missing = (snapshot?.errors_total ?? 0) - all.length;
    const more = `and ${formatCountOf(missing, "more kind")}, less frequent`;
    setText("errors-more", missing > 0 ? more : "");
  }

  #makeRow() {
    const row = makeRow(ERROR_COLUMNS);
    const { cells } = row;
    cells.action.before(row.mark);
    addNote(row, "advice", "message");
    cells.advice.classList.add("advice");
    addNote(row, "uids", "advice");
    addNote(row, "status", "type");
    cells.kind = make("span", { class: "visually-hidden" });
    const button = make("button", { type: "button", class: "small" }, "Show rows", cells.kind);
    button.addEventListener("click", () => {
      const group = this.#groups[this.#rows.indexOf(row)];
      this.#showRows(group.type, group.status);
    });
    cells.show.replaceWith(button);
    cells.show = button;
    return row;
  }
}

/** @param {Row} row @param {ErrorGroup} group @param {RunStore} store @param {number} nowMs */
function fillError({ element, cells, mark }, group, store, nowMs) {
  const actions = ACTIONS.map((action) => ({ ...action, count: group.actions[action.name] }))
    .filter(({ count }) => count > 0);
  setAttribute(element, "data-tone", actions[0]?.tone ?? "calm");
  setIcon(mark, actions[0]?.icon ?? "dots");
  setTexts(cells, {
    type: group.type,
    status: group.status === null ? "" : `HTTP ${group.status}`,
    message: group.message || UNKNOWN,
    uids: examplesText(group.uids.map(formatId)),
    count: formatCount(group.count),
    action: actions.map(({ count, word }) => `${formatCount(count)} ${word}`).join(", "),
    kind: ` that failed with ${group.type} ${group.status ?? ""}`,
    first: formatMoment(store.localTime(group.first_seen), nowMs),
    last: formatMoment(store.localTime(group.last_seen), nowMs),
  });
  setWords(cells.advice, adviceFor(group.type));
  setShown(cells.show, group.actions.failed > 0);
}

/** Maximum length of the examples, in UTF-16 units. The first id is shown even if it is longer. */
const MAX_EXAMPLES_LENGTH = 56;

/** @param {readonly string[]} uids */
function examplesText([first, ...others]) {
  if (first === undefined) return "";
  let words = `For example: ${first}`;
  for (const uid of others) {
    if (words.length + uid.length > MAX_EXAMPLES_LENGTH) break;
    words += `, ${uid}`;
  }
  return words;
}

/**
 * A row of a table: its cells by column name, and an icon (`mark`) that the caller places.
 * @typedef {{ element: HTMLElement, cells: Record<string, HTMLElement>, mark: Element }} Row
 */

/**
 * Makes a table in the element. Returns its body.
 * @param {string} id of the element
 * @param {string} label for screen readers
 * @param {string[][]} columns the name (a CSS class) and the title of each; screen readers read
 * "Rows" for the title ""
 */
function makeTable(id, label, columns) {
  const body = make("tbody", { role: "rowgroup" });
  const heads = columns.map(([name, title]) => {
    const words = title === "" ? make("span", { class: "visually-hidden" }, "Rows") : title;
    return make("th", { role: "columnheader", scope: "col", class: name }, words);
  });
  const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
  const attributes = { role: "table", class: "rows", "aria-label": label };
  byId(id).append(make("table", attributes, head, body));
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

/**
 * @param {Row} row
 * @param {string} name of the new cell
 * @param {string} before name of the cell before it
 */
function addNote({ cells }, name, before) {
  cells[name] = make("span", { class: "note" });
  cells[before].after(cells[name]);
}

/** @param {Row["cells"]} cells @param {Record<string, string>} texts by the names of the cells */
function setTexts(cells, texts) {
  for (const [name, text] of Object.entries(texts)) setText(cells[name], text);
}
