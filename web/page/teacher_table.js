// @ts-check
/// <reference lib="dom" />
/** The table of teachers. @module */

import { byId, fillRows, setAttribute, setIcon, setText } from "./dom.js";
import {
  formatClock,
  formatCompact,
  formatCount,
  formatLatency,
  formatRate,
  formatUsd,
  UNKNOWN,
} from "./figures.js";
import { addNote, makeRow, makeTable, setTexts } from "./table.js";

/** @import { TeacherStatus } from "../../lib/progress/mod.ts" */
/** @import { TeacherFigures } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */
/** @import { Row } from "./table.js" */

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

/** Always shown, so that the page does not jump when a teacher is in trouble. */
export class TeacherTable {
  #body = makeTable("teacher-table", TEACHER_COLUMNS);
  /** @type {Row[]} */
  #rows = [];

  /** @param {RunStore} store */
  update(store) {
    const { snapshot, teacher_figures } = store.state;
    const teachers = snapshot?.teachers ?? [];
    const total = snapshot?.teachers_total ?? 0;
    const items = teachers.map((teacher, i) => ({ teacher, figures: teacher_figures[i] }));
    fillRows(this.#body, this.#rows, items, makeTeacherRow, (row, { teacher, figures }) => {
      fillTeacher(row, teacher, store);
      fillSpeed(row, teacher, figures);
    });
    // Hides equal weights, which would take room from addresses.
    const isWeighted = teachers.some(({ weight }) => weight !== teachers[0].weight);
    setAttribute(byId("teacher-table"), "data-weighted", isWeighted);
    const missing = total - teachers.length;
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

/** @param {Row} row @param {TeacherStatus} teacher @param {RunStore} store */
function fillTeacher({ element, cells, mark }, teacher, store) {
  const { word, untilWords, icon: name, tone } = TEACHER_STATES[teacher.state];
  const time = formatClock(store.localTime(teacher.until ?? ""));
  const details = [teacher.model, teacher.reason ?? ""].filter((text) => text !== "");
  setAttribute(element, "data-tone", tone);
  setIcon(mark, name);
  setTexts(cells, {
    state: word,
    until: teacher.until === null || untilWords === "" ? "" : `${untilWords} ${time}`,
    teacher: teacher.address,
    reason: details.join(" · "),
    weight: formatCount(teacher.weight),
    answered: formatCount(teacher.answered),
    failed: formatCount(teacher.failed),
    tokens: formatCompact(teacher.completion_tokens),
    cost: teacher.cost_usd > 0 ? formatUsd(teacher.cost_usd) : UNKNOWN,
  });
}

/**
 * Shows what a teacher does now, or "–" if it left.
 * @param {Row} row
 * @param {TeacherStatus} teacher
 * @param {TeacherFigures | undefined} figures
 */
function fillSpeed({ cells }, { state, in_flight, limit }, figures) {
  const isGone = state === "left", p50 = figures?.p50_ms ?? null;
  const isRated = figures !== undefined && !isGone;
  setTexts(cells, {
    flight: isGone ? UNKNOWN : `${formatCount(in_flight)} / ${formatCount(limit)}`,
    rate: isRated ? formatRate(figures.rows_per_s) : UNKNOWN,
    p50: isGone || p50 === null ? UNKNOWN : formatLatency(p50),
  });
}
