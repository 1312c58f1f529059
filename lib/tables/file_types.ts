/**
 * The types of the files that rows are written to: one definition for each kind, and how a name
 * says which is meant.
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
 * A kind of file that is written. Every kind is a format of inputs, with the same extensions, so
 * that what was written can be read; the formats that are left out here are only read.
 */
export type FileKind = Exclude<InputFormat, "tsv" | "txt">;

/** What a file is. */
export interface FileType {
  /** How rows are written. */
  readonly kind: FileKind;
  /** How the file is compressed as a whole. @default it is not */
  readonly compression?: Compression;
}

/** Takes the rows of a table, one by one. */
export interface TableWriter {
  /**
   * Adds a row; returns a promise only when there is something to wait for. Kinds with `takesText`
   * take the JSON text of a row, too.
   */
  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined;
  /** Writes the rest and the end. */
  finish(): Promise<void>;
}

/** One kind of file: everything that depends on it. */
interface KindDefinition {
  /** Whether all values of a column have one type, which has to be known before the first row. */
  readonly isTyped: boolean;
  /** Whether rows may be given as JSON text. */
  readonly takesText: boolean;
  /** Whether it compresses its own parts, so that the file must not be compressed again. */
  readonly isCompressedInside: boolean;
  /** Opens a table; what is large is loaded only here. */
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

/** All kinds, each the first of its extensions. */
export const FILE_KINDS = Object.keys(KINDS) as readonly FileKind[];

/** Whether all values of a column have one type. */
export function isTyped({ kind }: FileType): boolean {
  return KINDS[kind].isTyped;
}

/** Whether the rows of a table may be given as JSON text. */
export function takesText({ kind }: FileType): boolean {
  return KINDS[kind].takesText;
}

/**
 * Opens a table.
 *
 * @param type The type of the file.
 * @param schema The columns, complete; JSON needs none.
 * @param sink Where its bytes go.
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
 * Extensions of data that is neither read nor written: JSON text under such a name would mislead.
 */
const FOREIGN =
  /\.(xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)(\.(gz|zst|zstd))?$/;

/**
 * The type that a path names by its extension; JSON Lines where it names none.
 *
 * @throws {UsageError} where the extension is that of a format that is not written
 */
export function fileTypeOf(path: string): FileType {
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  const format = formatOfName(path) ?? "jsonl";
  if (!isWritten(format) || FOREIGN.test(path.toLowerCase())) return refuse(`use ${fileNames()}`);
  const compression = compressionOfName(path);
  if (compression !== undefined && KINDS[format].isCompressedInside) {
    refuse(`.${format} is compressed inside: leave the extension of the compression out`);
  }
  return { kind: format, compression };
}

function isWritten(format: InputFormat): format is FileKind {
  return Object.hasOwn(KINDS, format);
}

/** The extensions, as in `.jsonl, .json, .csv (each also .gz or .zst) or .parquet`. */
function fileNames(): string {
  const [inside, plain] = [true, false].map((isInside) =>
    FILE_KINDS.filter((kind) => KINDS[kind].isCompressedInside === isInside).map((kind) =>
      `.${kind}`
    )
  );
  return [`${plain.join(", ")} (each also .gz or .zst)`, ...inside].join(" or ");
}
