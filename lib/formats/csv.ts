/**
 * Rows of a CSV or TSV file (RFC 4180), each as the JSON text of an object.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { Papa } from "../deps/papaparse.ts";
import { SourceError } from "../errors.ts";
import { formatCountOf } from "../figures.ts";
import { cannotRead, firstBytes } from "./bytes.ts";
import { badLine, goodLine, type Line, NUL_BYTES, oneLine } from "./lines.ts";

export interface CsvOptions {
  readonly name: string;
  readonly delimiter: string;
  /** Columns with JSON instead of text. @default none */
  readonly jsonColumns?: ReadonlySet<string>;
  /** The number of the row before this part of a file. @default that of the header */
  readonly numberBefore?: number;
}

/** A longer row most likely has an unclosed quote. */
export const MAX_ROW_CHARS = 64 * 2 ** 20;
const BATCH_ROWS = 32;
const LINE_FEED = 10;

/** Reads rows of a table. `Line.number` counts the header as row 1. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Line[]> {
  let header: Header | undefined;
  for await (const records of readRecords(chunks, options)) {
    let batch: Line[] = [];
    for (const { cells, number } of records) {
      if (header === undefined) {
        header = new Header(cells, options);
        continue;
      }
      batch.push(header.lineOf(cells, number));
      if (batch.length >= BATCH_ROWS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }
}

class Header {
  readonly #names: readonly string[];
  /** Names as JSON, with a colon. */
  readonly #members: readonly string[];
  readonly #isJson: readonly boolean[];

  constructor(names: readonly string[], { name, jsonColumns }: CsvOptions) {
    if (/^\{\s*"/.test(names[0])) {
      throw cannotRead(name, "its first row is JSON. Add --input-format jsonl");
    }
    if (/^sep=.?$/i.test(names[0])) {
      throw cannotRead(name, 'its first row is a directive for Excel ("sep="). Remove that row');
    }
    const duplicate = names.find((column, index) => names.indexOf(column) !== index);
    if (duplicate !== undefined) {
      const column = JSON.stringify(duplicate);
      throw cannotRead(name, `two columns are called ${column}. Rename one in the first row`);
    }
    const unknownColumn = [...jsonColumns ?? []].find((column) => !names.includes(column));
    if (unknownColumn !== undefined) {
      const columns = names.map((column) => JSON.stringify(column)).join(", ");
      const problem = `it has no column ${JSON.stringify(unknownColumn)} (--json-columns)`;
      throw cannotRead(name, `${problem}. Its columns are ${columns}`);
    }
    this.#names = names;
    this.#members = names.map((column) => `${JSON.stringify(column)}:`);
    this.#isJson = names.map((column) => jsonColumns?.has(column) ?? false);
  }

  lineOf(cells: readonly string[], number: number): Line {
    if (cells.length !== this.#names.length) {
      const count = formatCountOf(cells.length, "cell");
      const problem = `has ${count} where the header has ${this.#names.length}`;
      return badLine(number, problem, bytesOf(cells));
    }
    if (cells.some((cell) => cell.includes("\0"))) {
      return badLine(number, NUL_BYTES, bytesOf(cells));
    }
    let text = "{";
    for (let i = 0; i < cells.length; i++) {
      const value = this.#isJson[i] ? jsonOf(cells[i]) : JSON.stringify(cells[i]);
      text += i === 0 ? this.#members[i] + value : `,${this.#members[i]}${value}`;
    }
    return goodLine(number, `${text}}`);
  }
}

function bytesOf(cells: readonly string[]): Uint8Array {
  return new TextEncoder().encode(cells.join(","));
}

/** A blank cell becomes `null`. The parser of rows reports invalid JSON. */
function jsonOf(cell: string): string {
  return oneLine(cell) || "null";
}

interface CsvRecord {
  readonly cells: string[];
  readonly number: number;
}

