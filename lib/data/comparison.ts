/**
 * Compares two runs over the rows that both have answered: how often the answers agree, and the
 * tokens, latency and cost of each run. Also extracts final answers: the content of the last
 * `\boxed{…}`, or else the last number.
 *
 * @module
 */

import { Mark } from "./columns.ts";
import type { Table } from "./table.ts";

/** How the answers of two runs to one row compare; "none" if only one run has answered it. */
export const AGREEMENTS = ["none", "same_text", "same_final_answer", "different"] as const;

export type Agreement = typeof AGREEMENTS[number];

export interface ComparedRows {
  /** The paths of run 0 and run 1, as the user named them. */
  readonly paths: readonly string[];
  readonly run: Uint8Array<ArrayBuffer>;
  /** By row, an index into `AGREEMENTS`. */
  readonly agreement: Uint8Array<ArrayBuffer>;
}

/** One of two compared runs. Except `only`, its figures are of the rows that both have answered. */
export interface ComparedRun {
  readonly path: string;
  /** The number of rows that only this run has answered. */
  readonly only: number;
  readonly completion_tokens: Spread;
  readonly latency_ms: Spread;
  /** US dollars; null if the cost of any row is unknown. */
  readonly cost_usd: number | null;
}

/** The comparison of two runs, whose rows are matched by uid. */
export interface RunComparison {
  readonly both: number;
  readonly agreement: Readonly<Record<Exclude<Agreement, "none">, number>>;
  /** Different rows in which at least one of the two answers has no final answer. */
  readonly without_final_answer: number;
  /** In the order in which the user named them. */
  readonly runs: readonly [ComparedRun, ComparedRun];
}

export function compareRuns(
  table: Table,
  runOfFile: readonly number[],
  paths: readonly [string, string],
): { comparison: RunComparison; rows: ComparedRows } {
  const { columns, length } = table;
  const run = new Uint8Array(length), agreement = new Uint8Array(length);
  for (let row = 0; row < length; row++) run[row] = runOfFile[columns.file[row]];
  const pairs = pairsOf(table, run);
  const counts = [0, 0, 0, 0];
  let withoutFinal = 0;
  for (const [left, right] of pairs) {
    const code = agreementOf(table, left, right);
    agreement[left] = agreement[right] = code;
    counts[code]++;
    const lacksFinal = columns.final[left] === 0 || columns.final[right] === 0;
    if (code === DIFFERENT && lacksFinal) withoutFinal++;
  }
  const answered = [0, 0];
  for (let row = 0; row < length; row++) if (isAnswer(table, row)) answered[run[row]]++;
  const runAt = (index: 0 | 1) =>
    comparedRun(table, pairs.map((pair) => pair[index]), paths[index], answered[index]);
  return {
    comparison: {
      both: pairs.length,
      agreement: {
        same_text: counts[SAME_TEXT],
        same_final_answer: counts[SAME_FINAL_ANSWER],
        different: counts[DIFFERENT],
      },
      without_final_answer: withoutFinal,
      runs: [runAt(0), runAt(1)],
    },
    rows: { paths, run, agreement },
  };
}

function isAnswer({ columns }: Table, row: number): boolean {
  return columns.status[row] === 0 && (columns.marks[row] & Mark.Gone) === 0;
}

/**
 * Pairs answers of run 0 and run 1 by uid, in the order of run 1. If a uid occurs several times in
 * a run, as in several files, the first rows with it are paired, then the second ones, and so on.
 */
function pairsOf(table: Table, run: Uint8Array): (readonly [number, number])[] {
  const { uidLow, uidHigh } = table.columns;
  const mask = 2 ** Math.ceil(Math.log2(Math.max(16, table.length * 2))) - 1;
  // A hash table with open addressing, by uid: each slot holds the number of a row plus 1.
  const slots = new Uint32Array(mask + 1);
  // By slot, a linked list of the rows of run 0 that have no partner: row numbers plus 1.
  const heads = new Uint32Array(mask + 1), next = new Uint32Array(table.length);
  const slotOf = (row: number) => {
    let slot = uidLow[row] & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const other = slots[slot] - 1;
      if (uidLow[other] === uidLow[row] && uidHigh[other] === uidHigh[row]) break;
    }
    return slot;
  };
  for (let row = table.length - 1; row >= 0; row--) {
    if (run[row] !== 0 || !isAnswer(table, row)) continue;
    const slot = slotOf(row);
    slots[slot] ||= row + 1;
    next[row] = heads[slot];
    heads[slot] = row + 1;
  }
  const pairs: (readonly [number, number])[] = [];
  for (let row = 0; row < table.length; row++) {
    if (run[row] !== 1 || !isAnswer(table, row)) continue;
    const slot = slotOf(row), left = heads[slot];
    if (left === 0) continue;
    heads[slot] = next[left - 1];
    pairs.push([left - 1, row]);
  }
  return pairs;
}

const SAME_TEXT = AGREEMENTS.indexOf("same_text");
const SAME_FINAL_ANSWER = AGREEMENTS.indexOf("same_final_answer");
const DIFFERENT = AGREEMENTS.indexOf("different");

function agreementOf({ columns }: Table, left: number, right: number): number {
  const { answerLow, answerHigh, final } = columns;
  const isSameText = answerLow[left] === answerLow[right] &&
    answerHigh[left] === answerHigh[right];
  if (isSameText) return SAME_TEXT;
  return final[left] !== 0 && final[left] === final[right] ? SAME_FINAL_ANSWER : DIFFERENT;
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

/** How numbers are distributed; all 0 if there are none. */
export interface Spread {
  readonly sum: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export function spreadOf(values: Uint32Array<ArrayBuffer>): Spread {
  values.sort();
  let sum = 0;
  for (const value of values) sum += value;
  // The nearest rank, as in the summary of a run.
  const quantile = (percent: number) => values[Math.ceil(values.length * percent / 100) - 1] ?? 0;
  return { sum, p50: quantile(50), p95: quantile(95), max: quantile(100) };
}

const BOX = "\\boxed{";
const OPEN_BRACE = 123, CLOSE_BRACE = 125;

/** The final answer, normalized so that equal answers are equal texts; "" if there is none. */
export function finalAnswerOf(text: string): string {
  const boxed = lastBoxed(text) ?? "";
  return boxed === "" ? lastNumber(text) : normalizeBoxed(boxed);
}

/** Whether the last `\boxed{` is not closed: the text was cut off. */
export function hasOpenBox(text: string): boolean {
  return lastBoxed(text) === undefined;
}

/** The content of the last box, "" if there is none; undefined if it is not closed. */
function lastBoxed(text: string): string | undefined {
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
 * Keeps the content of LaTeX's text commands, and removes its spacing, `$`, `%` and white space:
 * `\text{5 cm}` equals `5\,cm`, and `50\%` equals `50`. Normalizes a number.
 */
function normalizeBoxed(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}/g, "$1")
    .replaceAll(/\\[,;!% $]|[$%\s]/g, "");
  return /^[-+−]?[\d.,]*\d[\d.,]*$/.test(bare) ? normalizeNumber(bare) : bare;
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
  // After a letter, a digit or a bracket, a minus is a hyphen, or subtracts.
  const isNegative = (sign === "-" || sign === "−") &&
    !(start > 1 && /[\p{L}\d)\]]/u.test(text[start - 2]));
  return normalizeNumber((isNegative ? "-" : "") + text.slice(start, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Normalizes the text of a number: `1,234.50` becomes `1234.5`. */
function normalizeNumber(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // A longer number would lose digits as a float.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
