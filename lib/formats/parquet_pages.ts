/**
 * Decompresses pages of Parquet, and decodes their levels and values without creating an object for
 * each of them. Rejects damaged pages that would make hyparquet loop or allocate without bounds.
 *
 * @module
 */

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  type ColumnMetaData,
  type Compressors,
  compressors,
  type DecodedArray,
  decompressPage,
  deltaBinaryUnpack,
  type parquetHeader,
  readDataPage,
  readPlain,
  readRleBitPackedHybrid,
  readVarInt,
} from "../deps/hyparquet.ts";
import type { LeafNode } from "./parquet_columns.ts";

export type Codec = ColumnMetaData["codec"];
export type PageHeader = ReturnType<typeof parquetHeader>;
type Decoder = Parameters<typeof readDataPage>[2];

/** Values of a page or dictionary. One object per value would outlive V8's young generation. */
export interface Values {
  /** The values, or the position in `bytes` at which each text begins (after its length). */
  readonly items: DecodedArray;
  /** The bytes of texts in the encoding PLAIN; undefined for other values. */
  readonly bytes: Uint8Array | undefined;
  /** The memory that `release` frees; undefined if other bytes share it. */
  readonly memory?: ArrayBuffer;
}

export interface Page extends Values {
  /** The definition levels. Empty if no value is null. */
  readonly definitions: Uint8Array;
  /** The repetition levels. Empty if the column is not repeated. */
  readonly repetitions: Uint8Array;
  /** The number of entries, including nulls. */
  readonly count: number;
  /** Whether `items` are indices into the dictionary. */
  readonly isIndex: boolean;
}

const NO_LEVELS = new Uint8Array();
export const NO_VALUES: Values = { items: [], bytes: undefined };
/** The page before the first page. */
export const NO_PAGE: Page = {
  ...NO_VALUES,
  definitions: NO_LEVELS,
  repetitions: NO_LEVELS,
  count: 0,
  isIndex: false,
};

export class PageDecoder {
  readonly #decoder: Decoder;
  readonly #definition: number;
  readonly #repetition: number;

