/**
 * Types of files that rows are written to: one definition for each kind, and the type that a name
 * means.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  type Compression,
  compressionOfName,
  formatOfName,
  type InputFormat,
} from "../formats/mod.ts";
import { type ByteSink, Compressor } from "./compressor.ts";
import type { Schema } from "./schema.ts";
import { csv, jsonArray, jsonLines } from "./text_table.ts";

/**
 * Kind of file that is written. Every kind is also a format of inputs, with the same extensions, so
 * that what was written can be read. The excluded formats are only read.
 */
export type FileKind = Exclude<InputFormat, "tsv" | "txt">;

export interface FileType {
  readonly kind: FileKind;
  /** Compression of the whole file. @default none */
  readonly compression?: Compression;
}

/** Takes the rows of a table, one by one. */
export interface TableWriter {
  /**
   * Adds a row. Returns a promise only if there is something to wait for. Kinds with `takesText`
   * also take the JSON text of a row.
   */
  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined;
  /** Writes the rows still held back, then whatever the format has at its end. */
  finish(): Promise<void>;
}

/** What depends on the kind of file. */
interface KindDefinition {
  /** Whether all values of a column have one type, which must be known before the first row. */
  readonly isTyped: boolean;
  /** Whether rows may be given as JSON text. */
  readonly takesText: boolean;
  /** Whether the format compresses its own parts: the file must not be compressed again. */
  readonly isCompressedInside: boolean;
  /** Opens a table. Large code is imported only by this call. */
  readonly open: (schema: Schema, sink: ByteSink) => TableWriter | Promise<TableWriter>;
}

const KINDS: Readonly<Record<FileKind, KindDefinition>> = {
  jsonl: {
    isTyped: false,
    takesText: true,
    isCompressedInside: false,
    open: (_schema, sink) => jsonLines(sink),
  },
  json: {
    isTyped: false,
    takesText: true,
    isCompressedInside: false,
    open: (_schema, sink) => jsonArray(sink),
  },
  csv: {
    isTyped: false,
    takesText: false,
    isCompressedInside: false,
    open: ({ columns }, sink) => csv(sink, [...columns.keys()]),
  },
  parquet: {
    isTyped: true,
    takesText: false,
    isCompressedInside: true,
    open: async (schema, sink) => {
      const { ParquetTable } = await import("./parquet_table.ts");
      return new ParquetTable(schema, sink);
    },
  },
};

/** All kinds. Each is also the first of its extensions. */
export const FILE_KINDS = Object.keys(KINDS) as readonly FileKind[];

/** Whether all values of a column have one type. */
export function isTyped({ kind }: FileType): boolean {
  return KINDS[kind].isTyped;
}

/** Whether rows may be given as JSON text. */
export function takesText({ kind }: FileType): boolean {
  return KINDS[kind].takesText;
}

/**
 * Opens a table.
 *
 * @param schema Complete columns. JSON Lines and JSON need none.
 * @param sink Gets the bytes of the file.
 */
export async function openTable(
  { kind, compression }: FileType,
  schema: Schema,
  sink: ByteSink,
): Promise<TableWriter> {
  if (compression === undefined) return await KINDS[kind].open(schema, sink);
  const compressor = new Compressor(compression, sink);
  const table = await KINDS[kind].open(schema, compressor);
  return {
    write: (row) => table.write(row),
    finish: async () => {
      await table.finish();
      await compressor.finish();
    },
  };
}

/**
 * Extensions of data that is neither read nor written: JSON text with such a name would be
 * misleading.
 */
const FOREIGN =
  /\.(xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)(\.(gz|zst|zstd))?$/;

/**
 * Returns the type that a path names by its extension; JSON Lines if it names none.
 *
 * @throws {UsageError} if the extension is that of a format that is not written
 */
export function fileTypeOf(path: string): FileType {
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  const named = formatOfName(path), format = named ?? "jsonl";
  const isForeign = named === undefined && FOREIGN.test(path.toLowerCase());
  if (isForeign || !isWritten(format)) return refuse(`use ${fileNames()}`);
  const compression = compressionOfName(path);
  if (compression !== undefined && KINDS[format].isCompressedInside) {
    refuse(`.${format} is compressed inside: leave the extension of the compression out`);
  }
  return { kind: format, compression };
}

function isWritten(format: InputFormat): format is FileKind {
  return Object.hasOwn(KINDS, format);
}

/** Lists the extensions: `.jsonl, .json, .csv (each also .gz or .zst) or .parquet`. */
function fileNames(): string {
  const [inside, plain] = [true, false].map((isInside) =>
    FILE_KINDS.filter((kind) => KINDS[kind].isCompressedInside === isInside).map((kind) =>
      `.${kind}`
    )
  );
  return [`${plain.join(", ")} (each also .gz or .zst)`, ...inside].join(" or ");
}
