/**
 * The end of a run for people: what was done, what it took, and what to type next.
 *
 * @module
 */

import type { Summary } from "./events.ts";
import { formatBytes, formatCount, formatDuration, formatLatency, formatRate } from "./figures.ts";
import { printable } from "./printable.ts";
import { errorText } from "./status.ts";
import { clip, type Colour, createPaint, type Paint } from "./terminal.ts";

const MOST_ERRORS = 3;
const MOST_FILES = 2;
const MOST_ERROR_CELLS = 100;

/** How the summary is written. */
export interface SummaryTextOptions {
  /** The command that continues the run or retries its failures, as it is to be typed. */
  continueCommand?: string;
  /** Whether colours may be used (`NO_COLOR`). */
  color: boolean;
}

/** A line of the summary; lines after the first of a label have an empty one. */
type Line = readonly [label: string, text: string];

/**
 * Writes the summary: at most 23 lines, the last with its line break. A figure that is zero has no line.
 */
export function summaryText(summary: Summary, options: SummaryTextOptions): string {
  const paint = createPaint(options.color);
  const lines: Line[] = [
    ...rowLines(summary),
    ...costLines(summary),
    ...errorLines(summary),
    ...fileLines(summary),
  ];
  const { continueCommand } = options;
  const isUnfinished = summary.state === "interrupted" || summary.pending > 0;
  if (continueCommand !== undefined && isUnfinished) {
    lines.push(["To continue", continueCommand]);
  } else if (continueCommand !== undefined && summary.failures_on_disk > 0) {
    lines.push(["To retry", continueCommand]);
  }
  return headline(summary, paint) + "\n\n" + align(lines, paint);
}

function align(lines: readonly Line[], paint: Paint): string {
  const width = Math.max(...lines.map(([label]) => label.length)) + 2;
  return lines.map(([label, text]) => `  ${paint(label.padEnd(width), "dim")}${text}\n`).join("");
}

function headline(summary: Summary, paint: Paint): string {
  const [words, colour] = ending(summary);
  return paint(words, colour);
}

function ending(summary: Summary): [string, Colour] {
  const { state, pending } = summary;
  const time = formatDuration(summary.elapsed_ms);
  const left = `${formatCount(pending)} ${rows(pending)} still to do`;
  if (state === "halted") {
    const reason = printable(summary.reason ?? "") || "no reason was given";
    return [`Halted after ${time}, ${left}: ${reason}`, "red"];
  }
  if (state === "interrupted") return [interruption(summary, time, left), "yellow"];
  if (pending > 0) return [`Ended after ${time}: ${left}`, "yellow"];
  const [words, colour] = completion(summary);
  return [`Finished in ${time}: ${words}`, colour];
}

/** The clock starts with the first row that could be sent. */
function interruption(summary: Summary, time: string, left: string): string {
  const { elapsed_ms, pending, failures_on_disk } = summary;
  if (elapsed_ms === 0) return "Interrupted while the input was read: nothing was sent";
  if (pending > 0) return `Interrupted after ${time}: ${left}`;
  // What a retry did not come to is not pending: it stands among the failures.
  const without = failures_on_disk > 0 ? `: ${withoutResult(failures_on_disk)}` : "";
  return `Interrupted after ${time}${without}`;
}

function withoutResult(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "row has" : "rows have"} no result`;
}

function completion({ total, failures_on_disk, bad_rows }: Summary): [string, Colour] {
  const without = failures_on_disk + bad_rows;
  if (total + bad_rows === 0) return ["the input has no rows", "yellow"];
  if (without === 0) return ["every row has a result", "green"];
  if (without === total + bad_rows) return ["no row has a result", "red"];
  return [withoutResult(without), "yellow"];
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
  return present([
    ["Rows", total],
    ["Done before", unlessZero(summary.skipped)],
    ["Succeeded", unlessZero(summary.succeeded)],
    ["Failed", failures],
    ["Pending", unlessZero(summary.pending)],
  ]);
}

function costLines(summary: Summary): Line[] {
  const { latency_ms, attempts, retries, succeeded, failed } = summary;
  const { p50, p90, p99, max } = latency_ms;
  const latency = `p50 ${formatLatency(p50)} · p90 ${formatLatency(p90)} · ` +
    `p99 ${formatLatency(p99)} · max ${formatLatency(max)}`;
  const cpu = formatDuration(summary.cpu_seconds * 1000);
  return present([
    ["Speed", succeeded + failed === 0 ? "" : formatRate(summary.rate_per_s, "rows")],
    ["Latency", max === 0 ? "" : latency],
    ["Tokens", tokens(summary)],
    ["Cost", summary.cost_usd === null ? "" : `$${summary.cost_usd.toFixed(2)}`],
    ["Attempts", unlessZero(attempts) + unlessZero(retries, (count) => ` (${count} retries)`)],
    [
      "Process",
      attempts === 0 ? "" : `${cpu} of CPU · ${formatBytes(summary.peak_rss_bytes)} of memory`,
    ],
  ]);
}

function tokens(summary: Summary): string {
  const { prompt_tokens, completion_tokens, wasted_completion_tokens } = summary;
  if (prompt_tokens + completion_tokens === 0) return "";
  const wasted = unlessZero(
    wasted_completion_tokens,
    (count) => ` (${count} of them in rows that failed)`,
  );
  return `${formatCount(prompt_tokens)} prompt · ` +
    `${formatCount(completion_tokens)} completion${wasted}`;
}

function errorLines({ errors }: Summary): Line[] {
  const lines: Line[] = errors.slice(0, MOST_ERRORS).map((group, index) => [
    index === 0 ? "Errors" : "",
    clip(errorText(group), MOST_ERROR_CELLS),
  ]);
  const rest = errors.slice(MOST_ERRORS).reduce((sum, { count }) => sum + count, 0);
  if (rest > 0) lines.push(["", `${formatCount(rest)} × other causes`]);
  return lines;
}

function fileLines({ files, bad_rows }: Summary): Line[] {
  const lines: Line[] = [];
  for (const { results, failures, failed } of files.slice(0, MOST_FILES)) {
    lines.push(["Results", printable(results)]);
    if (failed > 0 || bad_rows > 0) lines.push(["Failures", printable(failures)]);
  }
  const rest = files.length - MOST_FILES;
  if (rest > 0) {
    lines.push(["", `and those of ${formatCount(rest)} more ${rest === 1 ? "input" : "inputs"}`]);
  }
  return lines;
}

function present(lines: readonly Line[]): Line[] {
  return lines.filter(([, text]) => text !== "");
}

function unlessZero(count: number, words = (formatted: string) => formatted): string {
  return count === 0 ? "" : words(formatCount(count));
}

function rows(count: number): string {
  return count === 1 ? "row" : "rows";
}
