/**
 * The segments of a status: rows, speed and teachers of a snapshot. The bar and the plain lines are
 * built from them.
 *
 * @module
 */

import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatDuration,
  formatDurationRange,
  formatLatency,
  formatPercent,
  formatRate,
  formatRoughUsd,
  formatTime,
  formatUsd,
} from "../figures.ts";
import { printable } from "../printable.ts";
import type {
  ErrorGroup,
  Notice,
  RunStart,
  RunState,
  Snapshot,
  TeacherStatus,
} from "../progress/mod.ts";
import { clip, type Segment, stringWidth } from "./columns.ts";

const STATE_WORDS: Readonly<Record<RunState, string>> = {
  preparing: "reading the input",
  running: "running",
  backing_off: "backing off",
  paused: "paused",
  disk_full: "cannot write, waiting for the disk",
  draining: "finishing calls in flight",
  done: "done",
  halted: "ended early",
};

/** The maximum width of a line of progress, however wide the terminal is. */
export const MOST_COLUMNS = 120;

/** Less is shown as `0.0 s`. */
const MIN_ETA_MS = 50;

/**
 * What the run is doing, and why if nothing is sent:
 * `backing off until 12:03:07 (429: tokens per min)`. The reason is shortened to `mostReasonCells`.
 */
export function stateText(snapshot: Snapshot, mostReasonCells: number): string {
  const { state, backing_off_until } = snapshot;
  const reason = shortReason(reasonOf(snapshot), mostReasonCells);
  const why = reason === "" || state === "running" ? "" : ` (${reason})`;
  if (state === "halted" && why !== "") return `halted${why}`;
  if (state !== "backing_off") return STATE_WORDS[state] + why;
  if (backing_off_until !== null) {
    return `backing off until ${formatTime(backing_off_until)}${why}`;
  }
  return why === "" ? STATE_WORDS.backing_off : `backing off${why}`;
}

/** If the only teacher ended the run, its reason: that of the run begins with its address. */
function reasonOf({ reason, teachers }: Snapshot): string | null {
  const [only, ...others] = teachers;
  return only?.state === "halted" && others.length === 0 ? only.reason : reason;
}

/** Rows that are finished, from earlier runs and from this one. */
export function doneRows({ skipped, succeeded, failed }: Snapshot): number {
  return skipped + succeeded + failed;
}

/** `818/1,319 rows`. */
export function rowsSegment(snapshot: Snapshot): Segment {
  const done = formatCount(doneRows(snapshot));
  const { total } = snapshot;
  return { text: total === null ? `${done} rows done` : `${done}/${formatCount(total)} rows` };
}

/** `62.0%`, or nothing while the number of rows is not known. */
export function shareSegments(snapshot: Snapshot): Segment[] {
  const { total } = snapshot;
  return total === null ? [] : [{ text: formatPercent(doneRows(snapshot), total) }];
}

/** What users ask first: the speed, the end, the cost, and how many rows failed. `isBrief` leaves out the ranges
 * of estimates. */
export function mainSegments(snapshot: Snapshot, isBrief = false): Segment[] {
  const { failed, rate_per_s } = snapshot;
  const shown = isBrief
    ? { ...snapshot, eta_range_s: null, projected_cost_range_usd: null }
    : snapshot;
  return [
    { text: formatRate(rate_per_s, "rows") },
    ...etaSegments(shown),
    ...costSegments(shown),
    ...failed > 0 ? [{ text: `${formatCount(failed)} failed`, colour: "red" as const }] : [],
  ];
}

/** `ETA 13 s (11 – 16 s)`. While nothing is sent, there is no estimate. A run that its teacher throttles is not
 * ramping up: there the lower bound is shown. */
