/**
 * Reads and checks the footer of a Parquet file, and creates the errors for damaged files.
 *
 * @module
 */

import { type AsyncBuffer, CompressionCodecs } from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { foreignFormatError } from "./bytes.ts";
import { foreignBytes } from "./foreign_format.ts";
import { sumOf } from "../figures.ts";
import type { ChunkLayout } from "./parquet_leaf.ts";
import { CODECS } from "./parquet_pages.ts";
import {
  findGroups,
  type GroupList,
  groupsIn,
  MARK,
  schemaIn,
  TAIL_BYTES,
  type ThriftChunk,
  type ThriftChunkMeta,
} from "./parquet_thrift.ts";
import { type FileSchema, fileSchemaOf } from "./parquet_schema.ts";

/** Runs `read`, and turns its errors into source errors that name the file. */
export async function withSourceErrors<T>(
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
 * Returns the end of a message about damaged bytes: the reason and what to do. A `TypeError` or
 * `RangeError` comes from the inside of hyparquet and explains nothing.
 */
export function reasonOf(cause: unknown): string {
  const isInternal = cause instanceof TypeError || cause instanceof RangeError;
  return `${isInternal ? "" : ` (${(cause as Error).message})`}. Copy it again`;
}

export function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

/** Number of first bytes by which a file of another format is recognized. */
const HEAD_BYTES = 512;
/** The last bytes of a file whose footer is encrypted. */
const ENCRYPTED_MARK = "PARE";

export interface RowGroup {
  /** Number of rows. */
  readonly rows: number;
  /** Compressed size of all columns; decompressed if the footer lacks the compressed one. */
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
    return await withSourceErrors(name, "its footer is damaged", async () => {
      const bytes = await footerBytesOf(buffer);
      const groups = findGroups(bytes);
      const footer = new Footer(bytes, groups, fileSchemaOf(schemaIn(bytes, groups)));
      footer.#check(name);
      return footer;
    });
  }

  /** Decodes the row groups in order. */
  *groups(): Generator<RowGroup> {
    for (const group of groupsIn(this.#bytes, this.#groups)) {
      const columns = group.field_1.map(({ field_3: meta }) => layoutOf(meta!));
      const bytes = sumOf(columns, ({ start, end }) => end - start);
      yield { rows: Number(group.field_3), bytes: bytes || Number(group.field_2), columns };
    }
  }

  /** Throws if two columns have the same name, or if a column cannot be read. */
  #check(name: string): void {
    const { columns, leaves } = this.schema;
    const names = columns.map((column) => column.name);
    const duplicate = names.find((column, index) => names.indexOf(column) !== index);
    if (duplicate !== undefined) {
      throw cannotRead(name, `two columns are called ${JSON.stringify(duplicate)}. Rename one`);
    }
    for (const { field_1: chunks } of groupsIn(this.#bytes, this.#groups)) {
      if (chunks?.length !== leaves.length) {
        throw cannotRead(name, "its footer is damaged (a row group lacks columns)");
      }
      chunks.forEach((chunk, index) => checkChunk(chunk, leaves[index].path, name));
    }
  }
}

function layoutOf(meta: ThriftChunkMeta): ChunkLayout {
  // The dictionary comes before the data. Some writers store 0 if there is none.
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
    throw cannotRead(name, ENCRYPTED);
  }
  if (chunk.field_1 !== undefined) {
    const file = JSON.stringify(new TextDecoder().decode(chunk.field_1));
    throw cannotRead(name, `its rows are in other files, such as ${file}. Name those instead`);
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
      // Other formats are recognized after decompression, where gzip is the second compression.
      const what = foreign.what.replace(" twice", "");
      throw foreignFormatError(name, { ...foreign, what });
    }
    throw cannotRead(name, "it is not a Parquet file. Name its format with --input-format");
  }
  if (end !== MARK || size < MARK.length + TAIL_BYTES) {
    throw cannotRead(name, "it is not a complete Parquet file: its end is missing. Copy it again");
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
