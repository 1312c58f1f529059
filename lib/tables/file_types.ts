/**
 * Types of output files: what the kinds differ in, how a table of each is opened, and which type
 * the name of a file stands for.
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
 * A kind of file that can be written. Each is also an input format with the same extensions, so
 * that outputs can be read again. The excluded formats can only be read.
 */
export type FileKind = Exclude<InputFormat, "tsv" | "txt">;

export interface FileType {
  readonly kind: FileKind;
  /** Compression of the whole file. @default none */
  readonly compression?: Compression;
}

/** Writes the rows of a table, one by one. */
export interface TableWriter {
  /**
   * Adds a row. Returns a promise only if the caller has to wait. Kinds with `acceptsText` also
   * accept the JSON text of a row.
   */
  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined;
  /** Writes the rows that are still buffered, then the end of the file. */
  finish(): Promise<void>;
}

/** What the kinds of files differ in. */
interface KindDefinition {
  /** Whether all values of a column have one type, which must be known before the first row. */
  readonly isTyped: boolean;
  /** Whether rows may be given as JSON text. */
  readonly acceptsText: boolean;
  /** Whether the format compresses its data itself: the file must not be compressed again. */
  readonly compressesItself: boolean;
  /** Opens a table. Large code is imported only by this call. */
  readonly open: (schema: Schema, sink: ByteSink) => TableWriter | Promise<TableWriter>;
}

const KINDS: Readonly<Record<FileKind, KindDefinition>> = {
  jsonl: {
    isTyped: false,
    acceptsText: true,
    compressesItself: false,
    open: (_schema, sink) => jsonLines(sink),
  },
  json: {
    isTyped: false,
    acceptsText: true,
    compressesItself: false,
    open: (_schema, sink) => jsonArray(sink),
  },
  csv: {
    isTyped: false,
    acceptsText: false,
    compressesItself: false,
    open: ({ columns }, sink) => csv(sink, [...columns.keys()]),
  },
  parquet: {
    isTyped: true,
    acceptsText: false,
    compressesItself: true,
    open: async (schema, sink) => {
      const { ParquetTable } = await import("./parquet_table.ts");
      return new ParquetTable(schema, sink);
    },
  },
};

/** All kinds. The name of a kind is also its usual extension. */
export const FILE_KINDS = Object.keys(KINDS) as readonly FileKind[];

/** Whether all values of a column have one type. */
export function isTyped({ kind }: FileType): boolean {
  return KINDS[kind].isTyped;
}

/** Whether rows may be given as JSON text. */
export function acceptsText({ kind }: FileType): boolean {
  return KINDS[kind].acceptsText;
}

/**
 * Opens a table.
 *
 * @param schema All columns of the table. JSON Lines and JSON do not use it.
 * @param sink Receives the bytes of the file.
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
 * Extensions of formats that are neither read nor written. Names with these are rejected, because
 * they would otherwise be taken for JSON Lines.
 */
const FOREIGN_EXTENSION =
  /\.(xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)(\.(gz|zst|zstd))?$/;

/**
 * Returns the type of file that the extension of a path stands for; JSON Lines if it stands for
 * none.
 *
 * @throws {UsageError} If the extension is that of a format that cannot be written, or of a
 * compression of Parquet files.
 */
export function fileTypeOf(path: string): FileType {
  const fail = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  const named = formatOfName(path), format = named ?? "jsonl";
  const isForeign = named === undefined && FOREIGN_EXTENSION.test(path.toLowerCase());
  if (isForeign || !isFileKind(format)) return fail(`use ${extensionList()}`);
  const compression = compressionOfName(path);
  if (compression !== undefined && KINDS[format].compressesItself) {
    fail(`.${format} compresses its data itself: leave out the extension of the compression`);
  }
  return { kind: format, compression };
}

function isFileKind(format: InputFormat): format is FileKind {
  return Object.hasOwn(KINDS, format);
}

/** Lists the extensions: `.jsonl, .json, .csv (each also .gz or .zst) or .parquet`. */
function extensionList(): string {
  const [compressing, plain] = [true, false].map((compressesItself) =>
    FILE_KINDS.filter((kind) => KINDS[kind].compressesItself === compressesItself)
      .map((kind) => `.${kind}`)
  );
  return [`${plain.join(", ")} (each also .gz or .zst)`, ...compressing].join(" or ");
}
