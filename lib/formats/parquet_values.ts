/**
 * Values of Parquet as JSON. The reader makes floats of decimals and drops the microseconds of
 * timestamps, so both are taken raw and written here.
 *
 * @module
 */

import type { ParquetParsers, SchemaElement } from "../deps/hyparquet.ts";

/** Writes a value of a column as JSON. */
type Writer = (value: unknown) => string;

/** The type of a column whose values JSON writes as text or digits, but other files have types for. */
export type ExactType =
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "instant" | "time"; readonly unit: TimeUnit; readonly isUtc: boolean }
  | { readonly kind: "date" };

/** The digits of a time. */
export type TimeUnit = "MILLIS" | "MICROS" | "NANOS";

/** The exact types of the columns that have one, lists and structs excepted. */
export function exactTypesOf(schema: readonly SchemaElement[]): Map<string, ExactType> {
  const types = new Map<string, ExactType>();
  let next = 1;
  const skip = ({ num_children: children = 0 }: SchemaElement): void => {
    for (let i = 0; i < children; i++) skip(schema[next++]);
  };
  while (next < schema.length) {
    const element = schema[next++];
    const type = element.repetition_type === "REPEATED" ? undefined : exactTypeOf(element);
    if (type !== undefined) types.set(element.name, type);
    skip(element);
  }
  return types;
}

function exactTypeOf(element: SchemaElement): ExactType | undefined {
  const { type, converted_type: converted, logical_type: logical, num_children: children } =
    element;
  if (children) return undefined;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") {
    const precision = element.precision ?? (logical as { precision?: number }).precision;
    return precision === undefined
      ? undefined
      : { kind: "decimal", precision, scale: scaleOf(element) };
  }
  if (converted === "DATE" || logical?.type === "DATE") return { kind: "date" };
  if (type === "INT96") return { kind: "instant", unit: "NANOS", isUtc: true };
  const [, kind, older] = /^(TIME|TIMESTAMP)_(\w+)$/.exec(converted ?? "") ?? [];
  const named = logical as
    | { type?: string; unit?: TimeUnit; isAdjustedToUTC?: boolean }
    | undefined;
  const unit = named?.unit ?? older as TimeUnit | undefined;
  if (unit === undefined) return undefined;
  const isUtc = named?.isAdjustedToUTC ?? true;
  if ((named?.type ?? kind) === "TIMESTAMP") return { kind: "instant", unit, isUtc };
  return (named?.type ?? kind) === "TIME" ? { kind: "time", unit, isUtc } : undefined;
}

/** A schema that gives raw what its reader would make less of, and what has to be known of its columns. */
export interface PlainSchema {
  /** The schema to read with. */
  readonly schema: SchemaElement[];
  /** How values that are read raw are written, by the path of their column, as `price` or `items.price`. */
  readonly writers: ReadonlyMap<string, Writer>;
  /** The paths of columns that hold bytes. */
  readonly binary: readonly string[];
  /** The names of columns that hold nothing but text, however deep, as lists of messages do. */
  readonly texts: ReadonlySet<string>;
}

/** A value that stands in the JSON text as it is: digits. */
class Verbatim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const decoder = new TextDecoder();

/** How values are read that JSON has no type for: moments as ISO 8601 with all their digits. */
export const VALUE_PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (value) => moment(BigInt(value) * 1_000_000n, 3),
  timestampFromMicroseconds: (value) => moment(BigInt(value) * 1_000n, 6),
  timestampFromNanoseconds: (value) => moment(BigInt(value), 9),
  dateFromDays: (days) => new Date(days * 86_400_000).toISOString().slice(0, 10),
  stringFromBytes: (bytes) => bytes && decoder.decode(bytes),
  jsonFromBytes: (bytes) => bytes && new Verbatim(oneLine(decoder.decode(bytes))),
};

/** ISO 8601 in UTC, with the digits that the column holds. */
function moment(nanoseconds: bigint, digits: number): string {
  const perSecond = 1_000_000_000n;
  let seconds = nanoseconds / perSecond, rest = nanoseconds % perSecond;
  if (rest < 0n) {
    rest += perSecond;
    seconds -= 1n;
  }
  const whole = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19);
  return `${whole}.${rest.toString().padStart(9, "0").slice(0, digits)}Z`;
}

function oneLine(json: string): string {
  return json.trim().replace(/\s*[\r\n]\s*/g, "");
}

/** Takes the types out of a schema that are read raw. */
export function plainSchema(schema: readonly SchemaElement[]): PlainSchema {
  const writers = new Map<string, Writer>();
  const binary: string[] = [];
  const plain: SchemaElement[] = [];
  const texts = new Set(schema[0] === undefined ? [] : textColumnsOf(schema));
  let next = 0;
  const visit = (path: readonly string[], depth: number): void => {
    const element = schema[next++];
    const own = depth === 0 ? [] : isWrapper(element, depth) ? path : [...path, element.name];
    const writer = writerOf(element);
    if (writer !== undefined) writers.set(own.join("."), writer);
    else if (isBytes(element)) binary.push(own.join("."));
    plain.push(
      writer === undefined
        ? { ...element, converted_type: element.converted_type ?? convertedOf(element) }
        : { ...element, converted_type: undefined, logical_type: undefined },
    );
    for (let i = 0; i < (element.num_children ?? 0); i++) visit(own, depth + 1);
  };
  visit([], 0);
  return { schema: plain, writers, binary, texts };
}

