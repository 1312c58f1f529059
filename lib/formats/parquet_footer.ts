/**
 * Reads and checks the footer of a Parquet file (Thrift, compact protocol). Row groups are decoded
 * one at a time, because a footer may have thousands of them.
 *
 * @module
 */

import {
  type AsyncBuffer,
  CompressionCodecs,
  deserializeTCompactProtocol,
  parquetMetadata,
  readVarInt,
  readZigZag,
  type SchemaElement,
} from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { sumOf } from "../figures.js";
import { foreignBytes, inputError } from "./foreign_format.ts";
import type { ChunkLayout } from "./parquet_leaf.ts";
import { CODECS, type Reader, readerOf } from "./parquet_pages.ts";
import { type FileSchema, fileSchemaOf } from "./parquet_columns.ts";

/** Converts errors of `read` into a `SourceError` with this problem. A `SourceError` is not
 * converted. */
export async function withSourceErrors<T>(
  name: string,
  problem: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw inputError(name, `${problem}${reasonOf(cause)}`, cause);
  }
}

/** Returns the end of a message about damaged bytes. The messages of `TypeError` and `RangeError`
 * are omitted, because they come from inside hyparquet and explain nothing. */
export function reasonOf(cause: unknown): string {
  const isInternal = cause instanceof TypeError || cause instanceof RangeError;
  return `${isInternal ? "" : ` (${(cause as Error).message})`}. Copy the file again`;
}

/** The number of bytes at the start of a file, enough to recognize other formats. */
const HEAD_BYTES = 512;
const ENCRYPTED_MAGIC = "PARE";

export interface RowGroup {
  readonly rows: number;
  /** The compressed size, or the decompressed size if the footer does not state the compressed
   * one. */
  readonly bytes: number;
  /** The columns in the order of the schema's leaves. */
  readonly columns: readonly ChunkLayout[];
}

export interface Footer {
  readonly schema: FileSchema;
  /** Decodes the row groups. They are decoded again in each pass, because keeping 10,000 decoded
   * groups of three columns took 100 MB. */
  groups(): Iterable<RowGroup>;
}

/** @throws {SourceError} if the file is not Parquet, damaged, encrypted or not supported */
export async function readFooter(buffer: AsyncBuffer, name: string): Promise<Footer> {
  await checkMagic(buffer, name);
  return await withSourceErrors(name, "its footer is damaged", async () => {
    const bytes = await footerBytesOf(buffer);
    const list = findGroups(bytes);
    const schema = fileSchemaOf(schemaIn(bytes, list));
    checkSchema(schema, groupsIn(bytes, list), name);
    return { schema, groups: () => groupsIn(bytes, list).map(rowGroupOf) };
  });
}

function checkSchema(
  { columns, leaves }: FileSchema,
  groups: Iterable<ThriftGroup>,
  name: string,
): void {
  const names = columns.map((column) => column.name);
  const duplicate = names.find((column, index) => names.indexOf(column) !== index);
  if (duplicate !== undefined) {
    throw inputError(name, `two columns are called ${JSON.stringify(duplicate)}. Rename one`);
  }
  for (const { field_1: chunks } of groups) {
    if (chunks?.length !== leaves.length) {
      const problem = "its footer is damaged (the columns of a row group differ from its schema)";
      throw inputError(name, problem);
    }
    chunks.forEach((chunk, index) => checkChunk(chunk, leaves[index].path, name));
  }
}

function rowGroupOf({ field_1: chunks, field_2: size, field_3: rows }: ThriftGroup): RowGroup {
  const columns = chunks.map(({ field_3: meta }) => layoutOf(meta!));
  const bytes = sumOf(columns, ({ start, end }) => end - start);
  return { rows: Number(rows), bytes: bytes || Number(size), columns };
}

function layoutOf(meta: ThriftChunkMeta): ChunkLayout {
  // The dictionary comes before the data. If there is no dictionary, some writers store 0.
  const start = Number(meta.field_11 || meta.field_9);
  return {
    codec: CompressionCodecs[meta.field_4],
    valueCount: Number(meta.field_5),
    decompressedBytes: Number(meta.field_6),
    start,
    end: start + Number(meta.field_7),
  };
}

function checkChunk(chunk: ThriftChunk, column: string, name: string): void {
  if (chunk.field_8 !== undefined || chunk.field_3 === undefined) {
    throw inputError(name, ENCRYPTED);
  }
  if (chunk.field_1 !== undefined) {
    const file = JSON.stringify(new TextDecoder().decode(chunk.field_1));
    throw inputError(name, `its rows are in other files, such as ${file}. Name those instead`);
  }
  const codec = CompressionCodecs[chunk.field_3.field_4];
  if (codec in CODECS || codec === "UNCOMPRESSED") return;
  const problem = `is compressed with ${codec}, which is not supported`;
  throw inputError(name, `column ${JSON.stringify(column)} ${problem}`);
}

async function checkMagic(buffer: AsyncBuffer, name: string): Promise<void> {
  const { byteLength: size } = buffer;
  if (size === 0) throw inputError(name, "it is empty, so it is not a Parquet file");
  const head = new Uint8Array(await buffer.slice(0, Math.min(size, HEAD_BYTES)));
  const textOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  const start = textOf(head.subarray(0, 4));
  const end = textOf(new Uint8Array(await buffer.slice(Math.max(0, size - 4), size)));
  if (end === ENCRYPTED_MAGIC) throw inputError(name, ENCRYPTED);
  if (start !== MAGIC && end !== MAGIC) {
    throw foreignBytes(head, name) ??
      inputError(name, "it is not a Parquet file. Name its format with --input-format");
  }
  if (end !== MAGIC || size < MAGIC.length + TAIL_BYTES) {
    throw inputError(name, "it is not a complete Parquet file: its end is missing. Copy it again");
  }
}

