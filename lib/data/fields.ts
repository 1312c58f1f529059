/**
 * Reads fields in conditions: from the columns if possible, else from lines. Includes derived
 * fields such as `status`, `flags`, `prompt` and `source_file`.
 *
 * @module
 */

import { RESERVED_FIELDS } from "../row.ts";
import { absentNote, checkedName, isNumber, parseWhere, typeNote } from "../where/mod.ts";
import type { CodedField, ColumnName, Scalar } from "./columns.ts";
import { flagNames } from "./flags.ts";
import {
  type JsonObject,
  type LineFacts,
  objectOf,
  type RunHints,
  STATUSES,
} from "./line_facts.ts";
import type { Table } from "./table.ts";
import { promptOf } from "./turns.ts";

/** Reads one field of any row from the columns. */
interface Getter {
  readonly valueAt: (row: number) => unknown;
  /** A code for each row, if the values have codes. Rows beyond the end have code 0. */
  readonly codes?: Uint8Array | Uint16Array;
  /** The number of each row, if no row lacks one. */
  readonly numbers?: NumberArray;
  /** Whether all values are numbers or null. */
  readonly isNumber?: boolean;
}

export type NumberArray = Uint16Array | Uint32Array | Float64Array;

/** Columns of numbers, by the names that conditions use. */
export const NUMBER_FIELDS = {
  prompt_tokens: "promptTokens",
  completion_tokens: "completionTokens",
  reasoning_tokens: "reasoningTokens",
  cached_tokens: "cachedTokens",
  latency_ms: "latencyMs",
  attempts: "attempts",
  cost_usd: "costUsd",
} as const satisfies Record<string, ColumnName>;

/** Columns with codes of `Table.names`, by their names in conditions. */
export const NAME_FIELDS = {
  model: "model",
  teacher: "teacher",
  finish_reason: "finishReason",
  source_file: "source",
} as const;

/**
 * Returns a getter that reads the field from the columns; undefined if lines must be read.
 *
 * @param mayApproximate Whether values may be approximate, as they may for sorting: numbers beyond
 * 2^53 may be rounded, and null may be taken for a missing field.
 */
export function getterOf(
  table: Table,
  path: readonly string[],
  mayApproximate = false,
): Getter | undefined {
  const builtIn = builtInGetter(table, path);
  if (!table.fieldNames.has(path[0])) return builtIn;
  const own = ownGetter(table, path, mayApproximate);
  if (own === undefined || builtIn === undefined) return undefined;
  if (builtIn === ABSENT) return own;
  // Without codes, `own` does not tell null from a missing field, whose value comes from `builtIn`.
  if (own.codes === undefined && !mayApproximate) return undefined;
  return {
    valueAt: (row) => {
      // A row's own field takes precedence, even if it is null.
      const value = own.valueAt(row);
      return value === undefined ? builtIn.valueAt(row) : value;
    },
    isNumber: own.isNumber && builtIn.isNumber,
  };
}

/** The getter of a field that no row has. */
const ABSENT: Getter = { valueAt: () => null, codes: new Uint8Array(0) };

function ownGetter(
  { fields }: Table,
  path: readonly string[],
  mayRound: boolean,
): Getter | undefined {
  const field = fields.get(path.join("\0"));
  if (field === undefined || !field.isIndexed(mayRound)) return undefined;
  // A name that contains a NUL may have the same key as another path.
  if (field.path.length !== path.length) return undefined;
  const { values, codes, isNumeric: isNumber } = field;
  const valueAt = (row: number) => field.valueAt(row);
  return values === undefined ? { valueAt, isNumber } : { valueAt, codes, isNumber };
}

function builtInGetter(table: Table, path: readonly string[]): Getter | undefined {
  const { columns, names, viewFields } = table;
  const name = path[0] === "distill" && path.length === 2 ? path[1] : path.join(".");
  if (Object.hasOwn(DERIVED_GETTERS, name)) return DERIVED_GETTERS[name](table);
  if (Object.hasOwn(NUMBER_FIELDS, name)) {
    const numbers: NumberArray = columns[NUMBER_FIELDS[name as keyof typeof NUMBER_FIELDS]];
    return { valueAt: (row) => numbers[row], numbers, isNumber: true };
  }
  if (Object.hasOwn(NAME_FIELDS, name)) {
    const column = NAME_FIELDS[name as keyof typeof NAME_FIELDS], codes = columns[column];
    return { valueAt: (row) => names[column].list[codes[row]], codes };
  }
  const viewField = viewFields.get(name);
  if (viewField !== undefined) {
    return { valueAt: (row) => codedValue(viewField, row), codes: viewField.codes };
  }
  if (VIEW_ONLY_FIELDS.has(name)) return ABSENT;
  return name === "error" || FIELDS_IN_LINES.has(path[0]) ? undefined : ABSENT;
}

