/**
 * The summary at the end of a run: what was done, what it cost, and which command to use next.
 *
 * @module
 */

import type { ErrorGroup, Summary, TeacherStatus } from "../progress/mod.ts";
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatDuration,
  formatLatency,
  formatUsd,
  isUncounted,
  sumOf,
} from "../figures.js";
import { printable } from "../printable.ts";
import { errorText, formatRate, MAX_NAME_CELLS, teacherStateText } from "./status.ts";
import { clip, type Color, columnOf, createPaint, type Paint } from "./columns.ts";

const MAX_ERRORS = 3;
const MAX_FILES = 2;
const MAX_TEACHER_LINES = 4;
const MAX_ERROR_CELLS = 100;
const UNCOUNTED = "unknown: it needs token counts (usage), which no answer had, and a price";
const TRUNCATED_ADVICE = "with a higher --max-tokens, or --on-truncated escalate";
const ESCALATED_ADVICE = "with a higher --max-tokens-cap";

export interface SummaryTextOptions {
  /** The command that continues the run or retries failures. @default no command is shown */
  continueCommand?: string;
  /** The command that exports the results. It is shown once all rows are done. @default no command
   * is shown */
  exportCommand?: string;
  /** Whether the run was started with `--on-truncated escalate`. @default false */
  escalates?: boolean;
  /** Whether to use colors. The caller must take `NO_COLOR` into account. */
  isColored: boolean;
}

/** A line of the summary. If the label is "", the line continues the previous one. */
type Line = readonly [label: string, text: string];

/** Returns at most 33 lines. Figures that are 0 are omitted, except the number of rows. */
export function summaryText(summary: Summary, options: SummaryTextOptions): string {
  const paint = createPaint(options.isColored);
  const lines: Line[] = [
    ...rowLines(summary),
    ...costLines(summary),
    ...summary.teachers.length < 2 ? [] : labeled("Teachers", teacherLines(summary.teachers)),
    ...labeled("Errors", errorTexts(summary)),
    ...fileLines(summary),
  ];
  const { continueCommand, exportCommand, escalates = false } = options;
  const isUnfinished = summary.state !== "done" || summary.pending > 0;
  if (continueCommand !== undefined && isUnfinished) {
    lines.push(["To continue", continueCommand]);
  } else if (continueCommand !== undefined && summary.failures_on_disk > 0) {
    lines.push(["To retry", continueCommand]);
    const advice = escalates ? ESCALATED_ADVICE : TRUNCATED_ADVICE;
    if (hasTruncated(summary)) lines.push(["", advice]);
  }
  if (exportCommand !== undefined && !isUnfinished) lines.push(["To export", exportCommand]);
  return paint(...headline(summary)) + "\n\n" + align(lines, paint);
}

/** Whether any row failed because its answer was truncated. An unchanged retry would be truncated
 * again. */
function hasTruncated({ errors }: Summary): boolean {
  return errors.some(({ type, actions }) => type === "truncated" && actions.failed > 0);
}

function align(lines: readonly Line[], paint: Paint): string {
  const width = Math.max(...lines.map(([label]) => label.length)) + 2;
  return lines.map(([label, text]) => `  ${paint(label.padEnd(width), "dim")}${text}\n`).join("");
}

function headline(summary: Summary): [text: string, color: Color] {
  const { state, pending } = summary;
  const time = formatDuration(summary.elapsed_ms);
  const todo = `${formatCountOf(pending, "row")} still to do`;
  if (state === "halted") {
    const reason = printable(summary.reason ?? "") || "no reason was given";
    // If the halted run was retrying failures, the remaining rows are failures and not pending
    // rows.
    const andTodo = pending > 0 ? `, ${todo}` : "";
    return [`Halted after ${time}${andTodo}: ${reason}`, "red"];
  }
  if (state === "interrupted") return [interruptionText(summary, time, todo), "yellow"];
  if (pending > 0) return [`Ended after ${time}: ${todo}`, "yellow"];
  const [text, color] = resultText(summary);
  return [`Finished in ${time}: ${text}`, color];
}

function interruptionText(summary: Summary, time: string, todo: string): string {
  const { elapsed_ms, pending, failures_on_disk } = summary;
  // The signal arrived before any row could be sent.
  if (elapsed_ms === 0) return "Interrupted while the input was read: nothing was sent";
  if (pending > 0) return `Interrupted after ${time}: ${todo}`;
  // If the interrupted run was retrying failures, the remaining rows are failures and not pending
  // rows.
  const failures = failures_on_disk > 0 ? `: ${withoutResult(failures_on_disk)}` : "";
  return `Interrupted after ${time}${failures}`;
}