function etaSegments(snapshot: Snapshot): Segment[] {
  const { state, eta_is_lower_bound, eta_range_s, refused_for_load } = snapshot;
  const etaMs = (snapshot.eta_s ?? 0) * 1000;
  if (hasEnded(snapshot) || state === "backing_off") return [];
  if (eta_is_lower_bound && snapshot.total !== null) {
    const isThrottled = refused_for_load > 0 && etaMs >= MIN_ETA_MS;
    return [{ text: isThrottled ? `ETA over ${formatDuration(etaMs)}` : "ETA: ramping up" }];
  }
  if (etaMs < MIN_ETA_MS) return [];
  const eta = formatDuration(etaMs);
  const range = eta_range_s === null
    ? eta
    : formatDurationRange(eta_range_s[0] * 1000, eta_range_s[1] * 1000);
  return [{ text: `ETA ${eta}${range === eta ? "" : ` (${range})`}`, colour: "bold" }];
}

/** What is in flight. */
export function workSegments(snapshot: Snapshot): Segment[] {
  const { waiting, refused_for_load, tokens_per_s, latency_ms } = snapshot;
  const { wasted_completion_tokens: wasted } = snapshot;
  const segments: Segment[] = [{ text: flightText(snapshot) }];
  if (waiting > 0) segments.push({ text: `${formatCount(waiting)} waiting`, colour: "yellow" });
  if (refused_for_load > 0) {
    segments.push({ text: `${formatCount(refused_for_load)} throttled`, colour: "yellow" });
  }
  if (tokens_per_s > 0) segments.push({ text: formatRate(tokens_per_s, "tokens") });
  if (wasted > 0) {
    segments.push({ text: `${formatCount(wasted)} tokens wasted`, colour: "yellow" });
  }
  if (latency_ms.max > 0) {
    const { p50, p99 } = latency_ms;
    segments.push({ text: `latency p50 ${formatLatency(p50)}, p99 ${formatLatency(p99)}` });
  }
  return segments;
}

/** `37/200 in flight, limit 64`. */
function flightText({ in_flight, concurrency, limit }: Snapshot): string {
  const limited = limit < concurrency ? `, limit ${formatCount(limit)}` : "";
  return `${formatCount(in_flight)}/${formatCount(concurrency)} in flight${limited}`;
}

/** The load of the run on this machine. */
export function processSegments(
  { event_loop_lag_ms, cpu_percent, rss_bytes }: Snapshot,
): Segment[] {
  return [
    { text: `lag ${formatLatency(event_loop_lag_ms.p99)}`, colour: "dim" },
    { text: `CPU ${Math.round(cpu_percent)}%`, colour: "dim" },
    { text: formatBytes(rss_bytes), colour: "dim" },
  ];
}

/** `$1.20 of ~$14 ($13 – $15, max $20)`: so far, estimated and allowed. */
function costSegments(snapshot: Snapshot): Segment[] {
  const { cost_usd, projected_cost_usd: projected, max_cost_usd: most } = snapshot;
  if (cost_usd === null) return [];
  const { projected_cost_range_usd: range } = snapshot;
  const isKnown = projected !== null && !snapshot.projected_cost_is_lower_bound;
  const isShown = isKnown && !hasEnded(snapshot);
  const asides = [
    isShown && range !== null ? [...new Set(range.map(formatRoughUsd))].join(" – ") : "",
    most === null ? "" : `max ${formatUsd(most).replace(/\.00$/, "")}`,
  ].filter((text) => text !== "").join(", ");
  const isTooMuch = most !== null && Math.max(cost_usd, projected ?? 0) > most;
  const text = formatUsd(cost_usd) + (isShown ? ` of ~${formatRoughUsd(projected)}` : "") +
    (asides === "" ? "" : ` (${asides})`);
  return [isTooMuch ? { text, colour: "yellow" } : { text }];
}

function hasEnded({ state }: Snapshot): boolean {
  return state === "done" || state === "halted";
}

/** `12 × rate_limit 429: Rate limit reached …`. */
export function errorText({ type, status, message, count }: ErrorGroup): string {
  const words = printable(message);
  return `${formatCount(count)} × ${type}${status === null ? "" : ` ${status}`}: ${words}`;
}

/**
 * Problems: teachers that are not up, and the error that most rows failed with. Repeated attempts
 * need no action.
 */
