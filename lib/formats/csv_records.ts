/**
 * Records of a CSV or TSV file (RFC 4180) as cells of text.
 *
 * @module
 */

import { Buffer, isUtf8 } from "node:buffer";
import { SourceError } from "../errors.ts";

export interface RecordOptions {
  readonly name: string;
  readonly delimiter: string;
  /** The number of the row before this part of a file. @default that of the header */
  readonly numberBefore?: number;
}

export interface CsvRecord {
  readonly cells: string[];
  /** The header is number 1. Blank records count. */
  readonly number: number;
  /** The offset after the record, in characters of the text. With `bytesAsText`, a character is a
   * byte. */
  readonly end: number;
}

/** A longer row most likely has an unclosed quote. */
const MAX_ROW_CHARS = 64 * 2 ** 20;
const QUOTE = 34, LINE_FEED = 10;

/** A piece of a file. The last one may be empty. */
export interface Piece {
  readonly text: string;
  readonly isLast: boolean;
}

/** Reads the records of a file piece by piece. */
export class RecordReader {
  readonly #options: RecordOptions;
  readonly #columns: ReadonlySet<number> | undefined;
  /** The text from the start of the next record, which is not complete yet or not searched yet. */
  #rest = "";
  /** Where `#rest` begins, in characters of the file's text. */
  #offset = 0;
  #number = 0;
  #isHeader = true;
  /** Length of `#rest` up to its last line feed, which may be inside a quoted cell. */
  #completeChars = 0;
  /** Length of `#rest` at which it is searched again, because a row may span many pieces. */
  #retryChars = 0;

  /** @param columns The columns to read below the header, by index, besides the first. Other cells
   * may become "". @default all */
  constructor(options: RecordOptions, columns?: ReadonlySet<number>) {
    this.#options = options;
    this.#columns = columns;
  }

