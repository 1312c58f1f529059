/**
 * Texts that the progress bar, the plain lines and the summary share. They describe a snapshot of
 * the run, its start, a teacher, an error or a notice.
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
  formatRoughUsd,
  formatUsd,
  isUncounted,
  MIN_BOUND_AGE_MS,
  MIN_ETA_MS,
} from "../figures.js";
import { printable } from "../printable.ts";
import type {
  ErrorGroup,
  Notice,
  RunStart,
  RunState,
  Snapshot,
  TeacherStatus,
} from "../progress/mod.ts";
import { clip, type Color, type Segment, stringWidth } from "./columns.ts";

const STATE_WORDS: Readonly<Record<RunState, string>> = {
  preparing: "reading the input",
  running: "running",
  backing_off: "backing off",
  paused: "paused",
  disk_full: "cannot write, waiting for the disk",
  draining: "finishing calls in flight",
  done: "done",
  halted: "halted",
};

/** Returns what the run is doing and, if nothing is sent, why:
 * `backing off until 12:03:07 (429: tokens per min)`. The reason has at most `maxReasonCells`
 * cells. */
export function stateText(snapshot: Snapshot, maxReasonCells = MAX_REASON_CELLS): string {
  const { state, backing_off_until } = snapshot;
  const reason = shortReason(reasonOf(snapshot), maxReasonCells);
  const why = reason === "" || state === "running" ? "" : ` (${reason})`;
  if (state === "backing_off" && backing_off_until !== null) {
    return `backing off until ${formatTime(backing_off_until)}${why}`;
  }
  return STATE_WORDS[state] + why;
}

/** Returns the reason for the state of the run. If the only teacher is halted, returns the
 * teacher's reason, because the reason of the run would repeat the address. */
function reasonOf({ reason, teachers }: Snapshot): string | null {
  const present = teachers.filter(({ state }) => state !== "left");
  return present.length === 1 && present[0].state === "halted" ? present[0].reason : reason;
}

/** Returns the number of rows that this run and earlier ones have finished. */
export function doneRows({ skipped, succeeded, failed }: Snapshot): number {
  return skipped + succeeded + failed;
}

/** Returns `818/1,319 rows`, or `818 rows finished` if the total is unknown. */
export function rowsSegment(snapshot: Snapshot): Segment {
  const done = formatCount(doneRows(snapshot));
  const { total } = snapshot;
  return { text: total === null ? `${done} rows finished` : `${done}/${formatCount(total)} rows` };
}

/** Returns speed, ETA, cost, and failed rows. If `isBrief` is set, the ranges of estimates are
 * omitted. */
export function mainSegments(snapshot: Snapshot, { isBrief = false } = {}): Segment[] {
  const shownSnapshot = isBrief
    ? { ...snapshot, eta_range_s: null, projected_cost_range_usd: null }
    : snapshot;
  return [
    { text: formatRate(snapshot.rate_per_s, "rows") },
    ...etaSegments(shownSnapshot),
    ...costSegments(shownSnapshot),
    ...countSegments(snapshot.failed, "failed", "red"),
  ];
}

function countSegments(count: number, what: string, color: Color): Segment[] {
  return count > 0 ? [{ text: `${formatCount(count)} ${what}`, color }] : [];
}

/**
 * Returns `ETA 13 s (11 – 16 s)`. Returns no segment while the run backs off, after it has ended,
 * and if no time is left.
 *
 * A lower bound is shown as `ETA over 13 s`. In the first seconds, it is shown only if the run is
 * throttled, and `ETA: too few answers yet` otherwise: without throttling, it is far too low until
 * rows have been in flight for a while.
 */
function etaSegments(snapshot: Snapshot): Segment[] {
  const { state, eta_is_lower_bound, eta_range_s, refused_for_load, elapsed_ms } = snapshot;
  const etaMs = (snapshot.eta_s ?? 0) * 1000;
  if (hasEnded(snapshot) || state === "backing_off") return [];
  if (eta_is_lower_bound && snapshot.total !== null) {
    const isThrottled = refused_for_load > 0 && etaMs >= MIN_ETA_MS;
    if (state !== "running" && !isThrottled) return [];
    const hasBound = isThrottled || etaMs >= MIN_ETA_MS && elapsed_ms >= MIN_BOUND_AGE_MS;
    return [{ text: hasBound ? `ETA over ${formatDuration(etaMs)}` : "ETA: too few answers yet" }];
  }
  if (etaMs < MIN_ETA_MS) return [];
  const eta = formatDuration(etaMs);
  const range = eta_range_s === null
    ? eta
    : formatDurationRange(eta_range_s[0] * 1000, eta_range_s[1] * 1000);
  return [{ text: `ETA ${eta}${range === eta ? "" : ` (${range})`}`, color: "bold" }];
}

