/**
 * Writes tables as text: JSON Lines, a JSON array or CSV.
 *
 * @module
 */

import { jsonOf } from "../sink/mod.ts";
import type { ByteSink } from "./compressor.ts";
import type { TableWriter } from "./file_types.ts";
import { cellOf } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;
/** A row, or its JSON text. */
type Row = Fields | string;

/** The text is written once it has this many characters. */
const BLOCK_CHARS = 1 << 20;

/** Joins the texts of rows and writes them in blocks. */
class TextTable implements TableWriter {
  readonly #sink: ByteSink;
  readonly #textOf: (row: Row, index: number) => string;
  readonly #end: (rowCount: number) => string;
  readonly #encoder = new TextEncoder();
  #buffered: string;
  #rowCount = 0;

  /** @param parts The texts before all rows, of each row, and after all rows. */
  constructor(sink: ByteSink, parts: {
    start?: string;
    row: (row: Row, index: number) => string;
    end?: (rowCount: number) => string;
  }) {
    this.#sink = sink;
    this.#buffered = parts.start ?? "";
    this.#textOf = parts.row;
    this.#end = parts.end ?? (() => "");
  }

  write(row: Row): Promise<void> | undefined {
    this.#buffered += this.#textOf(row, this.#rowCount++);
    return this.#buffered.length < BLOCK_CHARS ? undefined : this.#flush();
  }

  async finish(): Promise<void> {
    this.#buffered += this.#end(this.#rowCount);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = this.#encoder.encode(this.#buffered);
    this.#buffered = "";
    if (bytes.length > 0) await this.#sink.write(bytes);
  }
}

/** One object per line. */
export function jsonLines(sink: ByteSink): TextTable {
  return new TextTable(sink, { row: (row) => `${textOf(row)}\n` });
}

/** One array, with an object on each line. */
export function jsonArray(sink: ByteSink): TextTable {
  return new TextTable(sink, {
    start: "[",
    row: (row, index) => `${index === 0 ? "\n" : ",\n"}${textOf(row)}`,
    end: (rowCount) => rowCount === 0 ? "]\n" : "\n]\n",
  });
}

/**
 * A header, then a record for each row. Lists and objects are written as JSON, null as an empty
 * field.
 */
export function csv(sink: ByteSink, columns: readonly string[]): TextTable {
  const record = (fields: readonly string[]) => `${fields.map(quoted).join(",")}\r\n`;
  return new TextTable(sink, {
    start: record(columns),
    row: (row) => record(columns.map((name) => fieldOf(cellOf(row as Fields, name)))),
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
