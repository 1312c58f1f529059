/**
 * The rows of a Parquet file, each as the JSON text that a user would write for it.
 *
 * @module
 */

import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { foreignFormatError } from "./bytes.ts";
import { foreignBytes } from "./foreign_format.ts";
import type { Line } from "./lines.ts";
import { type ChunkBytes, LeafColumn, type RowNote } from "./parquet_pages.ts";
import { columnTextOf } from "./parquet_columns.ts";
import { type FileSchema, fileSchemaOf } from "./parquet_schema.ts";
import { type ExactType, exactTypeOf, isBytes } from "./parquet_values.ts";

/** How a Parquet file is read. */
export interface ParquetOptions {
  /** What an error calls the file. */
  readonly name: string;
  /** Columns of bytes that are read as base64 text. @default none: such a column is refused */
  readonly binaryColumns?: readonly string[];
  /** Reads only the row groups that begin within these rows, counted from 0. @default all */
  readonly rows?: { readonly start: number; readonly end: number };
}

const BATCH_ROWS = 32;
/** A row group of fewer bytes is read at once; of others each column is read bit by bit. */
const MAX_HELD_BYTES = 8 * 2 ** 20;

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

/** The types of the columns whose type JSON lacks. */
export async function readExactTypes(
  path: string,
  name: string,
): Promise<ReadonlyMap<string, ExactType>> {
  using file = await openFile(path, name);
  const { columns } = schemaOf(await metadataOf(await bufferOf(file), name), name);
  const types = new Map<string, ExactType>();
  for (const { name: column, node } of columns) {
    const type = exactTypeOf(node);
    if (type !== undefined) types.set(column, type);
  }
  return types;
}

/** Reads the rows in small batches; `number` counts them from 1 over the whole file. */
export async function* readParquet(path: string, options: ParquetOptions): AsyncGenerator<Line[]> {
  const { name, rows: { start, end } = { start: 0, end: Infinity } } = options;
  using file = await openFile(path, name);
  const buffer = await bufferOf(file);
  const metadata = await metadataOf(buffer, name);
  const schema = schemaOf(metadata, name);
  refuseBinary(schema, options);
  let before = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    if (rows > 0 && before >= start && before < end) {
      yield* readGroup(buffer, group, schema, { name, before });
    }
    before += rows;
  }
}

type RowGroupMetaData = FileMetaData["row_groups"][number];

async function* readGroup(
  buffer: AsyncBuffer,
  group: RowGroupMetaData,
  schema: FileSchema,
  { name, before }: { name: string; before: number },
): AsyncGenerator<Line[]> {
  const note: RowNote = { problem: undefined };
  const chunks = await chunksOf(buffer, group, name);
  const leaves = schema.leaves.map((leaf, index) =>
    new LeafColumn(leaf, group.columns[index].meta_data!, chunks[index], note)
  );
  const keys = schema.columns.map(({ name: column }, index) =>
    `${index === 0 ? "" : ","}${JSON.stringify(column)}:`
  );
  const texts = schema.columns.map(({ node }) => columnTextOf(node, leaves));
  let number = before;
  for (const end = before + Number(group.num_rows); number < end;) {
    const ready = await rowsReadyIn(leaves, Math.min(BATCH_ROWS, end - number), name, number + 1);
    const lines: Line[] = [];
    for (let i = 0; i < ready; i++) {
      let members = "";
      for (let column = 0; column < texts.length; column++) {
        members += keys[column] + texts[column].next();
      }
      lines.push(lineOf(++number, `{${members}}`, note));
    }
    for (const leaf of leaves) leaf.took(ready);
    yield lines;
  }
}

/** How many rows stand ready in all columns, one at least. */
async function rowsReadyIn(
  leaves: readonly LeafColumn[],
  most: number,
  name: string,
  number: number,
): Promise<number> {
  let ready = most;
  for (const column of leaves) {
    if (column.rowsReady <= 0) {
      const place = `column ${
        JSON.stringify(column.leaf.path)
      } is damaged in row ${number} or after it`;
      await reading(name, place, async () => {
        while (column.rowsReady <= 0) await column.load();
      });
    }
    ready = Math.min(ready, column.rowsReady);
  }
  return ready;
}

function lineOf(number: number, text: string, note: RowNote): Line {
  const { problem } = note;
  if (problem === undefined) return { number, text, problem, bytes: undefined };
  note.problem = undefined;
  return { number, text: undefined, problem, bytes: new TextEncoder().encode(text) };
}