function withoutResult(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "row has" : "rows have"} no result`;
}

function resultText(
  { total, failures_on_disk, bad_rows }: Summary,
): [text: string, color: Color] {
  const unanswered = failures_on_disk + bad_rows;
  if (total + bad_rows === 0) return ["there are no rows", "yellow"];
  if (unanswered === 0) return ["every row has a result", "green"];
  if (unanswered === total + bad_rows) return ["no row has a result", "red"];
  return [withoutResult(unanswered), "yellow"];
}

function rowLines(summary: Summary): Line[] {
  const { merged_duplicates, bad_rows, failed, failures_on_disk, elapsed_ms, state } = summary;
  if (state === "interrupted" && elapsed_ms === 0) return [];
  const total = formatCount(summary.total) +
    unlessZero(merged_duplicates, (count) => ` · ${count} identical merged`) +
    unlessZero(bad_rows, (count) => ` · ${count} bad left out`);
  const onDisk = failures_on_disk === failed
    ? ""
    : ` (${formatCount(failures_on_disk)} in the failures files)`;
  const failures = failed === 0
    ? unlessZero(failures_on_disk, (count) => `${count} before this run`)
    : formatCount(failed) + onDisk;
  return withText([
    ["Rows", total],
    ["Finished before", unlessZero(summary.skipped)],
    ["Answered", unlessZero(summary.succeeded)],
    ["Failed", failures],
    ["Pending", unlessZero(summary.pending)],
  ]);
}

function costLines(summary: Summary): Line[] {
  const { latency_ms, attempts, retries, succeeded, failed, cost_usd, crashed_in_flight } = summary;
  const { p50, p90, p99, max } = latency_ms;
  const latency = `p50 ${formatLatency(p50)} · p90 ${formatLatency(p90)} · ` +
    `p99 ${formatLatency(p99)} · max ${formatLatency(max)}`;
  const cpu = formatDuration(summary.cpu_seconds * 1000);
  const process = `${cpu} of CPU · ${formatBytes(summary.peak_rss_bytes)} of memory`;
  return withText([
    ["Speed", succeeded + failed === 0 ? "" : formatRate(summary.rate_per_s, "rows")],
    ["Concurrency", concurrencyText(summary)],
    ["Latency", max === 0 ? "" : latency],
    ["Tokens", tokensText(summary)],
    ["Wasted", wasteText(summary)],
    ["Cost", isUncounted(summary) ? UNCOUNTED : cost_usd === null ? "" : formatUsd(cost_usd)],
    [
      "Attempts",
      unlessZero(attempts) +
      unlessZero(retries, (count) => ` (${count} ${retries === 1 ? "retry" : "retries"})`),
    ],
    ["", attemptsText(summary)],
    ["Crashed", unlessZero(crashed_in_flight, crashText)],
    ["Process", attempts === 0 ? "" : process],
  ]);
}

/** Returns the concurrency that `auto` found; "" if it found none, or if the concurrency was fixed.
 * `limit` is 0 if all teachers were halted. */
function concurrencyText({ limit, concurrency_is_auto, succeeded_attempts }: Summary): string {
  if (!concurrency_is_auto || succeeded_attempts === 0 || limit === 0) return "";
  return `${formatCount(limit)}, found by auto`;
}

function tokensText({ prompt_tokens, completion_tokens }: Summary): string {
  if (prompt_tokens + completion_tokens === 0) return "";
  return `${formatCount(prompt_tokens)} prompt · ${formatCount(completion_tokens)} completion`;
}

/** Returns `4,830 completion tokens: 3,000 truncated · 1,830 rejected`. */
function wasteText({ wasted_completion_tokens, wasted_by_reason }: Summary): string {
  const reasons = Object.entries(wasted_by_reason).sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${formatCount(count)} ${printable(reason)}`).join(" · ");
  return unlessZero(
    wasted_completion_tokens,
    (count) => `${count} completion tokens${reasons === "" ? "" : `: ${reasons}`}`,
  );
}

/** Returns `1,019 succeeded · 81 failed (12 throttled) · 3 unanswered, may be billed`. */
function attemptsText(summary: Summary): string {
  const { succeeded_attempts, failed_attempts, unknown_attempts, refused_for_load } = summary;
  if (failed_attempts + unknown_attempts === 0) return "";
  const throttled = unlessZero(refused_for_load, (count) => ` (${count} throttled)`);
  return joined(" · ", [
    unlessZero(succeeded_attempts, (count) => `${count} succeeded`),
    unlessZero(failed_attempts, (count) => `${count} failed${throttled}`),
    unlessZero(unknown_attempts, (count) => `${count} unanswered, may be billed`),
  ]);
}

