/**
 * Reads an input in any format as numbered rows of JSON source text, which are the same in each
 * pass. Recognizes the format by the name or the first bytes of the file.
 *
 * @module
 */

import { isJson } from "../json.ts";
import type { Border, InputPart } from "./borders.ts";
import { firstText, openBytes, openRanges, startOf, withoutCompression } from "./bytes.ts";
import { inputError, isMessageArray, isParquetStart } from "./foreign_format.ts";
import { badLine, goodLine, type Line, NUL_BYTES, readLines } from "./lines.ts";
import type { ExactType } from "./parquet_values.ts";

/** The format of an input. `json` is a single array of objects. */
export type InputFormat = "jsonl" | "json" | "csv" | "tsv" | "parquet" | "txt";

const EXTENSIONS: Readonly<Record<InputFormat, readonly string[]>> = {
  jsonl: ["jsonl", "ndjson"],
  json: ["json"],
  csv: ["csv"],
  tsv: ["tsv", "tab"],
  parquet: ["parquet", "pq"],
  txt: ["txt"],
};

/** The extensions of inputs, without the dot and without extensions of compressions. */
export const INPUT_EXTENSIONS: readonly string[] = Object.values(EXTENSIONS).flat();

export const INPUT_FORMATS = Object.keys(EXTENSIONS) as readonly InputFormat[];

export function formatOfName(name: string): InputFormat | undefined {
  const extension = extensionOf(name);
  return INPUT_FORMATS.find((format) => EXTENSIONS[format].includes(extension));
}

export function withoutFormat(path: string): string {
  const plain = withoutCompression(path);
  return formatOfName(path) === undefined ? plain : plain.slice(0, -1 - extensionOf(path).length);
}

function extensionOf(name: string): string {
  return /\.([a-z]+)$/i.exec(withoutCompression(name))?.[1].toLowerCase() ?? "";
}

/** Returns the name of a row as users count rows: `rows.jsonl:17`, `rows.csv:17`,
 * `rows.json[16]`. */
export function placeOf(name: string, format: InputFormat, number: number): string {
  return format === "json" ? `${name}[${number - 1}]` : `${name}:${number}`;
}

/** How an input is read. */
export interface InputOptions {
  /** The format of the rows. @default determined by the name and the first bytes of the file */
  inputFormat?: InputFormat;
  /** The columns of CSV and TSV with JSON cells. @default those in which every cell with text is an
   * object or array */
  jsonColumns?: readonly string[];
  /** The Parquet columns of bytes to read as base64. @default none: such a column is an error */
  binaryColumns?: readonly string[];
}

export interface Input {
  readonly format: InputFormat;
  /** Yields the rows from the start, in small batches. */
  rows(): AsyncGenerator<Line[]>;
  /** Counts the chunks that were read so far. All rows of a batch end in the last of these chunks.
   * @default none: Parquet is not read in chunks, and an empty part is not read at all */
  readonly chunks?: { readonly count: number };
  /** Reads the types of Parquet columns that JSON does not have. @default none: other formats have
   * no such types, and an empty part has no rows */
  exactTypes?(): Promise<ReadonlyMap<string, ExactType>>;
}

/**
 * Opens an input. Reads CSV or TSV until no column can be JSON, which may be the end of the file,
 * unless `jsonColumns` names the JSON columns.
 *
 * @param name The path that the user gave, for the format and for errors.
 * @param part The part to read, in addition to the header. @default the whole file
 * @throws {SourceError} if the file cannot be read
 */
