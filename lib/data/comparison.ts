/**
 * Finds the final answer in a text, and compares two runs on the rows that both have answered.
 *
 * @module
 */

import type { Table } from "./table.ts";

/** How the answers of two runs to a row compare; "none" unless both runs have answered the row. */
const AGREEMENTS = ["none", "same_text", "same_final_answer", "different"] as const;

type Agreement = Exclude<typeof AGREEMENTS[number], "none">;

/** One of two compared runs. Tokens, latency and cost cover the rows that both have answered. */
export interface ComparedRun {
  readonly path: string;
  /** The number of rows that only this run has answered. */
  readonly only: number;
  readonly completion_tokens: Spread;
  readonly latency_ms: Spread;
  /** US dollars; null if the cost of any row is unknown. */
  readonly cost_usd: number | null;
}

/** How two runs compare. Rows are matched by uid. */
export interface RunComparison {
  /** The number of rows that both runs have answered. */
  readonly both: number;
  readonly agreement: Readonly<Record<Agreement, number>>;
  /** The number of rows with different answers, at least one of which lacks a final answer. */
  readonly without_final_answer: number;
  /** The two runs, in the order in which the user named them. */
  readonly runs: readonly [ComparedRun, ComparedRun];
}

/**
 * Compares the answers of two runs in a table, and sets the table's fields `compared_run` and
 * `run_agreement`.
 *
 * @param runOfFile For each file, the index of its run in `paths`.
 */
export function compareRuns(
  table: Table,
  runOfFile: readonly number[],
  paths: readonly [string, string],
): RunComparison {
  const { columns, length } = table;
  const runOfRow = new Uint8Array(length), agreement = new Uint8Array(length);
  for (let row = 0; row < length; row++) runOfRow[row] = runOfFile[columns.file[row]];
  const pairs = pairsOf(table, runOfRow);
  const counts = { same_text: 0, same_final_answer: 0, different: 0 };
  let withoutFinal = 0;
  for (const [a, b] of pairs) {
    const name = agreementOf(table, a, b);
    agreement[a] = agreement[b] = AGREEMENTS.indexOf(name);
    counts[name]++;
    const lacksFinal = columns.final[a] === 0 || columns.final[b] === 0;
    if (name === "different" && lacksFinal) withoutFinal++;
  }
  const answerCounts = [0, 0];
  for (let row = 0; row < length; row++) if (isAnswer(table, row)) answerCounts[runOfRow[row]]++;
  const runAt = (index: 0 | 1) =>
    comparedRun(table, pairs.map((pair) => pair[index]), paths[index], answerCounts[index]);
  const runCodes = runOfRow.map((index) => index + 1);
  table.viewFields.set("compared_run", { codes: runCodes, values: [null, ...paths] });
  table.viewFields.set("run_agreement", { codes: agreement, values: AGREEMENTS });
  return {
    both: pairs.length,
    agreement: counts,
    without_final_answer: withoutFinal,
    runs: [runAt(0), runAt(1)],
  };
}

function isAnswer(table: Table, row: number): boolean {
  return table.isAnswered(row) && !table.isGone(row);
}

/** Pairs answers of run 0 and run 1 by uid, in the order of run 1. If a uid is repeated within a
 * run, its first rows in both runs are paired, then its second ones, and so on. */
function pairsOf(table: Table, runOfRow: Uint8Array): (readonly [number, number])[] {
  const { uidLow, uidHigh } = table.columns;
  const mask = 2 ** Math.ceil(Math.log2(Math.max(16, table.length * 2))) - 1;
  // Linked lists of the unpaired rows of run 0: one list for each value of the low bits of the
  // uid's hash. Entries are row numbers plus 1, and 0 ends a list.
  const heads = new Uint32Array(mask + 1), next = new Uint32Array(table.length + 1);
  for (let row = table.length - 1; row >= 0; row--) {
    if (runOfRow[row] !== 0 || !isAnswer(table, row)) continue;
    const list = uidLow[row] & mask;
    next[row + 1] = heads[list];
    heads[list] = row + 1;
  }
  const pairs: (readonly [number, number])[] = [];
  for (let row = 0; row < table.length; row++) {
    if (runOfRow[row] !== 1 || !isAnswer(table, row)) continue;
    const list = uidLow[row] & mask;
    for (let before = 0, other = heads[list]; other !== 0; before = other, other = next[other]) {
      if (uidLow[other - 1] !== uidLow[row] || uidHigh[other - 1] !== uidHigh[row]) continue;
      if (before === 0) heads[list] = next[other];
      else next[before] = next[other];
      pairs.push([other - 1, row]);
      break;
    }
  }
  return pairs;
}

