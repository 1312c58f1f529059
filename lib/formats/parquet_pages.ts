/**
 * Pages of Parquet: decompresses them, and decodes their levels and values without an object for
 * each value.
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
  type parquetHeader,
  readDataPage,
  readPlain,
} from "../deps/hyparquet.ts";
import type { LeafNode } from "./parquet_schema.ts";
import {
  indicesOf,
  LENGTH_BYTES,
  levelsOf,
  NO_LEVELS,
  readerOf,
  startsOf,
  textsOfPrefixes,
} from "./parquet_encodings.ts";

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
