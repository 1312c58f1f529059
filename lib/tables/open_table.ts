/**
 * Opens a table for writing.
 *
 * @module
 */

import { type ByteSink, Compressor } from "./compression.ts";
import type { Schema } from "./schema.ts";
import type { TableFormat } from "./table_format.ts";
import { csv, jsonArray, jsonLines } from "./text_tables.ts";

/** Takes the rows of a table, one by one. */
export interface TableWriter {
  /** Adds a row; the promise is there only when there is something to wait for. JSON Lines and JSON take the
   * text of a row, too. */
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