/** Yields the records that end in a chunk together: no batch of rows may have rows of two chunks. */
export async function* readRecords(
  chunks: AsyncIterable<Uint8Array>,
  { name, delimiter, numberBefore }: CsvOptions,
): AsyncGenerator<CsvRecord[]> {
  let rest = "", number = 0, isHeader = true;
  /** Length of `rest` up to its last line feed, which a quoted cell may hold. */
  let completeChars = 0;
  /** Length of `rest` at which parsing is tried again. */
  let retryChars = 0;
  let parser: InstanceType<typeof Papa.Parser> | undefined;
  for await (const { text, isLast } of decodeChunks(chunks, name)) {
    // Does not search or parse a row of many chunks again for each chunk.
    if (text.includes("\n")) completeChars = rest.length + text.lastIndexOf("\n") + 1;
    rest += text;
    if (completeChars === 0 && rest.length > MAX_ROW_CHARS) throw rowTooLong(name, number + 1);
    const end = isLast ? rest.length : completeChars;
    if (end === 0 || (!isLast && rest.length < retryChars)) continue;
    parser ??= new Papa.Parser({ delimiter, newline: "\n" });
    const { data, errors, meta } = parser.parse(rest.slice(0, end), 0, !isLast);
    if (errors.length > 0) {
      const [{ row = 0, code }] = errors;
      throw misplacedQuote(name, number + row + 1, code);
    }
    rest = rest.slice(meta.cursor);
    completeChars = end - meta.cursor;
    retryChars = data.length === 0 ? 2 * rest.length : 0;
    if (rest.length > MAX_ROW_CHARS) throw rowTooLong(name, number + data.length + 1);
    const records: CsvRecord[] = [];
    for (const cells of data) {
      number++;
      const last = cells.length - 1;
      if (cells[last].endsWith("\r")) cells[last] = cells[last].slice(0, -1);
      if (isEmptyRow(cells)) continue;
      records.push({ cells, number });
      if (isHeader && numberBefore !== undefined) number = numberBefore;
      isHeader = false;
    }
    yield records;
  }
}

function misplacedQuote(name: string, row: number, code: string): SourceError {
  const problem = code === "MissingQuotes"
    ? "a quote is opened and never closed"
    : "a cell that is not quoted holds a quote";
  return badRow(name, row, `${problem}. Quote the cell, and write each quote in it twice`);
}

function badRow(name: string, row: number, problem: string): SourceError {
  return new SourceError(`Cannot read "${name}" row ${row}: ${problem}`, { path: name });
}

function isEmptyRow(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0].trim() === "";
}

function rowTooLong(name: string, row: number): SourceError {
  const problem = `it is longer than ${MAX_ROW_CHARS / 2 ** 20} MiB`;
  return badRow(
    name,
    row,
    `${problem}. Close the quote in it that is never closed, or shorten the row`,
  );
}

/** Decodes UTF-8, and drops the byte order mark. The last text may be empty. */
export async function* decodeChunks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<{ text: string; isLast: boolean }> {
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

const DELIMITERS = [",", ";", "\t", "|"];
const SAMPLE_ROWS = 20;

/** Finds the delimiter: Excel separates CSV by `;` in many countries. */
export async function detectDelimiter(
  path: string,
  name: string,
  format: "csv" | "tsv",
): Promise<string> {
  return format === "tsv"
    ? "\t"
    : likeliestDelimiter(new TextDecoder().decode(await firstBytes(path, name)));
}

/** Chooses the delimiter that gives most rows as many cells as the header; of several, the one with
 * more cells. The last row may be incomplete. */
function likeliestDelimiter(start: string): string {
  const candidates = DELIMITERS.map((delimiter) => {
    const parser = new Papa.Parser({ delimiter, newline: "\n", preview: SAMPLE_ROWS });
    const { data } = parser.parse(start, 0, start.includes("\n"));
    const [header = [], ...rows] = data.filter((cells) => !isEmptyRow(cells));
    const matching = rows.filter((cells) => cells.length === header.length).length;
    const share = rows.length === 0 ? 1 : matching / rows.length;
    return { delimiter, cells: header.length, share };
  });
  const [best] = candidates.filter(({ cells }) => cells > 1)
    .sort((a, b) => b.share - a.share || b.cells - a.cells);
  return best?.delimiter ?? ",";
}