async function footerBytesOf(buffer: AsyncBuffer): Promise<Uint8Array> {
  const { byteLength: size } = buffer;
  const tail = new DataView(await buffer.slice(size - TAIL_BYTES, size));
  const length = tail.getUint32(0, true);
  if (length > size - TAIL_BYTES) throw new Error("it is longer than the file");
  return new Uint8Array(await buffer.slice(size - TAIL_BYTES - length, size - TAIL_BYTES));
}

const ENCRYPTED = "it is encrypted. Write it again without encryption";

const MAGIC = "PAR1";
/** The size of the footer's length (4 bytes) and of the magic (4 bytes). */
const TAIL_BYTES = 8;

/** A row group: its columns, size in bytes and number of rows. The field numbers are those of
 * `parquet.thrift`. */
interface ThriftGroup {
  readonly field_1: readonly ThriftChunk[];
  readonly field_2: bigint;
  readonly field_3: bigint;
}

interface ThriftChunk {
  /** The path of the file that contains the chunk, if it is another file. */
  readonly field_1?: Uint8Array;
  readonly field_3?: ThriftChunkMeta;
  /** Present only if the chunk is encrypted. */
  readonly field_8?: unknown;
}

/** A column chunk: its codec, number of values, decompressed and compressed size, and the offsets
 * of its first data page and its dictionary. */
interface ThriftChunkMeta {
  readonly field_4: number;
  readonly field_5: bigint;
  readonly field_6: bigint;
  readonly field_7: bigint;
  readonly field_9: bigint;
  readonly field_11?: bigint;
}

/** A footer's list of row groups: the offsets of its header, first group and end. */
interface GroupList {
  readonly header: number;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** The number of the field `row_groups` of `FileMetaData`. */
const GROUPS_FIELD = 4;
/** Types in Thrift's compact protocol. */
const BOOLEANS = [1, 2], BYTE = 3, INTEGERS = [4, 5, 6];
const DOUBLE = 7, BINARY = 8, LIST = 9, STRUCT = 12;

function findGroups(bytes: Uint8Array): GroupList {
  const reader = readerOf(bytes);
  for (let field = 0;;) {
    const byte = reader.view.getUint8(reader.offset++);
    if (byte === 0) throw new Error("it has no row groups");
    field = byte >> 4 === 0 ? readZigZag(reader) : field + (byte >> 4);
    if (field !== GROUPS_FIELD) {
      skip(reader, byte & 15);
      continue;
    }
    const header = reader.offset;
    const { count, type } = listHeaderOf(reader);
    if (count !== 0 && type !== STRUCT) throw new Error("its row groups are not structs");
    const start = reader.offset;
    for (let i = 0; i < count; i++) skip(reader, type);
    return { header, start, end: reader.offset, count };
  }
}

/** Reads the schema from a copy of the footer without row groups, because decoding those takes time
 * and memory. */
function schemaIn(bytes: Uint8Array, { header, end }: GroupList): SchemaElement[] {
  const length = header + 1 + bytes.length - end;
  const footer = new Uint8Array(length + TAIL_BYTES);
  footer.set(bytes.subarray(0, header));
  // This byte is an empty list of structs.
  footer[header] = STRUCT;
  footer.set(bytes.subarray(end), header + 1);
  new DataView(footer.buffer).setUint32(length, length, true);
  footer.set(new TextEncoder().encode(MAGIC), length + 4);
  return parquetMetadata(footer, { geoparquet: false }).schema;
}

function* groupsIn(bytes: Uint8Array, { start, count }: GroupList): Generator<ThriftGroup> {
  const reader = { ...readerOf(bytes), offset: start };
  for (let i = 0; i < count; i++) {
    yield deserializeTCompactProtocol(reader) as unknown as ThriftGroup;
  }
}

function listHeaderOf(reader: Reader): { count: number; type: number } {
  const byte = reader.view.getUint8(reader.offset++);
  return { count: byte >> 4 === 15 ? lengthOf(reader) : byte >> 4, type: byte & 15 };
}

/** Reads a length. Throws if the length exceeds that of the footer, because every element takes at
 * least one byte. */
function lengthOf(reader: Reader): number {
  const length = readVarInt(reader);
  if (length < 0 || length > reader.view.byteLength) throw new Error("a length is beyond its end");
  return length;
}

function skip(reader: Reader, type: number): void {
  if (reader.offset > reader.view.byteLength) throw new Error("it ends too early");
  switch (type) {
    case BYTE:
      reader.offset++;
      return;
    case DOUBLE:
      reader.offset += 8;
      return;
    case BINARY: {
      const length = lengthOf(reader);
      reader.offset += length;
      return;
    }
    case LIST: {
      const { count, type: itemType } = listHeaderOf(reader);
      // In a list, a boolean takes one byte. As a field, it takes none, because its type encodes
      // its value.
      const sizeType = BOOLEANS.includes(itemType) ? BYTE : itemType;
      for (let i = 0; i < count; i++) skip(reader, sizeType);
      return;
    }
    case STRUCT:
      for (;;) {
        const byte = reader.view.getUint8(reader.offset++);
        if (byte === 0) return;
        // The upper four bits are the difference between the ids of this field and the previous
        // field. If they are 0, the id follows.
        if (byte >> 4 === 0) readVarInt(reader);
        skip(reader, byte & 15);
      }
    default:
      if (INTEGERS.includes(type)) readVarInt(reader);
      else if (!BOOLEANS.includes(type)) throw new Error(`it has a value of unknown type ${type}`);
  }
}
