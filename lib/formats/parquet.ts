/**
 * The rows of a Parquet file, each as the JSON text that a user would write for it.
 *
 * @module
 */

import type { AsyncBuffer, FileMetaData } from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { systemReason } from "../files.ts";
import type { Line } from "./lines.ts";
import { plainSchema, toJsonText, VALUE_PARSERS } from "./parquet_values.ts";

/** How a Parquet file is read. */
export interface ParquetOptions {
  /** What an error calls the file. */
  readonly name: string;
  /** Columns of bytes that are read as base64 text. @default none: such a column is refused */
  readonly binaryColumns?: readonly string[];
  /** Reads the row groups that begin within these rows, counted from 0. @default all */
  readonly rows?: { readonly start: number; readonly end: number };
}

/** Rows that are decoded at once: a whole row group may hold a million. */
const SLICE_ROWS = 2_000;
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
  const { parquetMetadataAsync } = await import("../deps/hyparquet.ts");
  using file = await openFile(path, name);
  const buffer = await bufferOf(file);
  const { row_groups: groups } = await reading(name, () => parquetMetadataAsync(buffer));
  return groups.map(({ num_rows: rows, total_byte_size: total, columns }) => ({
    rows: Number(rows),
    bytes: columns.reduce(
      (sum, { meta_data: meta }) => sum + Number(meta?.total_compressed_size ?? 0),
      0,
    ) || Number(total),
  }));
}

/** Reads the rows in small batches; `number` counts them from 1 over the whole file. */
export async function* readParquet(path: string, options: ParquetOptions): AsyncGenerator<Line[]> {
  const { compressors, parquetMetadataAsync, parquetReadObjects } = await import(
    "../deps/hyparquet.ts"
  );
  using file = await openFile(path, options.name);
  const buffer = await bufferOf(file);
  const metadata = await reading(options.name, () => parquetMetadataAsync(buffer));
  const columns = plainSchema(metadata.schema);
  refuseBinary(columns.binary, options);
  const { start: firstRow, end: endRow } = options.rows ?? { start: 0, end: Infinity };
  let groupEnd = 0;
  for (const group of metadata.row_groups) {
    const groupStart = groupEnd;
    groupEnd = groupStart + Number(group.num_rows);
    if (groupStart < firstRow || groupStart >= endRow) continue;
    const held = await holding(buffer, group);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += SLICE_ROWS) {
      const rowEnd = Math.min(rowStart + SLICE_ROWS, groupEnd);
      const rows = await reading(options.name, () =>
        parquetReadObjects({
          file: held,
          metadata: { ...metadata, schema: columns.schema } as FileMetaData,
          rowStart,
          rowEnd,
          compressors,
          parsers: VALUE_PARSERS,
          utf8: false,
          useOffsetIndex: true,
        }));
      for (let at = 0; at < rows.length; at += BATCH_ROWS) {
        yield rows.slice(at, at + BATCH_ROWS).map((row, index) => ({
          number: rowStart + at + index + 1,
          text: toJsonText(row, columns.decimals),
          problem: undefined,
          bytes: undefined,
        }));
      }
    }
  }
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

async function reading<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    const reason = `it is no whole Parquet file (${(cause as Error).message})`;
    throw new SourceError(`Cannot read "${name}": ${reason}`, { path: name, cause });
  }
}
