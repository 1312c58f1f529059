/**
 * What the footer of a Parquet file says, checked.
 *
 * @module
 */

import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { foreignFormatError } from "./bytes.ts";
import { foreignBytes } from "./foreign_format.ts";
import { type FileSchema, fileSchemaOf } from "./parquet_schema.ts";

/** Names the file where its bytes cannot be read or decoded. */
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

/** What a package says of damaged bytes; not that a value in its own code is undefined. */
export function reasonOf(cause: unknown): string {
  const isOfCode = cause instanceof TypeError || cause instanceof RangeError;
  return `${isOfCode ? "" : ` (${(cause as Error).message})`}. Copy it again`;
}

/** The error for a file that is not what it should be. */
export function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
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
export async function metadataOf(buffer: AsyncBuffer, name: string): Promise<FileMetaData> {
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
      const column = JSON.stringify(meta.path_in_schema?.join("."));
      throw cannotRead(
        name,
        `column ${column} is compressed with ${meta.codec}, which is not supported`,
      );
    }
  }
  return metadata;
}

/** @throws {SourceError} where columns are not what a row can be made of */
export function schemaOf({ schema, row_groups: groups }: FileMetaData, name: string): FileSchema {
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