function refuseBinary(
  { leaves }: FileSchema,
  { name, binaryColumns = [] }: ParquetOptions,
): void {
  const refused = leaves.find((leaf) =>
    isBytes(leaf) &&
    !binaryColumns.some((column) => leaf.path === column || leaf.path.startsWith(`${column}.`))
  );
  if (refused === undefined) return;
  throw new SourceError(
    `Cannot read "${name}": column ${JSON.stringify(refused.path)} holds bytes, not text. Add ` +
      `--binary-columns ${refused.elements[1].name} to take it as base64`,
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

/** The bytes of the columns of a row group. */
async function chunksOf(
  buffer: AsyncBuffer,
  { columns }: RowGroupMetaData,
  name: string,
): Promise<ChunkBytes[]> {
  const places = columns.map(({ meta_data: meta }) => {
    const start = Number(meta!.dictionary_page_offset || meta!.data_page_offset);
    return { start, end: start + Number(meta!.total_compressed_size) };
  });
  const start = Math.min(...places.map((one) => one.start));
  const end = Math.max(...places.map((one) => one.end));
  if (start < 0 || end > buffer.byteLength) {
    throw cannotRead(name, "its footer names bytes that it does not have");
  }
  const read = async (from: number, to: number) => new Uint8Array(await buffer.slice(from, to));
  if (end - start > MAX_HELD_BYTES) return places.map((place) => ({ ...place, read }));
  const held = await reading(name, "its rows cannot be read", () => read(start, end));
  return places.map((place) => ({
    ...place,
    read: (from, to) => Promise.resolve(held.subarray(from - start, to - start)),
  }));
}

async function reading<T>(name: string, problem: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw cannotRead(name, `${problem}${reasonOf(cause)}`, cause);
  }
}

/** What a package says of damaged bytes; not that a value in its own code is undefined. */
function reasonOf(cause: unknown): string {
  const isOfCode = cause instanceof TypeError || cause instanceof RangeError;
  return `${isOfCode ? "" : ` (${(cause as Error).message})`}. Copy it again`;
}

function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

const HEAD_BYTES = 512;
const MARK = "PAR1", ENCRYPTED_MARK = "PARE";
/** The codecs that can be decompressed. */
const CODECS = new Set(["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]);

/**
 * Reads the footer of a file.
 *
 * @throws {SourceError} where the file cannot be read, with the reason
 */
async function metadataOf(buffer: AsyncBuffer, name: string): Promise<FileMetaData> {
  const { byteLength: size } = buffer;
  if (size === 0) throw cannotRead(name, "it is empty, so it is not a Parquet file");
  const head = new Uint8Array(await buffer.slice(0, Math.min(size, HEAD_BYTES)));
  const textOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  const start = textOf(head.subarray(0, 4));
  const end = textOf(new Uint8Array(await buffer.slice(Math.max(0, size - 4), size)));
  if (end === ENCRYPTED_MARK) throw cannotRead(name, ENCRYPTED);
  if (start !== MARK && end !== MARK) {
    const foreign = foreignBytes(head);
    if (foreign !== undefined) {
      const what = foreign.what.replace(" twice", "");
      throw foreignFormatError(name, { ...foreign, what });
    }
    throw cannotRead(name, "it is not a Parquet file. Name its format with --input-format");
  }
  if (end !== MARK || size < 12) {
    throw cannotRead(name, "it is not a complete Parquet file: its end is missing. Copy it again");
  }
  const problem = "its footer is damaged";
  const metadata = await reading(
    name,
    problem,
    () => parquetMetadataAsync(buffer, { geoparquet: false }),
  );
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: meta, crypto_metadata: crypto } of columns) {
      if (crypto !== undefined || meta === undefined) throw cannotRead(name, ENCRYPTED);
      if (CODECS.has(meta.codec)) continue;
      const column = JSON.stringify(meta.path_in_schema.join("."));
      throw cannotRead(
        name,
        `column ${column} is compressed with ${meta.codec}, which is not supported`,
      );
    }
  }
  return metadata;
}

/** @throws {SourceError} where columns are not what a row can be made of */
function schemaOf({ schema, row_groups: groups }: FileMetaData, name: string): FileSchema {
  let found: FileSchema;
  try {
    found = fileSchemaOf(schema);
  } catch (cause) {
    throw cannotRead(name, `its footer is damaged${reasonOf(cause)}`, cause);
  }
  const { columns, leaves } = found;
  const names = columns.map((column) => column.name);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) {
    throw cannotRead(name, `two columns are called ${JSON.stringify(twice)}. Rename one`);
  }
  for (const group of groups) {
    if (group.columns.length === leaves.length) continue;
    throw cannotRead(name, "its footer is damaged (a row group lacks columns)");
  }
  return found;
}

const ENCRYPTED = "it is encrypted. Write it again without encryption";