const DERIVED_GETTERS: Readonly<Record<string, (table: Table) => Getter>> = {
  cost_usd: ({ columns: { costUsd } }) => ({
    valueAt: (row) => costUsd[row] < 0 ? null : costUsd[row],
    isNumber: true,
  }),
  status: ({ columns: { status } }) => ({ valueAt: (row) => STATUSES[status[row]], codes: status }),
  flags: ({ columns: { flags } }) => ({ valueAt: (row) => flagNames(flags[row]), codes: flags }),
  "error.type": ({ columns: { failure }, names }) => ({
    valueAt: (row) => names.failure.list[failure[row]] || null,
    codes: failure,
  }),
  "error.status": ({ columns: { httpStatus } }) => ({
    valueAt: (row) => httpStatus[row] || null,
    codes: httpStatus,
  }),
  "error.attempts": (table) => ({
    valueAt: (row) => table.isAnswered(row) ? null : table.columns.attempts[row],
  }),
};

/**
 * Returns notes about likely mistakes: unknown fields, and comparisons of a text with a number.
 *
 * @param where A valid condition, or "".
 */
export function conditionNotes(table: Table, where: string): string[] {
  if (where.trim() === "" || table.length === 0) return [];
  const { paths, comparisons } = parseWhere(where);
  const knownNames = [...table.fieldNames, ...DERIVED_NAMES];
  const absentNames = paths.filter((path) => isUnknownField(table, path)).map(checkedName);
  const mistypedComparisons = comparisons.filter(({ path, value }) =>
    onlyTypeOf(table, path) === (typeof value === "string" ? "number" : "string")
  );
  const absentNotes = [...new Set(absentNames)].map((name) => absentNote(name, knownNames));
  return [...absentNotes, ...mistypedComparisons.map(typeNote)];
}

/** Returns "string" for a field with texts and no numbers, and "number" for the reverse. Ignores
 * null and booleans. Returns undefined for other fields, and for fields that are not indexed. */
function onlyTypeOf(table: Table, path: readonly string[]): "string" | "number" | undefined {
  const values = table.fields.get(path.join("\0"))?.values;
  if (values === undefined) return getterOf(table, path, true)?.isNumber ? "number" : undefined;
  const holdsTexts = values.some((value) => typeof value === "string");
  if (holdsTexts === values.some(isNumber)) return undefined;
  return holdsTexts ? "string" : "number";
}

function isUnknownField(table: Table, path: readonly string[]): boolean {
  if (table.fieldNames.has(path[0]) || path.some((name) => VIEW_ONLY_FIELDS.has(name))) {
    return false;
  }
  return builtInGetter(table, path) === ABSENT;
}

/** Fields that have no column. Conditions read them from lines. */
const FIELDS_IN_LINES: ReadonlySet<string> = new Set([
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

/** Fields that need the whole index: only the page of `retort view` can compute them. */
export const VIEW_ONLY_FIELDS: ReadonlySet<string> = new Set([
  "near_duplicate",
  "run_agreement",
  "compared_run",
]);

/** Fields that conditions find in every row, even if the line's `distill` lacks them. */
const DERIVED_NAMES: ReadonlySet<string> = new Set([
  ...VIEW_ONLY_FIELDS,
  ...Object.keys(DERIVED_GETTERS),
  ...Object.keys(NUMBER_FIELDS),
  ...Object.keys(NAME_FIELDS),
  "prompt",
]);

/** Whether a path can only mean a derived field, never the user's. */
export function meansDerivedField(path: readonly string[]): boolean {
  return path[0] === "distill" && path.length === 2 && DERIVED_NAMES.has(path[1]);
}

/** Returns the name of the field that a path begins with: `flags` for `distill.flags`. */
export function firstField(path: readonly string[]): string {
  return meansDerivedField(path) ? path[1] : path[0];
}

export function codedValue({ codes, values }: CodedField, row: number): Scalar {
  return values[codes[row] ?? 0];
}

/**
 * Returns the objects in which a condition looks for a field, in this order: the line, its
 * `distill`, and the derived fields.
 */
export function lookupObjects(
  facts: LineFacts,
  hints: RunHints,
  flags: () => readonly string[],
  viewFields: object,
): object[] {
  const { fields } = facts;
  const derived = {
    ...viewFields,
    ...derivedFields(facts),
    get flags() {
      return flags();
    },
    get prompt() {
      return promptOf(facts.line, hints);
    },
  };
  return [fields, distillOf(fields), derived];
}

/** Returns the `distill` of a line, with null for an unknown cost. */
export function distillOf(line: JsonObject): JsonObject {
  const distill = objectOf(line.distill), { cost_usd: usd } = distill;
  return typeof usd === "number" && usd < 0 ? { ...distill, cost_usd: null } : distill;
}

/**
 * Returns the derived fields of a line, without `flags` and `prompt`, which take longer to compute.
 */
export function derivedFields(facts: LineFacts): object {
  const { status, response, reasoning } = facts;
  const fields: Record<string, unknown> = { status, response, reasoning };
  for (const [name, fact] of COLUMN_FIELDS) fields[name] = facts[fact];
  if (facts.costUsd < 0) fields.cost_usd = null;
  return fields;
}

const COLUMN_FIELDS = Object.entries({ ...NUMBER_FIELDS, ...NAME_FIELDS });
