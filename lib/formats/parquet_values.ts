/**
 * Writes values of Parquet as JSON text: integers and decimals with all digits, and times as ISO
 * 8601 with the digits of their unit. Also finds types that the JSON text does not show.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { parseFloat16, type SchemaElement } from "../deps/hyparquet.ts";
import { DAY_MS } from "../timer.ts";
import { oneLine } from "./lines.ts";
import type { LeafNode, SchemaNode } from "./parquet_columns.ts";

/** Returns the JSON text of a value; undefined if the value is text that is not UTF-8. */
export type ValueWriter = (value: unknown) => string | undefined;

/** A type that JSON text does not show. Rows contain only text or digits: the `1` of a double could
 * also be an integer, and a map looks like a struct. A list or struct has an exact type if anything
 * inside it has one. */
export type ExactType =
  | ExactLeafType
  | { readonly kind: "map"; readonly of: ValueType }
  | { readonly kind: "list"; readonly of: ExactType }
  | { readonly kind: "struct"; readonly fields: Readonly<Record<string, ExactType>> };

export type ExactLeafType =
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  // An "instant" is Parquet's TIMESTAMP. If `isUtc` is false, it is in local time.
  | { readonly kind: "instant" | "time"; readonly unit: TimeUnit; readonly isUtc: boolean }
  | { readonly kind: "date" }
  | { readonly kind: "double" }
  | { readonly kind: "uint64" };

/** The type of a map's values. Unlike `ExactType`, it includes types that JSON text shows: in rows,
 * a map looks like a struct, and the fields of a struct may have different types. */
export type ValueType =
  | { readonly kind: "string" | "boolean" | "int64" | "json" }
  | Exclude<ExactType, { readonly kind: "list" | "struct" }>
  | { readonly kind: "list"; readonly of: ValueType }
  | { readonly kind: "struct"; readonly fields: Readonly<Record<string, ValueType>> };

type TimeUnit = "MILLIS" | "MICROS" | "NANOS";

/** Returns the exact type of a column; undefined if JSON text shows the type. */
export function exactTypeOf(node: SchemaNode): ExactType | undefined {
  switch (node.kind) {
    case "leaf":
      return exactLeafTypeOf(node.elements.at(-1)!);
    case "list": {
      const of = exactTypeOf(node.element);
      return of && { kind: "list", of };
    }
    case "struct": {
      // This uses `Object.fromEntries` instead of assignment, because a field may be called
      // `__proto__`.
      const fields = node.fields.flatMap(({ name, node: field }) => {
        const type = exactTypeOf(field);
        return type === undefined ? [] : [[name, type] as const];
      });
      return fields.length === 0
        ? undefined
        : { kind: "struct", fields: Object.fromEntries(fields) };
    }
    case "map":
      return { kind: "map", of: node.value === undefined ? JSON_VALUE : valueTypeOf(node.value) };
  }
}

const JSON_VALUE = { kind: "json" } as const;

function valueTypeOf(node: SchemaNode): ValueType {
  switch (node.kind) {
    case "leaf":
      return exactLeafTypeOf(node.elements.at(-1)!) ?? plainTypeOf(node.elements.at(-1)!);
    case "list":
      return { kind: "list", of: valueTypeOf(node.element) };
    case "struct": {
      const fields = node.fields.map(({ name, node: field }) => [name, valueTypeOf(field)]);
      return fields.length === 0
        ? JSON_VALUE
        : { kind: "struct", fields: Object.fromEntries(fields) };
    }
    case "map":
      return exactTypeOf(node) as ValueType;
  }
}

function plainTypeOf(
  { type, converted_type: converted, logical_type: logical }: SchemaElement,
): ValueType {
  if (type === "BOOLEAN") return { kind: "boolean" };
  if (type === "INT32" || type === "INT64") return { kind: "int64" };
  return converted === "JSON" || logical?.type === "JSON" ? JSON_VALUE : { kind: "string" };
}

function exactLeafTypeOf(element: SchemaElement): ExactLeafType | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") {
    const precision = element.precision ??
      (logical as { precision?: number } | undefined)?.precision;
    const scale = element.scale ?? (logical as { scale?: number } | undefined)?.scale ?? 0;
    return precision === undefined ? undefined : { kind: "decimal", precision, scale };
  }
  if (converted === "DATE" || logical?.type === "DATE") return { kind: "date" };
  if (type === "DOUBLE" || type === "FLOAT" || logical?.type === "FLOAT16") {
    return { kind: "double" };
  }
  if (isUnsigned(element, 64)) return { kind: "uint64" };
  if (type === "INT96") return { kind: "instant", unit: "NANOS", isUtc: true };
  return timeTypeOf(element);
}

/** Returns the type of a time or timestamp. Older files state only a converted type. */
function timeTypeOf(
  { converted_type: converted, logical_type: logical }: SchemaElement,
): ExactLeafType | undefined {
  const [, convertedKind, convertedUnit] = /^(TIME|TIMESTAMP)_(\w+)$/.exec(converted ?? "") ?? [];
  const { type: kind = convertedKind, unit = convertedUnit as TimeUnit, isAdjustedToUTC = true } =
    (logical ?? {}) as { type?: string; unit?: TimeUnit; isAdjustedToUTC?: boolean };
  if (unit === undefined) return undefined;
  if (kind === "TIMESTAMP") return { kind: "instant", unit, isUtc: isAdjustedToUTC };
  return kind === "TIME" ? { kind: "time", unit, isUtc: isAdjustedToUTC } : undefined;
}