export async function openInput(
  path: string,
  name: string,
  options: InputOptions = {},
  part?: InputPart,
): Promise<Input> {
  const format = options.inputFormat ?? await formatOf(path, name);
  const chunks = { count: 0 };
  const bytes = async function* () {
    const whole = part === undefined ? openBytes(path, name) : bytesOf(path, name, format, part);
    for await (const chunk of whole) {
      chunks.count++;
      yield chunk;
    }
  };
  const linesBefore = part?.from.number ?? 0;
  if (part !== undefined && part.from.byte >= part.to.byte) return { format, rows: noRows };
  switch (format) {
    case "jsonl":
      return { format, rows: () => readLines(bytes(), { linesBefore }), chunks };
    case "txt":
      return { format, rows: () => asPrompts(readLines(bytes(), { linesBefore })), chunks };
    case "json": {
      const { readJsonArray } = await import("./json_array.ts");
      return { format, rows: () => readJsonArray(bytes(), { name, linesBefore }), chunks };
    }
    case "csv":
    case "tsv": {
      const { detectDelimiter, findJsonColumns, readCsv } = await import("./csv.ts");
      const delimiter = await detectDelimiter(path, name, format);
      const table = { name, delimiter, numberBefore: part?.from.number || undefined };
      const jsonColumns = options.jsonColumns === undefined
        ? await findJsonColumns(bytes(), table)
        : new Set(options.jsonColumns);
      return { format, rows: () => readCsv(bytes(), { ...table, jsonColumns }), chunks };
    }
    case "parquet": {
      const { binaryColumns } = options;
      const { readExactTypes, readParquet } = await import("./parquet.ts");
      const rows = part && { start: part.from.number, end: part.to.number };
      return {
        format,
        rows: () => readParquet(path, { name, binaryColumns, rows }),
        exactTypes: () => readExactTypes(path, name),
      };
    }
  }
}

async function* noRows(): AsyncGenerator<Line[]> {}

/** Yields the bytes of a part in the form of a complete file: with a header, or within brackets. */
async function* bytesOf(
  path: string,
  name: string,
  format: InputFormat,
  { from, to, header, size }: InputPart,
): AsyncGenerator<Uint8Array> {
  const isFirst = from.byte === 0, isArray = format === "json";
  if (isArray && !isFirst) yield ARRAY_START;
  const head = isFirst || isArray ? [] : [{ start: 0, end: header }];
  // If an element follows the part, the comma before that element is replaced by a bracket.
  const endsEarly = isArray && to.byte < size;
  yield* openRanges(path, name, [...head, {
    start: from.byte,
    end: endsEarly ? to.byte - 1 : to.byte,
  }]);
  if (endsEarly) yield ARRAY_END;
}

const ARRAY_START = new TextEncoder().encode("[");
const ARRAY_END = new TextEncoder().encode("]");

async function* asPrompts(lines: AsyncGenerator<Line[]>): AsyncGenerator<Line[]> {
  for await (const batch of lines) yield batch.map(asPrompt);
}

function asPrompt(line: Line): Line {
  const { number, text } = line;
  if (text === undefined) return line;
  if (!text.includes("\0")) return goodLine(number, JSON.stringify({ prompt: text }));
  return badLine(number, NUL_BYTES, new TextEncoder().encode(text));
}

export const START: Border = { byte: 0, number: 0, rows: 0 };

/**
 * Recognizes the format by the name or, for JSON, JSON Lines and unknown extensions, by the first
 * bytes.
 *
 * @throws {SourceError} if the file cannot be read, or is named as plain text but contains rows:
 * each of its lines would be sent as a prompt
 */
export async function formatOf(path: string, name: string): Promise<InputFormat> {
  const byName = formatOfName(name);
  if (byName === "txt") await refuseRows(path, name);
  // Users often use `.json` for JSON Lines, and `.jsonl` for a JSON array.
  if (byName !== undefined && byName !== "json" && byName !== "jsonl") return byName;
  if (isParquetStart(await startOf(path, name))) return "parquet";
  return isArray(await firstText(path, name), byName) ? "json" : "jsonl";
}

async function refuseRows(path: string, name: string): Promise<void> {
  const rows = rowsInText(await firstText(path, name));
  if (rows === undefined) return;
  const [what, format] = rows;
  const advice = `Add --input-format ${format}, or --input-format txt if each line is a prompt`;
  throw inputError(name, `it is ${what}. ${advice}`);
}

