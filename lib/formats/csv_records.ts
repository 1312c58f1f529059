/**
 * Reads the records of a CSV or TSV file (RFC 4180) as cells of text.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SourceError } from "../errors.ts";

export interface RecordOptions {
  readonly name: string;
  readonly delimiter: string;
  /** The number of the last row before this part of a file. @default the number of the header */
  readonly numberBefore?: number;
}

export interface CsvRecord {
  readonly cells: string[];
  /** The number of the record. The header is number 1, and blank records are counted too. */
  readonly number: number;
  /** The offset after the record, in characters. */
  readonly end: number;
}

/** A row that is longer than this most likely has an unclosed quote. */
const MAX_ROW_CHARS = 64 * 2 ** 20;
const LINE_FEED = 10, SPACE = 32, QUOTE = 34;

/** A decoded piece of a file. The last piece may be empty. */
export interface Piece {
  readonly text: string;
  readonly isLast: boolean;
}

export class RecordReader {
  readonly #options: RecordOptions;
  readonly #columns: ReadonlySet<number> | undefined;
  readonly #isBytes: boolean;
  /** The text after the last record that was read. */
  #rest = "";
  /** The position in the file at which `#rest` begins, in characters. */
  #offset = 0;
  #number = 0;
  #isHeader = true;
  #hasOneColumn = false;
  /** The length of `#rest` up to its last line feed, which may be inside a quoted cell. */
  #completeChars = 0;
  /** The length that `#rest` must reach before it is searched again. Searching it after each piece
   * would take quadratic time for a row that spans many pieces. */
  #retryChars = 0;

  /**
   * @param columns The columns to read below the header, by index. The first column is always read,
   * unless the set is empty. Cells of other columns may be "" or missing. @default all
   * @param isBytes Whether each character stands for a byte of UTF-8, as in the text of
   * `bytesAsText`.
   */
  constructor(options: RecordOptions, columns?: ReadonlySet<number>, isBytes = false) {
    this.#options = options;
    this.#columns = columns;
    this.#isBytes = isBytes;
  }

