/**
 * Writes tables as text: JSON Lines, a JSON array or CSV.
 *
 * @module
 */

import { jsonOf } from "../json.ts";
import type { ByteSink, TableWriter } from "./file_types.ts";
import { cellOf } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;
/** A row, or its JSON text. */
type Row = Fields | string;

/** The text is written once it has this many characters. */
const BLOCK_CHARS = 1 << 20;

export function jsonLines(sink: ByteSink): TableWriter {
  return textTable(sink, { row: (row) => `${textOf(row)}\n` });
}

/** With an object on each line. */
export function jsonArray(sink: ByteSink): TableWriter {
  return textTable(sink, {
    start: "[",
    row: (row, index) => `${index === 0 ? "\n" : ",\n"}${textOf(row)}`,
    end: (rowCount) => rowCount === 0 ? "]\n" : "\n]\n",
  });
}

/** Lists and objects are written as JSON, null as an empty field. */
export function csv(sink: ByteSink, columns: readonly string[]): TableWriter {
  const record = (fields: readonly string[]) => `${fields.map(quoted).join(",")}\r\n`;
  return textTable(sink, {
    start: record(columns),
    row: (row) => record(columns.map((name) => fieldOf(cellOf(row as Fields, name)))),
  });
}

function textTable(sink: ByteSink, { start = "", row: textOf, end = () => "" }: {
  start?: string;
  row: (row: Row, index: number) => string;
  end?: (rowCount: number) => string;
}): TableWriter {
  const encoder = new TextEncoder();
  let buffered = start, rowCount = 0;
  const flush = async () => {
    const bytes = encoder.encode(buffered);
    buffered = "";
    if (bytes.length > 0) await sink.write(bytes);
  };
  return {
    write: (row) => {
      buffered += textOf(row, rowCount++);
      return buffered.length < BLOCK_CHARS ? undefined : flush();
    },
    finish: async () => {
      buffered += end(rowCount);
      await flush();
    },
  };
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
