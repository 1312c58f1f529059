/**
 * What is said of several teachers: which are not up while a run goes on, and what each did at its end.
 *
 * @module
 */

import { stringWidth } from "../deps/string_width.ts";
import type { TeacherStatus } from "../progress/mod.ts";
import { formatCount, formatTime } from "../figures.ts";
import { printable } from "../printable.ts";
import { shortReason } from "./reason.ts";
import { clip } from "./columns.ts";

const STATE_WORDS: Readonly<Record<TeacherStatus["state"], string>> = {
  up: "up",
  cooling_down: "cooling down",
  down: "down",
  halted: "halted",
};

/** More lines tell a person with a deadline no more. */
const MOST_LINES = 4;

const MOST_NAME_CELLS = 40;
const MOST_REASON_CELLS = 40;

/** `1 of 2 teachers up: gpu2:8000 down (connection refused)`; undefined where all are up, or only one
 * is asked, for then the state of the run says it. */
export function troubleText(teachers: readonly TeacherStatus[]): string | undefined {
  const others = teachers.filter(({ state }) => state !== "up");
  if (teachers.length < 2 || others.length === 0) return undefined;
  const up = `${formatCount(teachers.length - others.length)} of ${formatCount(teachers.length)}`;
  return `${up} teachers up: ${others.map((one) => `${hostOf(one)} ${stateText(one)}`).join(", ")}`;
}

/** A line for each teacher, in columns: `http://gpu1:8000/v1  qwen3  600 answered · 3 failed`. */
export function teacherLines(teachers: readonly TeacherStatus[]): string[] {
  const shown = teachers.length > MOST_LINES ? teachers.slice(0, MOST_LINES - 1) : teachers;
  const addresses = column(shown.map(({ address }) => address));
  const models = column(shown.map(({ model }) => model));
  const answered = shown.map((one) => formatCount(one.answered));
  const widest = Math.max(...answered.map((figure) => figure.length));
  const lines = shown.map((one, index) => {
    const failed = one.failed === 0 ? "" : ` · ${formatCount(one.failed)} failed`;
    const state = one.state === "up" ? "" : ` · ${stateText(one)}`;
    const count = `${answered[index].padStart(widest)} answered`;
    return addresses[index] + models[index] + count + failed + state;
  });
  const rest = teachers.length - shown.length;
  if (rest > 0) lines.push(`and ${formatCount(rest)} more`);
  return lines;
}

/** Texts of one width, with two cells of space after them; nothing where all are empty. */
function column(texts: readonly string[]): string[] {
  const cells = texts.map((text) => clip(printable(text), MOST_NAME_CELLS));
  const width = Math.max(...cells.map((text) => stringWidth(text)));
  if (width === 0) return cells;
  return cells.map((text) => text + " ".repeat(width - stringWidth(text) + 2));
}

/** `cooling down until 12:03:07 (429: tokens per min)`. */
function stateText({ state, until, reason }: TeacherStatus): string {
  const time = until === null || state === "halted" ? "" : ` until ${formatTime(until)}`;
  const why = shortReason(reason, MOST_REASON_CELLS);
  return `${STATE_WORDS[state]}${time}${why === "" ? "" : ` (${why})`}`;
}

function hostOf({ address }: TeacherStatus): string {
  const host = URL.canParse(address) ? new URL(address).host : "";
  return clip(printable(host === "" ? address : host), MOST_NAME_CELLS);
}
