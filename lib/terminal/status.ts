/**
 * The parts of the bar and of plain lines: state, rows, speed, cost, work and problems of a
 * snapshot; also the texts for the start of a run and for notices.
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
import type { ErrorGroup, Notice, RunStart, RunState, Snapshot } from "../progress/mod.ts";
import type { Segment } from "./columns.ts";
import { shortReason, troubleText } from "./teacher_text.ts";

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

/** The maximum width of a line of progress, however wide the terminal is, in cells. */
export const MAX_COLUMNS = 120;

/** A shorter time would be shown as `0.0 s`. */
const MIN_ETA_MS = 50;

/**
 * Says what the run is doing and, if nothing is sent, why: `backing off until 12:03:07 (429: tokens
 * per min)`. The reason has at most `maxReasonCells` cells.
 */
export function stateText(snapshot: Snapshot, maxReasonCells: number): string {
  const { state, backing_off_until } = snapshot;
  const reason = shortReason(reasonOf(snapshot), maxReasonCells);
  const why = reason === "" || state === "running" ? "" : ` (${reason})`;
  if (state === "halted" && why !== "") return `halted${why}`;
  if (state === "backing_off" && backing_off_until !== null) {
    return `backing off until ${formatTime(backing_off_until)}${why}`;
  }
  return STATE_WORDS[state] + why;
}

/**
 * Returns why the run is in its state. If its only teacher halted, this is the teacher's reason:
 * the run's reason begins with the address, which is superfluous here.
 */
function reasonOf({ reason, teachers }: Snapshot): string | null {
  const present = teachers.filter(({ state }) => state !== "left");
  const isAlone = present.length === 1;
  return isAlone && present[0].state === "halted" ? present[0].reason : reason;
}

/** Returns the number of rows that this run and earlier ones have finished. */
export function doneRows({ skipped, succeeded, failed }: Snapshot): number {
  return skipped + succeeded + failed;
}

/** `818/1,319 rows`. */
export function rowsSegment(snapshot: Snapshot): Segment {
  const done = formatCount(doneRows(snapshot));
  const { total } = snapshot;
  return { text: total === null ? `${done} rows finished` : `${done}/${formatCount(total)} rows` };
}

/** `62.0%`; no segment while the number of rows is unknown. */
export function shareSegments(snapshot: Snapshot): Segment[] {
  const { total } = snapshot;
  return total === null ? [] : [{ text: formatPercent(doneRows(snapshot), total) }];
}

/** Speed, time left, cost, and number of failed rows. `isBrief` omits the ranges of estimates. */
export function mainSegments(snapshot: Snapshot, isBrief = false): Segment[] {
  const { failed, rate_per_s } = snapshot;
  const shown = isBrief
    ? { ...snapshot, eta_range_s: null, projected_cost_range_usd: null }
    : snapshot;
  return [
    { text: formatRate(rate_per_s, "rows") },
    ...etaSegments(shown),
    ...costSegments(shown),
    ...failed > 0 ? [{ text: `${formatCount(failed)} failed`, color: "red" as const }] : [],
  ];
}

/**
 * `ETA 13 s (11 – 16 s)`; no segment while the run backs off, once it has ended, or if no time is
 * left. If the estimate is only a lower bound, a throttled run shows the bound (`ETA over 13 s`),
 * and another one says `ETA: ramping up` while it is running.
 */
function etaSegments(snapshot: Snapshot): Segment[] {
  const { state, eta_is_lower_bound, eta_range_s, refused_for_load } = snapshot;
  const etaMs = (snapshot.eta_s ?? 0) * 1000;
  if (hasEnded(snapshot) || state === "backing_off") return [];
  if (eta_is_lower_bound && snapshot.total !== null) {
    const isThrottled = refused_for_load > 0 && etaMs >= MIN_ETA_MS;
    if (state !== "running" && !isThrottled) return [];
    return [{ text: isThrottled ? `ETA over ${formatDuration(etaMs)}` : "ETA: ramping up" }];
  }
  if (etaMs < MIN_ETA_MS) return [];
  const eta = formatDuration(etaMs);
  const range = eta_range_s === null
    ? eta
    : formatDurationRange(eta_range_s[0] * 1000, eta_range_s[1] * 1000);
  return [{ text: `ETA ${eta}${range === eta ? "" : ` (${range})`}`, color: "bold" }];
}

