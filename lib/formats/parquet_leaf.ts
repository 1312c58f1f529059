/**
 * Reads the values of one column of a row group as JSON text. Each page is decoded once. If the
 * values of a dictionary are used often, each of them is formatted only once.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { parquetHeader } from "../deps/hyparquet.ts";
import {
  type Codec,
  NO_PAGE,
  NO_VALUES,
  type Page,
  PageDecoder,
  type PageHeader,
  release,
  valueIn,
} from "./parquet_pages.ts";
import type { LeafNode } from "./parquet_columns.ts";
import { type ValueWriter, valueWriterOf } from "./parquet_values.ts";

export interface ChunkLayout {
  readonly codec: Codec;
  /** The number of values, including nulls. */
  readonly valueCount: number;
  /** The size of all pages according to the footer. */
  readonly decompressedBytes: number;
  readonly start: number;
  /** The offset after the last byte. */
  readonly end: number;
}

export interface ChunkBytes {
  readonly start: number;
  readonly end: number;
  /** All bytes of the chunk. @default none: they are read in windows */
  readonly allBytes?: Uint8Array<ArrayBuffer>;
  /** Fills `target` with bytes of the file, beginning at `start`. */
  readonly read: (target: Uint8Array, start: number) => Promise<void>;
  readonly windowBytes: number;
}

export interface CurrentRow {
  /** Why the current row cannot be used; undefined if it can. */
  problem: string | undefined;
}

/** The JSON of a dictionary is kept only if its values are used this often on average. For 200
 * columns of unique values, the kept JSON took 500 MB. */
const MIN_USES = 3;
/** Pages up to this size are read even if the footer states a smaller size for the column. */
const UNCHECKED_PAGE_BYTES = 1 << 26;

export class LeafColumn {
  /** The number of rows that can be read before the next `load`. */
  rowsReady = 0;
  readonly leaf: LeafNode;
  readonly #decoder: PageDecoder;
  readonly #chunk: ChunkReader;
  readonly #write: ValueWriter;
  readonly #definition: number;
  readonly #decompressedBytes: number;
  /** The number of values that are not loaded yet, including nulls. */
  #valuesLeft: number;
  #page = NO_PAGE;
  /** The pages after `#page` that are already loaded. */
  readonly #pages: Page[] = [];
  /** The number of entries read from `#page`, including nulls. */
  #position = 0;
  /** The number of values read from `#page`, without nulls. */
  #valuePosition = 0;
  #rowsBegun = 0;
  #rowsRead = 0;
  readonly #row: CurrentRow;
  #dictionary = NO_VALUES;
  /** The JSON of the dictionary values that have occurred, if it is kept. */
  #texts: (string | undefined)[] | undefined;
  readonly #valueCount: number;

  constructor(leaf: LeafNode, layout: ChunkLayout, bytes: ChunkBytes, row: CurrentRow) {
    this.leaf = leaf;
    this.#row = row;
    this.#decoder = new PageDecoder(leaf, layout.codec);
    this.#chunk = new ChunkReader(bytes);
    this.#write = valueWriterOf(leaf);
    this.#definition = leaf.definition;
    this.#decompressedBytes = layout.decompressedBytes;
    this.#valuesLeft = this.#valueCount = layout.valueCount;
  }

