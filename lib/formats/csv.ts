/**
 * Reads the rows of a CSV or TSV file, each as the JSON text of an object.
 *
 * @module
 */

import { Buffer, isUtf8 } from "node:buffer";
import { SourceError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { isJson } from "../json.ts";
import { firstText } from "./bytes.ts";
import { firstRecords, type Piece, type RecordOptions, RecordReader } from "./csv_records.ts";
import { inputError } from "./foreign_format.ts";
import { badLine, BATCH_ROWS, goodLine, type Line, NUL_BYTES, oneLine } from "./lines.ts";

export interface CsvOptions extends RecordOptions {
  /** The columns that contain JSON instead of text. */
  readonly jsonColumns: ReadonlySet<string>;
}

export { bytesAsText, RecordReader } from "./csv_records.ts";

const LINE_FEED = 10;
/** The maximum number of bytes of an incomplete character. */
const MAX_PARTIAL = 3;

/** Reads the rows of a table. `Line.number` counts the header as row 1. All rows of a batch end in
 * the same chunk. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Line[]> {
  const reader = new RecordReader(options);
  let header: Header | undefined;
  for await (const piece of decodeChunks(chunks, options.name)) {
    let batch: Line[] = [];
    for (const { cells, number } of reader.read(piece)) {
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
  /** For each column, the text before its value: a comma except for the first column, the name as
   * JSON, and a colon. */
  readonly #starts: readonly string[];
  readonly #isJson: readonly boolean[];

  constructor(names: readonly string[], { name, jsonColumns }: CsvOptions) {
    if (/^\{\s*"/.test(names[0])) {
      throw inputError(name, "its first row is JSON. Add --input-format jsonl");
    }
    if (/^sep=.?$/i.test(names[0])) {
      throw inputError(name, 'its first row is a directive for Excel ("sep="). Remove that row');
    }
    const duplicate = names.find((column, index) => names.indexOf(column) !== index);
    if (duplicate !== undefined) {
      const column = JSON.stringify(duplicate);
      throw inputError(name, `two columns are called ${column}. Rename one in the first row`);
    }
    const unknownColumn = [...jsonColumns].find((column) => !names.includes(column));
    if (unknownColumn !== undefined) {
      const columns = names.map((column) => JSON.stringify(column)).join(", ");
      const problem = `it has no column ${JSON.stringify(unknownColumn)} (--json-columns)`;
      throw inputError(name, `${problem}. Its columns are ${columns}`);
    }
    this.#names = names;
    this.#starts = names.map((column, i) => `${i === 0 ? "" : ","}${JSON.stringify(column)}:`);
    this.#isJson = names.map((column) => jsonColumns.has(column));
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
      // Invalid JSON is reported by the parser of rows.
      text += this.#starts[i];
      text += this.#isJson[i] ? oneLine(cells[i]) || "null" : JSON.stringify(cells[i]);
    }
    return goodLine(number, `${text}}`);
  }
}

function bytesOf(cells: readonly string[]): Uint8Array {
  return new TextEncoder().encode(cells.join(","));
}

/** Finds columns with at least one object or array, whose other cells are objects, arrays or empty.
 * Numbers, `true` and quoted text do not count, because any table may contain them. */
export async function findJsonColumns(
  chunks: AsyncIterable<Uint8Array>,
  options: RecordOptions,
): Promise<Set<string>> {
  let names: readonly string[] | undefined;
  /** The columns in which all cells so far are objects, arrays or empty. */
  const candidates = new Set<number>();
  /** The columns in which at least one cell is an object or array. */
  const withJson = new Set<number>();
  const reader = new RecordReader(options, candidates);
  for await (const piece of decodeChunks(chunks, options.name)) {
    for (const { cells } of reader.read(piece)) {
      if (names === undefined) {
        names = cells;
        for (const column of cells.keys()) candidates.add(column);
        continue;
      }
      for (const column of candidates) {
        const cell = (cells[column] ?? "").trim();
        if (isObjectOrArray(cell)) withJson.add(column);
        else if (cell !== "") candidates.delete(column);
      }
      if (candidates.size === 0) return new Set();
    }
  }
  const columns = [...withJson].filter((column) => candidates.has(column));
  return new Set(columns.map((column) => names![column]));
}

function isObjectOrArray(cell: string): boolean {
  return (cell[0] === "{" || cell[0] === "[") && isJson(cell);
}

/** Decodes UTF-8, and removes the byte order mark. */
export async function* decodeChunks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Piece> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  /** The last bytes before the current chunk, in which a character may have begun. */
  let before = new Uint8Array();
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      const linesBefore = chunk === undefined ? 0 : linesBeforeInvalid(before, chunk);
      throw notUtf8(name, line + linesBefore, cause);
    }
  };
  for await (const chunk of chunks) {
    const text = decode(chunk);
    line += lineFeedsIn(chunk);
    before = new Uint8Array(
      Buffer.concat([before, chunk.subarray(-MAX_PARTIAL)]).subarray(-MAX_PARTIAL),
    );
    yield { text, isLast: false };
  }
  yield { text: decode(), isLast: true };
}

function lineFeedsIn(chunk: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < chunk.length; i++) if (chunk[i] === LINE_FEED) count++;
  return count;
}

/** Counts the lines of a chunk before its first invalid line. */
function linesBeforeInvalid(before: Uint8Array, chunk: Uint8Array): number {
  const tail = before.subarray(before.lastIndexOf(LINE_FEED) + 1);
  // Skips the rest of a character whose first bytes are not in `before`.
  const start = tail.findIndex((byte) => (byte & 0xc0) !== 0x80);
  const bytes = Buffer.concat([tail.subarray(start === -1 ? tail.length : start), chunk]);
  let lines = 0;
  for (let start = 0, end; (end = bytes.indexOf(LINE_FEED, start)) !== -1; start = end + 1) {
    if (!isUtf8(bytes.subarray(start, end))) break;
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

/**
 * Finds the delimiter. In many countries, Excel separates the cells of a CSV file by `;`.
 *
 * Chooses the candidate with which the largest share of the first rows has as many cells as the
 * header. If several have the same share, chooses the one with which the header has the most cells.
 * A character that occurs in the header but in no row is part of a name.
 */
export async function detectDelimiter(
  path: string,
  name: string,
  format: "csv" | "tsv",
): Promise<string> {
  if (format === "tsv") return "\t";
  const start = await firstText(path, name);
  const candidates = DELIMITERS.map((delimiter) => {
    const [header = [], ...rows] = firstRecords(start, delimiter, SAMPLE_ROWS);
    const matching = rows.filter((cells) => cells.length === header.length).length;
    const share = rows.length === 0 ? 1 : matching / rows.length;
    const isInRows = rows.length === 0 || rows.some((cells) => cells.length > 1);
    return { delimiter, cells: isInRows ? header.length : 1, share };
  });
  const [best] = candidates.filter(({ cells }) => cells > 1)
    .sort((a, b) => b.share - a.share || b.cells - a.cells);
  return best?.delimiter ?? ",";
}
