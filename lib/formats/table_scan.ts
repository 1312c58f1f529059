/**
 * Finds where the records of a CSV or TSV file end, without reading their cells.
 *
 * @module
 */

const LINE_FEED = 10, SPACE = 32, QUOTE = 34;

/** Where a scan is within a cell. */
enum Cell {
  Start,
  Plain,
  Quoted,
  /** After a quote that ends the cell or is the first of two. */
  Closed,
}

/** Scans chunk after chunk, and keeps its state between them. */
export class TableScan {
  readonly #delimiter: number;
  readonly #onRecord: (end: number, isRow: boolean) => void;
  /** Bytes of the earlier chunks. */
  #offset = 0;
  #cell = Cell.Start;
  /** Whether a record is incomplete at the end of the chunk. */
  #isUnfinished = false;
  /** Whether the record has text or a delimiter, and so counts as a row. */
  #hasContent = false;

  /**
   * @param delimiter One character between two cells.
   * @param onRecord Called with the byte after each record, and whether it is a row or blank.
   */
  constructor(delimiter: string, onRecord: (end: number, isRow: boolean) => void) {
    this.#delimiter = delimiter.charCodeAt(0);
    this.#onRecord = onRecord;
  }

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const search = new Search(chunk), end = chunk.length;
    let at = this.#offset === 0 && startsWithMark(chunk) ? 3 : 0;
    while (at < end) {
      if (this.#cell === Cell.Quoted) {
        const quote = search.quote(at);
        if (!this.#hasContent) this.#look(chunk, at, quote);
        if (quote < end) this.#cell = Cell.Closed;
        at = quote + 1;
        continue;
      }
      const mark = search.quoteOrLineFeed(at);
      if (chunk[mark] === QUOTE) {
        const opens = this.#opens(chunk, at, mark);
        // The second of two quotes stands for a quote in the cell.
        if (this.#cell === Cell.Closed && opens) this.#hasContent = true;
        if (!this.#hasContent) this.#look(chunk, at, opens ? mark : mark + 1);
        this.#cell = opens ? Cell.Quoted : Cell.Plain;
      } else {
        if (!this.#hasContent) this.#look(chunk, at, mark);
        if (mark === end) this.#cell = this.#cellAtEnd(chunk, at);
        else this.#endRecord(mark + 1);
      }
      at = mark + 1;
    }
    this.#isUnfinished = chunk[end - 1] !== LINE_FEED || this.#cell === Cell.Quoted;
    this.#offset += end;
  }

  /** Ends the last record, which may have no line feed. */
  finish(): void {
    if (this.#isUnfinished) this.#onRecord(this.#offset, this.#hasContent);
  }

  #endRecord(end: number): void {
    this.#onRecord(this.#offset + end, this.#hasContent);
    this.#cell = Cell.Start;
    this.#hasContent = false;
  }

  /** Whether a quote opens a cell: at the start of one, or after another quote that closed it. */
  #opens(chunk: Uint8Array, at: number, quote: number): boolean {
    if (quote === at) return this.#cell !== Cell.Plain;
    if (chunk[quote - 1] === this.#delimiter) return true;
    return this.#cell === Cell.Closed && !chunk.subarray(at, quote).includes(this.#delimiter);
  }

  /** The state after text without quotes that ends with the chunk. */
  #cellAtEnd(chunk: Uint8Array, at: number): Cell {
    const delimiter = chunk.lastIndexOf(this.#delimiter);
    if (delimiter === chunk.length - 1) return Cell.Start;
    return delimiter < at && this.#cell === Cell.Closed ? Cell.Closed : Cell.Plain;
  }

  /** Looks for content in a part of the record. Most records begin with it. */
  #look(chunk: Uint8Array, from: number, to: number): void {
    const delimiter = this.#cell === Cell.Quoted ? -1 : this.#delimiter;
    for (let i = from; i < to; i++) {
      if (chunk[i] <= SPACE && chunk[i] !== delimiter) continue;
      this.#hasContent = true;
      return;
    }
  }
}

function startsWithMark(chunk: Uint8Array): boolean {
  return chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
}

const ONES = 0x01010101, HIGH_BITS = 0x80808080;
const QUOTES = QUOTE * ONES, LINE_FEEDS = LINE_FEED * ONES;

/**
 * Finds bytes of a chunk, four at a time: a word holds a byte 0 exactly if
 * `(word - ONES) & ~word & HIGH_BITS` is not 0. Calls of `indexOf` take longer, because the next
 * quote is often near.
 */
class Search {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** Where the first word begins in the chunk. */
  readonly #start: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#start = (4 - bytes.byteOffset % 4) % 4;
    const words = Math.max(0, bytes.length - this.#start) >> 2;
    this.#words = words === 0
      ? new Int32Array(0)
      : new Int32Array(bytes.buffer, bytes.byteOffset + this.#start, words);
  }

  /** The index of the next quote, or the length of the chunk. */
  quote(from: number): number {
    const bytes = this.#bytes, words = this.#words, start = this.#start, end = bytes.length;
    let i = from;
    while (i < end) {
      if (((i - start) & 3) === 0 && i >= start) {
        let word = (i - start) >> 2;
        while (word < words.length) {
          const x = words[word] ^ QUOTES;
          if (((x - ONES) & ~x & HIGH_BITS) !== 0) break;
          word++;
        }
        i = start + (word << 2);
        for (const stop = Math.min(end, i + 4); i < stop; i++) if (bytes[i] === QUOTE) return i;
      } else if (bytes[i] === QUOTE) return i;
      else i++;
    }
    return end;
  }

  /** The index of the next quote or line feed, or the length of the chunk. */
  quoteOrLineFeed(from: number): number {
    const bytes = this.#bytes, words = this.#words, start = this.#start, end = bytes.length;
    let i = from;
    while (i < end) {
      if (((i - start) & 3) === 0 && i >= start) {
        let word = (i - start) >> 2;
        while (word < words.length) {
          const x = words[word] ^ QUOTES, y = words[word] ^ LINE_FEEDS;
          if ((((x - ONES) & ~x | (y - ONES) & ~y) & HIGH_BITS) !== 0) break;
          word++;
        }
        i = start + (word << 2);
        for (const stop = Math.min(end, i + 4); i < stop; i++) {
          if (bytes[i] === QUOTE || bytes[i] === LINE_FEED) return i;
        }
      } else if (bytes[i] === QUOTE || bytes[i] === LINE_FEED) return i;
      else i++;
    }
    return end;
  }
}
