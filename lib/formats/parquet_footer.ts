/**
 * Reads and checks the footer of a Parquet file.
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
import { foreignFormatError } from "./bytes.ts";
import { foreignBytes } from "./foreign_format.ts";
import { sumOf } from "../figures.ts";
import type { ChunkLayout } from "./parquet_leaf.ts";
import { CODECS } from "./parquet_pages.ts";
import { type FileSchema, fileSchemaOf } from "./parquet_columns.ts";

/** Turns errors of `read` into source errors that name the file. */
export async function reading<T>(
  name: string,
  problem: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw cannotRead(name, `${problem}${reasonOf(cause)}`, cause);
  }
}

/**
 * Returns a package's message about damaged bytes. `TypeError` and `RangeError` come from its own
 * code and say nothing.
 */
export function reasonOf(cause: unknown): string {
  const isOfCode = cause instanceof TypeError || cause instanceof RangeError;
  return `${isOfCode ? "" : ` (${(cause as Error).message})`}. Copy it again`;
}

export function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

const HEAD_BYTES = 512;
const MARK = "PAR1", ENCRYPTED_MARK = "PARE";
/** The last bytes of a file: the length of the footer (4), and the mark (4). */
const TAIL_BYTES = 8;

export interface RowGroup {
  readonly rows: number;
  /** Compressed size of all columns. */
  readonly bytes: number;
  /** Where each column is, in the order of the schema's leaves. */
  readonly columns: readonly ChunkLayout[];
}

/**
 * Footer of a file. Its row groups are decoded from the bytes for each pass: as objects, those of a
 * file with 10,000 row groups of three columns took 100 MB.
 */
export class Footer {
  readonly schema: FileSchema;
  readonly #bytes: Uint8Array;
  readonly #groups: GroupList;

  private constructor(bytes: Uint8Array, groups: GroupList, schema: FileSchema) {
    this.#bytes = bytes;
    this.#groups = groups;
    this.schema = schema;
  }

  /**
   * Reads and checks the footer of a file.
   *
   * @throws {SourceError} if the file cannot be read, with the reason
   */
  static async read(buffer: AsyncBuffer, name: string): Promise<Footer> {
    await checkMarks(buffer, name);
    return await reading(name, "its footer is damaged", async () => {
      const bytes = await footerBytesOf(buffer);
      const groups = findGroups(bytes);
      const footer = new Footer(bytes, groups, fileSchemaOf(schemaIn(bytes, groups)));
      footer.#check(name);
      return footer;
    });
  }

  /** Decodes the row groups in order. */
  *groups(): Generator<RowGroup> {
    for (const group of this.#thriftGroups()) {
      const columns = group.field_1.map(({ field_3: meta }) => layoutOf(meta!));
      const bytes = sumOf(columns, ({ start, end }) => end - start);
      yield { rows: Number(group.field_3), bytes: bytes || Number(group.field_2), columns };
    }
  }

  *#thriftGroups(): Generator<ThriftGroup> {
    const reader = { ...readerOf(this.#bytes), offset: this.#groups.start };
    for (let i = 0; i < this.#groups.count; i++) {
      yield deserializeTCompactProtocol(reader) as unknown as ThriftGroup;
    }
  }

  /** Throws if two columns have the same name, or if a column cannot be read. */
  #check(name: string): void {
    const { columns, leaves } = this.schema;
    const names = columns.map((column) => column.name);
    const twice = names.find((one, index) => names.indexOf(one) !== index);
    if (twice !== undefined) {
      throw cannotRead(name, `two columns are called ${JSON.stringify(twice)}. Rename one`);
    }
    for (const { field_1: chunks } of this.#thriftGroups()) {
      if (chunks?.length !== leaves.length) {
        throw cannotRead(name, "its footer is damaged (a row group lacks columns)");
      }
      chunks.forEach((chunk, index) => checkChunk(chunk, leaves[index].path, name));
    }
  }
}

/**
 * A row group. Fields have the numbers of parquet.thrift: columns, size in bytes, number of rows.
 */
interface ThriftGroup {
  readonly field_1: readonly ThriftChunk[];
  readonly field_2: bigint;
  readonly field_3: bigint;
}