/** Attempts in flight, waiting rows, throttled attempts, tokens, wasted tokens and latency. */
export function workSegments(snapshot: Snapshot): Segment[] {
  const { waiting, refused_for_load, tokens_per_s, latency_ms } = snapshot;
  const { wasted_completion_tokens: wasted } = snapshot;
  const segments: Segment[] = [{ text: flightText(snapshot) }];
  if (waiting > 0) segments.push({ text: `${formatCount(waiting)} waiting`, color: "yellow" });
  if (refused_for_load > 0) {
    segments.push({ text: `${formatCount(refused_for_load)} throttled`, color: "yellow" });
  }
  if (tokens_per_s > 0) segments.push({ text: formatRate(tokens_per_s, "tokens") });
  if (wasted > 0) {
    segments.push({ text: `${formatCount(wasted)} tokens wasted`, color: "yellow" });
  }
  if (latency_ms.max > 0) {
    const { p50, p99 } = latency_ms;
    segments.push({ text: `latency p50 ${formatLatency(p50)}, p99 ${formatLatency(p99)}` });
  }
  return segments;
}

/** `37/200 in flight, limit 64`. */
function flightText({ in_flight, concurrency, limit }: Snapshot): string {
  const limitText = limit < concurrency ? `, limit ${formatCount(limit)}` : "";
  return `${formatCount(in_flight)}/${formatCount(concurrency)} in flight${limitText}`;
}

/** Lag, CPU and memory of this process. */
export function processSegments(
  { event_loop_lag_ms, cpu_percent, rss_bytes }: Snapshot,
): Segment[] {
  return [
    { text: `lag ${formatLatency(event_loop_lag_ms.p99)}`, color: "dim" },
    { text: `CPU ${Math.round(cpu_percent)}%`, color: "dim" },
    { text: formatBytes(rss_bytes), color: "dim" },
  ];
}

/** `$1.20 of ~$14 ($13 – $15, max $20)`: so far, estimated, and allowed. */
function costSegments(snapshot: Snapshot): Segment[] {
  const { cost_usd, projected_cost_usd: projected, max_cost_usd: maxUsd } = snapshot;
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

/** `12 × rate_limit 429: Rate limit reached …`. */
export function errorText({ type, status, message, count }: ErrorGroup): string {
  const text = printable(message);
  return `${formatCount(count)} × ${type}${status === null ? "" : ` ${status}`}: ${text}`;
}

/**
 * Formats problems that need action: teachers that are not up, and the error that most rows failed
 * with. Errors of attempts that were retried need none.
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

/** Returns the first line of a run. */
export function startText(event: RunStart): string {
  const { pending, skipped, concurrency } = event;
  const rows = pending === null ? "Rows" : formatCountOf(pending, "row");
  const before = skipped > 0 ? ` (${formatCount(skipped)} finished before)` : "";
  const model = event.model === "" ? "the teacher" : event.model;
  const teacher = event.teacher === "" ? "" : ` at ${shortened(event.teacher.split(", "))}`;
  const max = formatCount(concurrency);
  const lanes = event.concurrency_is_auto ? `auto (up to ${max})` : max;
  return printable(`${rows} to do${before}: ${model}${teacher}, concurrency ${lanes}`);
}

/** A list of hundreds of teachers would fill the screen. */
function shortened(addresses: readonly string[]): string {
  if (addresses.length <= MAX_ADDRESSES) return addresses.join(", ");
  const shown = addresses.slice(0, MAX_ADDRESSES - 1).join(", ");
  return `${shown} and ${formatCount(addresses.length - MAX_ADDRESSES + 1)} more`;
}

/** Maximum number of teachers in the first line of a run. */
const MAX_ADDRESSES = 4;

/** A notice as a line. Warnings begin with a word, because colors may be off. */
export function noticeSegment({ level, message }: Notice): Segment {
  const text = printable(message);
  return level === "warning" ? { text: `Warning: ${text}`, color: "yellow" } : { text };
}
