/**
 * Finds the positions at which an input may be divided among several readers.
 *
 * A single scan finds all borders. It searches for line feeds in Latin-1 strings, which is twice as
 * fast as in bytes. Tables take four times as long as lines. Compressed files cannot be divided.
 * Parquet files can be divided only between row groups, and need no scan.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { bomLength, isBlankLine } from "../line_blocks.ts";
import { isCompressed, openBytes, openRanges, startOf, statInput } from "./bytes.ts";
import { formatOf, type InputFormat, type InputOptions, START } from "./input.ts";

/** A position between two rows, where an input may be divided. */
export interface Border {
  /** The offset in bytes of the next row. In Parquet, the size of the earlier row groups. */
  readonly byte: number;
  /** The number of the last row before the border, as in `Line.number`. */
  readonly number: number;
  /** The number of rows before the border, without blank lines and the header of a table. */
  readonly rows: number;
}

export interface InputPart {
  readonly from: Border;
  readonly to: Border;
  /** The size in bytes of the file's header, which the readers of all parts need; 0 if there is
   * none. */
  readonly header: number;
  /** The size of the whole input, in the same unit as `to.byte`. For the last part, both are
   * equal. */
  readonly size: number;
}

/** An input, or a part of it. */
export interface InputPiece {
  /** The path to read. For standard input, this is the path of its copy. */
  readonly path: string;
  /** The name that the user gave, for messages. */
  readonly name: string;
  readonly options?: InputOptions;
  readonly part?: InputPart;
}

export interface Divisible {
  readonly format: InputFormat;
  /** The starts of the pieces that cannot be divided: the row groups of a Parquet file, or a
   * compressed file as a whole. Undefined for other files, which may be divided between any two
   * rows. */
  readonly pieces: readonly Border[] | undefined;
  /** The columns with JSON cells; undefined unless the file is CSV or TSV. */
  readonly jsonColumns: readonly string[] | undefined;
  /** The size in bytes. For a Parquet file, the size of its row groups. */
  readonly size: number;
  /** The number of rows; undefined unless the file is Parquet. */
  readonly rows?: number;
}

interface FoundBorders {
  /** For each target, the first border at or after it, or the end if there is none. */
  readonly borders: readonly Border[];
  readonly end: Border;
  readonly header: number;
}

/** Determines where a file may be divided. Reads CSV or TSV until no column can be JSON, which may
 * be the end of the file, unless the options name the JSON columns. */
export async function divisibleOf(
  path: string,
  name: string,
  options: InputOptions = {},
): Promise<Divisible> {
  const format = options.inputFormat ?? await formatOf(path, name);
  const { size } = await statInput(path, name);
  if (format === "parquet") return { format, ...await parquetPieces(path, name) };
  const isIndivisible = await isCompressed(path, name);
  const jsonColumns = format === "csv" || format === "tsv"
    ? options.jsonColumns ?? await jsonColumnsOf(path, name, format)
    : undefined;
  return { format, pieces: isIndivisible ? [START] : undefined, jsonColumns, size };
}

async function parquetPieces(
  path: string,
  name: string,
): Promise<Omit<Divisible, "format">> {
  const { rowGroupsOf } = await import("./parquet.ts");
  const pieces: Border[] = [];
  let byte = 0, number = 0;
  for (const { rows, bytes } of await rowGroupsOf(path, name)) {
    pieces.push({ byte, number, rows: number });
    byte += Math.max(1, bytes);
    number += rows;
  }
  return { pieces, jsonColumns: undefined, size: byte, rows: number };
}

async function jsonColumnsOf(path: string, name: string, format: "csv" | "tsv") {
  const { detectDelimiter, findJsonColumns } = await import("./csv.ts");
  const delimiter = await detectDelimiter(path, name, format);
  return [...await findJsonColumns(openBytes(path, name), { name, delimiter })];
}

/**
 * Finds the first border at or after each target, in one scan.
 *
 * @param targets Offsets in bytes, in ascending order.
 * @param signal Aborts the scan, which takes minutes for 100 GB.
 */
