/**
 * Pages of Parquet: decompresses them, and decodes their levels and values without an object for
 * each value. Rejects damaged pages that would make hyparquet loop or allocate without bounds.
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

/**
 * Values of a page or dictionary. An object for each of them would outlive V8's young generation.
 */
export interface Values {
  /** The values; or if there are `bytes`, where each text begins there, after its length. */
  readonly items: DecodedArray;
  /** The bytes of texts in the encoding PLAIN; otherwise undefined. */
  readonly bytes: Uint8Array | undefined;
  /** Memory that `release` frees; absent if other bytes share it. */
  readonly memory?: ArrayBuffer;
}

/** A decoded page. */
export interface Page extends Values {
  /** Definition level of each value; empty if no value is null. */
  readonly definitions: Uint8Array;
  /** Repetition level of each value; empty if the column is not repeated. */
  readonly repetitions: Uint8Array;
  /** Number of values, nulls included. */
  readonly count: number;
  /** Whether `items` are indices into the dictionary. */
  readonly isIndex: boolean;
}

/** Stands for levels that are all the same. */
const NO_LEVELS = new Uint8Array();
/** Stands for a missing dictionary. */
export const NO_VALUES: Values = { items: [], bytes: undefined };
/** Stands for the page before the first one. */
export const NO_PAGE: Page = {
  ...NO_VALUES,
  definitions: NO_LEVELS,
  repetitions: NO_LEVELS,
  count: 0,
  isIndex: false,
};

/** Decodes the pages of a column chunk. */
export class PageDecoder {
  readonly #decoder: Decoder;
  readonly #definition: number;
  readonly #repetition: number;