  /** Loads the next data page, and a dictionary before it. */
  async load(): Promise<void> {
    for (;;) {
      if (this.#valuesLeft <= 0) throw new Error("it has fewer rows than the footer says");
      const header = await this.#chunk.nextHeader();
      const bytes = await this.#chunk.nextBytes(header.compressed_page_size);
      if (header.crc !== undefined && crc32(bytes) !== header.crc >>> 0) {
        throw new Error("a page does not match its checksum");
      }
      this.#checkSizes(header);
      if (header.type === "DICTIONARY_PAGE") {
        this.#dictionary = this.#decoder.dictionary(header, bytes);
        const { num_values: distinct } = header.dictionary_page_header!;
        this.#texts = this.#valueCount >= MIN_USES * distinct ? [] : undefined;
      } else if (header.type !== "INDEX_PAGE") return this.#add(this.#decoder.page(header, bytes));
    }
  }

  /** Checks the sizes in a header. Decoding allocates memory of these sizes, and most pages have no
   * checksum that would reveal damage. */
  #checkSizes(header: PageHeader): void {
    const { uncompressed_page_size: size, dictionary_page_header: dictionary } = header;
    const maxSize = Math.max(this.#decompressedBytes, UNCHECKED_PAGE_BYTES);
    if (!(size >= 0 && size <= maxSize)) throw new Error("a page is larger than its column");
    const values = (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0;
    if (!(values >= 0 && values <= this.#valuesLeft)) {
      throw new Error("it has more values than the footer says");
    }
    // The shortest values are booleans, which take one bit.
    const distinct = dictionary?.num_values ?? 0;
    if (!(distinct >= 0 && distinct <= size * 8)) throw new Error("a dictionary is truncated");
  }

  /** The definition level of the next value. */
  get definition(): number {
    const { definitions } = this.#currentPage();
    return definitions.length === 0 ? this.#definition : definitions[this.#position];
  }

  /** The repetition level of the next value; 0 if the value begins a row, and after the last
   * value. */
  get repetition(): number {
    return this.#currentPage().repetitions[this.#position] ?? 0;
  }

  /** Moves past the next value, and returns its JSON. */
  next(): string {
    const page = this.#currentPage();
    const position = this.#position++;
    if (page.definitions.length > 0 && page.definitions[position] !== this.#definition) {
      return "null";
    }
    const valuePosition = this.#valuePosition++;
    if (!page.isIndex) return this.#write(valueIn(page, valuePosition)) ?? this.#noteProblem();
    const index = page.items[valuePosition] as number;
    const knownText = this.#texts?.[index];
    if (knownText !== undefined) return knownText;
    const text = this.#write(valueIn(this.#dictionary, index));
    if (text === undefined) return this.#noteProblem();
    if (this.#texts !== undefined) this.#texts[index] = text;
    return text;
  }

  #noteProblem(): string {
    this.#row.problem ??= `column ${JSON.stringify(this.leaf.path)}: invalid UTF-8`;
    return "null";
  }

  markRead(rows: number): void {
    this.#rowsRead += rows;
    this.rowsReady -= rows;
  }

  close(): void {
    release(this.#page);
    release(this.#dictionary);
  }

  /** Returns the page of the next value. After the last loaded value, returns the last page. */
  #currentPage(): Page {
    if (this.#position < this.#page.count || this.#pages.length === 0) return this.#page;
    release(this.#page);
    this.#page = this.#pages.shift()!;
    this.#position = this.#valuePosition = 0;
    return this.#page;
  }

  #add(page: Page): void {
    if (page.count === 0) return;
    this.#pages.push(page);
    this.#valuesLeft -= page.count;
    if (this.leaf.repetition === 0) {
      this.rowsReady += page.count;
      return;
    }
    // The last row of a page may continue in the next page.
    for (const level of page.repetitions) if (level === 0) this.#rowsBegun++;
    this.rowsReady = this.#rowsBegun - this.#rowsRead - (this.#valuesLeft === 0 ? 0 : 1);
  }
}

/** The number of bytes to read at first for a page header. */
const HEADER_BYTES = 1 << 10;
/** The maximum size of a header. A longer header is damaged. */
const MAX_HEADER_BYTES = 1 << 24;

/** Reads a chunk through a moving window. */
class ChunkReader {
  readonly #bytes: ChunkBytes;
  #window: Uint8Array<ArrayBuffer>;
  #start: number;
  /** The number of bytes of the window that have been consumed. */
  #position = 0;

  constructor(bytes: ChunkBytes) {
    this.#bytes = bytes;
    this.#window = bytes.allBytes ?? new Uint8Array();
    this.#start = bytes.start;
  }

  async nextHeader(): Promise<PageHeader> {
    for (let size = HEADER_BYTES;; size *= 4) {
      await this.#fill(size);
      const { buffer, byteOffset, byteLength } = this.#window;
      const reader = { view: new DataView(buffer, byteOffset, byteLength), offset: this.#position };
      try {
        const header = parquetHeader(reader);
        this.#position = reader.offset;
        return header;
      } catch (error) {
        // The header may contain statistics of any size.
        const isWhole = this.#start + byteLength >= this.#bytes.end;
        if (!(error instanceof RangeError) || isWhole || size > MAX_HEADER_BYTES) throw error;
      }
    }
  }

  async nextBytes(length: number): Promise<Uint8Array> {
    await this.#fill(length);
    const bytes = this.#window.subarray(this.#position, this.#position + length);
    if (length < 0 || bytes.length < length) throw new Error("it ends in the middle of a page");
    this.#position += length;
    return bytes;
  }

  /** Fills the window with at least the next `length` bytes, or the rest of the chunk. */
  async #fill(length: number): Promise<void> {
    if (this.#window.length - this.#position >= length) return;
    const start = this.#start + this.#position;
    const end = Math.min(this.#bytes.end, start + Math.max(length, this.#bytes.windowBytes));
    if (end <= this.#start + this.#window.length) return;
    // The rest of the window is copied, because reading it again took a quarter more time with
    // large pages.
    const rest = this.#window.subarray(this.#position);
    const window = new Uint8Array(end - start);
    window.set(rest);
    await this.#bytes.read(window.subarray(rest.length), start + rest.length);
    this.#window = window;
    this.#start = start;
    this.#position = 0;
  }
}
