/**
 * Finds the columns of a CSV or TSV file that hold JSON.
 *
 * @module
 */

import { isJson } from "../json.ts";
import { type CsvOptions, decodeChunks, MAX_ROW_CHARS, readRecords } from "./csv.ts";

/** The first rows are enough to recognize most columns of text. */
const FIRST_ROWS = 1_000;

/**
 * Finds columns with only objects, arrays and empty cells. Numbers, `true` and quoted text are
 * valid JSON, too, but any table has them.
 *
 * @param open Opens the file for each of up to three passes.
 */
export async function findJsonColumns(
  open: () => AsyncIterable<Uint8Array>,
  options: CsvOptions,
): Promise<Set<string>> {
  const candidates = new Candidates();
  if (await parseCells(open(), options, candidates, FIRST_ROWS)) return candidates.jsonColumns;
  if (await scanCells(open(), options, candidates)) return candidates.jsonColumns;
  const allCandidates = new Candidates();
  await parseCells(open(), options, allCandidates);
  return allCandidates.jsonColumns;
}

/**
 * Reads up to `maxRows` rows. Returns whether the result is final.
 *
 * @throws {SourceError} with the row, if a quote is misplaced or the row is too long
 */
async function parseCells(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
  candidates: Candidates,
  maxRows = Infinity,
): Promise<boolean> {
  let rows = 0;
  for await (const records of readRecords(chunks, options)) {
    for (const { cells } of records) {
      if (!candidates.hasHeader) candidates.addHeader(cells);
      else for (const column of candidates.columns) candidates.addCell(column, cells[column] ?? "");
      if (candidates.isDecided) return true;
      if (++rows > maxRows) return false;
    }
  }
  return true;
}

/** Columns that may hold JSON, by number. */
class Candidates {
  /** Columns in which all cells so far are JSON or empty. */
  readonly columns = new Set<number>();
  /** Columns in which some cell is JSON. */
  readonly #withJson = new Set<number>();
  #names: readonly string[] | undefined;

  get hasHeader(): boolean {
    return this.#names !== undefined;
  }

  get isDecided(): boolean {
    return this.hasHeader && this.columns.size === 0;
  }

