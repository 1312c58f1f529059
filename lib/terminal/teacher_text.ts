/**
 * Describes teachers: which of them are not up and why, and each in a line.
 *
 * @module
 */

import { formatCount, formatTime, sumOf } from "../figures.ts";
import { printable } from "../printable.ts";
import type { TeacherStatus } from "../progress/mod.ts";
import { clip, stringWidth } from "./columns.ts";

/**
 * For each state of a teacher, its name and the words before the time in `until`; "" if that state
 * has no time.
 */
const TEACHER_STATES: Readonly<Record<TeacherStatus["state"], { word: string; until: string }>> = {
  up: { word: "up", until: "" },
  cooling_down: { word: "cooling down", until: " until" },
  down: { word: "down", until: ", next check at" },
  leaving: { word: "leaving", until: "" },
  left: { word: "left", until: "" },
  halted: { word: "halted", until: "" },
};

/** The maximum number of lines for teachers in the summary. */
const MAX_LINES = 4;

const MAX_NAME_CELLS = 40;
const MAX_REASON_CELLS = 40;

/**
 * `1 of 2 teachers up: gpu2:8000 down (connection refused)`. Undefined if all teachers are up, or
 * if there is only one, whose state the run shows. Teachers that have left do not count.
 */
export function troubleText(statuses: readonly TeacherStatus[]): string | undefined {
  const present = statuses.filter(({ state }) => state !== "left");
  const notUp = present.filter(({ state }) => state !== "up");
  if (present.length < 2 || notUp.length === 0) return undefined;
  const up = `${formatCount(present.length - notUp.length)} of ${formatCount(present.length)}`;
  const states = notUp.map((teacher) => `${hostOf(teacher)} ${teacherStateText(teacher)}`);
  return `${up} teachers up: ${states.join(", ")}`;
}

/**
 * Formats a line for each teacher, in columns: `http://gpu1:8000/v1  qwen3  600 answered · 3 not
 * answered`. Teachers that left share a line if there are several.
 */
export function teacherLines(statuses: readonly TeacherStatus[]): string[] {
  const left = statuses.filter(({ state }) => state === "left");
  if (left.length < 2) return presentLines(statuses, MAX_LINES);
  const present = statuses.filter(({ state }) => state !== "left");
  const count = sumOf(left, ({ teachers = 1 }) => teachers);
  return [
    ...present.length === 0 ? [] : presentLines(present, MAX_LINES - 1),
    `${formatCount(count)} teachers that left: ${answersText(left)}`,
  ];
}

function answersText(teachers: readonly TeacherStatus[]): string {
  const failed = sumOf(teachers, (teacher) => teacher.failed);
  const unanswered = failed === 0 ? "" : ` · ${formatCount(failed)} not answered`;
  return `${formatCount(sumOf(teachers, (teacher) => teacher.answered))} answered${unanswered}`;
}

function presentLines(teachers: readonly TeacherStatus[], maxLines: number): string[] {
  const shown = teachers.length > maxLines ? teachers.slice(0, maxLines - 1) : teachers;
  const addresses = column(shown.map(({ address }) => address));
  const models = column(shown.map(({ model }) => model));
  const answered = shown.map((teacher) => formatCount(teacher.answered));
  const width = Math.max(...answered.map((figure) => figure.length));
  const lines = shown.map((teacher, index) => {
    const failed = teacher.failed === 0 ? "" : ` · ${formatCount(teacher.failed)} not answered`;
    const state = teacher.state === "up" ? "" : ` · ${teacherStateText(teacher)}`;
    const count = `${answered[index].padStart(width)} answered`;
    return addresses[index] + models[index] + count + failed + state;
  });
  const hiddenCount = teachers.length - shown.length;
  if (hiddenCount > 0) {
    lines.push(
      `and ${formatCount(hiddenCount)} more: ${answersText(teachers.slice(shown.length))}`,
    );
  }
  return lines;
}

/** Clips texts, and pads them to the width of the widest with two cells after it; empty if all are
 * empty. */
function column(texts: readonly string[]): string[] {
  const cells = texts.map((text) => clip(printable(text), MAX_NAME_CELLS));
  const width = Math.max(...cells.map((text) => stringWidth(text)));
  if (width === 0) return cells;
  return cells.map((text) => text + " ".repeat(width - stringWidth(text) + 2));
}

/** `cooling down until 12:03:07 (429: tokens per min)`. */
function teacherStateText(teacher: TeacherStatus): string {
  const { word, until } = TEACHER_STATES[teacher.state];
  const isTimed = teacher.until !== null && until !== "";
  const time = isTimed ? `${until} ${formatTime(teacher.until!)}` : "";
  const why = shortReason(teacher.reason, MAX_REASON_CELLS);
  return `${word}${time}${why === "" ? "" : ` (${why})`}`;
}

function hostOf({ address }: TeacherStatus): string {
  const host = URL.canParse(address) ? new URL(address).host : "";
  return clip(printable(host === "" ? address : host), MAX_NAME_CELLS);
}

/** Matches what was tried, and the cause after the last colon. */
const CAUSE_LAST = /^(Cannot .+): ([^:]+)$/;

/**
 * Shortens a reason to `cells` cells; "" if there is none. Moves the cause of a long reason to its
 * start: the end of `Cannot connect to gpu1.example:8000: connection refused` says most.
 */
export function shortReason(reason: string | null, cells: number): string {
  const text = printable(reason ?? "");
  if (stringWidth(text) <= cells) return text;
  return clip(text.replace(CAUSE_LAST, "$2: $1"), cells);
}