  constructor({ elements, definition, repetition }: LeafNode, codec: Codec) {
    this.#definition = definition;
    this.#repetition = repetition;
    const element = elements.at(-1)!;
    // This class reads the levels itself, so hyparquet must treat the column as required.
    const required = { element: { ...element, repetition_type: "REQUIRED" } };
    this.#decoder = {
      element,
      type: element.type!,
      codec,
      compressors: CODECS,
      schemaPath: [{ element: elements[0] }, required],
    } as unknown as Decoder;
  }

  /** Decodes a dictionary page. */
  dictionary(header: PageHeader, bytes: Uint8Array): Values {
    const page = this.#decompressed(bytes, header.uncompressed_page_size);
    const values = this.#plain(page, header.dictionary_page_header!.num_values);
    return { ...values, memory: memoryOf(page, bytes) };
  }

  /** Decodes a data page of version 1 or 2. */
  page(header: PageHeader, bytes: Uint8Array): Page {
    const { data_page_header: v1, data_page_header_v2: v2 } = header;
    const { num_values: count, encoding } = (v1 ?? v2)!;
    const definition = this.#definition, repetition = this.#repetition;
    if (v1 !== undefined) {
      const page = this.#decompressed(bytes, header.uncompressed_page_size);
      const memory = memoryOf(page, bytes);
      const reader = readerOf(page);
      const repetitions = levelsOf(reader, repetition, count);
      const definitions = levelsOf(reader, definition, count);
      const levels = { count, repetitions, definitions: this.#definitionsOf(definitions) };
      return { ...this.#withValues(page.subarray(reader.offset), encoding, levels), memory };
    }
    const {
      repetition_levels_byte_length: repetitionBytes,
      definition_levels_byte_length: definitionBytes,
    } = v2!;
    const repetitions = levelsOf(readerOf(bytes), repetition, count, repetitionBytes);
    const definitions = levelsOf(
      readerOf(bytes.subarray(repetitionBytes)),
      definition,
      count,
      definitionBytes,
    );
    const levels = { count, repetitions, definitions: this.#definitionsOf(definitions) };
    const levelBytes = repetitionBytes + definitionBytes;
    const values = bytes.subarray(levelBytes), size = header.uncompressed_page_size - levelBytes;
    const isUncompressed = v2!.is_compressed === false || size === 0;
    const page = isUncompressed ? values : this.#decompressed(values, size);
    return { ...this.#withValues(page, encoding, levels), memory: memoryOf(page, bytes) };
  }

  /** Drops the levels of a page without nulls. */
  #definitionsOf(definitions: Uint8Array): Uint8Array {
    return definitions.every((level) => level === this.#definition) ? NO_LEVELS : definitions;
  }

  /** Adds the values, of which there is one for each entry that is not null. */
  #withValues(
    bytes: Uint8Array,
    encoding: Encoding,
    levels: Pick<Page, "count" | "repetitions" | "definitions">,
  ): Page {
    const { count, definitions } = levels;
    let valueCount = definitions.length === 0 ? count : 0;
    for (const level of definitions) if (level === this.#definition) valueCount++;
    if (encoding === "PLAIN") {
      return { ...levels, ...this.#plain(bytes, valueCount), isIndex: false };
    }
    if (encoding.endsWith("_DICTIONARY")) {
      return { ...levels, items: indicesOf(bytes, valueCount), bytes: undefined, isIndex: true };
    }
    return {
      ...levels,
      items: this.#rareItems(bytes, encoding, valueCount),
      bytes: undefined,
      isIndex: false,
    };
  }

  /** Decodes values in an encoding that few writers use. */
  #rareItems(bytes: Uint8Array, encoding: Encoding, count: number): DecodedArray {
    if (count === 0) return [];
    // Only booleans have this encoding: 0 or 1, after the length in bytes.
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

/** Returns the memory of a decompressed page; undefined if it may be shared with other bytes. */
function memoryOf(
  { buffer, byteLength }: Uint8Array,
  compressed: Uint8Array,
): ArrayBuffer | undefined {
  const isOwn = buffer !== compressed.buffer && byteLength === buffer.byteLength;
  return isOwn && buffer instanceof ArrayBuffer ? buffer : undefined;
}

/**
 * Frees the memory of values that were all written. The garbage collector would let 20 MB of pages
 * wait, because they are not part of its heap.
 */
export function release({ memory }: Values): void {
  memory?.transfer(0);
}

type Encoding = NonNullable<PageHeader["data_page_header"]>["encoding"];

/** Returns a value of a page or dictionary; of a text, its bytes. */
export function valueIn({ items, bytes }: Values, index: number): unknown {
  if (bytes === undefined) return items[index];
  return bytes.subarray(items[index] as number, items[index + 1] as number - LENGTH_BYTES);
}

/**
 * Codecs of Parquet: those of `node:zlib` where it has them. zstd in JavaScript took 40 % of the
 * time to read a file.
 */
export const CODECS: Compressors = Object.fromEntries(
  Object.entries({
    ...compressors,
    ZSTD: withFallback("ZSTD", zstdDecompressSync),
    GZIP: withFallback("GZIP", gunzipSync),
    BROTLI: withFallback("BROTLI", brotliDecompressSync),
  }).map(([codec, decompress]) => [codec, acceptEmpty(decompress)]),
);

type Decompress = (compressed: Uint8Array, length: number) => Uint8Array;

/** Some writers store an empty dictionary as no bytes, which no codec can decompress. */
function acceptEmpty(decompress: Decompress): Decompress {
  return (compressed, length) => length === 0 ? new Uint8Array() : decompress(compressed, length);
}

/**
 * Decompresses by `node:zlib`. If that fails or stops early, as it does after the first of several
 * frames, decompresses by JavaScript.
 */
function withFallback(
  codec: "ZSTD" | "GZIP" | "BROTLI",
  decompress: (compressed: Uint8Array, options: { chunkSize: number }) => Uint8Array,
): Decompress {
  return (compressed, length) => {
    try {
      // By default, zlib collects pieces of 16 KB.
      const page = decompress(compressed, { chunkSize: Math.max(64, length) });
      if (page.length === length) return page;
    } catch {
      // The code below throws a better message.
    }
    return compressors[codec]!(compressed, length);
  };
}

/** Size of the length that is stored before a text, or before levels. */
const LENGTH_BYTES = 4;

/** Returns where each text begins; the last entry is where a further text would begin. */
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

/** Reads `count` indices into a dictionary. */
function indicesOf(bytes: Uint8Array, count: number): Uint8Array | Uint32Array {
  const width = count === 0 ? 0 : bytes[0];
  if (width === 0) return new Uint8Array(count);
  const indices = new Uint32Array(count);
  const reader = { ...readerOf(bytes), offset: 1 };
  checkRuns(reader, width, count);
  readRleBitPackedHybrid(reader, width, indices, bytes.length - 1);
  return indices;
}

/**
 * Reads `count` levels from 0 to `maxLevel`. `length` is the number of their bytes, if it is not
 * stored before them.
 */
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
 * Rejects a run that is longer than the page has values: hyparquet would repeat the value as often
 * as a damaged run says, up to 2^31 times.
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
    // hyparquet reads at least one byte of a packed run, even of one without values.
    reader.offset += isPacked ? Math.max(1, length * width) : (width + 7) >> 3;
  }
}

/**
 * Decodes DELTA_BYTE_ARRAY, which stores of each text the length of the prefix that it shares with
 * the text before, and the rest. hyparquet would allocate as much memory as a damaged length says.
 */
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

/** Bytes, and the offset at which hyparquet reads them next. */
export type Reader = Parameters<typeof readRleBitPackedHybrid>[0];

/** Returns a reader at the start of the bytes. */
export function readerOf({ buffer, byteOffset, byteLength }: Uint8Array): Reader {
  return { view: new DataView(buffer, byteOffset, byteLength), offset: 0 };
}