/** Whether a leaf contains bytes that are not text. */
export function isBytes({ elements }: LeafNode): boolean {
  const { type, converted_type: converted, logical_type: logical } = elements.at(-1)!;
  if (type !== "BYTE_ARRAY" && type !== "FIXED_LEN_BYTE_ARRAY") return false;
  if (converted !== undefined && ["UTF8", "JSON", "ENUM", "DECIMAL"].includes(converted)) {
    return false;
  }
  const kind = logical?.type as string | undefined;
  return kind === undefined ||
    !["STRING", "JSON", "ENUM", "DECIMAL", "UUID", "FLOAT16"].includes(kind);
}

export function valueWriterOf(leaf: LeafNode): ValueWriter {
  const element = leaf.elements.at(-1)!;
  const exact = exactLeafTypeOf(element);
  switch (exact?.kind) {
    case "decimal":
      return decimalWriter(exact.scale);
    case "date":
      return (days) => `"${dateOf(Number(days) * DAY_MS)}"`;
    case "instant": {
      const write = timeWriter(exact.unit, exact.isUtc ? "utc" : "local");
      return element.type === "INT96" ? (value) => write(nanosecondsOf(value as bigint)) : write;
    }
    case "time":
      return timeWriter(exact.unit, "time");
    case "double":
      return element.logical_type?.type === "FLOAT16"
        ? (bytes) => numberText(parseFloat16(bytes as Uint8Array)!)
        : (value) => numberText(value as number);
  }
  return element.type === "BYTE_ARRAY" || element.type === "FIXED_LEN_BYTE_ARRAY"
    ? bytesWriter(leaf, element)
    : plainWriter(element);
}

/** Writes integers and booleans. */
function plainWriter(element: SchemaElement) {
  if (isUnsigned(element, 64)) {
    return (value: unknown) => BigInt.asUintN(64, value as bigint).toString();
  }
  if (isUnsigned(element, 32)) return (value: unknown) => String((value as number) >>> 0);
  return String;
}

function isUnsigned(
  { converted_type: converted, logical_type: logical }: SchemaElement,
  bits: number,
): boolean {
  if (converted === `UINT_${bits}`) return true;
  const { bitWidth, isSigned = true } = (logical ?? {}) as {
    bitWidth?: number;
    isSigned?: boolean;
  };
  return bitWidth === bits && !isSigned;
}

/** Returns a number as JSON text. JSON has no NaN or infinity, and `String` would drop the sign of
 * -0. */
function numberText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  return Number.isFinite(value) ? String(value) : "null";
}

// `ignoreBOM` keeps a byte order mark in the text. The decoder is not `fatal`, because looking for
// U+FFFD takes half the time.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function bytesWriter(
  leaf: LeafNode,
  { converted_type: converted, logical_type: logical }: SchemaElement,
) {
  if (logical?.type === "UUID") return (bytes: unknown) => uuidOf(bytes as Uint8Array);
  if (isBytes(leaf)) return (bytes: unknown) => JSON.stringify((bytes as Uint8Array).toBase64());
  const isJson = converted === "JSON" || logical?.type === "JSON";
  return (bytes: unknown) => {
    const text = decoder.decode(bytes as Uint8Array);
    if (text.includes("\ufffd") && !isUtf8(bytes as Uint8Array)) return undefined;
    return isJson ? oneLine(text) : JSON.stringify(text);
  };
}

function uuidOf(bytes: Uint8Array): string {
  return `"${bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}"`;
}

function decimalWriter(scale: number): ValueWriter {
  return (value) => {
    const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number);
    const sign = unscaled < 0n ? "-" : "";
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
    if (scale <= 0) return `${sign}${digits}${"0".repeat(-scale)}`;
    return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  };
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toHex()}`));
}

/** 1 January 1970 as a Julian day number. */
const UNIX_EPOCH_DAY = 2_440_588n;
const NANOSECONDS_PER_DAY = 86_400_000_000_000n;

/** Returns the nanoseconds since 1970. INT96 stores the nanoseconds of the day in its low 64 bits,
 * and the Julian day above them. */
function nanosecondsOf(value: bigint): bigint {
  const days = (value >> 64n) - UNIX_EPOCH_DAY;
  return days * NANOSECONDS_PER_DAY + BigInt.asUintN(64, value);
}

/** `utc` and `local` have a date and a time; `local` has no time zone. `time` is a time of day. */
type TimeKind = "utc" | "local" | "time";

/** The number of digits in the fraction of a second. */
const DIGITS: Readonly<Record<TimeUnit, number>> = { MILLIS: 3, MICROS: 6, NANOS: 9 };

function timeWriter(unit: TimeUnit, kind: TimeKind): ValueWriter {
  const digits = DIGITS[unit], perSecond = 10n ** BigInt(digits);
  return (value) => timeText(BigInt(value as bigint | number), perSecond, digits, kind);
}

function timeText(count: bigint, perSecond: bigint, digits: number, kind: TimeKind): string {
  let seconds = count / perSecond, rest = count % perSecond;
  if (rest < 0n) {
    rest += perSecond;
    seconds -= 1n;
  }
  const time = new Date(Number(seconds) * 1_000);
  // `Date` covers the years -271821 to 275760. Other times are written as a number of units.
  if (Number.isNaN(time.getTime())) return count.toString();
  const whole = time.toISOString().slice(0, -".000Z".length);
  const text = `${whole}.${rest.toString().padStart(digits, "0")}`;
  if (kind === "utc") return `"${text}Z"`;
  return kind === "local" ? `"${text}"` : `"${text.slice(text.indexOf("T") + 1)}"`;
}

function dateOf(milliseconds: number): string {
  const time = new Date(milliseconds);
  if (Number.isNaN(time.getTime())) return String(milliseconds / DAY_MS);
  const text = time.toISOString();
  return text.slice(0, text.indexOf("T"));
}