interface ThriftChunk {
  /** File that holds the chunk, if it is another one. */
  readonly field_1?: Uint8Array;
  readonly field_3?: ThriftChunkMeta;
  /** Present if the chunk is encrypted. */
  readonly field_8?: unknown;
}

interface ThriftChunkMeta {
  readonly field_4: number;
  /**
   * Number of values, decompressed and compressed size, and the offsets of the first data page and
   * of the dictionary.
   */
  readonly field_5: bigint;
  readonly field_6: bigint;
  readonly field_7: bigint;
  readonly field_9: bigint;
  readonly field_11?: bigint;
}

function layoutOf(meta: ThriftChunkMeta): ChunkLayout {
  const start = Number(meta.field_11 || meta.field_9);
  return {
    codec: CompressionCodecs[meta.field_4],
    values: Number(meta.field_5),
    unpackedBytes: Number(meta.field_6),
    start,
    end: start + Number(meta.field_7),
  };
}

function checkChunk(chunk: ThriftChunk, column: string, name: string): void {
  if (chunk.field_8 !== undefined || chunk.field_3 === undefined) {
    throw cannotRead(name, ENCRYPTED);
  }
  if (chunk.field_1 !== undefined) {
    const other = JSON.stringify(new TextDecoder().decode(chunk.field_1));
    throw cannotRead(name, `its rows are in other files, such as ${other}. Name those`);
  }
  const codec = CompressionCodecs[chunk.field_3.field_4];
  if (codec in CODECS || codec === "UNCOMPRESSED") return;
  const problem = `is compressed with ${codec}, which is not supported`;
  throw cannotRead(name, `column ${JSON.stringify(column)} ${problem}`);
}

async function checkMarks(buffer: AsyncBuffer, name: string): Promise<void> {
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
}

async function footerBytesOf(buffer: AsyncBuffer): Promise<Uint8Array> {
  const { byteLength: size } = buffer;
  const tail = new DataView(await buffer.slice(size - TAIL_BYTES, size));
  const length = tail.getUint32(0, true);
  if (length > size - TAIL_BYTES) throw new Error("its length is that of more than the file");
  return new Uint8Array(await buffer.slice(size - TAIL_BYTES - length, size - TAIL_BYTES));
}

/**
 * Position of the list of row groups in the bytes of a footer. `start` is after the list's header.
 */
interface GroupList {
  readonly header: number;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** Number of the field of `FileMetaData` that holds the row groups. */
const GROUPS_FIELD = 4;
/** Types of values in the Thrift compact protocol. */
const BOOLEANS = [1, 2],
  BYTE = 3,
  INTEGERS = [4, 5, 6],
  DOUBLE = 7,
  BINARY = 8,
  LIST = 9,
  STRUCT = 12;

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

/**
 * Reads the schema's elements from a copy of the footer without row groups, which would take time
 * and memory.
 */
function schemaIn(bytes: Uint8Array, { header, end }: GroupList): SchemaElement[] {
  const length = header + 1 + bytes.length - end;
  const footer = new Uint8Array(length + TAIL_BYTES);
  footer.set(bytes.subarray(0, header));
  footer[header] = STRUCT;
  footer.set(bytes.subarray(end), header + 1);
  new DataView(footer.buffer).setUint32(length, length, true);
  footer.set(new TextEncoder().encode(MARK), length + 4);
  return parquetMetadata(footer, { geoparquet: false }).schema;
}

type Reader = Parameters<typeof readZigZag>[0];

function readerOf({ buffer, byteOffset, byteLength }: Uint8Array): Reader {
  return { view: new DataView(buffer, byteOffset, byteLength), offset: 0 };
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
      const { count, type: of } = listHeaderOf(reader);
      // In a list, a boolean takes a byte. As a field it takes none: its type is its value.
      for (let i = 0; i < count; i++) skip(reader, BOOLEANS.includes(of) ? BYTE : of);
      return;
    }
    case STRUCT:
      for (;;) {
        const byte = reader.view.getUint8(reader.offset++);
        if (byte === 0) return;
        if (byte >> 4 === 0) readVarInt(reader);
        skip(reader, byte & 15);
      }
    default:
      if (INTEGERS.includes(type)) readVarInt(reader);
      else if (!BOOLEANS.includes(type)) throw new Error(`it has a value of unknown type ${type}`);
  }
}

const ENCRYPTED = "it is encrypted. Write it again without encryption";