export function troubleTexts({ teachers, errors }: Snapshot): string[] {
  const losing = errors.filter(({ actions }) => actions.failed > 0)
    .toSorted((a, b) => b.actions.failed - a.actions.failed);
  const texts = losing.slice(0, 1).map((group) =>
    `top error: ${errorText({ ...group, count: group.actions.failed })}`
  );
  const teacherTrouble = troubleText(teachers);
  return teacherTrouble === undefined ? texts : [teacherTrouble, ...texts];
}

/** The first line of a run. */
export function startText(event: RunStart): string {
  const { pending, skipped, concurrency } = event;
  const rows = pending === null ? "Rows" : formatCountOf(pending, "row");
  const before = skipped > 0 ? ` (${formatCount(skipped)} done before)` : "";
  const model = event.model === "" ? "the teacher" : event.model;
  const teacher = event.teacher === "" ? "" : ` at ${event.teacher}`;
  const most = formatCount(concurrency);
  const lanes = event.concurrency_is_auto ? `auto (up to ${most})` : most;
  return printable(`${rows} to do${before}: ${model}${teacher}, concurrency ${lanes}`);
}

/** A notice as a line; warnings are marked by a word, not only by colour. */
export function noticeSegment({ level, message }: Notice): Segment {
  const text = printable(message);
  return level === "warning" ? { text: `Warning: ${text}`, colour: "yellow" } : { text };
}

/** The states of a teacher, and what the time in `until` means; "" where it means nothing. */
const TEACHER_STATES: Readonly<Record<TeacherStatus["state"], { word: string; until: string }>> = {
  up: { word: "up", until: "" },
  cooling_down: { word: "cooling down", until: " until" },
  down: { word: "down", until: ", next check at" },
  leaving: { word: "leaving", until: "" },
  halted: { word: "halted", until: "" },
};

/** The maximum number of lines for teachers. */
const MAX_LINES = 4;

const MAX_NAME_CELLS = 40;
const MAX_REASON_CELLS = 40;

/**
 * `1 of 2 teachers up: gpu2:8000 down (connection refused)`; undefined if all are up, or if there
 * is only one, because then the state of the run says it.
 */
export function troubleText(teachers: readonly TeacherStatus[]): string | undefined {
  const others = teachers.filter(({ state }) => state !== "up");
  if (teachers.length < 2 || others.length === 0) return undefined;
  const up = `${formatCount(teachers.length - others.length)} of ${formatCount(teachers.length)}`;
  return `${up} teachers up: ${
    others.map((one) => `${hostOf(one)} ${teacherStateText(one)}`).join(", ")
  }`;
}

/** A line for each teacher, in columns: `http://gpu1:8000/v1  qwen3  600 answered · 3 not answered`. */
export function teacherLines(teachers: readonly TeacherStatus[]): string[] {
  const shown = teachers.length > MAX_LINES ? teachers.slice(0, MAX_LINES - 1) : teachers;
  const addresses = column(shown.map(({ address }) => address));
  const models = column(shown.map(({ model }) => model));
  const answered = shown.map((one) => formatCount(one.answered));
  const widest = Math.max(...answered.map((figure) => figure.length));
  const lines = shown.map((one, index) => {
    const failed = one.failed === 0 ? "" : ` · ${formatCount(one.failed)} not answered`;
    const state = one.state === "up" ? "" : ` · ${teacherStateText(one)}`;
    const count = `${answered[index].padStart(widest)} answered`;
    return addresses[index] + models[index] + count + failed + state;
  });
  const rest = teachers.length - shown.length;
  if (rest > 0) lines.push(`and ${formatCount(rest)} more`);
  return lines;
}

/** Texts padded to one width plus two cells; empty if all are empty. */
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

/** What was tried, and the cause after the last colon. */
const CAUSE_LAST = /^(Cannot .+): ([^:]+)$/;

/**
 * A reason in at most `cells` cells. If it has to be shortened, the cause comes first: in
 * `Cannot connect to gpu1.example:8000: connection refused` the end says most. Empty if there is
 * none.
 */
export function shortReason(reason: string | null, cells: number): string {
  const text = printable(reason ?? "");
  if (stringWidth(text) <= cells) return text;
  return clip(text.replace(CAUSE_LAST, "$2: $1"), cells);
}
