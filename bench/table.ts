/**
 * Table of the figures.
 *
 * @module
 */

import { type Figure, median } from "./measure.ts";

const HEAD = ["measure", "Retort", "baseline", "ratio", "target", ""];

/** Formats figures as a table, with their notes below it. */
export function renderTable(figures: readonly Figure[]): string {
  const rows = [HEAD, ...figures.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const lines = rows.map((cells) => lineOf(cells.map((cell, i) => cell.padEnd(widths[i]))));
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  const notes = figures.filter(({ note }) => note !== undefined)
    .map(({ name, note }) => `- ${name}: ${note}`);
  return [lines[0], rule, ...lines.slice(1), ...(notes.length > 0 ? ["", ...notes] : [])]
    .join("\n");
}

function cellsOf({ name, retort, baseline, ratios, target }: Figure): string[] {
  const verdict = target === undefined ? "" : target.isMet ? "ok" : "missed";
  return [name, retort, baseline, ratioText(ratios), target?.text ?? "", verdict];
}

/** Formats the median, and the range of the rounds. */
function ratioText(ratios: readonly number[]): string {
  if (ratios.length === 0) return "";
  const text = ratio(median(ratios));
  if (ratios.length === 1) return text;
  return `${text} (${ratio(Math.min(...ratios))}–${ratio(Math.max(...ratios))})`;
}

/** Formats a ratio. Near 1 the third decimal matters. */
function ratio(value: number): string {
  return value >= 0.1 ? value.toFixed(3) : value.toPrecision(2);
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
