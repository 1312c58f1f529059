/**
 * Splits bytes into numbered lines of text.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { formatBytes } from "../deps/std_fmt.ts";
import { isJson } from "../json.ts";
import { bomLength, isBlankLine } from "../line_blocks.ts";
import { openBytes } from "./bytes.ts";

/** A line that is not blank, or a row of another format. */
export interface Line {
  /** The number of the line, counted from 1 and including blank lines. In other formats, the number
   * of the row. */
  readonly number: number;
  /** The text without line ending or byte order mark; undefined if the line cannot be read. */
  readonly text: string | undefined;
  readonly problem: string | undefined;
  /** The bytes of a line that cannot be read. For a line that is too long, only the first 64
   * KiB. */
  readonly bytes: Uint8Array | undefined;
}

export function goodLine(number: number, text: string): Line {
  return { number, text, problem: undefined, bytes: undefined };
}

export function badLine(number: number, problem: string, bytes: Uint8Array): Line {
  return { number, text: undefined, problem, bytes };
}

export interface LinesOptions {
  /** Maximum size of a line. A longer line is reported as a problem. @default 67108864 (64 MiB) */
  maxLineBytes?: number;
  /** The number of lines before this part of a file. @default 0 */
  linesBefore?: number;
}

/** The problem of a line with NUL bytes, which text never contains. */
export const NUL_BYTES = "contains NUL bytes: the file was not written completely, or is not text";

export const INVALID_UTF8 = "invalid UTF-8";
export const UTF8_ADVICE = "convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8";

/** Maximum size of a line or of an element of a JSON array. */
export const MAX_LINE_BYTES = 64 * 2 ** 20;

/** Small batches are freed in V8's young generation. The first pass over an input takes 16 MB of
 * heap, compared with 37 MB if each batch is a whole chunk. */
const BATCH_LINES = 64;
/** The number of rows in a batch of another format. */
export const BATCH_ROWS = 32;
/** The number of bytes to keep of a line that is too long. */
const KEPT_BYTES = 64 * 2 ** 10;

/**
 * Reads the lines of a file, which may be compressed with gzip or zstd. The file is closed even if
 * the consumer stops early.
 *
 * @throws {SourceError} if the file cannot be read, its compressed data is damaged, or it has a
 * format that Retort does not read
 */
export function openLines(path: string): AsyncGenerator<Line[]> {
  return readLines(openBytes(path, path));
}

/** Splits a stream into lines. The stream may reuse the memory of a chunk. */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  options: LinesOptions = {},
): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter(options);
  for await (const chunk of stream) yield* splitter.push(chunk);
  const last = splitter.end();
  if (last.length > 0) yield last;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

class LineSplitter {
  readonly #maxBytes: number;
  // Each line is decoded separately, because a slice of a decoded chunk would keep the chunk in
  // memory. `ignoreBOM` keeps U+FEFF within the file. The decoder is not `fatal`, because checking
  // with `isUtf8` takes half the time.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The pieces of a line that did not end in its first chunk. They are joined at its end. */
  #pieces: Uint8Array[] = [];
  /** The number of bytes of the unfinished line so far, including bytes that are not kept. */
  #length = 0;
  #number: number;

  constructor({ maxLineBytes = MAX_LINE_BYTES, linesBefore = 0 }: LinesOptions) {
    this.#maxBytes = maxLineBytes;
    this.#number = linesBefore;
  }

  *push(chunk: Uint8Array): Generator<Line[]> {
    let lines: Line[] = [];
    let start = 0;
    // One check for all lines is cheaper than a check for each line. It excludes a first line that
    // began in an earlier chunk.
    const checkStart = this.#length === 0 ? 0 : chunk.indexOf(LINE_FEED) + 1;
    const areUtf8 = isUtf8(chunk.subarray(checkStart, chunk.lastIndexOf(LINE_FEED) + 1));
    for (
      let end = chunk.indexOf(LINE_FEED);
      end !== -1;
      end = chunk.indexOf(LINE_FEED, start)
    ) {
      this.#finish(chunk.subarray(start, end), lines, areUtf8 && start >= checkStart);
      start = end + 1;
      if (lines.length >= BATCH_LINES) {
        yield lines;
        lines = [];
      }
    }
    if (start < chunk.length) this.#carry(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }

  end(): Line[] {
    const lines: Line[] = [];
    if (this.#length > 0) this.#finish(new Uint8Array(), lines, false);
    return lines;
  }

  #carry(piece: Uint8Array): void {
    const wasTooLong = this.#length > this.#maxBytes;
    this.#length += piece.length;
    if (wasTooLong) return;
    this.#pieces.push(piece.slice());
    if (this.#length > this.#maxBytes) {
      this.#pieces = [join(this.#pieces, Math.min(KEPT_BYTES, this.#maxBytes))];
    }
  }

  #finish(segment: Uint8Array, lines: Line[], isKnownUtf8: boolean): void {
    const number = ++this.#number;
    if (this.#length === 0 && segment.length <= this.#maxBytes) {
      this.#read(number, segment, lines, isKnownUtf8);
      return;
    }
    this.#carry(segment);
    const pieces = this.#pieces;
    const isTooLong = this.#length > this.#maxBytes;
    this.#pieces = [];
    this.#length = 0;
    if (!isTooLong) return this.#read(number, join(pieces), lines, false);
    lines.push(badLine(number, lengthProblem(this.#maxBytes), pieces[0]));
  }

  #read(number: number, segment: Uint8Array, lines: Line[], isKnownUtf8: boolean): void {
    const bytes = number === 1 ? segment.subarray(bomLength(segment)) : segment;
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    if (isBlankLine(bytes, 0, end)) return;
    const line = end === bytes.length ? bytes : bytes.subarray(0, end);
    lines.push(
      isKnownUtf8 || isUtf8(line)
        ? goodLine(number, this.#decoder.decode(line))
        : badLine(number, INVALID_UTF8, line.slice()),
    );
  }
}

/** Removes line breaks from valid JSON, where they can only be between tokens. In other text,
 * replaces them with tabs, because invalid JSON must stay invalid: without the line break between
 * them, `1` and `2` would become 12. */
export function oneLine(json: string): string {
  const trimmed = json.trim();
  if (!trimmed.includes("\n") && !trimmed.includes("\r")) return trimmed;
  // A pattern such as \s*\n\s* would take quadratic time for a long run of spaces.
  const lines = trimmed.split(/[\r\n]+/).map((line) => line.trim());
  return lines.join(isJson(trimmed) ? "" : "\t");
}

export function lengthProblem(maxBytes: number): string {
  return `longer than ${formatBytes(maxBytes, { binary: true })}`;
}

export function join(pieces: readonly Uint8Array[], maxBytes = Infinity): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const joined = new Uint8Array(Math.min(length, maxBytes));
  let filled = 0;
  for (const piece of pieces) {
    if (filled === joined.length) break;
    const part = piece.subarray(0, joined.length - filled);
    joined.set(part, filled);
    filled += part.length;
  }
  return joined;
}