  /**
   * Adds a piece, and yields the records that are now complete, except blank ones.
   *
   * @throws {SourceError} with the number of the row, if a quote is misplaced or the row is too
   * long
   */
  *read(piece: Piece): Generator<CsvRecord> {
    const { numberBefore } = this.#options;
    const scan = this.#scanWith(piece);
    if (scan === undefined) return;
    while (true) {
      const cells = scan.next(this.#isHeader ? undefined : this.#columns);
      if (cells === undefined) break;
      this.#number++;
      // In a table of one column, a line with only `""` is a row, whereas an empty line is not.
      const isRow = scan.endsQuoted && this.#hasOneColumn;
      if (!isRow && isBlank(cells, this.#isBytes)) continue;
      const last = cells.length - 1;
      // A carriage return inside quotes is not the end of the line.
      if (!scan.endsQuoted && cells[last].endsWith("\r")) cells[last] = cells[last].slice(0, -1);
      yield { cells, number: this.#number, end: this.#offset + scan.position };
      if (!this.#isHeader) continue;
      if (numberBefore !== undefined) this.#number = numberBefore;
      this.#hasOneColumn = last === 0;
      this.#isHeader = false;
    }
    this.#keepRest(scan, piece);
  }

  /** Adds a piece. Returns undefined if no record can end in this piece, or if it is too early to
   * search a long row again. */
  #scanWith({ text, isLast }: Piece): RecordScan | undefined {
    const lineFeed = text.lastIndexOf("\n");
    if (lineFeed !== -1) this.#completeChars = this.#rest.length + lineFeed + 1;
    this.#rest += text;
    if (this.#completeChars === 0) this.#checkLength();
    const end = isLast ? this.#rest.length : this.#completeChars;
    if (end === 0 || (!isLast && this.#rest.length < this.#retryChars)) return undefined;
    return new RecordScan(this.#rest.slice(0, end), this.#options.delimiter, this.#isBytes);
  }

  #keepRest(scan: RecordScan, { isLast }: Piece): void {
    const { position, charsLeft, hasTextAfterQuote } = scan;
    if (hasTextAfterQuote || (isLast && charsLeft > 0)) throw this.#misplacedQuote(scan);
    this.#rest = this.#rest.slice(position);
    this.#offset += position;
    this.#completeChars = charsLeft;
    this.#retryChars = position === 0 ? 2 * this.#rest.length : 0;
    this.#checkLength();
  }

  #checkLength(): void {
    if (this.#rest.length <= MAX_ROW_CHARS) return;
    const problem = `it is longer than ${MAX_ROW_CHARS / 2 ** 20} MiB`;
    const advice = "Close its open quote, or shorten the row";
    throw this.#badRow(`${problem}. ${advice}`);
  }

  #misplacedQuote({ hasTextAfterQuote }: RecordScan): SourceError {
    const problem = hasTextAfterQuote
      ? "text follows the closing quote of a cell"
      : "a quote is opened and never closed";
    return this.#badRow(`${problem}. Quote the whole cell, and write each quote in it twice`);
  }

  #badRow(problem: string): SourceError {
    const { name } = this.#options;
    const place = `"${name}" row ${this.#number + 1}`;
    return new SourceError(`Cannot read ${place}: ${problem}`, { path: name });
  }
}

/** Reads the records of a text. The last record may be incomplete. Unless the text is the end of
 * the file, it ends with a line feed. */
class RecordScan {
  /** The position at which the next record begins. */
  position = 0;
  hasTextAfterQuote = false;
  /** Whether the last cell of the last record was quoted. */
  endsQuoted = false;
  readonly #text: string;
  readonly #delimiter: string;
  readonly #isBytes: boolean;
  /** The positions of the next delimiter, line feed and quote. Each is searched for again once the
   * scan has passed it. */
  #nextDelimiter = -1;
  #nextLineFeed = -1;
  #nextQuote = -1;

  /** @param isBytes Whether each character is a byte of UTF-8. */
  constructor(text: string, delimiter: string, isBytes = false) {
    this.#text = text;
    this.#delimiter = delimiter;
    this.#isBytes = isBytes;
  }

  get charsLeft(): number {
    return this.#text.length - this.position;
  }

  /**
   * Returns the cells of the next record; undefined if there is none, or if it is incomplete or has
   * a misplaced quote.
   *
   * @param columns The columns to read, as for `RecordReader`. @default all
   */
  next(columns?: ReadonlySet<number>): string[] | undefined {
    const text = this.#text, cells: string[] = [];
    let start = this.position;
    if (start === text.length) return undefined;
    if (this.#nextQuote < start) this.#nextQuote = indexIn(text, '"', start);
    if (this.#nextLineFeed < start) this.#nextLineFeed = indexIn(text, "\n", start);
    this.endsQuoted = false;
    if (this.#nextLineFeed < this.#nextQuote) {
      // In many files, most records have no quotes. The cells of such a record need not be searched
      // one by one.
      const line = text.slice(start, this.#nextLineFeed);
      this.position = this.#nextLineFeed + 1;
      if (columns?.size === 0) return line.includes(this.#delimiter) ? ["", ""] : [line];
      return line.split(this.#delimiter);
    }
    while (true) {
      const isQuoted = text.charCodeAt(start) === QUOTE;
      const from = isQuoted ? start + 1 : start;
      const to = isQuoted ? closingQuote(text, from) : this.#endOfPlain(from);
      const end = isQuoted ? this.#endOfQuoted(to) : to;
      if (end === -1) return undefined;
      const isWanted = columns === undefined || cells.length === 0 || columns.has(cells.length);
      const cell = isWanted ? text.slice(from, to) : "";
      cells.push(isQuoted ? cell.replace(/""/g, '"') : cell);
      start = end + 1;
      if (text[end] === this.#delimiter) continue;
      this.endsQuoted = isQuoted;
      this.position = Math.min(start, text.length);
      return cells;
    }
  }

  /** Returns the end of a quoted cell, which is after its closing quote and any white space: some
   * programs write white space there. Returns -1 if there is no closing quote, or if text follows
   * it. */
  #endOfQuoted(quote: number): number {
    const text = this.#text, start = quote + 1;
    if (quote === -1) return -1;
    if (this.#isCellEnd(start)) return start;
    const end = this.#endOfPlain(start);
    this.hasTextAfterQuote = !isSpace(text.slice(start, end), this.#isBytes);
    return this.hasTextAfterQuote ? -1 : end;
  }

  #isCellEnd(index: number): boolean {
    const text = this.#text;
    return index === text.length || text[index] === this.#delimiter ||
      text.charCodeAt(index) === LINE_FEED;
  }

  #endOfPlain(start: number): number {
    const text = this.#text;
    if (this.#nextDelimiter < start) this.#nextDelimiter = indexIn(text, this.#delimiter, start);
    if (this.#nextLineFeed < start) this.#nextLineFeed = indexIn(text, "\n", start);
    return Math.min(this.#nextDelimiter, this.#nextLineFeed);
  }
}

/** Returns the index of the next `part`, or the length of the text if there is none. */
function indexIn(text: string, part: string, from: number): number {
  const index = text.indexOf(part, from);
  return index === -1 ? text.length : index;
}

/** Returns the index of the closing quote; -1 if there is none. Two quotes stand for one quote in
 * the cell. */
function closingQuote(text: string, from: number): number {
  let quote = text.indexOf('"', from);
  while (quote !== -1 && text.charCodeAt(quote + 1) === QUOTE) quote = text.indexOf('"', quote + 2);
  return quote;
}

function isBlank(cells: readonly string[], isBytes = false): boolean {
  return cells.length === 1 && isSpace(cells[0], isBytes);
}

function isSpace(text: string, isBytes: boolean): boolean {
  // Most cells begin with a visible ASCII character, and decoding them would take ten times as
  // long.
  const first = text.charCodeAt(0);
  if (first > SPACE && first < 128) return false;
  return (isBytes ? Buffer.from(text, "latin1").toString() : text).trim() === "";
}

/** Converts each byte to one character, so that offsets in the text are offsets in the file. */
export async function* bytesAsText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  for await (const { buffer, byteOffset, length } of chunks) {
    yield { text: Buffer.from(buffer, byteOffset, length).toString("latin1"), isLast: false };
  }
  yield { text: "", isLast: true };
}

/**
 * Returns the first records of a text, without blank ones. `count` limits the number of records,
 * including blank ones. The last record may be incomplete.
 *
 * If text follows the closing quote of a cell, an empty record is added, and the scan continues
 * within that line. All other records are needed to guess the delimiter.
 */
export function firstRecords(text: string, delimiter: string, count: number): string[][] {
  const scan = new RecordScan(text.slice(0, text.lastIndexOf("\n") + 1) || text, delimiter);
  const records = Array.from({ length: count }, () => scan.next() ?? [])
    .filter((cells) => cells.length > 0 && !isBlank(cells));
  return scan.hasTextAfterQuote ? [...records, []] : records;
}
