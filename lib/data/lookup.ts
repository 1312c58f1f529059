/**
 * Fields by their names in conditions, out of the columns: no line is read.
 *
 * @module
 */

import { RESERVED_FIELDS } from "../row.ts";
import type { ColumnArrays, OwnField } from "./columns.ts";
import { flagNames } from "./flags.ts";
import { STATUSES } from "./line_facts.ts";
import type { Table } from "./table.ts";

/** What gives the value of a row. */
export interface Getter {
  /** The value. */
  readonly at: (row: number) => unknown;
  /** A code by which rows of one value are known, where there are few of them. */
  readonly code?: (row: number) => number;
  /** Whether all values are numbers. */
  readonly isNumber: boolean;
}

type NumberColumn = {
  [Name in keyof ColumnArrays]: Name extends
    | "promptTokens"
    | "completionTokens"
    | "reasoningTokens"
    | "cachedTokens"
    | "latencyMs"
    | "attempts"
    | "costUsd" ? Name
    : never;
}[keyof ColumnArrays];

/** Columns by the names that they have in a line. */
export const NUMBER_FIELDS = {
  prompt_tokens: "promptTokens",
  completion_tokens: "completionTokens",
  reasoning_tokens: "reasoningTokens",
  cached_tokens: "cachedTokens",
  latency_ms: "latencyMs",
  attempts: "attempts",
  cost_usd: "costUsd",
} as const satisfies Record<string, NumberColumn>;

/** Names whose values stand in a dictionary. */
export const NAME_FIELDS = {
  model: "model",
  teacher: "teacher",
  finish_reason: "finishReason",
  source_file: "source",
} as const;

/**
 * Returns what finds the value of a path.
 *
 * @returns undefined where the lines have to be read for it
 */
export function getterOf(table: Table, path: readonly string[]): Getter | undefined {
  const own = ownGetter(table, path);
  if (own === undefined) return undefined;
  const ours = oursOf(table, path);
  if (own === "none") return ours;
  // The fields of the row itself come first.
  if (ours === undefined) return undefined;
  if (ours === NOTHING) return own;
  return { at: (row) => own.at(row) ?? ours.at(row), isNumber: own.isNumber && ours.isNumber };
}

const NOTHING: Getter = { at: () => null, code: () => 0, isNumber: false };

function ownGetter(table: Table, path: readonly string[]): Getter | "none" | undefined {
  if (!table.fieldNames.has(path[0])) return "none";
  const field = table.fields.get(path.join("\0"));
  if (field === undefined || !field.isKept) return undefined;
  // Some rows may have an object where others have a value.
  if (
    path.length === 1 &&
    [...table.fields.values()].some((one) => one.path.length === 2 && one.path[0] === path[0])
  ) {
    return undefined;
  }
  return fieldGetter(field);
}

function fieldGetter(field: OwnField): Getter {
  const { values, codes } = field;
  const isNumber = field.hasNumbers && field.numbers !== undefined;
  if (values === undefined) return { at: (row) => field.valueAt(row), isNumber };
  return {
    at: (row) => field.valueAt(row),
    code: (row) => row < codes.length ? codes[row] : 0,
    isNumber,
  };
}

/** What Retort writes, or finds out. */
function oursOf(table: Table, path: readonly string[]): Getter | undefined {
  const { columns, names } = table;
  const name = path[0] === "distill" && path.length === 2 ? path[1] : path.join(".");
  if (Object.hasOwn(NUMBER_FIELDS, name)) {
    const column = NUMBER_FIELDS[name as keyof typeof NUMBER_FIELDS];
    return { at: (row) => columns[column][row], isNumber: true };
  }
  if (Object.hasOwn(NAME_FIELDS, name)) {
    const column = NAME_FIELDS[name as keyof typeof NAME_FIELDS];
    return {
      at: (row) => names[column].list[columns[column][row]],
      code: (row) => columns[column][row],
      isNumber: false,
    };
  }
  switch (name) {
    case "status":
      return {
        at: (row) => STATUSES[columns.status[row]],
        code: (row) => columns.status[row],
        isNumber: false,
      };
    case "flags":
      return {
        at: (row) => flagNames(columns.flags[row]),
        code: (row) => columns.flags[row],
        isNumber: false,
      };
    case "error.type":
      return {
        at: (row) => names.failure.list[columns.failure[row]] || null,
        code: (row) => columns.failure[row],
        isNumber: false,
      };
    case "error.status":
      return {
        at: (row) => columns.httpStatus[row] || null,
        code: (row) => columns.httpStatus[row],
        isNumber: false,
      };
    case "error.attempts":
      return {
        at: (row) => columns.status[row] === 0 ? null : columns.attempts[row],
        isNumber: false,
      };
    case "near_duplicate":
      return {
        at: (row) => table.nearOf?.has(row) ?? false,
        code: (row) => table.nearOf?.has(row) ? 1 : 0,
        isNumber: false,
      };
    case "error":
      return undefined;
  }
  return IN_LINES.has(path[0]) ? undefined : NOTHING;
}

/** Names of ours whose values stand in the lines only. */
const IN_LINES: ReadonlySet<string> = new Set([
  ...RESERVED_FIELDS,
  "prompt",
  "model_returned",
  "response_id",
  "ttft_ms",
  "created",
  "source",
  "params",
  "refusal",
  "kept",
  "replaced",
]);
