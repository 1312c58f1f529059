/**
 * Reads the schema and the row groups of a Parquet footer (Thrift, compact protocol). Finds the
 * groups without decoding them.
 *
 * @module
 */

import {
  deserializeTCompactProtocol,
  parquetMetadata,
  readVarInt,
  readZigZag,
  type SchemaElement,
} from "../deps/hyparquet.ts";
import { type Reader, readerOf } from "./parquet_encodings.ts";

/** Parquet's magic number: the first four and the last four bytes of a file. */
export const MARK = "PAR1";
/** The number of bytes after the footer: its length (4), and the magic number (4). */
export const TAIL_BYTES = 8;

/**
 * A row group: columns, size in bytes, number of rows. `parquet.thrift` has the field numbers.
 */
export interface ThriftGroup {
  readonly field_1: readonly ThriftChunk[];
  readonly field_2: bigint;
  readonly field_3: bigint;
}

/** A column chunk: what a row group holds of a column. */
export interface ThriftChunk {
  /** File that holds the chunk, if it is another one. */
  readonly field_1?: Uint8Array;
  readonly field_3?: ThriftChunkMeta;
  /** Present if the chunk is encrypted. */
  readonly field_8?: unknown;
}

/**
 * The metadata of a column chunk: codec, number of values, decompressed and compressed size, and
 * the offsets of the first data page and of the dictionary.
 */
export interface ThriftChunkMeta {
  readonly field_4: number;
  readonly field_5: bigint;
  readonly field_6: bigint;
  readonly field_7: bigint;
  readonly field_9: bigint;
  readonly field_11?: bigint;
}

/**
 * Byte offsets of the list of row groups in a footer: its header, its first group, its end.
 */
export interface GroupList {
  readonly header: number;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** The field `row_groups` of `FileMetaData`. */
const GROUPS_FIELD = 4;
/** Type ids of the Thrift compact protocol. */
const BOOLEANS = [1, 2], BYTE = 3, INTEGERS = [4, 5, 6];
const DOUBLE = 7, BINARY = 8, LIST = 9, STRUCT = 12;

/** Finds the list of row groups in a footer. */
export function findGroups(bytes: Uint8Array): GroupList {
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

/**
 * Reads the schema's elements from a copy of the footer without row groups, which would take time
 * and memory.
 */
export function schemaIn(bytes: Uint8Array, { header, end }: GroupList): SchemaElement[] {
  const length = header + 1 + bytes.length - end;
  const footer = new Uint8Array(length + TAIL_BYTES);
  footer.set(bytes.subarray(0, header));
  // The header of an empty list of structs.
  footer[header] = STRUCT;
  footer.set(bytes.subarray(end), header + 1);
  new DataView(footer.buffer).setUint32(length, length, true);
  footer.set(new TextEncoder().encode(MARK), length + 4);
  return parquetMetadata(footer, { geoparquet: false }).schema;
}

/** Decodes the row groups of a footer in order. */
export function* groupsIn(bytes: Uint8Array, { start, count }: GroupList): Generator<ThriftGroup> {
  const reader = { ...readerOf(bytes), offset: start };
  for (let i = 0; i < count; i++) {
    yield deserializeTCompactProtocol(reader) as unknown as ThriftGroup;
  }
}

function listHeaderOf(reader: Reader): { count: number; type: number } {
  const byte = reader.view.getUint8(reader.offset++);
  return { count: byte >> 4 === 15 ? lengthOf(reader) : byte >> 4, type: byte & 15 };
}

/**
 * Reads a length or count. Throws if it exceeds the footer: every element takes at least one byte.
 */
function lengthOf(reader: Reader): number {
  const length = readVarInt(reader);
  if (length < 0 || length > reader.view.byteLength) throw new Error("a length is beyond its end");
  return length;
}

/** Moves past a value of a Thrift type. */
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
      // In a list, a boolean takes a byte. As a field it takes none: its type is its value.
      const sizeType = BOOLEANS.includes(itemType) ? BYTE : itemType;
      for (let i = 0; i < count; i++) skip(reader, sizeType);
      return;
    }
    case STRUCT:
      for (;;) {
        const byte = reader.view.getUint8(reader.offset++);
        if (byte === 0) return;
        // The upper bits are the difference to the last field's id; if 0, the id itself follows.
        if (byte >> 4 === 0) readVarInt(reader);
        skip(reader, byte & 15);
      }
    default:
      if (INTEGERS.includes(type)) readVarInt(reader);
      else if (!BOOLEANS.includes(type)) throw new Error(`it has a value of unknown type ${type}`);
  }
}
