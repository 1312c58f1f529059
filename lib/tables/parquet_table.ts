/**
 * Writes Parquet: pages compressed with zstd, in row groups of bounded size. Converts
 * numbers and texts in rows to decimals, times and dates.
 *
 * @module
 */

import { zstdCompressSync } from "node:zlib";
import { ByteWriter, ParquetWriter, type SchemaElement } from "../deps/hyparquet_writer.ts";
import { jsonOf } from "../json.ts";
import { isRawJson, setField } from "../source/mod.ts";
import { DAY_MS } from "../timer.ts";
import { VERSION } from "../version.ts";
import type { ByteSink, TableWriter } from "./file_types.ts";
import { cellOf, type ColumnType, type NonJsonType, type Schema } from "./schema.ts";

/** Size at which a row group ends, in characters. A row group is kept in memory. */
const MAX_GROUP_CHARS = 8 << 20;
/** Number of rows at which a row group ends. */
const MAX_GROUP_ROWS = 50_000;

type Fields = Readonly<Record<string, unknown>>;

export class ParquetTable implements TableWriter {
  readonly #sink: ByteSink;
  readonly #types: readonly (readonly [string, ColumnType])[];
  readonly #encoder = new TextEncoder();
  readonly #bytes = new ByteWriter(1 << 16);
  readonly #writer: ParquetWriter;
  readonly #schema: SchemaElement[];
  /** The values of each column in the current row group. */
  #columns: unknown[][];
  /** Size of `#columns`, in characters; a number, date or time counts as 8. */
  #chars = 0;

  constructor(schema: Schema, sink: ByteSink) {
    this.#sink = sink;
    this.#types = [...schema.columns];
    this.#columns = this.#types.map(() => []);
    this.#schema = [
      { name: "root", num_children: this.#types.length },
      ...this.#types.flatMap(([name, type]) => elementsOf(name, type)),
    ];
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: this.#schema,
      codec: "ZSTD",
      compressors: { ZSTD: (bytes) => new Uint8Array(zstdCompressSync(bytes)) },
      createdBy: `Retort version ${VERSION}`,
    });
  }

  write(row: Fields | string): Promise<void> | undefined {
    this.#types.forEach(([name, type], i) => {
      this.#columns[i].push(this.#convert(cellOf(row as Fields, name), type));
    });
    const isFull = this.#chars >= MAX_GROUP_CHARS || this.#columns[0]?.length >= MAX_GROUP_ROWS;
    return isFull ? this.#writeGroup() : undefined;
  }

  async finish(): Promise<void> {
    if (this.#columns[0]?.length > 0) await this.#writeGroup();
    // polars and duckdb know the JSON type only by its older annotation, the converted type. If it
    // were set before the rows are written, hyparquet-writer would serialize the JSON text again.
    for (const element of this.#schema) {
      if (element.logical_type?.type === "JSON") element.converted_type = "JSON";
    }
    await this.#writer.finish();
    await this.#flush();
  }

  async #writeGroup(): Promise<void> {
    const columnData = this.#types.map(([name], i) => ({
      name,
      data: this.#columns[i],
      // The page index of a large file would stay in memory until the end.
      offsetIndex: false,
    }));
    await this.#writer.write({ columnData, rowGroupSize: this.#columns[0].length });
    this.#columns = this.#types.map(() => []);
    this.#chars = 0;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    await this.#sink.write(bytes);
  }

  /** Converts a value for hyparquet-writer, and counts its size. */
  #convert(value: unknown, type: ColumnType): unknown {
    if (value === null || value === undefined) return null;
    switch (type.kind) {
      case "list":
        return (value as unknown[]).map((element) => this.#convert(element, type.of));
      case "map":
        return Object.entries(value).map(([key, member]) => {
          this.#chars += key.length;
          return { key: key.toWellFormed(), value: this.#convert(member, type.of) };
        });
      case "struct": {
        if (type.fields.size === 0) return this.#convert(value, NO_FIELDS);
        const fields: Record<string, unknown> = {};
        for (const [name, field] of type.fields) {
          const converted = this.#convert(cellOf(value as Fields, name), field);
          if (name === "__proto__") setField(fields, name, converted);
          else fields[name] = converted;
        }
        return fields;
      }
      case "string":
        this.#chars += (value as string).length;
        return (value as string).toWellFormed();
      case "json": {
        const text = jsonOf(value);
        this.#chars += text.length;
        return this.#encoder.encode(text);
      }
      case "null":
      case "boolean":
      case "timestamp":
        return value;
      default:
        this.#chars += NUMBER_CHARS;
        return storedValue(value, type);
    }
  }
}

const NUMBER_CHARS = 8;
/** Parquet has no struct without fields, so "{}" is stored as JSON. */
const NO_FIELDS: ColumnType = { kind: "json" };

/** Returns the schema of a column, depth first. Columns and fields may be null: rows need not have
 * them. */
