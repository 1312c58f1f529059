/**
 * An input in any format as numbered rows of JSON source text, the same in each pass.
 *
 * @module
 */

import { ChunkCounter, openBytes, openRanges } from "./bytes.ts";
import type { Border, InputPart } from "./borders.ts";
import { formatOf, type InputFormat } from "./input_format.ts";
import type { ExactType } from "./parquet_values.ts";
import { badLine, goodLine, type Line, NUL_BYTES, readLines } from "./lines.ts";

/** How an input is read. */
export interface InputOptions {
  /** Format of the rows. @default by the name and the first bytes of the file */
  inputFormat?: InputFormat;
  /** Columns of CSV and TSV with JSON cells. @default those with only objects or arrays */
  jsonColumns?: readonly string[];
  /** Parquet columns of bytes to read as base64. @default none: such a column is an error */
  binaryColumns?: readonly string[];
}

export interface Input {
  readonly format: InputFormat;
  /** Yields rows from the start, in small batches. */
  rows(): AsyncGenerator<Line[]>;
  /** Counts the chunks read so far: all rows of a batch end in the last of them. @default none:
   * Parquet is not read in chunks */
  readonly chunks?: Pick<ChunkCounter, "count">;
  /** Reads the types of Parquet columns that JSON lacks. @default none: the format has no types */
  exactTypes?(): Promise<ReadonlyMap<string, ExactType>>;
}

/**
 * Opens an input. Reads CSV and TSV until no column can be JSON, often to the end, unless
 * `jsonColumns` names these columns.
 *
 * @param name The path that the user gave, for the format and for errors.
 * @param part The part to read, besides the header. @default all of the file
 * @throws {SourceError} if the file cannot be read
 */
export async function openInput(
  path: string,
  name: string,
  options: InputOptions = {},
  part?: InputPart,
): Promise<Input> {
  const format = options.inputFormat ?? await formatOf(path, name);
  const chunks = new ChunkCounter();
  const bytes = () =>
    chunks.of(part === undefined ? openBytes(path, name) : bytesOf(path, name, format, part));
  const numberBefore = part?.from.number ?? 0;
  if (part !== undefined && part.from.byte >= part.to.byte) return { format, rows: noRows };
  switch (format) {
    case "jsonl":
      return { format, rows: () => readLines(bytes(), { numberBefore }), chunks };
    case "txt":
      return { format, rows: () => asPrompts(readLines(bytes(), { numberBefore })), chunks };
    case "json": {
      const { readJsonArray } = await import("./json_array.ts");
      return { format, rows: () => readJsonArray(bytes(), { name, numberBefore }), chunks };
    }
    case "csv":
    case "tsv":
      return { chunks, ...await openTable(path, bytes, { name, format, numberBefore }, options) };
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

async function openTable(
  path: string,
  bytes: () => AsyncGenerator<Uint8Array>,
  { name, format, numberBefore }: { name: string; format: "csv" | "tsv"; numberBefore: number },
  options: InputOptions,
): Promise<Input> {
  const { detectDelimiter, findJsonColumns, readCsv } = await import("./csv.ts");
  const delimiter = await detectDelimiter(path, name, format);
  const table = { name, delimiter, numberBefore: numberBefore > 0 ? numberBefore : undefined };
  const jsonColumns = options.jsonColumns === undefined
    ? await findJsonColumns(bytes(), table)
    : new Set(options.jsonColumns);
  return { format, rows: () => readCsv(bytes(), { ...table, jsonColumns }) };
}

async function* noRows(): AsyncGenerator<Line[]> {}

/** Yields the bytes of a part in the form of a complete file, with a header or within brackets. */
async function* bytesOf(
  path: string,
  name: string,
  format: InputFormat,
  { from, to, header, size }: InputPart,
): AsyncGenerator<Uint8Array> {
  const isFirst = from.byte === 0, isArray = format === "json";
  if (isArray && !isFirst) yield ARRAY_START;
  const head = isFirst || isArray ? [] : [{ start: 0, end: header }];
  // Replaces the comma after the last element with a bracket.
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
