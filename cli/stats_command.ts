/** `retort stats`. @module */

import {
  type ComparedRun,
  compareRuns,
  conditionNotes,
  DataIndex,
  type DataStatistics,
  type Facet,
  FLAGS,
  type Histogram,
  type IndexStatus,
  jsonWithBigInts,
  openFiles,
  type RunComparison,
  selectRows,
  type Spread,
  statisticsOf,
} from "../lib/data/mod.ts";
import { UsageError } from "../lib/errors.ts";
import {
  formatCount,
  formatCountOf,
  formatLatency,
  formatShare,
  formatUsd,
} from "../lib/figures.js";
import { printable, printableJson, printableLines } from "../lib/printable.ts";
import { stringWidth } from "../lib/terminal/mod.ts";
import { EXIT_DONE } from "./exit.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { requireInputs, Settings } from "./settings.ts";

export async function statsCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  requireInputs(args, "count without files: name results, failures or a folder, as in out/");
  checkComparison(settings, args.inputs);
  await using dataFiles = await openFiles(args.inputs);
  requireTwoRuns(settings, args.inputs, dataFiles.files);
  const index = new DataIndex(dataFiles.files, true);
  try {
    await index.readAll();
    index.save();
    const status = index.status();
    requireReadableFile(args.inputs, status);
    const where = settings.text("where") ?? "", isJson = settings.isOn("json");
    let text: string;
    if (settings.isOn("compare")) {
      const comparison = compareRuns(index.table, index.runs, args.inputs as [string, string]);
      text = isJson ? JSON.stringify(comparison, null, 2) : comparisonText(comparison);
    } else {
      const statistics = statisticsOf(index.table, selectRows(index, where));
      text = isJson ? jsonWithBigInts(jsonOf(status, statistics), 2) : textOf(status, statistics);
    }
    io.writeOut(isJson ? `${printableJson(text)}\n` : printableLines(text));
    const notes = [...dataFiles.notes, ...notesOf(status), ...conditionNotes(index.table, where)];
    for (const note of notes) io.writeErr(`Note: ${printableLines(note)}\n`);
  } finally {
    index.close();
  }
  return EXIT_DONE;
}

function checkComparison(settings: Settings, paths: readonly string[]): void {
  if (!settings.isOn("compare")) return;
  if (paths.length !== 2) {
    const count = paths.length === 1 ? "one path" : `${paths.length} paths`;
    throw new UsageError(`Cannot compare ${count}: name the outputs of two runs, as in a/ b/`);
  }
  if (settings.text("where") !== undefined) {
    throw new UsageError(
      "Cannot use --compare with --where: all rows that both runs have answered are compared",
    );
  }
}

/** Throws if the second path has no file of its own. A file in both paths belongs to the first. */
function requireTwoRuns(
  settings: Settings,
  paths: readonly string[],
  files: readonly { readonly run?: number }[],
): void {
  if (!settings.isOn("compare") || files.some(({ run }) => run === 1)) return;
  const [left, right] = paths;
  throw new UsageError(
    `Cannot compare "${left}" with "${right}": "${right}" has no .jsonl file of its own`,
  );
}

function requireReadableFile(paths: readonly string[], { files }: IndexStatus): void {
  if (files.some(({ problem }) => problem === null)) return;
  const [first] = files;
  throw new UsageError(
    first === undefined
      ? `Cannot count "${paths.join('", "')}": there is no .jsonl file in it`
      : `Cannot count "${first.path}": ${first.problem}`,
  );
}

function notesOf({ files }: IndexStatus): string[] {
  return files.flatMap(({ path, problem, damage, damageCount, read, size }) => {
    const notes = problem === null ? [] : [`"${path}" is left out: ${problem}`];
    if (damageCount > 0) {
      const [{ line, problem }] = damage;
      const count = formatCountOf(damageCount, "damaged line");
      notes.push(`"${path}" has ${count} (line ${line}: ${problem})`);
    }
    if (problem === null && read < size) {
      notes.push(
        `"${path}" ends with an incomplete line, which is still being written or was cut off`,
      );
    }
    return notes;
  });
}