function elementsOf(name: string, type: ColumnType): SchemaElement[] {
  const element = { name, repetition_type: "OPTIONAL" } as const;
  switch (type.kind) {
    case "list":
      return [
        { ...element, converted_type: "LIST", logical_type: { type: "LIST" }, num_children: 1 },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        ...elementsOf("element", type.of),
      ];
    case "map":
      return [
        { ...element, converted_type: "MAP", logical_type: { type: "MAP" }, num_children: 1 },
        { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
        { name: "key", repetition_type: "REQUIRED", ...STRING_ELEMENT },
        ...elementsOf("value", type.of),
      ];
    case "struct":
      if (type.fields.size === 0) return elementsOf(name, NO_FIELDS);
      return [
        { ...element, num_children: type.fields.size },
        ...[...type.fields].flatMap(([field, fieldType]) => elementsOf(field, fieldType)),
      ];
    case "decimal":
      return [{ ...element, ...decimalElement(type) }];
    case "instant":
    case "time":
      return [{ ...element, ...timeElement(type) }];
    default:
      return [{ ...element, ...VALUE_ELEMENTS[type.kind] }];
  }
}

const STRING_ELEMENT = {
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  logical_type: { type: "STRING" },
} as const;
const VALUE_ELEMENTS = {
  boolean: { type: "BOOLEAN" },
  int64: { type: "INT64" },
  double: { type: "DOUBLE" },
  // It has no logical type: hyparquet-writer would give it a width that pyarrow cannot read.
  uint64: { type: "INT64", converted_type: "UINT_64" },
  json: { type: "BYTE_ARRAY", logical_type: { type: "JSON" } },
  date: { type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } },
  timestamp: {
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  },
  string: STRING_ELEMENT,
  null: STRING_ELEMENT,
} as const;

/** A decimal of this many digits always fits into 64 bits. */
const MAX_INT64_DIGITS = 18;
/** Decimal places of a second. */
const FRACTION_DIGITS = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;

function decimalElement({ precision, scale }: Extract<NonJsonType, { kind: "decimal" }>) {
  const fitsInt64 = precision <= MAX_INT64_DIGITS;
  // The sign takes one more bit.
  const byteLength = Math.ceil((precision * Math.log2(10) + 1) / 8);
  return {
    type: fitsInt64 ? "INT64" : "FIXED_LEN_BYTE_ARRAY",
    type_length: fitsInt64 ? undefined : byteLength,
    converted_type: "DECIMAL",
    logical_type: { type: "DECIMAL", precision, scale },
    precision,
    scale,
  } as const;
}

function timeElement({ kind, unit, isUtc }: Extract<NonJsonType, { kind: "instant" | "time" }>) {
  const name = kind === "time" ? "TIME" : "TIMESTAMP";
  // Converted types are all in UTC, and none has nanoseconds.
  const hasConvertedType = isUtc && unit !== "NANOS";
  return {
    type: name === "TIME" && unit === "MILLIS" ? "INT32" : "INT64",
    converted_type: hasConvertedType ? `${name}_${unit}` as const : undefined,
    logical_type: { type: name, isAdjustedToUTC: isUtc, unit },
  } as const;
}

/** Returns what Parquet stores for a number, or for a decimal, date or time in a text. */
function storedValue(value: unknown, type: ColumnType): unknown {
  const literal = isRawJson(value) ? value.rawJSON : value as number | string;
  switch (type.kind) {
    case "int64":
    case "uint64":
      return BigInt(literal);
    case "double":
      return Number(literal);
    case "decimal":
      return unscaledInteger(String(literal), type.scale);
    case "date":
      return Date.parse(String(literal)) / DAY_MS;
    case "instant":
      return unitsSince1970(String(literal), FRACTION_DIGITS[type.unit]);
    case "time": {
      const count = unitsSince1970(`1970-01-01T${literal}`, FRACTION_DIGITS[type.unit]);
      return type.unit === "MILLIS" ? Number(count) : count;
    }
  }
}

/**
 * Returns the time since 1970 in the unit that `digits` gives.
 *
 * @param text A time such as `2024-05-01T12:00:00.123456Z`.
 * @param digits Decimal places of a second: 6 for microseconds.
 */
function unitsSince1970(text: string, digits: number): bigint {
  const [wholeSeconds, givenFraction = ""] = text.replace(/Z$/, "").split(".");
  const seconds = BigInt(Date.parse(`${wholeSeconds}Z`) / 1_000);
  const fraction = BigInt(givenFraction.padEnd(digits, "0").slice(0, digits));
  return seconds * 10n ** BigInt(digits) + fraction;
}

/** Returns the integer that a decimal column stores: the value times 10 to the power of `scale`. */
function unscaledInteger(text: string, scale: number): bigint {
  const [whole, fraction = ""] = text.split(".");
  if (scale <= 0) return BigInt(whole) / 10n ** BigInt(-scale);
  return BigInt(whole + fraction.padEnd(scale, "0"));
}