function crashText(count: string): string {
  const calls = count === "1" ? "1 call was" : `at most ${count} calls were`;
  return `${calls} in flight when the last run crashed, and may be billed twice`;
}

/** Returns lines that share one label. */
function labeled(label: string, texts: readonly string[]): Line[] {
  return texts.map((text, index) => [index === 0 ? label : "", text]);
}

/** Returns at most four lines, each for one teacher, in columns:
 * `http://gpu1:8000/v1 qwen3 600 answered · 3 not answered`. Several teachers that have left share
 * a line, and so do those for which there is no room. */
export function teacherLines(statuses: readonly TeacherStatus[]): string[] {
  const leftTeachers = statuses.filter(({ state }) => state === "left");
  if (leftTeachers.length < 2) return individualLines(statuses, MAX_TEACHER_LINES);
  const presentTeachers = statuses.filter(({ state }) => state !== "left");
  const count = sumOf(leftTeachers, ({ teachers = 1 }) => teachers);
  return [
    ...presentTeachers.length === 0 ? [] : individualLines(presentTeachers, MAX_TEACHER_LINES - 1),
    `${formatCount(count)} teachers that left: ${answersText(leftTeachers)}`,
  ];
}

function answersText(teachers: readonly TeacherStatus[], width = 0): string {
  const answered = formatCount(sumOf(teachers, (teacher) => teacher.answered));
  const failed = sumOf(teachers, (teacher) => teacher.failed);
  const unanswered = unlessZero(failed, (count) => ` · ${count} not answered`);
  return `${answered.padStart(width)} answered${unanswered}`;
}

function individualLines(teachers: readonly TeacherStatus[], maxLines: number): string[] {
  const shownTeachers = teachers.length > maxLines ? teachers.slice(0, maxLines - 1) : teachers;
  const addresses = columnOf(
    shownTeachers.map(({ address }) => printable(address)),
    MAX_NAME_CELLS,
  );
  const models = columnOf(shownTeachers.map(({ model }) => printable(model)), MAX_NAME_CELLS);
  const width = Math.max(...shownTeachers.map(({ answered }) => formatCount(answered).length));
  const lines = shownTeachers.map((teacher, index) => {
    const state = teacher.state === "up" ? "" : ` · ${teacherStateText(teacher)}`;
    return addresses[index] + models[index] + answersText([teacher], width) + state;
  });
  const hiddenCount = teachers.length - shownTeachers.length;
  if (hiddenCount > 0) {
    lines.push(
      `and ${formatCount(hiddenCount)} more: ${answersText(teachers.slice(shownTeachers.length))}`,
    );
  }
  return lines;
}

/** Returns texts such as `408 × rate_limit 429: Slow down · 1 failed, 407 retried` for the errors
 * that failed the most rows, and one text for all other errors. */
function errorTexts({ errors }: Summary): string[] {
  const shownErrors = errors.toSorted((a, b) => b.actions.failed - a.actions.failed)
    .slice(0, MAX_ERRORS);
  const texts = shownErrors.map((group) => {
    const actions = ` · ${actionsText(group)}`;
    return clip(errorText(group), MAX_ERROR_CELLS - actions.length) + actions;
  });
  const otherErrors = errors.filter((group) => !shownErrors.includes(group));
  const otherCount = sumOf(otherErrors, ({ count }) => count);
  return otherCount === 0 ? texts : [...texts, `${formatCount(otherCount)} × other causes`];
}

/** Returns `3 failed, 9 retried, 1 interrupted`. */
function actionsText({ actions: { failed, retried, halted } }: ErrorGroup): string {
  return joined(", ", [
    unlessZero(failed, (count) => `${count} failed`),
    unlessZero(retried, (count) => `${count} retried`),
    unlessZero(halted, (count) => `${count} interrupted`),
  ]);
}

function joined(separator: string, parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(separator);
}

function fileLines({ files, bad_rows }: Summary): Line[] {
  const lines: Line[] = [];
  for (const { results, failures, failed } of files.slice(0, MAX_FILES)) {
    lines.push(["Results", printable(results)]);
    if (failed > 0 || bad_rows > 0) lines.push(["Failures", printable(failures)]);
  }
  const hiddenCount = files.length - MAX_FILES;
  if (hiddenCount > 0) {
    lines.push(["", `and those of ${formatCountOf(hiddenCount, "more input")}`]);
  }
  return lines;
}

function withText(lines: readonly Line[]): Line[] {
  return lines.filter(([, text]) => text !== "");
}

function unlessZero(count: number, textOf = (formatted: string) => formatted): string {
  return count === 0 ? "" : textOf(formatCount(count));
}
