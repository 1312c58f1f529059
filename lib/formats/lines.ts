/**
 * From bytes to numbered lines of text.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { formatBytes } from "../deps/std_fmt.ts";
import { openBytes } from "./bytes.ts";

/** One line of a file that is not blank. */
export interface Line {
  /** Its number, from 1, blank lines included. In other formats: the number of the row. */
  readonly number: number;
  /** Its text, without line ending or byte order mark; undefined where it cannot be read. */
  readonly text: string | undefined;
  /** Why it cannot be read. */
  readonly problem: string | undefined;
  /**
   * Its bytes where it cannot be read: all of them, or the first 64 KiB of a line that is too long.
   */
  readonly bytes: Uint8Array | undefined;
}

/** How lines are read. */
export interface LinesOptions {
  /**
   * The longest line that is read, in bytes; a longer one is only reported. @default 67108864 (64
   * MiB)
   */
  maxLineBytes?: number;
  /** What an error calls the file. @default its path */
  name?: string;
  /** Lines of the file before this part. @default 0 */
  linesBefore?: number;
}

/** The problem of text with NUL bytes, which no one types. */
export const NUL_BYTES = "holds NUL bytes: the file was not written completely, or is not text";

/** What helps where text is not UTF-8. */
export const UTF8_ADVICE = "convert the file, as with iconv -f WINDOWS-1252 -t UTF-8";

const DEFAULTS = { maxLineBytes: 64 * 2 ** 20, linesBefore: 0 } satisfies LinesOptions;
/**
 * Small batches die in V8's young generation: the first pass takes 16 MB of heap with them, and 37
 * MB with the lines of a whole chunk.
 */
const BATCH_LINES = 64;
const KEPT_BYTES = 64 * 2 ** 10;

/**
 * Opens a file and reads its lines, decompressed if it is gzip or zstd. The file is closed at the
 * end, also when the reader stops early.
 *
 * @throws {SourceError} when the file cannot be read, or its compressed data is damaged
 */
export function openLines(path: string, options: LinesOptions = {}): AsyncGenerator<Line[]> {
  return readLines(openBytes(path, options.name ?? path), options);
}

/**
 * Reads lines in small batches. The stream may reuse a chunk's memory once the next one is
 * requested.
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  options: LinesOptions = {},
): AsyncGenerator<Line[]> {
  const { maxLineBytes, linesBefore } = { ...DEFAULTS, ...options };
  const splitter = new LineSplitter(maxLineBytes, linesBefore);
  for await (const chunk of stream) {
    yield* splitter.push(chunk);
  }
  const last = splitter.end();
  if (last.length > 0) yield last;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;

class LineSplitter {
  readonly #maxBytes: number;
  // Each line is decoded by itself: a slice of a decoded chunk would keep the whole chunk in
  // memory. `ignoreBOM` keeps the decoder from dropping U+FEFF where it is not the file's byte
  // order mark. Not `fatal`: checking with `isUtf8` first takes half the time.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The pieces so far of a line that did not end in its chunk; joined once, at its end. */
  #pieces: Uint8Array[] = [];
  /** The bytes so far of that line, kept or not. */
  #length = 0;
  #number: number;

  constructor(maxBytes: number, linesBefore: number) {
    this.#maxBytes = maxBytes;
    this.#number = linesBefore;
  }

  *push(chunk: Uint8Array): Generator<Line[]> {
    let lines: Line[] = [];
    let start = 0;
    // One check of all lines that end in the chunk takes less than one for each; the first may have begun before.
    const first = this.#length === 0 ? 0 : chunk.indexOf(LINE_FEED) + 1;
    const areText = isUtf8(chunk.subarray(first, chunk.lastIndexOf(LINE_FEED) + 1));
    for (
      let end = chunk.indexOf(LINE_FEED);
      end !== -1;
      end = chunk.indexOf(LINE_FEED, start)
    ) {
      this.#finish(chunk.subarray(start, end), lines, areText && start >= first);
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

  #finish(segment: Uint8Array, lines: Line[], isText: boolean): void {
    const number = ++this.#number;
    if (this.#length === 0 && segment.length <= this.#maxBytes) {
      this.#read(number, segment, lines, isText);
      return;
    }
    this.#carry(segment);
    const pieces = this.#pieces;
    const isTooLong = this.#length > this.#maxBytes;
    this.#pieces = [];
    this.#length = 0;
    if (!isTooLong) return this.#read(number, join(pieces, Infinity), lines, false);
    const limit = formatBytes(this.#maxBytes, { binary: true });
    lines.push({ number, text: undefined, problem: `longer than ${limit}`, bytes: pieces[0] });
  }

  /** `isText`: the segment is known to be UTF-8. */
  #read(number: number, segment: Uint8Array, lines: Line[], isText: boolean): void {
    const bytes = number === 1 && startsWithBom(segment) ? segment.subarray(3) : segment;
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    if (isBlank(bytes, end)) return;
    const line = end === bytes.length ? bytes : bytes.subarray(0, end);
    if (isText || isUtf8(line)) {
      const text = this.#decoder.decode(line);
      lines.push({ number, text, problem: undefined, bytes: undefined });
    } else {
      const problem = "invalid UTF-8";
      lines.push({ number, text: undefined, problem, bytes: line.slice() });
    }
  }
}

function startsWithBom(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Nothing but spaces, tabs and carriage returns. */
export function isBlank(bytes: Uint8Array, end: number, start = 0): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte > SPACE || (byte !== SPACE && byte !== 9 && byte !== CARRIAGE_RETURN)) return false;
  }
  return true;
}

/** The first bytes of all pieces in one. */
function join(pieces: readonly Uint8Array[], maxBytes: number): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const joined = new Uint8Array(Math.min(length, maxBytes));
  let at = 0;
  for (const piece of pieces) {
    if (at === joined.length) break;
    const part = piece.subarray(0, joined.length - at);
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
