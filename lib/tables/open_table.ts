/**
 * Opens a table by its file name: format, compression, and the writer for it. Tables as text (JSON Lines, JSON, CSV)
 * are written here; what writes Parquet is loaded when it is used.
 *
 * @module
 */

import { createGzip, createZstdCompress } from "node:zlib";
import { UsageError } from "../errors.ts";
import { jsonOf } from "../sink/mod.ts";
import type { Schema } from "./schema.ts";

/** Takes the rows of a table, one by one. */
export interface TableWriter {
  /**
   * Adds a row; returns a promise only when there is something to wait for. JSON Lines and JSON
   * take the text of a row, too.
   */
  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined;
  /** Writes the rest and the end. */
  finish(): Promise<void>;
}

/**
 * Opens a table.
 *
 * @param format The format of the file.
 * @param schema The columns, complete; JSON needs none.
 * @param sink Where its bytes go.
 */
export async function openTable(
  format: TableFormat,
  schema: Schema,
  sink: ByteSink,
): Promise<TableWriter> {
  if (format.compression === undefined) return await plainTable(format, schema, sink);
  const compressor = new Compressor(format.compression, sink);
  const table = await plainTable(format, schema, compressor);
  return {
    write: (row) => table.write(row),
    finish: async () => {
      await table.finish();
      await compressor.finish();
    },
  };
}

async function plainTable(
  { kind }: TableFormat,
  schema: Schema,
  sink: ByteSink,
): Promise<TableWriter> {
  switch (kind) {
    case "jsonl":
      return jsonLines(sink);
    case "json":
      return jsonArray(sink);
    case "csv":
      return csv(sink, [...schema.columns.keys()]);
    case "parquet": {
      const { ParquetTable } = await import("./parquet_table.ts");
      return new ParquetTable(schema, sink);
    }
  }
}

/** How a table is written. */
export interface TableFormat {
  /** The file format. */
  readonly kind: "jsonl" | "json" | "csv" | "parquet";
  /** How the file is compressed as a whole; Parquet compresses its own pages. */
  readonly compression?: "gzip" | "zstd";
}

const KINDS: Readonly<Record<string, TableFormat["kind"]>> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "json",
  csv: "csv",
  parquet: "parquet",
};
const COMPRESSIONS: Readonly<Record<string, TableFormat["compression"]>> = {
  gz: "gzip",
  zst: "zstd",
  zstd: "zstd",
};
/** Extensions of other formats: no program would read JSON text under such a name. */
const FOREIGN =
  /\.(tsv|txt|xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)$/;

/**
 * The format that a path names by its extension; JSON Lines where it names none.
 *
 * @throws {UsageError} where the extension is that of a format that is not written
 */
export function tableFormatOf(path: string): TableFormat {
  const name = path.toLowerCase();
  const packed = /\.(gz|zst|zstd)$/.exec(name);
  const kind =
    KINDS[/\.(\w+)$/.exec(packed === null ? name : name.slice(0, packed.index))?.[1] ?? ""];
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  if (FOREIGN.test(name)) refuse("use .jsonl, .json, .csv (each also .gz or .zst) or .parquet");
  if (kind === "parquet" && packed !== null) {
    refuse("Parquet is compressed inside: name it .parquet");
  }
  return {
    kind: kind ?? "jsonl",
    compression: packed === null ? undefined : COMPRESSIONS[packed[1]],
  };
}

/** Whether all values of a column have one type, which has to be known before the first row. */
export function isTableOfType({ kind }: TableFormat): boolean {
  return kind === "parquet";
}

/** Whether the rows of a table may be given as JSON text. */
export function takesText({ kind }: TableFormat): boolean {
  return kind === "jsonl" || kind === "json";
}

type Fields = Readonly<Record<string, unknown>>;
/** A row, or its JSON text. */
type Row = Fields | string;

const BLOCK_CHARS = 1 << 20;

/** Takes rows one by one and writes blocks of text. */
export class TextTable implements TableWriter {
  readonly #sink: ByteSink;
  readonly #textOf: (row: Row, index: number) => string;
  readonly #end: (rowCount: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: string;
  #rowCount = 0;

  /** A table is a text before its rows, one for each row, and one after them. */
  constructor(sink: ByteSink, parts: {
    start?: string;
    row: (row: Row, index: number) => string;
    end?: (rowCount: number) => string;
  }) {
    this.#sink = sink;
    this.#waiting = parts.start ?? "";
    this.#textOf = parts.row;
    this.#end = parts.end ?? (() => "");
  }

  write(row: Row): Promise<void> | undefined {
    this.#waiting += this.#textOf(row, this.#rowCount++);
    return this.#waiting.length < BLOCK_CHARS ? undefined : this.#flush();
  }

  async finish(): Promise<void> {
    this.#waiting += this.#end(this.#rowCount);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = this.#encoder.encode(this.#waiting);
    this.#waiting = "";
    if (bytes.length > 0) await this.#sink.write(bytes);
  }
}

/** One object a line. */
export function jsonLines(sink: ByteSink): TextTable {
  return new TextTable(sink, { row: (row) => `${textOf(row)}\n` });
}

/** One array with an object on each line. */
export function jsonArray(sink: ByteSink): TextTable {
  return new TextTable(sink, {
    start: "[",
    row: (row, index) => `${index === 0 ? "\n" : ",\n"}${textOf(row)}`,
    end: (rowCount) => rowCount === 0 ? "]\n" : "\n]\n",
  });
}

/**
 * A header, then a record for each row. Values that are neither text nor numbers are written as
 * JSON.
 */
export function csv(sink: ByteSink, columns: readonly string[]): TextTable {
  const record = (fields: readonly string[]) => `${fields.map(quoted).join(",")}\r\n`;
  return new TextTable(sink, {
    start: record(columns),
    row: (row) => record(columns.map((name) => fieldOf((row as Fields)[name]))),
  });
}

function textOf(row: Row): string {
  return typeof row === "string" ? row : jsonOf(row);
}

function fieldOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value.toWellFormed();
  return value instanceof Date ? value.toISOString() : jsonOf(value);
}

function quoted(field: string): string {
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Takes bytes. */
export interface ByteSink {
  /** Adds bytes; their memory may be reused once the promise is resolved. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Bytes on their way through a compressor. */
export class Compressor implements ByteSink {
  readonly #stream;
  readonly #pumped: Promise<void>;

  /** Compressed bytes go to `target`. */
  constructor(compression: "gzip" | "zstd", target: ByteSink) {
    const stream = this.#stream = compression === "gzip" ? createGzip() : createZstdCompress();
    this.#pumped = (async () => {
      for await (const chunk of stream) await target.write(new Uint8Array(chunk));
    })();
    // Reported by the next write or by `finish`.
    this.#pumped.catch(() => {});
  }

  /** Adds bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes.slice(), (error) => error ? reject(error) : resolve());
    });
    // When the target fails, the stream takes nothing more and does not report it.
    await Promise.race([written, this.#pumped]);
  }

  /** Writes the end. */
  async finish(): Promise<void> {
    this.#stream.end();
    await this.#pumped;
  }

  /** Stops without writing the end. */
  abandon(): void {
    this.#stream.destroy();
  }
}
