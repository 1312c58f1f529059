/** Measures Retort and a baseline alternately, and formats the figures as a table. @module */

export interface Figure {
  readonly name: string;
  /** Retort's figure, as text with a unit. */
  readonly retort: string;
  /** The baseline's figure, as text with a unit and the name of the baseline. */
  readonly baseline: string;
  /**
   * Retort's figure divided by the baseline's, for each round (or each frame of a page). For peers
   * and the merge, the baseline's time divided by Retort's. Empty if nothing is compared.
   */
  readonly ratios: readonly number[];
  readonly target?: Target;
  /** A note that is printed below the table. @default none */
  readonly note?: string;
}

interface Target {
  readonly text: string;
  readonly isMet: boolean;
}

export interface Measure {
  /** `--only` matches any part of the name. */
  readonly name: string;
  run(bench: Bench): Promise<Figure[]>;
}

export interface Bench {
  readonly dir: string;
  readonly full: boolean;
  /** Returns `quickRows`, or `fullRows` with `--full`, multiplied by `--scale`. */
  rows(quickRows: number, fullRows: number): number;
  /** Returns the number of `--rounds`, or else `defaultRounds`. */
  rounds(defaultRounds: number): number;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

export interface Rounds<A, B> {
  readonly ours: readonly A[];
  readonly theirs: readonly B[];
}

/** Measures in the order ABBA, so that a machine that slows down affects both sides equally. */
export async function alternate<A, B>(
  rounds: number,
  ours: (round: number) => Promise<A> | A,
  theirs: (round: number) => Promise<B> | B,
): Promise<Rounds<A, B>> {
  const results = { ours: [] as A[], theirs: [] as B[] };
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 1) results.theirs.push(await theirs(round));
    results.ours.push(await ours(round));
    if (round % 2 === 0) results.theirs.push(await theirs(round));
  }
  return results;
}

interface ComparisonOptions {
  readonly unit: string;
  /** What follows the figure of the baseline: `, JSON Lines`. */
  readonly baseline: string;
  /** Highest median of the ratios that meets the target. @default no target */
  readonly atMost?: number;
  /** Lowest median of the ratios that meets the target. @default no target */
  readonly atLeast?: number;
  readonly note?: string;
}

/** Returns a figure with the medians of both sides and the ratio of each round. */
export function comparison(
  name: string,
  { ours, theirs }: Rounds<number, number>,
  { unit, baseline, note, ...limits }: ComparisonOptions,
): Figure {
  const ratios = ratiosOf(ours, theirs);
  return {
    name,
    retort: `${formatNumber(median(ours))} ${unit}`,
    baseline: `${formatNumber(median(theirs))} ${unit}${baseline}`,
    ratios,
    target: limits.atMost !== undefined
      ? atMost(median(ratios), limits.atMost)
      : limits.atLeast !== undefined
      ? atLeast(median(ratios), limits.atLeast)
      : undefined,
    note,
  };
}

export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / theirs[round]);
}

/** Converts the milliseconds that `count` items took, in each round, to items per second. */
export function perSecond(count: number, times: readonly number[]): number[] {
  return times.map((ms) => count / ms * 1_000);
}

export function atMost(value: number, limit: number, unit = ""): Target {
  return { text: `≤ ${limit}${unit}`, isMet: value <= limit };
}

export function atLeast(value: number, limit: number, unit = ""): Target {
  return { text: `≥ ${limit}${unit}`, isMet: value >= limit };
}

/** Formats a number as `12,345`, `12.3`, `3.14` or `0.0123`. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: value !== 0 && Math.abs(value) < 0.1 ? 4 : digits,
  });
}

const HEAD = ["measure", "Retort", "baseline", "ratio", "target", ""];

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
  return [name, retort, baseline, formatRatios(ratios), target?.text ?? "", verdict];
}

function formatRatios(ratios: readonly number[]): string {
  if (ratios.length === 0) return "";
  const text = formatRatio(median(ratios));
  if (ratios.length === 1) return text;
  return `${text} (${formatRatio(Math.min(...ratios))}–${formatRatio(Math.max(...ratios))})`;
}

/** Shows three decimals, because ratios near 1 differ in the third; below 0.1, two digits. */
function formatRatio(value: number): string {
  return value >= 0.1 ? value.toFixed(3) : value.toPrecision(2);
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