export function workSegments(snapshot: Snapshot): Segment[] {
  const { waiting, refused_for_load, tokens_per_s, wasted_completion_tokens } = snapshot;
  const { p50, p99, max } = snapshot.latency_ms;
  const latency = `latency p50 ${formatLatency(p50)}, p99 ${formatLatency(p99)}`;
  return [
    { text: flightText(snapshot) },
    ...countSegments(waiting, "waiting", "yellow"),
    ...countSegments(refused_for_load, "throttled", "yellow"),
    ...tokens_per_s > 0 ? [{ text: formatRate(tokens_per_s, "tokens") }] : [],
    ...countSegments(wasted_completion_tokens, "tokens wasted", "yellow"),
    ...max > 0 ? [{ text: latency }] : [],
  ];
}

/** Returns `37/200 in flight, limit 64`. A limit that is not below the concurrency is omitted. */
function flightText({ in_flight, concurrency, limit }: Snapshot): string {
  const limitText = limit < concurrency ? `, limit ${formatCount(limit)}` : "";
  return `${formatCount(in_flight)}/${formatCount(concurrency)} in flight${limitText}`;
}

export function processSegments(
  { event_loop_lag_ms, cpu_percent, rss_bytes }: Snapshot,
): Segment[] {
  return [
    `lag ${formatLatency(event_loop_lag_ms.p99)}`,
    `CPU ${Math.round(cpu_percent)}%`,
    formatBytes(rss_bytes),
  ].map((text) => ({ text, color: "dim" }));
}

/** Returns `$1.20 of ~$14 ($13 – $15, max $20)`, which is the cost so far, the estimated cost with
 * its range, and the limit. Omits an estimate that is unknown, and a limit that is not set. */
function costSegments(snapshot: Snapshot): Segment[] {
  const { cost_usd, projected_cost_usd: projected, max_cost_usd: maxUsd } = snapshot;
  if (isUncounted(snapshot)) return [{ text: "cost unknown", color: "yellow" }];
  if (cost_usd === null) return [];
  const { projected_cost_range_usd: range } = snapshot;
  const isKnown = projected !== null && !snapshot.projected_cost_is_lower_bound;
  const isShown = isKnown && !hasEnded(snapshot);
  const asides = [
    isShown && range !== null ? [...new Set(range.map(formatRoughUsd))].join(" – ") : "",
    maxUsd === null ? "" : `max ${formatUsd(maxUsd).replace(/\.00$/, "")}`,
  ].filter((text) => text !== "").join(", ");
  const isTooMuch = maxUsd !== null && Math.max(cost_usd, projected ?? 0) > maxUsd;
  const text = formatUsd(cost_usd) + (isShown ? ` of ~${formatRoughUsd(projected)}` : "") +
    (asides === "" ? "" : ` (${asides})`);
  return [isTooMuch ? { text, color: "yellow" } : { text }];
}

function hasEnded({ state }: Snapshot): boolean {
  return state === "done" || state === "halted";
}

/** Returns `12 × rate_limit 429: Rate limit reached …`. */
export function errorText({ type, status, message, count }: ErrorGroup): string {
  const text = printable(message);
  return `${formatCount(count)} × ${type}${status === null ? "" : ` ${status}`}: ${text}`;
}

/** Returns the problems that need action: teachers that are not up, and the most common error of
 * failed rows. Attempts that were retried need no action. */
export function troubleTexts({ teachers, errors }: Snapshot): string[] {
  const failureGroups = errors.filter(({ actions }) => actions.failed > 0)
    .toSorted((a, b) => b.actions.failed - a.actions.failed);
  return [
    ...teacherTroubleText(teachers),
    ...failureGroups.slice(0, 1).map((group) =>
      `top error: ${errorText({ ...group, count: group.actions.failed })}`
    ),
  ];
}