function jsonOf({ files }: IndexStatus, statistics: DataStatistics) {
  const { rows, facets, histograms, ...rest } = statistics;
  return {
    files: files.map(({ path, rows, damageCount, problem }) => ({
      path,
      rows,
      damaged_lines: damageCount,
      problem,
    })),
    rows,
    ...rest,
    facets: Object.fromEntries(
      facets.filter((facet) => !isCountedApart(facet))
        .map(({ field, values }) => [field, values]),
    ),
    histograms: Object.fromEntries(histograms.map(({ field, bins }) => [field, bins])),
  };
}

/** Whether the output already counts rows by this field, under "Rows" or "Flags". */
function isCountedApart({ field, isOwn }: Facet): boolean {
  return !isOwn && /^(?:distill\.)?(?:flags|status)$/.test(field);
}

/** Width of the left column, in cells of the terminal. */
const NAME_WIDTH = 20;
/** Maximum width of a name whose figures are aligned. */
const MAX_NAME_WIDTH = 60;

function textOf({ files }: IndexStatus, statistics: DataStatistics): string {
  const { rows } = statistics;
  const lines = alignedRows(
    files.map(({ path, rows }) => [printable(path), formatCountOf(rows, "row")]),
  );
  lines.push("", row("Rows", formatCount(rows.total)));
  for (const status of ["answered", "failed", "pending"] as const) {
    if (rows[status] > 0) lines.push(row(`  ${status}`, share(rows[status], rows.total)));
  }
  lines.push("", row("Prompt tokens", tokensText(statistics.prompt_tokens)));
  lines.push(row("Answer tokens", tokensText(statistics.completion_tokens)));
  const { reasoning_tokens: reasoning } = statistics;
  if (reasoning.max > 0) lines.push(row("  reasoning", tokensText(reasoning)));
  lines.push(
    row("Latency", spreadText(statistics.latency_ms, formatLatency)),
    row("Cost", costText(statistics)),
  );
  for (const histogram of statistics.histograms) lines.push("", ...sparkline(histogram));
  lines.push("", "Flags");
  for (const { name, title } of FLAGS) {
    const count = statistics.flags[name];
    if (count > 0) lines.push(row(`  ${name}`, `${share(count, rows.answered)}  ${title}`));
  }
  if (lines.at(-1) === "Flags") lines.push(row("  none", ""));
  const facets = statistics.facets.filter((facet) => !isCountedApart(facet));
  lines.push(...alignedRows(facets.flatMap((facet) => facetRows(facet, rows.total))));
  return `${lines.join("\n")}\n`;
}

function row(name: string, text: string, width = NAME_WIDTH): string {
  return `${name}${" ".repeat(Math.max(0, width - stringWidth(name)))} ${text}`.trimEnd();
}

type Row = readonly [name: string, text: string];

function alignedRows(rows: readonly Row[]): string[] {
  const longest = Math.max(NAME_WIDTH, ...rows.map(([name]) => stringWidth(name)));
  return rows.map(([name, text]) => row(name, text, Math.min(MAX_NAME_WIDTH, longest)));
}

function share(count: number, total: number): string {
  return `${formatCount(count).padStart(11)}  ${formatShare(count, total).padStart(6)}`;
}

function tokensText(spread: Spread): string {
  return `${spreadText(spread, formatCount)} · ${formatCount(spread.sum)} in total`;
}

function spreadText({ p50, p95, max }: Spread, format: (figure: number) => string): string {
  return `p50 ${format(p50)} · p95 ${format(p95)} · max ${format(max)}`;
}

function costText(
  { cost_usd: usd, cost_estimated_rows: estimated, cost_unknown_rows: unknown, rows }:
    DataStatistics,
): string {
  if (unknown === rows.total) return "unknown";
  const notes = [
    estimated > 0 ? `${formatCountOf(estimated, "row")} estimated from public prices` : "",
    unknown > 0 ? `unknown for ${formatCountOf(unknown, "row")}` : "",
  ].filter((note) => note !== "");
  return `${estimated > 0 ? "about " : ""}${formatUsd(usd)}${
    notes.length > 0 ? ` (${notes.join(", ")})` : ""
  }`;
}

