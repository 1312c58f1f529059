/**
 * Parquet: pages compressed with zstd, in row groups of a bounded size. Decimals, times and dates
 * are made from the digits and texts that rows hold.
 *
 * @module
 */

import { zstdCompressSync } from "node:zlib";
import { ByteWriter, ParquetWriter, type SchemaElement } from "../deps/hyparquet_writer.ts";
import { jsonOf } from "../sink/mod.ts";
import { isRawJson } from "../source/mod.ts";
import { VERSION } from "../version.ts";
import type { ByteSink } from "./compressor.ts";
import type { TableWriter } from "./file_types.ts";
import type { ColumnType, ExactType, Schema } from "./schema.ts";

/** Limits of a row group, which is held in memory, as values and as bytes. */
const GROUP_CHARS = 8 << 20;
const GROUP_ROWS = 50_000;

/** Writes one Parquet file. Holds one row group in memory. */
export class ParquetTable implements TableWriter {
  readonly #sink: ByteSink;
  readonly #types: readonly (readonly [string, ColumnType])[];
  readonly #encoder = new TextEncoder();
  readonly #bytes = new ByteWriter(1 << 16);
  readonly #writer: ParquetWriter;
  readonly #schema: SchemaElement[];
  #columns: unknown[][];
  #chars = 0;

  /** All rows must fit the schema. */
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

  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined {
    if (typeof row === "string") {
      throw new TypeError("Cannot write text to Parquet: it needs values");
    }
    this.#types.forEach(([name, type], i) =>
      this.#columns[i].push(this.#converted(row[name], type))
    );
    const isFull = this.#chars >= GROUP_CHARS || this.#columns[0]?.length >= GROUP_ROWS;
    return isFull ? this.#writeGroup() : undefined;
  }

  async finish(): Promise<void> {
    if (this.#columns[0]?.length > 0) await this.#writeGroup();
    // Set only now: if hyparquet-writer knew these columns before the footer, it would serialize
    // JSON text again. polars and duckdb read only the older name of the type.
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
      // The index of all pages of a large file would stay in memory until the end.
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
  #converted(value: unknown, type: ColumnType): unknown {
    if (value === null || value === undefined) return null;
    switch (type.kind) {
      case "list":
        return (value as unknown[]).map((one) => this.#converted(one, type.of));
      case "map":
        return Object.entries(value).map(([key, one]) => {
          this.#chars += key.length;
          return { key: key.toWellFormed(), value: this.#converted(one, type.of) };
        });
      case "struct": {
        if (type.fields.size === 0) return this.#encoder.encode(jsonOf(value));
        const fields: Record<string, unknown> = {};
        for (const [name, field] of type.fields) {
          fields[name] = this.#converted((value as Record<string, unknown>)[name], field);
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
        this.#chars += 8;
        return numberOf(value, type);
    }
  }
}

/**
 * Returns the schema elements of a column, depth first. Everything may be null, because a row need
 * not have every column.
 */
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
        { ...elementsOf("key", { kind: "string" })[0], repetition_type: "REQUIRED" },
        ...elementsOf("value", type.of),
      ];
    case "struct":
      if (type.fields.size === 0) {
        return [{ ...element, type: "BYTE_ARRAY", logical_type: { type: "JSON" } }];
      }
      return [
        { ...element, num_children: type.fields.size },
        ...[...type.fields].flatMap(([field, one]) => elementsOf(field, one)),
      ];
    case "decimal":
    case "instant":
    case "time":
    case "date":
      return [exactElementOf(element, type)];
    default:
      return [{ ...element, ...VALUE_ELEMENTS[type.kind] }];
  }
}

const TEXT = {
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  logical_type: { type: "STRING" },
} as const;
const VALUE_ELEMENTS = {
  boolean: { type: "BOOLEAN" },
  int64: { type: "INT64" },
  double: { type: "DOUBLE" },
  // Only the older name: hyparquet-writer gives the new one a width that pyarrow cannot read.
  uint64: { type: "INT64", converted_type: "UINT_64" },
  json: { type: "BYTE_ARRAY", logical_type: { type: "JSON" } },
  timestamp: {
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  },
  string: TEXT,
  null: TEXT,
} as const;

/** Types whose values are made of the digits of a text. */
type DigitType = Exclude<ExactType, { readonly kind: "uint64" }>;
/** Most digits of a decimal that always fit into 64 bits. */
const INT64_DIGITS = 18;
const DIGITS = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;

/** Returns the schema element of a column of decimals, times or dates. */
function exactElementOf(element: SchemaElement, type: DigitType): SchemaElement {
  switch (type.kind) {
    case "decimal": {
      const { precision, scale } = type;
      const isShort = precision <= INT64_DIGITS;
      return {
        ...element,
        type: isShort ? "INT64" : "FIXED_LEN_BYTE_ARRAY",
        type_length: isShort ? undefined : Math.ceil((precision * Math.log2(10) + 1) / 8),
        converted_type: "DECIMAL",
        logical_type: { type: "DECIMAL", precision, scale },
        ...{ precision, scale },
      };
    }
    case "date":
      return {
        ...element,
        ...{ type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } },
      };
    default: {
      const { unit, isUtc: isAdjustedToUTC } = type;
      const name = type.kind === "time" ? "TIME" : "TIMESTAMP";
      const hasOlder = isAdjustedToUTC && unit !== "NANOS";
      return {
        ...element,
        type: name === "TIME" && unit === "MILLIS" ? "INT32" : "INT64",
        // The older names mean UTC.
        converted_type: hasOlder ? `${name}_${unit}` : undefined,
        logical_type: { type: name, isAdjustedToUTC, unit },
      };
    }
  }
}

function numberOf(value: unknown, type: ColumnType): unknown {
  switch (type.kind) {
    case "int64":
    case "uint64":
      return BigInt(isRawJson(value) ? value.rawJSON : value as number);
    case "double":
      return Number(isRawJson(value) ? value.rawJSON : value);
    default:
      return exactValueOf(value, type as DigitType);
  }
}

/** Converts the digits of a text to the number that such a column stores. */
function exactValueOf(value: unknown, type: DigitType): bigint | number {
  const text = isRawJson(value) ? value.rawJSON : String(value);
  switch (type.kind) {
    case "decimal":
      return unscaled(text, type.scale);
    case "date":
      return Date.parse(text) / 86_400_000;
    case "instant":
      return momentOf(text, DIGITS[type.unit]);
    case "time": {
      const count = momentOf(`1970-01-01T${text}`, DIGITS[type.unit]);
      return type.unit === "MILLIS" ? Number(count) : count;
    }
  }
}

/** Returns the units since 1970 of a text such as `2024-05-01T12:00:00.123456Z`. */
function momentOf(text: string, digits: number): bigint {
  const [seconds, rest = ""] = text.replace(/Z$/, "").split(".");
  const fraction = rest.padEnd(digits, "0").slice(0, digits);
  return BigInt(Date.parse(`${seconds}Z`) / 1_000) * 10n ** BigInt(digits) + BigInt(fraction);
}

function unscaled(text: string, scale: number): bigint {
  const [whole, fraction = ""] = text.split(".");
  if (scale <= 0) return BigInt(whole) / 10n ** BigInt(-scale);
  return BigInt(whole + fraction.padEnd(scale, "0"));
}