/** Whether the text is one JSON array, as opposed to JSON Lines with a list of messages per line.
 * It is JSON Lines if the first line begins a list of objects with roles, or is complete JSON
 * before a line that is not blank. In a file named `.json`, any text in brackets is an array. */
function isArray(start: string, byName: InputFormat | undefined): boolean {
  const text = start.trimStart();
  if (!text.startsWith("[")) return false;
  if (byName === "json") return true;
  const [line, next = ""] = text.split("\n", 2);
  if (/^\[\s*\{\s*"(role|from)"/.test(line)) return false;
  return next.trim() === "" || !isJson(line);
}

const MAX_LINES = 50;
/** A start that is shorter than this is the whole file, because `firstText` would otherwise return
 * more. */
const MIN_TRUNCATED_CHARS = 10_000;
const OBJECT_START = /^\{\s*"(?:[^"\\]|\\.)*"\s*:/;
const OBJECTS_START = /^\[\s*\{\s*"(?:[^"\\]|\\.)*"\s*:/;

/**
 * Recognizes rows in a file named as plain text. Returns what the text is, and the format that
 * reads it. Most of the first lines must be rows, because a prompt may begin with a brace or
 * contain commas, as code does.
 */
function rowsInText(start: string): readonly [what: string, InputFormat] | undefined {
  const text = start.trimStart();
  const lines = firstLines(text);
  const isMost = (count: number) => count > lines.length / 2;
  if (isMost(lines.filter(isRow).length)) return ["JSON Lines", "jsonl"];
  if (OBJECTS_START.test(text) && isCompleteOrTruncated(text)) return ["a JSON array", "json"];
  const table = TABLES.find(({ delimiter }) => isTable(text, delimiter));
  return table && [table.what, table.format];
}

/** Whether the text is JSON, complete or truncated. A plain-text prompt may start with a list, but
 * the text after that list is not JSON. */
function isCompleteOrTruncated(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    return /end of JSON input|Unterminated string/.test((error as Error).message);
  }
}

/** Returns the first lines that are not blank. Omits a last line that may be truncated, unless it
 * is the only line. */
function firstLines(text: string): string[] {
  const lines = text.split("\n", MAX_LINES + 1);
  if (lines.length > MAX_LINES || (lines.length > 1 && text.length > MIN_TRUNCATED_CHARS)) {
    lines.pop();
  }
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** Whether a line is an object or a list of messages. It may be truncated if it is long and the
 * only line. */
function isRow(line: string, _index: number, { length }: readonly string[]): boolean {
  const isStart = OBJECT_START.test(line) || (OBJECTS_START.test(line) && isMessageArray(line));
  return isStart && (isJson(line) || (length === 1 && line.length > MIN_TRUNCATED_CHARS));
}

const TABLES = [
  { delimiter: "\t", what: "a TSV file", format: "tsv" },
  { delimiter: ",", what: "a CSV file", format: "csv" },
  { delimiter: ";", what: "a CSV file", format: "csv" },
] as const;

/** Names of columns with prompts. Lines with commas are more likely prompts if no column has such a
 * name. */
const PROMPT_COLUMNS: ReadonlySet<string> = new Set(
  "prompt question instruction messages conversations conversation text input query problem user content"
    .split(" "),
);

/** Whether the first line contains the names of columns, and most other lines have as many
 * cells. */
function isTable(text: string, delimiter: string): boolean {
  // Quoted cells may contain delimiters and line breaks. The text ends before an incomplete quoted
  // cell.
  const plain = text.replaceAll(/"(?:[^"]|"")*"/g, (cell) => cell.replaceAll(/[^\w-]/g, "") || "_");
  const [header = "", ...rows] = firstLines(plain.split('"', 1)[0]);
  const names = header.split(delimiter);
  if (names.length < 2 || !names.every((name) => /^[\p{L}_][\w.-]*$/u.test(name))) return false;
  if (!names.some((name) => PROMPT_COLUMNS.has(name.toLowerCase()))) return false;
  const matching = rows.filter((row) => row.split(delimiter).length === names.length);
  return matching.length > rows.length / 2;
}