function agreementOf({ columns }: Table, a: number, b: number): Agreement {
  const { answerLow, answerHigh, final } = columns;
  if (answerLow[a] === answerLow[b] && answerHigh[a] === answerHigh[b]) return "same_text";
  const isSameFinal = final[a] !== 0 && final[a] === final[b];
  return isSameFinal ? "same_final_answer" : "different";
}

function comparedRun(
  { columns }: Table,
  rows: readonly number[],
  path: string,
  answered: number,
): ComparedRun {
  let cost: number | null = 0;
  for (const row of rows) {
    const usd: number = columns.costUsd[row];
    cost = usd < 0 || cost === null ? null : cost + usd;
  }
  const spread = (column: Uint32Array) => spreadOf(Uint32Array.from(rows, (row) => column[row]));
  return {
    path,
    only: answered - rows.length,
    completion_tokens: spread(columns.completionTokens),
    latency_ms: spread(columns.latencyMs),
    cost_usd: cost,
  };
}

/** The sum and quantiles of some numbers; all 0 if there are none. */
export interface Spread {
  readonly sum: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Returns the sum and quantiles of `values`, which it sorts in place. */
export function spreadOf(values: Uint32Array<ArrayBuffer>): Spread {
  values.sort();
  let sum = 0;
  for (const value of values) sum += value;
  const quantile = (percent: number) => values[Math.ceil(values.length * percent / 100) - 1] ?? 0;
  return { sum, p50: quantile(50), p95: quantile(95), max: quantile(100) };
}

const BOX = "\\boxed{";
const OPEN_BRACE = 123, CLOSE_BRACE = 125;

/**
 * Returns the content of the last `\boxed{…}` or, if there is none, the last number, normalized for
 * comparison; "" if there is neither.
 */
export function finalAnswerOf(text: string): string {
  const content = lastBoxContent(text) ?? "";
  return content === "" ? lastNumber(text) : normalizeBoxed(content);
}

/** Whether the last `\boxed{` is not closed, as in a truncated text. */
export function hasOpenBox(text: string): boolean {
  return lastBoxContent(text) === undefined;
}

/** Returns the content of the last box: "" if there is no box, undefined if it is not closed. */
function lastBoxContent(text: string): string | undefined {
  const box = text.lastIndexOf(BOX);
  if (box === -1) return "";
  const start = box + BOX.length;
  let depth = 1;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACE && --depth === 0) return text.slice(start, i);
  }
  return undefined;
}

/**
 * Replaces LaTeX text commands with their content, removes LaTeX spacing, `$`, `%` and white space,
 * and normalizes a number: `\text{5 cm}` equals `5\,cm`, and `50\%` equals `50`.
 */
function normalizeBoxed(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}/g, "$1")
    .replaceAll(/\\[,;!% $]|[$%\s]/g, "");
  const isNumber = /^[-+−]?[\d.,]+$/.test(bare) && /\d/.test(bare);
  return isNumber ? normalizeNumber(bare) : bare;
}

function lastNumber(text: string): string {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  if (end === 0) return "";
  let start = end - 1;
  // Commas and points between digits are part of the number.
  while (
    start > 0 && (isDigit(text.charCodeAt(start - 1)) ||
      (",.".includes(text[start - 1]) && start > 1 && isDigit(text.charCodeAt(start - 2))))
  ) {
    start--;
  }
  const sign = start > 0 ? text[start - 1] : "";
  // After a letter, digit or bracket, a minus is a hyphen or an operator, as in `x-5`.
  const isNegative = (sign === "-" || sign === "−") &&
    !(start > 1 && /[\p{L}\d)\]]/u.test(text[start - 2]));
  return normalizeNumber((isNegative ? "-" : "") + text.slice(start, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Returns `1234.5` for `1,234.50`. */
function normalizeNumber(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // Longer numbers would lose digits as floats.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