export function startText(event: RunStart): string {
  const { pending, skipped, concurrency } = event;
  const rows = pending === null ? "Rows" : formatCountOf(pending, "row");
  const before = skipped > 0 ? ` (${formatCount(skipped)} already finished)` : "";
  const model = event.model === "" ? "the teacher" : event.model;
  const teacher = event.teacher === "" ? "" : ` at ${addressList(event.teacher.split(", "))}`;
  const max = formatCount(concurrency);
  const limit = event.concurrency_is_auto ? `auto (up to ${max})` : max;
  return printable(`${rows} to do${before}: ${model}${teacher}, concurrency ${limit}`);
}

function addressList(addresses: readonly string[]): string {
  if (addresses.length <= MAX_ADDRESSES) return addresses.join(", ");
  const firstAddresses = addresses.slice(0, MAX_ADDRESSES - 1).join(", ");
  return `${firstAddresses} and ${formatCount(addresses.length - MAX_ADDRESSES + 1)} more`;
}

/** The maximum number of teachers that the first line of a run names. Hundreds of addresses would
 * fill the screen. */
const MAX_ADDRESSES = 4;

/** Returns the segment of a notice. Warnings begin with `Warning:`, because colors may be off. */
export function noticeSegment({ level, message }: Notice): Segment {
  const text = printable(message);
  return level === "warning" ? { text: `Warning: ${text}`, color: "yellow" } : { text };
}

/** The words between a state and its time, as in `down, next check at 12:03:07`. */
const UNTIL_WORDS: Partial<Record<TeacherStatus["state"], string>> = {
  cooling_down: " until",
  down: ", next check at",
};

export const MAX_NAME_CELLS = 40;
const MAX_REASON_CELLS = 40;

/**
 * Returns `1 of 2 teachers up: gpu2:8000 down (connection refused)`. Returns no text if all
 * teachers are up, or if there is only one teacher, because the run shows its state. Teachers that
 * have left are ignored.
 */
export function teacherTroubleText(statuses: readonly TeacherStatus[]): string[] {
  const present = statuses.filter(({ state }) => state !== "left");
  const notUp = present.filter(({ state }) => state !== "up");
  if (present.length < 2 || notUp.length === 0) return [];
  const up = `${formatCount(present.length - notUp.length)} of ${formatCount(present.length)}`;
  const states = notUp.map((teacher) => `${hostOf(teacher)} ${teacherStateText(teacher)}`);
  return [`${up} teachers up: ${states.join(", ")}`];
}

/** Returns `cooling down until 12:03:07 (429: tokens per min)`. */
export function teacherStateText({ state, until, reason }: TeacherStatus): string {
  const untilWords = UNTIL_WORDS[state];
  const time = until === null || !untilWords ? "" : `${untilWords} ${formatTime(until)}`;
  const why = shortReason(reason, MAX_REASON_CELLS);
  return `${state.replace("_", " ")}${time}${why === "" ? "" : ` (${why})`}`;
}

function hostOf({ address }: TeacherStatus): string {
  const host = URL.canParse(address) ? new URL(address).host : "";
  return clip(printable(host === "" ? address : host), MAX_NAME_CELLS);
}

/** Matches what was tried, followed by the cause after the last colon. */
const CAUSE_LAST = /^(Cannot .+): ([^:]+)$/;

/** Shortens a reason to `cells` cells; "" if there is none. In a long reason, the cause is moved to
 * the start, because the end of `Cannot connect to gpu1.example:8000: connection refused` matters
 * most. */
export function shortReason(reason: string | null, cells: number): string {
  const text = printable(reason ?? "");
  if (stringWidth(text) <= cells) return text;
  return clip(text.replace(CAUSE_LAST, "$2: $1"), cells);
}

/** Returns a rate, per minute if it is below one per second: `1,240 rows/s`, `3.5 rows/min`. */
export function formatRate(perSecond: number, unit: string): string {
  if (perSecond > 0 && perSecond < 1) return `${(perSecond * 60).toFixed(1)} ${unit}/min`;
  return `${perSecond < 99.95 ? perSecond.toFixed(1) : formatCount(perSecond)} ${unit}/s`;
}

/** Returns the local time of day: `12:03:07`. */
export function formatTime(iso: string): string {
  return new Date(iso).toTimeString().slice(0, 8);
}