  /**
   * Yields the records that end in the next piece, without blank ones.
   *
   * @throws {SourceError} with the row, if a quote is misplaced or the row is too long
   */
  *read({ text, isLast }: Piece): Generator<CsvRecord> {
    const { delimiter, numberBefore } = this.#options;
    const lineFeed = text.lastIndexOf("\n");
    if (lineFeed !== -1) this.#completeChars = this.#rest.length + lineFeed + 1;
    this.#rest += text;
    if (this.#completeChars === 0) this.#checkLength();
    const end = isLast ? this.#rest.length : this.#completeChars;
    if (end === 0 || (!isLast && this.#rest.length < this.#retryChars)) return;
    const scan = new RecordScan(this.#rest.slice(0, end), delimiter);
    while (true) {
      const cells = scan.next(this.#isHeader ? undefined : this.#columns);
      if (cells === undefined) break;
      this.#number++;
      if (isBlank(cells)) continue;
      const last = cells.length - 1;
      if (cells[last].endsWith("\r")) cells[last] = cells[last].slice(0, -1);
      yield { cells, number: this.#number, end: this.#offset + scan.position };
      if (this.#isHeader && numberBefore !== undefined) this.#number = numberBefore;
      this.#isHeader = false;
    }
    const { position, hasTextAfterQuote } = scan;
    if (hasTextAfterQuote || (isLast && position < end)) throw this.#misplacedQuote(scan);
    this.#rest = this.#rest.slice(position);
    this.#offset += position;
    this.#completeChars = end - position;
    this.#retryChars = position === 0 ? 2 * this.#rest.length : 0;
    this.#checkLength();
  }

  #checkLength(): void {
    if (this.#rest.length <= MAX_ROW_CHARS) return;
    const problem = `it is longer than ${MAX_ROW_CHARS / 2 ** 20} MiB`;
    const advice = "Close the quote in it that is never closed, or shorten the row";
    throw this.#badRow(`${problem}. ${advice}`);
  }

  #misplacedQuote({ hasTextAfterQuote }: RecordScan): SourceError {
    const problem = hasTextAfterQuote
      ? "a cell that is not quoted holds a quote"
      : "a quote is opened and never closed";
    return this.#badRow(`${problem}. Quote the cell, and write each quote in it twice`);
  }

  #badRow(problem: string): SourceError {
    const { name } = this.#options;
    const place = `"${name}" row ${this.#number + 1}`;
    return new SourceError(`Cannot read ${place}: ${problem}`, { path: name });
  }
}

/** Reads the records of a text, of which the last one may be incomplete. Unless it is the end of
 * the file, the text ends with a line feed. */
class RecordScan {
  /** Where the next record begins. */
  position = 0;
  /** Whether text follows the closing quote of a cell. */
  hasTextAfterQuote = false;
  readonly #text: string;
  readonly #delimiter: string;
  /** The next delimiter, line feed and quote: searched again once the scan has passed them. */
  #nextDelimiter = -1;
  #nextLineFeed = -1;
  #nextQuote = -1;

  constructor(text: string, delimiter: string) {
    this.#text = text;
    this.#delimiter = delimiter;
  }

  /**
   * Returns the cells of the next record; undefined if it is incomplete or has a misplaced quote.
   *
   * @param columns The columns to read besides the first. Other cells become "". @default all
   */
  next(columns?: ReadonlySet<number>): string[] | undefined {
    const text = this.#text, cells: string[] = [];
    let start = this.position;
    if (start === text.length) return undefined;
    if (this.#nextQuote < start) this.#nextQuote = indexIn(text, '"', start);
    if (this.#nextLineFeed < start) this.#nextLineFeed = indexIn(text, "\n", start);
    if (this.#nextLineFeed < this.#nextQuote) {
      // In many files, most records have no quotes: such a record needs no search for each cell.
      const line = text.slice(start, this.#nextLineFeed);
      this.position = this.#nextLineFeed + 1;
      return columns?.size === 0 ? [line] : line.split(this.#delimiter);
    }
    while (true) {
      const isQuoted = text.charCodeAt(start) === QUOTE;
      const from = isQuoted ? start + 1 : start;
      const to = isQuoted ? closingQuote(text, from) : this.#endOfPlain(from);
      if (to === -1) return undefined;
      const end = isQuoted ? this.#endOfSpace(to + 1) : to;
      const isRecordEnd = end === text.length || text.charCodeAt(end) === LINE_FEED;
      if (!isRecordEnd && text[end] !== this.#delimiter) {
        this.hasTextAfterQuote = true;
        return undefined;
      }
      const isWanted = columns === undefined || cells.length === 0 || columns.has(cells.length);
      const cell = isWanted ? text.slice(from, to) : "";
      cells.push(isQuoted ? cell.replace(/""/g, '"') : cell);
      start = end + 1;
      if (!isRecordEnd) continue;
      this.position = Math.min(start, text.length);
      return cells;
    }
  }

  #endOfPlain(start: number): number {
    const text = this.#text;
    if (this.#nextDelimiter < start) this.#nextDelimiter = indexIn(text, this.#delimiter, start);
    if (this.#nextLineFeed < start) this.#nextLineFeed = indexIn(text, "\n", start);
    return Math.min(this.#nextDelimiter, this.#nextLineFeed);
  }

  /** The end of white space after a closing quote, which some programs write. */
  #endOfSpace(start: number): number {
    const text = this.#text;
    let end = start;
    while (text[end] !== this.#delimiter && text[end] !== "\n" && /\s/.test(text[end] ?? "")) end++;
    return end;
  }
}

/** The index of a part; the text's length if there is none. */
function indexIn(text: string, part: string, from: number): number {
  const index = text.indexOf(part, from);
  return index === -1 ? text.length : index;
}

/** The index of the closing quote; -1 if there is none. Two quotes stand for one in the cell. */
function closingQuote(text: string, from: number): number {
  let quote = text.indexOf('"', from);
  while (quote !== -1 && text.charCodeAt(quote + 1) === QUOTE) quote = text.indexOf('"', quote + 2);
  return quote;
}

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0].trim() === "";
}

/** Makes each byte one character, so that offsets in the text are offsets in the file. */
export async function* bytesAsText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  for await (const { buffer, byteOffset, length } of chunks) {
    yield { text: Buffer.from(buffer, byteOffset, length).toString("latin1"), isLast: false };
  }
  yield { text: "", isLast: true };
}

/** Decodes UTF-8, and drops the byte order mark. */
export async function* decodeChunks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Piece> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      throw notUtf8(name, line + (chunk === undefined ? 0 : linesBeforeInvalid(chunk)), cause);
    }
  };
  for await (const chunk of chunks) {
    const text = decode(chunk);
    line += lineFeedsIn(chunk);
    yield { text, isLast: false };
  }
  yield { text: decode(), isLast: true };
}

function lineFeedsIn(chunk: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < chunk.length; i++) if (chunk[i] === LINE_FEED) count++;
  return count;
}

function linesBeforeInvalid(chunk: Uint8Array): number {
  let lines = 0;
  for (let start = 0, end; (end = chunk.indexOf(LINE_FEED, start)) !== -1; start = end + 1) {
    if (!isUtf8(chunk.subarray(start, end))) break;
    lines++;
  }
  return lines;
}

function notUtf8(name: string, line: number, cause: unknown): SourceError {
  return new SourceError(
    `Cannot read "${name}" line ${line}: invalid UTF-8. Save it as "CSV UTF-8", or convert it, for ` +
      "example with iconv -f WINDOWS-1252 -t UTF-8",
    { path: name, line, cause },
  );
}

/** The first records of a text that are not blank. The last one may be incomplete. */
export function firstRecords(text: string, delimiter: string, count: number): string[][] {
  const scan = new RecordScan(text.slice(0, text.lastIndexOf("\n") + 1) || text, delimiter);
  return Array.from({ length: count }, () => scan.next() ?? [])
    .filter((cells) => cells.length > 0 && !isBlank(cells));
}
