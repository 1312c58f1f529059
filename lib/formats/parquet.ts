/**
 * The rows of a Parquet file, each as the JSON text that a user would write for it.
 *
 * @module
 */

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  type AsyncBuffer,
  type Compressors,
  compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { systemReason } from "../files.ts";
import type { Line } from "./lines.ts";
import {
  type ExactType,
  exactTypesOf,
  plainSchema,
  rowWriterOf,
  VALUE_PARSERS,
} from "./parquet_values.ts";

/** How a Parquet file is read. */
export interface ParquetOptions {
  /** What an error calls the file. */
  readonly name: string;
  /** Columns of bytes that are read as base64 text. @default none: such a column is refused */
  readonly binaryColumns?: readonly string[];
  /** Reads the row groups that begin within these rows, counted from 0. @default all */
  readonly rows?: { readonly start: number; readonly end: number };
}

/** Rows are decoded in slices of about this size: a whole row group may hold a million of them, and each slice
 * unpacks the pages at its borders again. 2,000 rows at once took ten times as long as all of 100,000. */
const SLICE_BYTES = 8 * 2 ** 20;
const LEAST_SLICE_ROWS = 32, MOST_SLICE_ROWS = 50_000;
const BATCH_ROWS = 32;

/** A row group. */
export interface RowGroup {
  /** Its rows. */
  readonly rows: number;
  /** Its bytes, compressed. */
  readonly bytes: number;
}

/** The row groups of a file, in their order. */
export async function rowGroupsOf(path: string, name: string): Promise<RowGroup[]> {
  using file = await openFile(path, name);
  const { row_groups: groups } = await metadataOf(await bufferOf(file), name);
  return groups.map(({ num_rows: rows, total_byte_size: total, columns }) => ({
    rows: Number(rows),
    bytes: columns.reduce(
      (sum, { meta_data: meta }) => sum + Number(meta?.total_compressed_size ?? 0),
      0,
    ) || Number(total),
  }));
}

/** The types of the columns that JSON has none for. */
export async function readExactTypes(
  path: string,
  name: string,
): Promise<ReadonlyMap<string, ExactType>> {
  using file = await openFile(path, name);
  const { schema } = await metadataOf(await bufferOf(file), name);
  return exactTypesOf(schema);
}

/** Reads the rows in small batches; `number` counts them from 1 over the whole file. */
export async function* readParquet(path: string, options: ParquetOptions): AsyncGenerator<Line[]> {
  using file = await openFile(path, options.name);
  const buffer = await bufferOf(file);
  const metadata = await metadataOf(buffer, options.name);
  const columns = plainSchema(metadata.schema);
  const textOf = rowWriterOf(columns);
  refuseBinary(columns.binary, options);
  const { start: firstRow, end: endRow } = options.rows ?? { start: 0, end: Infinity };
  let groupEnd = 0;
  for (const group of metadata.row_groups) {
    const groupStart = groupEnd;
    groupEnd = groupStart + Number(group.num_rows);
    if (groupStart < firstRow || groupStart >= endRow) continue;
    const held = await holding(buffer, group);
    const sliceRows = sliceRowsOf(group);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += sliceRows) {
      const rowEnd = Math.min(rowStart + sliceRows, groupEnd);
      const place = `rows ${rowStart + 1} to ${rowEnd} are damaged`;
      const rows = await reading(options.name, place, () =>
        parquetReadObjects({
          file: held,
          metadata: { ...metadata, schema: columns.schema } as FileMetaData,
          rowStart,
          rowEnd,
          compressors: CODECS,
          parsers: VALUE_PARSERS,
          utf8: false,
          useOffsetIndex: true,
        }));
      yield* batchesOf(rows, rowStart, textOf);
    }
  }
}

function* batchesOf<T>(
  rows: readonly T[],
  rowsBefore: number,
  textOf: (row: T) => string,
): Generator<Line[]> {
  for (let at = 0; at < rows.length; at += BATCH_ROWS) {
    yield rows.slice(at, at + BATCH_ROWS).map((row, index) => ({
      number: rowsBefore + at + index + 1,
      text: textOf(row),
      problem: undefined,
      bytes: undefined,
    }));
  }
}

function sliceRowsOf({ columns, num_rows: rows }: FileMetaData["row_groups"][number]): number {
  const bytes = columns.reduce(
    (sum, { meta_data: meta }) => sum + Number(meta?.total_uncompressed_size ?? 0),
    0,
  );
  const fitting = Math.floor(SLICE_BYTES / Math.max(1, bytes / Number(rows)));
  return Math.min(MOST_SLICE_ROWS, Math.max(LEAST_SLICE_ROWS, fitting));
}