/** The columns all of whose leaves are text. */
function textColumnsOf(schema: readonly SchemaElement[]): string[] {
  let next = 1;
  const isText = (): boolean => {
    const { type, converted_type: converted, num_children: children, logical_type: logical } =
      schema[next++];
    if (children === undefined || children === 0) {
      return type === "BYTE_ARRAY" && (converted === "UTF8" || logical?.type === "STRING");
    }
    let isAll = converted === undefined || converted === "LIST";
    for (let i = 0; i < children; i++) isAll = isText() && isAll;
    return isAll;
  };
  const found: string[] = [];
  while (next < schema.length) {
    const { name } = schema[next];
    if (isText()) found.push(name);
  }
  return found;
}

/** How a column is written whose values are read raw; undefined for all others. */
function writerOf(element: SchemaElement): Writer | undefined {
  const { converted_type: converted, logical_type: logical } = element;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") {
    const scale = scaleOf(element);
    return (value) => decimal(value, scale);
  }
  const unit = (logical as { unit?: string } | undefined)?.unit ??
    /^TIME_(\w+)$/.exec(converted ?? "")?.[1] ?? "";
  const perUnit = NANOSECONDS[unit], digits = DIGITS[unit];
  if (logical?.type === "TIMESTAMP" && logical.isAdjustedToUTC === false) {
    // A date and a time on a clock, of which no one has said where it hangs.
    return (value) =>
      JSON.stringify(moment(BigInt(value as bigint) * perUnit, digits).slice(0, -1));
  }
  if (logical?.type === "TIME" || converted?.startsWith("TIME_")) {
    return (value) =>
      JSON.stringify(moment(BigInt(value as bigint) * perUnit, digits).slice(11, -1));
  }
  return undefined;
}

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  MILLIS: 1_000_000n,
  MICROS: 1_000n,
  NANOS: 1n,
};
const DIGITS: Readonly<Record<string, number>> = { MILLIS: 3, MICROS: 6, NANOS: 9 };

/** The older name of a type that files may give by the newer one alone; the reader looks at the older one. */
function convertedOf({ logical_type: logical }: SchemaElement): SchemaElement["converted_type"] {
  if (logical?.type === "JSON") return "JSON";
  return logical?.type === "ENUM" ? "UTF8" : undefined;
}

/** The levels between a list or map and what it holds (`list.element`, `key_value`) are no fields. */
function isWrapper({ name, repetition_type: repetition, type }: SchemaElement, depth: number) {
  if (depth < 2) return false;
  const isRepeatedGroup = repetition === "REPEATED" && type === undefined;
  return isRepeatedGroup || name === "element" || name === "item";
}

function scaleOf({ scale, logical_type: logical }: SchemaElement): number {
  return scale ?? (logical as { scale?: number } | undefined)?.scale ?? 0;
}

function isBytes({ type, converted_type: converted, logical_type: logical }: SchemaElement) {
  if (type !== "BYTE_ARRAY" && type !== "FIXED_LEN_BYTE_ARRAY") return false;
  const known = ["UTF8", "JSON", "ENUM", "DECIMAL"];
  if (converted !== undefined && known.includes(converted)) return false;
  const kind = logical?.type as string | undefined;
  return kind === undefined ||
    !["STRING", "JSON", "ENUM", "DECIMAL", "UUID", "FLOAT16"].includes(kind);
}

/** What writes the rows of a file as JSON source text. */
export function rowWriterOf(
  { writers, texts }: PlainSchema,
): (row: Record<string, unknown>) => string {
  const keys = new Map<string, string>();
  const keyOf = (name: string) => {
    const key = `${JSON.stringify(name)}:`;
    keys.set(name, key);
    return key;
  };
  return (row) => {
    let text = "{";
    for (const name in row) {
      if (text.length > 1) text += ",";
      text += keys.get(name) ?? keyOf(name);
      // Texts and nulls are written by JSON as they are here, in a third of the time.
      text += texts.has(name) ? JSON.stringify(row[name] ?? null) : write(row[name], name, writers);
    }
    return `${text}}`;
  };
}

function write(value: unknown, path: string, writers: PlainSchema["writers"]): string {
  if (value === null || value === undefined) return "null";
  if (writers.size > 0) {
    const writer = writers.get(path);
    if (writer !== undefined && !Array.isArray(value)) return writer(value);
  }
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "number":
      // JSON has no word for these.
      return Number.isFinite(value) ? String(value) : "null";
    case "object":
      return writeObject(value, path, writers);
    default:
      return JSON.stringify(value);
  }
}

function writeObject(value: object, path: string, writers: PlainSchema["writers"]): string {
  if (value instanceof Verbatim) return value.text;
  if (value instanceof Uint8Array) return JSON.stringify(value.toBase64());
  if (Array.isArray(value)) return `[${value.map((one) => write(one, path, writers)).join(",")}]`;
  if (ArrayBuffer.isView(value)) return JSON.stringify([...value as unknown as number[]]);
  const members = Object.entries(value).map(([name, one]) =>
    `${JSON.stringify(name)}:${write(one, path === "" ? name : `${path}.${name}`, writers)}`
  );
  return `{${members.join(",")}}`;
}

/** The digits of an unscaled number with its point. */
function decimal(value: unknown, scale: number): string {
  const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number);
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  if (scale <= 0) return `${sign}${digits}${"0".repeat(-scale)}`;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function bigEndian(bytes: Uint8Array): bigint {
  let number = 0n;
  for (const byte of bytes) number = (number << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, number);
}