/** The bars of a sparkline, in order of height from 0 to 8. */
const BARS = " ▁▂▃▄▅▆▇█";

function sparkline({ title, bins, most }: Histogram): string[] {
  const first = bins.findIndex(({ count }) => count > 0);
  const shown = bins.slice(Math.max(0, first));
  const highest = Math.max(...shown.map(({ count }) => count));
  const bars = shown.map(({ count }) =>
    BARS[count === 0 ? 0 : Math.max(1, Math.round(count / highest * 8))]
  );
  const [from, to] = [formatCount(shown[0].from), formatCount(most)];
  return [
    row(title, bars.join("")),
    row("", `${from}${" ".repeat(Math.max(1, bars.length - from.length - to.length))}${to}`),
  ];
}

const MAX_VALUES = 10;

function facetRows({ title, values, more }: Facet, total: number): Row[] {
  const shown = values.slice(0, MAX_VALUES);
  const hiddenCount = values.length - shown.length + more;
  // A list of ten unique values, such as ids, would say nothing.
  if (hiddenCount > 0 && values.every(({ count }) => count === 1)) {
    return [["", ""], [title, ""], [`  ${formatCount(values.length + more)} different values`, ""]];
  }
  return [
    ["", ""],
    [title, ""],
    ...shown.map(({ value, count }): Row => [
      `  ${printable(value === "" || value === null ? "(none)" : String(value))}`,
      share(count, total),
    ]),
    ...(hiddenCount > 0 ? [[`  … and ${formatCount(hiddenCount)} more`, ""] as const] : []),
  ];
}

/** Width of the left column of a comparison, in cells. */
const MEASURE_WIDTH = 24;
/** Width of one run's figures, in cells. */
const RUN_WIDTH = 16;

function comparisonText({ both, agreement, runs, ...rest }: RunComparison): string {
  const ofBoth = (count: number) => {
    const percent = both === 0 ? "" : `  ${formatShare(count, both).padStart(6)}`;
    return `${formatCount(count).padStart(11)}${percent}`;
  };
  const measure = (name: string, text: string) => row(name, text, MEASURE_WIDTH);
  const runsRow = (name: string, textOf: (run: ComparedRun) => string) =>
    measure(name, runs.map((run) => textOf(run).padEnd(RUN_WIDTH)).join(" "));
  const answered = `${formatCount(both).padStart(11)}${
    both === 0 ? "  rows are matched by uid" : ""
  }`;
  const lines = [
    `Left   ${runs[0].path}`,
    `Right  ${runs[1].path}`,
    "",
    measure("Answered by both", answered),
    measure("  same text", ofBoth(agreement.same_text)),
    measure("  same final answer", ofBoth(agreement.same_final_answer)),
    measure("  different", ofBoth(agreement.different)),
  ];
  if (rest.without_final_answer > 0) {
    const count = ofBoth(rest.without_final_answer);
    lines.push(
      measure("    no final answer", `${count}  in one or both: only texts were compared`),
    );
  }
  lines.push(
    "",
    measure("", `${"left".padEnd(RUN_WIDTH)} right`),
    runsRow("Answered here only", ({ only }) => formatCount(only)),
    runsRow("Answer tokens p50", ({ completion_tokens: { p50 } }) => formatCount(p50)),
    runsRow("  p95", ({ completion_tokens: { p95 } }) => formatCount(p95)),
    runsRow("  in total", ({ completion_tokens: { sum } }) => formatCount(sum)),
    runsRow("Latency p50", ({ latency_ms: { p50 } }) => formatLatency(p50)),
    runsRow("  p95", ({ latency_ms: { p95 } }) => formatLatency(p95)),
    runsRow("Cost", ({ cost_usd: usd }) => usd === null ? "unknown" : formatUsd(usd)),
  );
  return `${lines.join("\n")}\n`;
}
