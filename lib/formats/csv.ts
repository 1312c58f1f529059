/**
 * Rows of a CSV or TSV file (RFC 4180), each as the JSON text of an object.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { Papa } from "../deps/papaparse.ts";
import { SourceError } from "../errors.ts";
import { firstBytes } from "./bytes.ts";
import { type Line, NUL_BYTES } from "./lines.ts";
import { formatCountOf } from "../figures.ts";

export interface CsvOptions {
  /** What errors call the file. */
  readonly name: string;
  /** One character between two cells. */
  readonly delimiter: string;
  /** Columns whose cells are JSON instead of text. @default none */
  readonly jsonColumns?: ReadonlySet<string>;
  /** For a part of a file: the number of the last row before the part. @default 1, the header */
  readonly numberBefore?: number;
}

/** A longer row must have a quote that is never closed. */
const MAX_ROW_CHARS = 64 * 2 ** 20;
const BATCH_ROWS = 32;
const LINE_FEED = 10;

/**
 * Reads the rows below the header in small batches. `number` is the row of the table; the header is
 * 1.
 */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Line[]> {
  let header: Header | undefined;
  let batch: Line[] = [];
  for await (const { cells, number } of records(chunks, options)) {
    if (header === undefined) {
      header = new Header(cells, options);
      continue;
    }
    batch.push(header.row(cells, number));
    if (batch.length >= BATCH_ROWS) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/**
 * Finds the columns whose cells are all JSON objects or arrays, or empty. Numbers, `true` and
 * quoted text occur in any table and stay text.
 */
export async function findJsonColumns(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): Promise<Set<string>> {
  let names: string[] | undefined;
  let candidates = new Set<number>();
  const proven = new Set<number>();
  for await (const { cells } of records(chunks, options)) {
    if (names === undefined) {
      names = cells;
      candidates = new Set(cells.keys());
      continue;
    }
    for (const index of candidates) {
      const cell = cells[index]?.trim() ?? "";
      if (cell === "") continue;
      if (isStructure(cell)) proven.add(index);
      else candidates.delete(index);
    }
    if (candidates.size === 0) break;
  }
  const found = [...proven].filter((index) => candidates.has(index));
  return new Set(found.map((index) => names![index]));
}

function isStructure(cell: string): boolean {
  if (cell[0] !== "{" && cell[0] !== "[") return false;
  try {
    JSON.parse(cell);
    return true;
  } catch {
    return false;
  }
}

/** Names of the columns. Turns cells into rows. */
class Header {
  readonly #names: readonly string[];
  /** Each name as JSON, followed by a colon. */
  readonly #members: readonly string[];
  readonly #isJson: readonly boolean[];

  constructor(names: readonly string[], { name, jsonColumns }: CsvOptions) {
    if (/^\{\s*"/.test(names[0])) {
      throw new SourceError(
        `Cannot read "${name}": its first row is JSON. Add --input-format jsonl`,
        { path: name },
      );
    }
    if (/^sep=.?$/i.test(names[0])) {
      throw new SourceError(
        `Cannot read "${name}": its first row is for Excel alone ("sep="). Remove that row`,
        { path: name },
      );
    }
    const twice = names.find((one, index) => names.indexOf(one) !== index);
    if (twice !== undefined) {
      throw new SourceError(
        `Cannot read "${name}": two columns are called ${
          JSON.stringify(twice)
        }. Rename one in the ` +
          "first row",
        { path: name },
      );
    }
    const unknown = [...jsonColumns ?? []].find((column) => !names.includes(column));
    if (unknown !== undefined) {
      throw new SourceError(
        `Cannot read "${name}": it has no column ${
          JSON.stringify(unknown)
        } (--json-columns). Its ` +
          `columns are ${names.map((one) => JSON.stringify(one)).join(", ")}`,
        { path: name },
      );
    }
    this.#names = names;
    this.#members = names.map((one) => `${JSON.stringify(one)}:`);
    this.#isJson = names.map((one) => jsonColumns?.has(one) ?? false);
  }

  row(cells: readonly string[], number: number): Line {
    if (cells.length !== this.#names.length) {
      const count = formatCountOf(cells.length, "cell");
      return badRow(number, cells, `has ${count} where the header has ${this.#names.length}`);
    }
    if (cells.some((cell) => cell.includes("\0"))) {
      return badRow(number, cells, NUL_BYTES);
    }
    let text = "{";
    for (let i = 0; i < cells.length; i++) {
      const value = this.#isJson[i] ? jsonOf(cells[i]) : JSON.stringify(cells[i]);
      text += i === 0 ? this.#members[i] + value : `,${this.#members[i]}${value}`;
    }
    return { number, text: `${text}}`, problem: undefined, bytes: undefined };
  }
}

function badRow(number: number, cells: readonly string[], problem: string): Line {
  return { number, text: undefined, problem, bytes: new TextEncoder().encode(cells.join(",")) };
}

/** Returns the JSON of a cell on one line. It may be invalid: the parser of rows reports that. */
function jsonOf(cell: string): string {
  return cell.trim() === "" ? "null" : cell.trim().replace(/\s*[\r\n]\s*/g, "");
}

/** A row of the table, as text. */
interface CsvRecord {
  readonly cells: string[];
  readonly number: number;
}

async function* records(
  chunks: AsyncIterable<Uint8Array>,
  { name, delimiter, numberBefore }: CsvOptions,
): AsyncGenerator<CsvRecord> {
  let rest = "", number = 0, enough = 0, isHeader = true;
  /** UTF-16 units of `rest` that are complete lines. A quoted cell may have several lines. */
  let lines = 0;
  let parser: InstanceType<typeof Papa.Parser> | undefined;
  for await (const { text, isLast } of texts(chunks, name)) {
    // While a row continues over many chunks, it is neither searched nor parsed with each of them.
    if (text.includes("\n")) lines = rest.length + text.lastIndexOf("\n") + 1;
    rest += text;
    if (lines === 0 && rest.length > MAX_ROW_CHARS) throw tooLong(name, number + 1);
    const end = isLast ? rest.length : lines;
    if (end === 0 || (!isLast && rest.length < enough)) continue;
    parser ??= new Papa.Parser({ delimiter, newline: "\n" });
    const { data, errors, meta } = parser.parse(rest.slice(0, end), 0, !isLast);
    if (errors.length > 0) {
      const row = number + (errors[0].row ?? 0) + 1;
      const advice = "Quote the cell, and write each quote in it twice";
      const what = errors[0].code === "MissingQuotes"
        ? "a quote is opened and never closed"
        : "a cell that is not quoted holds a quote";
      throw new SourceError(`Cannot read "${name}" row ${row}: ${what}. ${advice}`, { path: name });
    }
    rest = rest.slice(meta.cursor);
    lines = end - meta.cursor;
    enough = data.length === 0 ? 2 * rest.length : 0;
    if (rest.length > MAX_ROW_CHARS) throw tooLong(name, number + data.length + 1);
    for (const cells of data) {
      number++;
      const last = cells.length - 1;
      if (cells[last].endsWith("\r")) cells[last] = cells[last].slice(0, -1);
      if (isEmptyRow(cells)) continue;
      yield { cells, number };
      if (isHeader && numberBefore !== undefined) number = numberBefore;
      isHeader = false;
    }
  }
}

function isEmptyRow(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0].trim() === "";
}

function tooLong(name: string, row: number): SourceError {
  const size = `${MAX_ROW_CHARS / 2 ** 20} MiB`;
  return new SourceError(
    `Cannot read "${name}" row ${row}: it is longer than ${size}, or a quote is opened and never closed`,
    { path: name },
  );
}

/** Decodes a file in pieces, without its byte order mark; `isLast` marks the last piece. */
async function* texts(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<{ text: string; isLast: boolean }> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  try {
    for await (const chunk of chunks) {
      let text: string;
      try {
        text = decoder.decode(chunk, { stream: true });
      } catch (cause) {
        throw invalidText(name, line + linesBeforeDamage(chunk), cause);
      }
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) {
        line++;
      }
      yield { text, isLast: false };
    }
    yield { text: decoder.decode(), isLast: true };
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw invalidText(name, line, cause);
  }
}

/** Counts the lines of a chunk before the first one that is not UTF-8. */
function linesBeforeDamage(chunk: Uint8Array): number {
  let lines = 0;
  for (let start = 0, end; (end = chunk.indexOf(LINE_FEED, start)) !== -1; start = end + 1) {
    if (!isUtf8(chunk.subarray(start, end))) break;
    lines++;
  }
  return lines;
}

function invalidText(name: string, line: number, cause: unknown): SourceError {
  return new SourceError(
    `Cannot read "${name}" line ${line}: invalid UTF-8. Save it as "CSV UTF-8", or convert it, as ` +
      "with iconv -f WINDOWS-1252 -t UTF-8",
    { path: name, line, cause },
  );
}

const DELIMITERS = [",", ";", "\t", "|"];
/** Number of rows that decide on the delimiter. */
const SAMPLE_ROWS = 20;

/** Returns the delimiter of a file. Excel writes `;` in many countries. */
export async function delimiterIn(
  path: string,
  name: string,
  format: "csv" | "tsv",
): Promise<string> {
  return format === "tsv"
    ? "\t"
    : delimiterOf(new TextDecoder().decode(await firstBytes(path, name)));
}

/**
 * Chooses the delimiter with which most rows have as many cells as the header; of several, the one
 * with the most cells. The last row may be incomplete.
 */
function delimiterOf(start: string): string {
  const found = DELIMITERS.map((delimiter) => {
    const parser = new Papa.Parser({ delimiter, newline: "\n", preview: SAMPLE_ROWS });
    const { data } = parser.parse(start, 0, start.includes("\n"));
    const [header = [], ...rows] = data.filter((cells) => !isEmptyRow(cells));
    const alike = rows.filter((cells) => cells.length === header.length).length;
    return { delimiter, cells: header.length, share: rows.length === 0 ? 1 : alike / rows.length };
  });
  const [best] = found.filter(({ cells }) => cells > 1)
    .sort((one, other) => other.share - one.share || other.cells - one.cells);
  return best?.delimiter ?? ",";
}
