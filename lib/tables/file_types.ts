/**
 * The types of output files, and writers for them: JSON Lines, JSON arrays and CSV, compressed or
 * not, are written here, and Parquet by `parquet_table.ts`.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  type Compression,
  compressionOfName,
  createCompressor,
  formatOfName,
  type InputFormat,
  USUAL_EXTENSIONS,
} from "../formats/mod.ts";
import { jsonOf } from "../json.ts";
import { cellOf, type Schema } from "./schema.ts";

/** A kind of file that can be written, and read again as the input format of that name. */
export type FileKind = Exclude<InputFormat, "tsv" | "txt">;

export interface FileType {
  readonly kind: FileKind;
  /** Compression of the whole file. @default none */
  readonly compression?: Compression;
}

export interface ByteSink {
  /** The memory of `bytes` may be reused once the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface TableWriter {
  /**
   * Writes a row. Returns a promise only if the caller has to wait.
   *
   * @param row An object or, for kinds with `acceptsText`, its JSON text.
   */
  write(row: Readonly<Record<string, unknown>> | string): Promise<void> | undefined;
  finish(): Promise<void>;
}

interface KindDefinition {
  /** Whether all values of a column have one type, which must be known before the first row. */
  readonly isTyped?: true;
  readonly acceptsText?: true;
  /** Whether the format compresses its data, so that the file must not be compressed again. */
  readonly compressesItself?: true;
  /**
   * Opens a table. Returns a promise for Parquet, whose code is large and is imported only when
   * needed.
   */
  readonly open: (schema: Schema, sink: ByteSink) => TableWriter | Promise<TableWriter>;
}

const KINDS: Readonly<Record<FileKind, KindDefinition>> = {
  jsonl: {
    acceptsText: true,
    open: (_schema, sink) => textTable(sink, { row: (row) => `${textOf(row)}\n` }),
  },
  // The file is an array with an object on each line.
  json: {
    acceptsText: true,
    open: (_schema, sink) =>
      textTable(sink, {
        start: "[",
        row: (row, index) => `${index === 0 ? "\n" : ",\n"}${textOf(row)}`,
        end: (rowCount) => rowCount === 0 ? "]\n" : "\n]\n",
      }),
  },
  csv: { open: ({ columns }, sink) => csv(sink, [...columns.keys()]) },
  parquet: {
    isTyped: true,
    compressesItself: true,
    open: async (schema, sink) => {
      const { ParquetTable } = await import("./parquet_table.ts");
      return new ParquetTable(schema, sink);
    },
  },
};

/** All kinds of files. The name of a kind is also its usual extension. */
export const FILE_KINDS = Object.keys(KINDS) as readonly FileKind[];

export function isTyped({ kind }: FileType): boolean {
  return KINDS[kind].isTyped ?? false;
}

export function acceptsText({ kind }: FileType): boolean {
  return KINDS[kind].acceptsText ?? false;
}

/** @param schema All columns; JSON Lines and JSON do not use it. */
export async function openTable(
  { kind, compression }: FileType,
  schema: Schema,
  sink: ByteSink,
): Promise<TableWriter> {
  if (compression === undefined) return await KINDS[kind].open(schema, sink);
  const compressor = compressorTo(sink, compression);
  const table = await KINDS[kind].open(schema, compressor);
  return {
    write: (row) => table.write(row),
    finish: async () => {
      await table.finish();
      await compressor.finish();
    },
  };
}

function compressorTo(target: ByteSink, compression: Compression) {
  const stream = createCompressor(compression);
  // Resolves once the target has all compressed bytes; rejects if the stream or the target fails.
  const copying = (async () => {
    for await (const chunk of stream) await target.write(new Uint8Array(chunk));
  })();
  // Prevents an unhandled rejection: the next `write` or `finish` reports the failure.
  copying.catch(() => {});
  return {
    write: async (bytes: Uint8Array) => {
      const writing = new Promise<void>((resolve, reject) => {
        stream.write(bytes.slice(), (error) => error ? reject(error) : resolve());
      });
      // If the target fails, the stream accepts nothing more and never calls back.
      await Promise.race([writing, copying]);
    },
    finish: async () => {
      stream.end();
      await copying;
    },
  };
}

/** Extensions of formats that are neither read nor written. A file with any other unknown extension
 * is written as JSON Lines. */
const FOREIGN_EXTENSION =
  /\.(xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)(\.(gz|zst|zstd))?$/;

/**
 * Returns the file type for a path; JSON Lines if the extension is unknown.
 *
 * @throws {UsageError} If the format cannot be written, or a Parquet file would be compressed.
 */
export function fileTypeOf(path: string): FileType {
  const fail = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  const namedFormat = formatOfName(path), format = namedFormat ?? "jsonl";
  const isForeign = namedFormat === undefined && FOREIGN_EXTENSION.test(path.toLowerCase());
  if (isForeign || !isFileKind(format)) return fail(`use ${extensionList()}`);
  const compression = compressionOfName(path);
  if (compression !== undefined && KINDS[format].compressesItself) {
    const plainPath = path.replace(/\.[^.]*$/, "");
    fail(`.${format} files are compressed already. Name it "${plainPath}"`);
  }
  return { kind: format, compression };
}

function isFileKind(format: InputFormat): format is FileKind {
  return Object.hasOwn(KINDS, format);
}

/** Returns `.jsonl, .json, .csv (each also .gz or .zst) or .parquet`. */
function extensionList(): string {
  const [compressing, plain] = [true, false].map((compressesItself) =>
    FILE_KINDS.filter((kind) => (KINDS[kind].compressesItself ?? false) === compressesItself)
      .map((kind) => `.${kind}`)
  );
  return [`${plain.join(", ")} (each also ${USUAL_EXTENSIONS.join(" or ")})`, ...compressing].join(
    " or ",
  );
}

type Fields = Readonly<Record<string, unknown>>;
/** A row, or its JSON text. */
type Row = Fields | string;

/** Text is written once it has this many characters. */
const BLOCK_CHARS = 1 << 20;

/** Writes lists and objects as JSON, null as an empty field. An empty field alone in its row
 * is quoted, because readers skip empty lines. */
function csv(sink: ByteSink, columns: readonly string[]): TableWriter {
  return textTable(sink, {
    start: `${columns.map(quoteName).join(",")}\r\n`,
    row: (row) => {
      const fields = columns.map((name) => quoteField(fieldOf(cellOf(row as Fields, name))));
      return `${fields.join(",") || '""'}\r\n`;
    },
  });
}

function textTable(sink: ByteSink, { start = "", row: rowText, end = () => "" }: {
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
      buffered += rowText(row, rowCount++);
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

/** Quotes a column name also if it contains what readers may take for the delimiter. */
function quoteName(name: string): string {
  return /[;|\t]/.test(name) ? `"${name.replaceAll('"', '""')}"` : quoteField(name);
}

function quoteField(field: string): string {
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