function refuseBinary(
  found: readonly string[],
  { name, binaryColumns = [] }: ParquetOptions,
): void {
  const refused = found.filter((path) =>
    !binaryColumns.some((column) => path === column || path.startsWith(`${column}.`))
  );
  if (refused.length === 0) return;
  const column = refused[0].split(".")[0];
  throw new SourceError(
    `Cannot read "${name}": column ${JSON.stringify(refused[0])} holds bytes, not text. Add ` +
      `--binary-columns ${column} to take it as base64`,
    { path: name },
  );
}

async function openFile(path: string, name: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    throw new SourceError(`Cannot read "${name}": ${systemReason(cause)}`, { path: name, cause });
  }
}

async function bufferOf(file: Deno.FsFile): Promise<AsyncBuffer> {
  const { size } = await file.stat();
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
      await file.seek(start, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const count = await file.read(bytes.subarray(at));
        if (count === null) throw new Error("the file is shorter than its footer says");
        at += count;
      }
      return bytes.buffer;
    },
  };
}

/** The bytes of a row group are read once, however often it is looked into. */
async function holding(
  buffer: AsyncBuffer,
  group: FileMetaData["row_groups"][number],
): Promise<AsyncBuffer> {
  let start = Infinity, end = 0;
  for (const { meta_data: meta } of group.columns) {
    if (meta === undefined) continue;
    const first = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
    start = Math.min(start, first, Number(meta.data_page_offset));
    end = Math.max(end, first + Number(meta.total_compressed_size));
  }
  if (!(start < end) || end - start > MOST_HELD_BYTES) return buffer;
  const bytes = await buffer.slice(start, Math.min(end, buffer.byteLength));
  return {
    byteLength: buffer.byteLength,
    slice: (from, to = buffer.byteLength) =>
      from >= start && to <= start + bytes.byteLength
        ? bytes.slice(from - start, to - start)
        : buffer.slice(from, to),
  };
}

const MOST_HELD_BYTES = 64 * 2 ** 20;

async function reading<T>(name: string, problem: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw cannotRead(name, `${problem} (${(cause as Error).message})`, cause);
  }
}

function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

const MARK = "PAR1", ENCRYPTED_MARK = "PARE";
/** What the packages unpack. */
const CODEC_NAMES = new Set(["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]);

/**
 * What the footer of a file says.
 *
 * @throws {SourceError} where the file is none that can be read, with what it is
 */
async function metadataOf(buffer: AsyncBuffer, name: string): Promise<FileMetaData> {
  const { byteLength: size } = buffer;
  if (size === 0) throw cannotRead(name, "it is empty, which no Parquet file is");
  const textAt = async (at: number) =>
    new TextDecoder("latin1").decode(await buffer.slice(Math.max(0, at), Math.max(0, at) + 4));
  const [start, end] = [await textAt(0), await textAt(size - 4)];
  if (end === ENCRYPTED_MARK) throw cannotRead(name, ENCRYPTED);
  if (start !== MARK && end !== MARK) {
    throw cannotRead(name, "it is no Parquet file. Name its format with --input-format");
  }
  if (end !== MARK || size < 12) {
    throw cannotRead(name, "it is no whole Parquet file: its end is missing. Copy it again");
  }
  const problem = "its footer is damaged";
  const metadata = await reading(name, problem, () => parquetMetadataAsync(buffer));
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: meta, crypto_metadata: crypto } of columns) {
      if (crypto !== undefined || meta === undefined) throw cannotRead(name, ENCRYPTED);
      if (CODEC_NAMES.has(meta.codec)) continue;
      const column = JSON.stringify(meta.path_in_schema.join("."));
      throw cannotRead(
        name,
        `column ${column} is packed with ${meta.codec}, which is not supported`,
      );
    }
  }
  return metadata;
}

const ENCRYPTED = "it is encrypted. Write it again without encryption";

/** What unpacks pages: the runtime's own code where it has any. With the portable one zstd took 40 % of the time of
 * reading a file. */
export const CODECS: Compressors = {
  ...compressors,
  ZSTD: preferring("ZSTD", zstdDecompressSync),
  GZIP: preferring("GZIP", gunzipSync),
  BROTLI: preferring("BROTLI", brotliDecompressSync),
};

/** Where the runtime's code fails or stops early, as behind the first of several frames, the portable one decides. */
function preferring(
  codec: "ZSTD" | "GZIP" | "BROTLI",
  unpack: (packed: Uint8Array) => Uint8Array,
): Compressors[typeof codec] {
  return (packed, length) => {
    try {
      const page = unpack(packed);
      if (page.length === length) return page;
    } catch {
      // The other one says what is wrong.
    }
    return compressors[codec]!(packed, length);
  };
}