  constructor({ elements, definition, repetition }: LeafNode, codec: Codec) {
    this.#definition = definition;
    this.#repetition = repetition;
    const element = elements.at(-1)!;
    // hyparquet must treat the column as required, because this class reads the levels itself.
    const required = { element: { ...element, repetition_type: "REQUIRED" } };
    this.#decoder = {
      element,
      type: element.type!,
      codec,
      compressors: CODECS,
      schemaPath: [{ element: elements[0] }, required],
    } as unknown as Decoder;
  }

  dictionary(header: PageHeader, bytes: Uint8Array): Values {
    const page = this.#decompressed(bytes, header.uncompressed_page_size);
    const values = this.#plain(page, header.dictionary_page_header!.num_values);
    return { ...values, memory: memoryOf(page, bytes) };
  }

  page(header: PageHeader, bytes: Uint8Array): Page {
    const v1 = header.data_page_header, v2 = v1 ? undefined : header.data_page_header_v2;
    const { num_values: count, encoding } = (v1 ?? v2)!;
    // In version 2, levels are not compressed, and the header states their lengths.
    const body = v2 ? bytes : this.#decompressed(bytes, header.uncompressed_page_size);
    const reader = readerOf(body);
    const repetitionBytes = v2?.repetition_levels_byte_length;
    const levelBytes = v2 ? v2.repetition_levels_byte_length + v2.definition_levels_byte_length : 0;
    // The lengths in a damaged header may not be numbers. `checkRuns` would then never end.
    if (!(Number.isInteger(levelBytes) && levelBytes <= body.length)) {
      throw new Error("its levels are longer than a page");
    }
    const repetitions = levelsOf(reader, this.#repetition, count, repetitionBytes);
    if (repetitionBytes !== undefined) reader.offset = repetitionBytes;
    const definitionBytes = v2?.definition_levels_byte_length;
    const definitions = levelsOf(reader, this.#definition, count, definitionBytes);
    if (v2) reader.offset = levelBytes;
    const levels = { count, repetitions, definitions: this.#definitionsOf(definitions) };
    const values = body.subarray(reader.offset),
      size = header.uncompressed_page_size - reader.offset;
    const isCompressed = v2 !== undefined && v2.is_compressed !== false && size !== 0;
    const page = isCompressed ? this.#decompressed(values, size) : values;
    const memory = memoryOf(v2 ? page : body, bytes);
    return { ...this.#withValues(page, encoding, levels), memory };
  }

  /** Returns the definition levels, or no levels for a page without nulls. */
  #definitionsOf(definitions: Uint8Array): Uint8Array {
    return definitions.every((level) => level === this.#definition) ? NO_LEVELS : definitions;
  }

  #withValues(
    bytes: Uint8Array,
    encoding: Encoding,
    levels: Pick<Page, "count" | "repetitions" | "definitions">,
  ): Page {
    const { count, definitions } = levels;
    let valueCount = definitions.length === 0 ? count : 0;
    for (const level of definitions) if (level === this.#definition) valueCount++;
    const isIndex = encoding.endsWith("_DICTIONARY");
    if (encoding === "PLAIN") return { ...levels, ...this.#plain(bytes, valueCount), isIndex };
    const items = isIndex
      ? indicesOf(bytes, valueCount)
      : this.#rareItems(bytes, encoding, valueCount);
    return { ...levels, items, bytes: undefined, isIndex };
  }

  #rareItems(bytes: Uint8Array, encoding: Encoding, count: number): DecodedArray {
    if (count === 0) return [];
    // Only booleans have this encoding: levels of 0 or 1, preceded by their length in bytes.
    if (encoding === "RLE") return Array.from(levelsOf(readerOf(bytes), 1, count), Boolean);
    if (encoding === "DELTA_BYTE_ARRAY") return textsOfPrefixes(bytes, count);
    const header = { num_values: count, encoding } as NonNullable<PageHeader["data_page_header"]>;
    return readDataPage(bytes, header, this.#decoder).dataPage;
  }

  #plain(bytes: Uint8Array, count: number): Values {
    const { type, element } = this.#decoder;
    if (type === "BYTE_ARRAY") return { items: startsOf(bytes, count), bytes };
    const items = readPlain(readerOf(bytes), type, count, element.type_length);
    return { items, bytes: undefined };
  }

  #decompressed(bytes: Uint8Array, size: number): Uint8Array {
    const { codec, compressors } = this.#decoder;
    return decompressPage(bytes, size, codec, compressors);
  }
}

/** Returns the memory to free with a page; undefined if other bytes may share it. */
function memoryOf(
  { buffer, byteLength }: Uint8Array,
  compressed: Uint8Array,
): ArrayBuffer | undefined {
  const isOwn = buffer !== compressed.buffer && byteLength === buffer.byteLength;
  return isOwn && buffer instanceof ArrayBuffer ? buffer : undefined;
}

/** Frees the memory of a page. Garbage collection alone would leave 20 MB of pages unfreed. */
export function release({ memory }: Values): void {
  memory?.transfer(0);
}

type Encoding = NonNullable<PageHeader["data_page_header"]>["encoding"];

/** Returns a value. A text is returned as bytes. */
export function valueIn({ items, bytes }: Values, index: number): unknown {
  if (bytes === undefined) return items[index];
  return bytes.subarray(items[index] as number, items[index + 1] as number - LENGTH_BYTES);
}

/** Uses `node:zlib` where possible. zstd in JavaScript took 40 % of the time to read a file. */
export const CODECS: Compressors = Object.fromEntries(
  Object.entries({
    ...compressors,
    ZSTD: withFallback("ZSTD", zstdDecompressSync),
    GZIP: withFallback("GZIP", gunzipSync),
    BROTLI: withFallback("BROTLI", brotliDecompressSync),
  }).map(([codec, decompress]) => [codec, acceptEmpty(decompress)]),
);

type Decompress = (compressed: Uint8Array, length: number) => Uint8Array;

/** Some writers store an empty dictionary as no bytes, which codecs cannot decompress. */
function acceptEmpty(decompress: Decompress): Decompress {
  return (compressed, length) => length === 0 ? new Uint8Array() : decompress(compressed, length);
}

/** Decompresses in JavaScript if `node:zlib` fails or returns a wrong length, as it does when it
 * stops after the first of several frames. */
function withFallback(
  codec: "ZSTD" | "GZIP" | "BROTLI",
  decompress: (compressed: Uint8Array, options: { chunkSize: number }) => Uint8Array,
): Decompress {
  return (compressed, length) => {
    try {
      // By default, zlib would join pieces of 16 KB.
      const page = decompress(compressed, { chunkSize: Math.max(64, length) });
      if (page.length === length) return page;
    } catch {
      // The decoder below succeeds, or throws an error with a better message.
    }
    return compressors[codec]!(compressed, length);
  };
}

/** The size of the length that precedes a text, or the levels. */
const LENGTH_BYTES = 4;

/** Returns where each text begins. The last entry is where another text would begin. */
function startsOf(bytes: Uint8Array, count: number): Uint32Array {
  const { view } = readerOf(bytes);
  const starts = new Uint32Array(count + 1);
  let start = LENGTH_BYTES;
  for (let i = 0; i < count; i++) {
    starts[i] = start;
    start += view.getUint32(start - LENGTH_BYTES, true) + LENGTH_BYTES;
  }
  if (start - LENGTH_BYTES > bytes.length) throw new Error("a text is longer than its page");
  starts[count] = start;
  return starts;
}

function indicesOf(bytes: Uint8Array, count: number): Uint8Array | Uint32Array {
  const width = count === 0 ? 0 : bytes[0];
  if (width === 0) return new Uint8Array(count);
  const indices = new Uint32Array(count);
  const reader = { ...readerOf(bytes), offset: 1 };
  checkRuns(reader, width, count);
  readRleBitPackedHybrid(reader, width, indices, bytes.length - 1);
  return indices;
}

/** @param length The size of the levels in bytes. @default the size that is stored before them */
function levelsOf(
  reader: Reader,
  maxLevel: number,
  count: number,
  length?: number,
): Uint8Array {
  if (maxLevel === 0) return NO_LEVELS;
  const levels = new Uint8Array(count), width = 32 - Math.clz32(maxLevel);
  const start = reader.offset + (length === undefined ? LENGTH_BYTES : 0);
  checkRuns({ view: reader.view, offset: start }, width, count);
  readRleBitPackedHybrid(reader, width, levels, length);
  return levels;
}

/**
 * Throws if a run repeats a value more often than the page has values. hyparquet would repeat it as
 * often as a damaged run states, up to 2^31 times.
 */
function checkRuns({ view, offset }: Reader, width: number, count: number): void {
  const reader = { view, offset };
  for (let valueCount = 0; valueCount < count;) {
    const header = readVarInt(reader), length = header >>> 1;
    const isPacked = (header & 1) === 1;
    if (!isPacked && length > count) {
      throw new Error("a value is repeated beyond the end of its page");
    }
    valueCount += isPacked ? length * 8 : length;
    // hyparquet reads at least one byte of a packed run, even if the run has no values.
    reader.offset += isPacked ? Math.max(1, length * width) : (width + 7) >> 3;
  }
}

/** Decodes DELTA_BYTE_ARRAY: for each text, the length of the prefix shared with the previous text,
 * and the rest. hyparquet would allocate as much memory as a damaged length states. */
function textsOfPrefixes(bytes: Uint8Array, count: number): Uint8Array[] {
  const reader = readerOf(bytes);
  const prefixes = new Int32Array(count), suffixes = new Int32Array(count);
  deltaBinaryUnpack(reader, count, prefixes);
  deltaBinaryUnpack(reader, count, suffixes);
  let start = reader.offset, previous: Uint8Array = new Uint8Array();
  return Array.from(prefixes, (prefixLength, index) => {
    const end = start + suffixes[index];
    const isPrefixValid = prefixLength >= 0 && prefixLength <= previous.length;
    if (!isPrefixValid || end < start || end > bytes.length) {
      throw new Error("a text is longer than its page");
    }
    const suffix = bytes.subarray(start, end);
    start = end;
    if (prefixLength === 0) return previous = suffix;
    const text = new Uint8Array(prefixLength + suffix.length);
    text.set(previous.subarray(0, prefixLength));
    text.set(suffix, prefixLength);
    return previous = text;
  });
}

export type Reader = Parameters<typeof readRleBitPackedHybrid>[0];

export function readerOf({ buffer, byteOffset, byteLength }: Uint8Array): Reader {
  return { view: new DataView(buffer, byteOffset, byteLength), offset: 0 };
}