  /** Final only after the last row. */
  get jsonColumns(): Set<string> {
    const columns = [...this.#withJson].filter((column) => this.columns.has(column));
    return new Set(columns.map((column) => this.#names![column]));
  }

  addHeader(names: readonly string[]): void {
    this.#names = names;
    for (const column of names.keys()) this.columns.add(column);
  }

  addCell(column: number, text: string): void {
    const cell = text.trim();
    if (cell === "") return;
    if (isObjectOrArray(cell)) this.#withJson.add(column);
    else this.columns.delete(column);
  }
}

function isObjectOrArray(cell: string): boolean {
  return (cell[0] === "{" || cell[0] === "[") && isJson(cell);
}

/** Reads only candidates, in a third of the time of parsing all cells. Returns false if a quote is
 * misplaced or a row is too long. */
async function scanCells(
  chunks: AsyncIterable<Uint8Array>,
  { name, delimiter }: CsvOptions,
  candidates: Candidates,
): Promise<boolean> {
  let rest = "", isHeader = true;
  /** Length of `rest` at which scanning is tried again, because a row may span many chunks. */
  let retryChars = 0;
  for await (const { text, isLast } of decodeChunks(chunks, name)) {
    rest += text;
    if (!isLast && rest.length < retryChars) continue;
    const scan = new CellScan(rest, delimiter, isLast);
    while (scan.readRecord(isHeader ? undefined : candidates)) {
      isHeader &&= scan.isBlank;
      if (candidates.isDecided) return true;
    }
    retryChars = scan.rest.length === rest.length ? 2 * rest.length : 0;
    rest = scan.rest;
    if (scan.hasMisplacedQuote || rest.length > MAX_ROW_CHARS) return false;
  }
  return true;
}

const QUOTE = 34, CARRIAGE_RETURN = 13, LINE_FEED = 10;

/** Reads the cells of candidates in a text of whole or incomplete records. */
class CellScan {
  /** Whether text follows the closing quote of a cell, or the quote is missing. */
  hasMisplacedQuote = false;
  /** Whether the last record is one blank cell. */
  isBlank = false;
  readonly #text: string;
  readonly #delimiter: string;
  readonly #isLast: boolean;
  #next = 0;
  /** Offset of the first line feed in or after the cell; the text's length if none. */
  #lineFeed = -1;

  constructor(text: string, delimiter: string, isLast: boolean) {
    this.#text = text;
    this.#delimiter = delimiter;
    this.#isLast = isLast;
  }

  get rest(): string {
    return this.#text.slice(this.#next);
  }

  /** Adds the cells of a record. Returns false if no complete record is left. */
  readRecord(candidates: Candidates | undefined): boolean {
    const text = this.#text;
    let start = this.#next;
    if (start >= text.length) return false;
    for (let column = 0;; column++) {
      const isQuoted = text.charCodeAt(start) === QUOTE;
      const from = isQuoted ? start + 1 : start;
      const to = isQuoted ? this.#closingQuote(from) : this.#endOfPlain(start);
      if (to === -1) return false;
      const end = isQuoted ? to + 1 : to;
      const isLastCell = this.#isRecordEnd(end);
      if (!isLastCell && text[end] !== this.#delimiter) {
        this.hasMisplacedQuote = end < text.length;
        return false;
      }
      const isCandidate = candidates !== undefined && candidates.columns.has(column);
      if (column === 0 || isCandidate) {
        const cell = text.slice(from, to);
        this.isBlank = column === 0 && isLastCell && cell.trim() === "";
        if (isCandidate && !this.isBlank) {
          candidates.addCell(column, isQuoted ? unescaped(cell) : cell);
        }
      } else this.isBlank = false;
      start = end + 1;
      if (!isLastCell) continue;
      this.#next = text.charCodeAt(end) === CARRIAGE_RETURN ? end + 2 : start;
      return true;
    }
  }

  /** Whether a record ends. The end of the text counts only in the last chunk. */
  #isRecordEnd(end: number): boolean {
    const text = this.#text, code = text.charCodeAt(end);
    if (code === LINE_FEED || (this.#isLast && end === text.length)) return true;
    if (code !== CARRIAGE_RETURN) return false;
    return text.charCodeAt(end + 1) === LINE_FEED || (this.#isLast && end + 1 === text.length);
  }

  /** The end of an unquoted cell; -1 if it may continue in the next chunk. */
  #endOfPlain(start: number): number {
    const text = this.#text;
    if (this.#lineFeed < start) {
      const lineFeed = text.indexOf("\n", start);
      this.#lineFeed = lineFeed === -1 ? text.length : lineFeed;
    }
    const lineFeed = this.#lineFeed;
    if (lineFeed === text.length && !this.#isLast) return -1;
    const delimiter = text.indexOf(this.#delimiter, start);
    if (delimiter !== -1 && delimiter < lineFeed) return delimiter;
    return lineFeed > start && text.charCodeAt(lineFeed - 1) === CARRIAGE_RETURN
      ? lineFeed - 1
      : lineFeed;
  }

  /** The closing quote; -1 if it is in a later chunk. */
  #closingQuote(from: number): number {
    const text = this.#text;
    let quote = text.indexOf('"', from);
    while (quote !== -1 && text.charCodeAt(quote + 1) === QUOTE) {
      quote = text.indexOf('"', quote + 2);
    }
    if (quote === -1) this.hasMisplacedQuote ||= this.#isLast;
    // The next chunk shows whether this is the first quote of `""`, or CRLF follows.
    return quote + 2 >= text.length && !this.#isLast ? -1 : quote;
  }
}

function unescaped(cell: string): string {
  return cell.replace(/""/g, '"');
}
