/**
 * Rows as the page shows them, in its table and in detail.
 *
 * @module
 */

import { asText, parsedJson } from "../json.ts";
import { cut } from "../printable.ts";
import { holdsCalls, isSet, parsedLossless } from "../source/mod.ts";
import { parsePath, valueAt } from "../where/mod.ts";
import { RowMark } from "./columns.ts";
import { finalAnswerOf } from "./comparison.ts";
import type { DataIndex } from "./data_index.ts";
import { flagNames } from "./flags.ts";
import {
  DamagedLine,
  factsOf,
  type JsonObject,
  type LineFacts,
  objectOf,
  ownFields,
  STATUSES,
} from "./line_facts.ts";
import { jsonText, promptOf, textFieldsOf, type Turn, turnsOf } from "./turns.ts";

/** What the table of rows and the list of samples both show. */
interface RowFigures {
  /** File index and line offset, as in `0:4711`, for URLs of the page. */
  readonly id: string;
  readonly uid: string;
  readonly status: string;
  readonly finish_reason: string;
  readonly completion_tokens: number;
  readonly latency_ms: number;
  /** US dollars; -1 if unknown. */
  readonly cost_usd: number;
  /** Whether `cost_usd` is estimated from public prices. */
  readonly is_estimated: boolean;
}

export interface ShownRow extends RowFigures {
  readonly prompt: string;
  /** The answer, or the failure's message if the row failed. */
  readonly answer: string;
  /** The type of the failure; "" if the row was answered. */
  readonly failure: string;
  readonly prompt_tokens: number;
  readonly reasoning_tokens: number;
  readonly attempts: number;
  readonly teacher: string;
  readonly model: string;
  readonly flags: readonly string[];
  /** The user's fields that the request names in `columns`, as text. */
  readonly own: Readonly<Record<string, string>>;
}

/** A row with full texts. `own` has the user's fields that `turns` do not show. */
export interface RowDetail extends ShownRow {
  readonly file: string;
  readonly source: string;
  readonly turns: readonly Turn[];
  readonly response: string;
  readonly reasoning: string;
  /** Tool calls as indented JSON; "" if there are none. */
  readonly tool_calls: string;
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly status: number | null;
  } | null;
  /** The text of the line. */
  readonly raw: string;
  /** Whether `raw`, and perhaps other texts, were shortened. */
  readonly is_cut: boolean;
  /** The uid of the row that this row duplicates; null if there is none. */
  readonly duplicate_of: string | null;
  /** The id of the row that this row duplicates; "" if there is none. */
  readonly duplicate_id: string;
  /** Up to 50 results of the same input row, including failures; empty if there is only one. */
  readonly samples: readonly (RowFigures & {
    readonly file: string;
    readonly response: string;
    readonly final_answer: string;
  })[];
  /** The index of `samples[0]` among all results of the input row. */
  readonly samples_from: number;
  readonly sample_count: number;
}

/** Maximum length of a text in the table, in UTF-16 units. */
const MAX_GLIMPSE_LENGTH = 240;

export function shownRow(
  index: DataIndex,
  row: number,
  ownNames: readonly string[],
  read = readLine(index, row),
): ShownRow {
  const { columns, names } = index.table;
  const facts = read?.facts, line = facts?.line ?? {};
  const message = asText(objectOf(line.error).message);
  const ownText = (name: string) => glimpse(valueText(valueAt([line], parsePath(name))));
  return {
    ...figuresOf(index, row, facts?.uid),
    prompt: facts === undefined ? "" : glimpse(promptOf(line, index.hintsAt(row))),
    answer: facts === undefined
      ? "(the line can no longer be read)"
      : glimpse(message !== "" ? message : facts.response || callsOf(line)),
    failure: names.failure.list[columns.failure[row]],
    prompt_tokens: columns.promptTokens[row],
    reasoning_tokens: columns.reasoningTokens[row],
    attempts: columns.attempts[row],
    teacher: names.teacher.list[columns.teacher[row]],
    model: names.model.list[columns.model[row]],
    flags: flagNames(columns.flags[row]),
    own: Object.fromEntries(ownNames.map((name) => [name, ownText(name)])),
  };
}

function figuresOf(index: DataIndex, row: number, uid = ""): RowFigures {
  const { columns, names } = index.table;
  return {
    id: rowId(index, row),
    uid,
    status: STATUSES[columns.status[row]],
    finish_reason: names.finishReason.list[columns.finishReason[row]],
    completion_tokens: columns.completionTokens[row],
    latency_ms: columns.latencyMs[row],
    cost_usd: columns.costUsd[row],
    is_estimated: (columns.marks[row] & RowMark.Estimated) !== 0,
  };
}

/** Maximum length of a text in the detail view, in UTF-16 units. */
const MAX_TEXT_LENGTH = 2_000_000;

/**
 * Returns a row in full; undefined if its line can no longer be read.
 *
 * @param samplesFrom Index of the first result in `samples`. @default chosen so that `samples`
 * includes this row
 */
