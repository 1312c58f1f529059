/**
 * Types of a table's columns, found in a first pass over all rows, so that even the last row may add
 * a column, and readers need not guess types from the first rows.
 *
 * @module
 */

import type { ExactLeafType, ExactType, ValueType } from "../formats/mod.ts";
import { isRawJson } from "../source/mod.ts";

/** The type of a column, list element or field. `json` is the text of any JSON value. */
export type ColumnType =
  | { readonly kind: "null" | "boolean" | "double" | "string" | "timestamp" | "json" }
  /** `exceedsDouble`: as a double, some of the numbers would lose digits. */
  | { readonly kind: "int64"; readonly exceedsDouble?: boolean }
  | NonJsonType
  | { readonly kind: "list" | "map"; of: ColumnType }
  | { readonly kind: "struct"; readonly fields: Map<string, ColumnType> };

/** Types that JSON lacks: rows have strings or numbers instead. */
export type NonJsonType = Exclude<ExactLeafType, { readonly kind: "double" }>;

/** Deeper values become JSON text, because readers limit the depth. */
const MAX_DEPTH = 12;
/** If the objects of a column have more different keys than this, they become JSON text: the keys
 * are probably data. */
const MAX_FIELDS = 300;
const INT64_LIMIT = 2n ** 63n;

const JSON_TEXT: ColumnType = { kind: "json" };
const NULL: ColumnType = { kind: "null" };

export class Schema {
  readonly columns = new Map<string, ColumnType>();

  /** Replaces types found in rows with the input's types where both are compatible. */
  refine(types: ReadonlyMap<string, ExactType>): void {
    for (const [name, exact] of types) {
      const type = this.columns.get(name);
      if (type !== undefined) this.columns.set(name, refineType(type, exact));
    }
  }

  /** Widens the types to include the values of a row. */
  add(row: Readonly<Record<string, unknown>>): void {
    addFields(this.columns, row, 0);
  }
}

/** Returns the row's own value: a column may be called `toString`, which every object inherits. */
export function cellOf(row: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function refineType(type: ColumnType, exact: ExactType): ColumnType {
  switch (exact.kind) {
    case "list":
      return type.kind === "list" ? { kind: "list", of: refineType(type.of, exact.of) } : type;
    case "struct": {
      if (type.kind !== "struct") return type;
      const fields = [...type.fields].map(([name, field]) => {
        const exactField = Object.hasOwn(exact.fields, name) ? exact.fields[name] : undefined;
        return [name, exactField === undefined ? field : refineType(field, exactField)] as const;
      });
      return { kind: "struct", fields: new Map(fields) };
    }
    case "map":
      return ROW_KINDS.map.has(type.kind) ? { kind: "map", of: columnTypeOf(exact.of) } : type;
    default:
      return ROW_KINDS[exact.kind].has(type.kind) ? exact : type;
  }
}

function columnTypeOf(type: ValueType): ColumnType {
  switch (type.kind) {
    case "list":
    case "map":
      return { kind: type.kind, of: columnTypeOf(type.of) };
    case "struct": {
      const fields = Object.entries(type.fields).map(([name, field]) =>
        [name, columnTypeOf(field)] as const
      );
      return { kind: "struct", fields: new Map(fields) };
    }
    default:
      return type;
  }
}

const TEXT: ReadonlySet<string> = new Set(["string", "null"]);
/** A column of numbers has the kind `json` if neither int64 nor double can hold all of them. */
const NUMBER_OR_JSON: ReadonlySet<string> = new Set(["int64", "double", "null", "json"]);
/** The kinds found in rows that each exact type may replace. */
const ROW_KINDS = {
  instant: TEXT,
  time: TEXT,
  date: TEXT,
  double: NUMBER_OR_JSON,
  decimal: NUMBER_OR_JSON,
  uint64: NUMBER_OR_JSON,
  // In rows, a map looks like a struct or, if it has too many keys, like JSON.
  map: new Set(["struct", "json", "null"]),
};

/** Widens `type` to include `value`. Modifies lists and structs in place. */
function widenType(type: ColumnType, value: unknown, depth: number): ColumnType {
  if (value === null || value === undefined || type.kind === "json") return type;
  if (Array.isArray(value)) {
    if (depth >= MAX_DEPTH) return JSON_TEXT;
    if (type.kind !== "list" && type.kind !== "null") return JSON_TEXT;
    const list = type.kind === "list" ? type : { kind: "list" as const, of: NULL };
    for (const element of value) list.of = widenType(list.of, element, depth + 1);
    return list;
  }
  const scalar = scalarType(value);
  if (scalar === undefined) return widenStruct(type, value as Record<string, unknown>, depth);
  return widenScalar(type, scalar, scalar === "int64" && isRawJson(value));
}

type Scalar = Exclude<ReturnType<typeof scalarType>, undefined>;

/** @param exceedsDouble Whether the value is an integer that a double cannot hold. */
function widenScalar(type: ColumnType, scalar: Scalar, exceedsDouble: boolean): ColumnType {
  if (type.kind === "null") {
    return exceedsDouble ? { kind: "int64", exceedsDouble } : { kind: scalar };
  }
  if (type.kind !== scalar) {
    const kinds = [type.kind, scalar].sort().join();
    const losesDigits = exceedsDouble || (type.kind === "int64" && type.exceedsDouble);
    return kinds === "double,int64" && !losesDigits ? { kind: "double" } : JSON_TEXT;
  }
  return exceedsDouble && type.kind === "int64" && !type.exceedsDouble
    ? { kind: "int64", exceedsDouble }
    : type;
}

function widenStruct(
  type: ColumnType,
  value: Readonly<Record<string, unknown>>,
  depth: number,
): ColumnType {
  if (depth >= MAX_DEPTH) return JSON_TEXT;
  if (type.kind !== "struct" && type.kind !== "null") return JSON_TEXT;
  const struct = type.kind === "struct" ? type : { kind: "struct" as const, fields: new Map() };
  addFields(struct.fields, value, depth + 1);
  return struct.fields.size > MAX_FIELDS ? JSON_TEXT : struct;
}

/** Adds new fields, and widens the types of the others to include the values of an object. */
function addFields(
  types: Map<string, ColumnType>,
  object: Readonly<Record<string, unknown>>,
  depth: number,
): void {
  for (const name in object) {
    const value = object[name];
    if (value === undefined) continue;
    const before = types.get(name);
    const after = widenType(before ?? NULL, value, depth);
    if (after !== before) types.set(name, after);
  }
}

/** Returns the kind of a value that is not a list; undefined for an object. */
function scalarType(value: unknown) {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "number":
      // An integer is exact even above 2^53: numbers that JavaScript would round are raw JSON.
      return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? "int64" : "double";
    case "object":
      if (value instanceof Date) return "timestamp";
      return isRawJson(value) ? rawNumberType(value.rawJSON) : undefined;
    default:
      return "json";
  }
}

function rawNumberType(text: string): "int64" | "double" | "json" {
  if (!/^-?\d+$/.test(text)) return Number.isFinite(Number(text)) ? "double" : "json";
  const integer = BigInt(text);
  return integer < INT64_LIMIT && integer >= -INT64_LIMIT ? "int64" : "json";
}
