// @ts-check
/// <reference lib="dom" />
/**
 * The table of teachers.
 *
 * @module
 */

import { byId, fillRows, make, setAttribute, setIcon, setText } from "./dom.js";
import {
  formatClock,
  formatCompact,
  formatCount,
  formatLatency,
  formatRate,
  formatUsd,
  UNKNOWN,
} from "./figures.js";
import { makeRow, makeTable } from "./tables.js";

/** @import { TeacherStatus } from "../../lib/progress/events.ts" */
/** @import { TeacherFigures } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */
/** @import { Row } from "./tables.js" */

/**
 * Texts and looks of states. `until` is shown before the time of the next change; "" if there is
 * none.
 *
 * @type {Record<TeacherStatus["state"],
 * { word: string, until: string, icon: string, tone: string }>}
 */
const TEACHER_STATES = {
  up: { word: "up", until: "", icon: "check", tone: "good" },
  cooling_down: { word: "cooling down", until: "until", icon: "clock", tone: "wait" },
  down: { word: "down", until: "next check at", icon: "alert", tone: "bad" },
  leaving: { word: "leaving", until: "", icon: "clock", tone: "calm" },
  left: { word: "left", until: "", icon: "stop", tone: "calm" },
  halted: { word: "halted", until: "", icon: "stop", tone: "bad" },
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

/** Table of teachers. Always shown, so that the page does not jump when one is in trouble. */
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
      fillSpeed(row, teacher, figures);
    });
    // Equal weights tell users nothing, and would take room from addresses.
    const isWeighted = teachers.some(({ weight }) => weight !== teachers[0].weight);
    setAttribute(this.#table, "data-weighted", isWeighted);
    const missing = total - teachers.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more` : "");
  }
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
  const details = [teacher.model, teacher.reason ?? ""].filter((text) => text !== "");
  setAttribute(element, "data-tone", tone);
  setIcon(mark, name);
  setText(cells.state, word);
  setText(cells.until, teacher.until === null || until === "" ? "" : `${until} ${time}`);
  setText(cells.teacher, teacher.address);
  setText(cells.reason, details.join(" · "));
  setText(cells.weight, formatCount(teacher.weight));
  setText(cells.answered, formatCount(teacher.answered));
  setText(cells.failed, formatCount(teacher.failed));
  setText(cells.tokens, formatCompact(teacher.completion_tokens));
  // Reports of earlier versions have no cost per teacher.
  const cost = teacher.cost_usd ?? 0;
  setText(cells.cost, cost > 0 ? formatUsd(cost) : UNKNOWN);
}

/**
 * Fills the cells about what a teacher does now. For one that left, they show "–".
 *
 * @param {Row} row
 * @param {TeacherStatus} teacher
 * @param {TeacherFigures | undefined} figures
 */
function fillSpeed({ cells }, { state, in_flight, limit }, figures) {
  const isGone = state === "left", p50 = figures?.p50_ms ?? null;
  setText(cells.flight, isGone ? UNKNOWN : `${formatCount(in_flight)} / ${formatCount(limit)}`);
  const isRated = figures !== undefined && !isGone;
  setText(cells.rate, isRated ? formatRate(figures.rows_per_s) : UNKNOWN);
  setText(cells.p50, isGone || p50 === null ? UNKNOWN : formatLatency(p50));
}
