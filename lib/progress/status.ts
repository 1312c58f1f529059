/**
 * What a snapshot says, piece by piece; the bar and the plain lines are put together from it.
 *
 * @module
 */

import type { ErrorGroup, Notice, RunStart, RunState, Snapshot } from "./events.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatPercent,
  formatRate,
} from "./figures.ts";
import { printable } from "./printable.ts";
import type { Segment } from "./terminal.ts";

/** The states in words. */
export const STATE_WORDS: Readonly<Record<RunState, string>> = {
  preparing: "reading the input",
  running: "running",
  backing_off: "all rows wait to be tried again",
  paused: "paused",
  draining: "finishing what is under way",
  done: "done",
  halted: "ended early",
};

/** Rows that need nothing any more: from earlier runs and from this one. */
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

/** When it will be over, how many failed, and what is under way. */
export function workSegments(snapshot: Snapshot): Segment[] {
  const { state, eta_s, eta_is_lower_bound, failed, in_flight, concurrency, waiting } = snapshot;
  const segments: Segment[] = [];
  const hasEnded = state === "done" || state === "halted";
  if (!hasEnded && eta_s !== null && eta_s > 0) {
    const eta = formatDuration(eta_s * 1000);
    segments.push({ text: `ETA ${eta_is_lower_bound ? ">= " : ""}${eta}`, colour: "bold" });
  }
  if (failed > 0) segments.push({ text: `${formatCount(failed)} failed`, colour: "red" });
  segments.push({ text: `${formatCount(in_flight)}/${formatCount(concurrency)} in flight` });
  if (waiting > 0) segments.push({ text: `${formatCount(waiting)} waiting`, colour: "yellow" });
  return segments;
}

/** How fast it goes and what it costs here. */
export function speedSegments(snapshot: Snapshot, tokensPerS: number): Segment[] {
  const { rate_per_s, latency_ms, event_loop_lag_ms, cpu_percent, rss_bytes } = snapshot;
  const segments: Segment[] = [{ text: formatRate(rate_per_s, "rows") }];
  if (tokensPerS > 0) segments.push({ text: formatRate(tokensPerS, "tokens") });
  if (latency_ms.max > 0) {
    const { p50, p99 } = latency_ms;
    segments.push({ text: `latency p50 ${formatLatency(p50)}, p99 ${formatLatency(p99)}` });
  }
  segments.push(
    { text: `lag ${formatLatency(event_loop_lag_ms.p99)}`, colour: "dim" },
    { text: `CPU ${Math.round(cpu_percent)}%`, colour: "dim" },
    { text: formatBytes(rss_bytes), colour: "dim" },
  );
  return segments;
}

/** `12 × rate_limit 429: Rate limit reached …`. */
export function errorText({ type, status, message, count }: ErrorGroup): string {
  const words = printable(message);
  return `${formatCount(count)} × ${type}${status === null ? "" : ` ${status}`}: ${words}`;
}

/** The most frequent kind of failed attempt in words, or undefined. */
export function topErrorText({ errors }: Snapshot): string | undefined {
  return errors.length === 0 ? undefined : `failed attempts: ${errorText(errors[0])}`;
}

/** The first line of a run. */
export function startText(event: RunStart): string {
  const { pending, skipped, concurrency } = event;
  const rows = pending === null
    ? "Rows"
    : `${formatCount(pending)} ${pending === 1 ? "row" : "rows"}`;
  const before = skipped > 0 ? ` (${formatCount(skipped)} done before)` : "";
  const model = event.model === "" ? "the teacher" : event.model;
  const teacher = event.teacher === "" ? "" : ` at ${event.teacher}`;
  return printable(`${rows} to do${before}: ${model}${teacher}, concurrency ${concurrency}`);
}

/** A notice as a line; trouble is told by a word, not by its colour alone. */
export function noticeSegment({ level, message }: Notice): Segment {
  const text = printable(message);
  return level === "warning" ? { text: `Warning: ${text}`, colour: "yellow" } : { text };
}