export async function findBorders(
  path: string,
  name: string,
  format: Exclude<InputFormat, "parquet">,
  targets: readonly number[],
  signal?: AbortSignal,
): Promise<FoundBorders> {
  const { size } = await statInput(path, name);
  const finder = new BorderFinder(targets);
  const chunksFrom = async function* (start: number) {
    for await (const chunk of openRanges(path, name, [{ start, end: size }], SCAN_BYTES)) {
      signal?.throwIfAborted();
      yield chunk;
    }
  };
  if (format === "json") await scanArray(chunksFrom(0), name, finder);
  else if (format === "csv" || format === "tsv") {
    const { bytesAsText, detectDelimiter, RecordReader } = await import("./csv.ts");
    const start = bomLength(await startOf(path, name));
    const delimiter = await detectDelimiter(path, name, format);
    const reader = new RecordReader({ name, delimiter }, new Set(), true);
    for await (const piece of bytesAsText(chunksFrom(start))) {
      for (const { end, number } of reader.read(piece)) finder.endRecord(start + end, number);
    }
  } else {
    format satisfies "jsonl" | "txt";
    await scanLines(chunksFrom(0), finder);
  }
  return finder.finish(size);
}

const SCAN_BYTES = 2 ** 20;
const SPACE = 32;

class BorderFinder {
  readonly #targets: readonly number[];
  readonly #borders: Border[] = [];
  /** The next target. The first border at or after this target is selected. */
  target: number;
  /** The number of the last row so far, as in `Line.number`. */
  number = 0;
  /** The number of rows so far, without blank lines. */
  rows = 0;
  header = 0;

  constructor(targets: readonly number[]) {
    this.#targets = targets;
    this.target = targets[0] ?? Infinity;
  }

  /** Called between two rows. `byte` is the start of the second row. */
  passBorder(byte: number): void {
    const border = { byte, number: this.number, rows: this.rows };
    while (this.target <= byte) {
      this.#borders.push(border);
      this.target = this.#targets[this.#borders.length] ?? Infinity;
    }
  }

  /** Called after the header and after each row of a table. `byte` is the offset after the row. */
  endRecord(byte: number, number: number): void {
    this.number = number;
    if (this.header === 0) this.header = byte;
    else this.rows++;
    if (byte >= this.target) this.passBorder(byte);
  }

  finish(size: number): FoundBorders {
    const end = { byte: size, number: this.number, rows: this.rows };
    const missing = this.#targets.slice(this.#borders.length).map(() => end);
    return { borders: [...this.#borders, ...missing], end, header: this.header };
  }
}

async function scanLines(chunks: AsyncIterable<Uint8Array>, finder: BorderFinder): Promise<void> {
  let offset = 0;
  /** Whether a line that began in an earlier chunk has text; undefined if there is no such line. */
  let unfinishedHasText: boolean | undefined;
  for await (const chunk of chunks) {
    // The chunk is converted to a string, because searching a typed array takes twice as long.
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1");
    let start = offset === 0 ? bomLength(chunk) : 0;
    for (let end = text.indexOf("\n", start); end !== -1; end = text.indexOf("\n", start)) {
      finder.number++;
      if (unfinishedHasText || chunk[start] > SPACE || !isBlankLine(chunk, start, end)) {
        finder.rows++;
      }
      unfinishedHasText = undefined;
      start = end + 1;
      if (offset + start >= finder.target) finder.passBorder(offset + start);
    }
    if (start < chunk.length) {
      unfinishedHasText = unfinishedHasText || !isBlankLine(chunk, start);
    }
    offset += chunk.length;
  }
  if (unfinishedHasText === undefined) return;
  finder.number++;
  if (unfinishedHasText) finder.rows++;
}

async function scanArray(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  finder: BorderFinder,
): Promise<void> {
  const onElement = (end: number, number: number, isLast: boolean) => {
    finder.number = finder.rows = number;
    if (!isLast && end >= finder.target - 1) finder.passBorder(end + 1);
  };
  const { readJsonArray } = await import("./json_array.ts");
  for await (const _ of readJsonArray(chunks, { name, onElement }));
}
