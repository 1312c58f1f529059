/**
 * Opens a table by its file name: format, compression, and the writer for it.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Schema } from "./schema.ts";
import { type ByteSink, Compressor, csv, jsonArray, jsonLines } from "./text_tables.ts";

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