export function rowDetail(
  index: DataIndex,
  row: number,
  samplesFrom?: number,
): RowDetail | undefined {
  const read = readLine(index, row);
  if (read === undefined) return undefined;
  const { text, facts } = read, { line } = facts;
  const { table } = index;
  const error = objectOf(line.error);
  const original = table.columns.duplicateOf[row];
  const turnFields = new Set(textFieldsOf(line, index.hintsAt(row)));
  const ownNames = ownFields(line).filter((name) => !turnFields.has(name));
  return {
    ...shownRow(index, row, [], read),
    file: index.files[table.columns.file[row]].mark.path,
    source: String(objectOf(line.distill).source ?? ""),
    turns: turnsOf(line, index.hintsAt(row)).map((turn) => ({
      ...turn,
      text: shortText(turn.text),
    })),
    response: shortText(facts.response),
    reasoning: shortText(facts.reasoning),
    tool_calls: callsOf(line),
    own: Object.fromEntries(ownNames.map((name) => [name, shortText(valueText(line[name]))])),
    error: !isSet(line.error) ? null : {
      type: String(error.type ?? ""),
      message: String(error.message ?? ""),
      status: table.columns.httpStatus[row] || null,
    },
    raw: shortText(text),
    is_cut: text.length > MAX_TEXT_LENGTH,
    duplicate_of: original === -1 ? null : readFacts(index, original)?.uid ?? null,
    duplicate_id: original === -1 ? "" : rowId(index, original),
    ...samplesOf(index, row, samplesFrom),
  };
}

const SAMPLES_AT_ONCE = 50;

/** Reads up to 50 results of the input row of `row`; by default, a range that includes `row`. */
function samplesOf(
  index: DataIndex,
  row: number,
  from: number | undefined,
): Pick<RowDetail, "samples" | "samples_from" | "sample_count"> {
  const { table } = index;
  const rows: number[] = [];
  for (let other = 0; other < table.length; other++) {
    if (table.isSameInputRow(row, other) && !table.isGone(other)) rows.push(other);
  }
  const ownIndex = rows.indexOf(row);
  // The last group starts early enough to be full, because the page compares at least two results.
  const lastStart = Math.max(0, rows.length - SAMPLES_AT_ONCE);
  const start = Math.min(lastStart, from ?? ownIndex - ownIndex % SAMPLES_AT_ONCE);
  const sampleRows = rows.length < 2 ? [] : rows.slice(start, start + SAMPLES_AT_ONCE);
  return {
    samples: sampleTexts(index, sampleRows),
    samples_from: start,
    sample_count: rows.length,
  };
}

function sampleTexts(index: DataIndex, rows: readonly number[]): RowDetail["samples"] {
  const { table } = index;
  return rows.flatMap((row) => {
    const facts = readFacts(index, row);
    return facts === undefined ? [] : [{
      ...figuresOf(index, row, facts.uid),
      file: index.files[table.columns.file[row]].mark.path,
      response: shortText(facts.response),
      final_answer: glimpse(finalAnswerOf(facts.response)),
    }];
  });
}

/** Returns an id that stays the same until the file is replaced. */
function rowId({ table: { columns } }: DataIndex, row: number): string {
  return `${columns.file[row]}:${columns.offset[row]}`;
}

/** Returns the row with an id; undefined if its file was replaced or removed. */
export function rowOfId({ table }: DataIndex, id: string): number | undefined {
  const [file, offset] = id.split(":").map(Number);
  const { columns, length } = table;
  for (let row = 0; row < length; row++) {
    const isMatch = columns.offset[row] === offset && columns.file[row] === file;
    if (isMatch && !table.isGone(row)) return row;
  }
  return undefined;
}

interface ReadLine {
  readonly text: string;
  readonly facts: LineFacts;
}

/** Reads the line of a row. Returns undefined if it can no longer be read. */
function readLine(index: DataIndex, row: number, parse = parsedInFull): ReadLine | undefined {
  try {
    const text = index.textAt(row);
    const facts = factsOf(text, index.hintsAt(row), parse);
    return facts instanceof DamagedLine ? undefined : { text, facts };
  } catch {
    // The file was removed or changed, and the index has not noticed yet.
    return undefined;
  }
}

/** Parses a line, and keeps numbers as they are written unless it is nested too deeply for that. */
function parsedInFull(text: string): unknown {
  return parsedLossless(text) ?? parsedJson(text);
}

export function readFacts(index: DataIndex, row: number): LineFacts | undefined {
  return readLine(index, row, parsedJson)?.facts;
}

function callsOf(line: JsonObject): string {
  const calls = line.tool_calls ?? objectOf(line.partial).tool_calls;
  if (!holdsCalls(calls)) return "";
  if (typeof calls !== "string") return jsonText(calls, 2);
  const parsed = parsedLossless(calls);
  return parsed === undefined ? calls : jsonText(parsed, 2);
}

function valueText(value: unknown): string {
  if (!isSet(value)) return "";
  return typeof value === "string" ? value : jsonText(value);
}

function glimpse(text: string): string {
  return cut(text, MAX_GLIMPSE_LENGTH).replaceAll(/\s+/g, " ").trim().toWellFormed();
}

function shortText(text: string): string {
  return cut(text, MAX_TEXT_LENGTH);
}
