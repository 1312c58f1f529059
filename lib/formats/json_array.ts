/**
 * Reads the elements of one JSON array, each as its source text.
 *
 * The ends of elements are found without parsing. Numbers therefore stay as they were written, and
 * the file is never in memory as a whole. Streaming JSON parsers return values instead of text.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import type { SourceError } from "../errors.ts";
import { inputError } from "./foreign_format.ts";
import {
  badLine,
  BATCH_ROWS,
  goodLine,
  INVALID_UTF8,
  join,
  lengthProblem,
  type Line,
  MAX_LINE_BYTES,
  oneLine,
} from "./lines.ts";

export interface JsonArrayOptions {
  readonly name: string;
  /** The number of elements before the part that is read. @default 0 */
  readonly linesBefore?: number;
  /** Called for each element, which is then not yielded. `end` is the offset in bytes of the comma
   * or bracket after the element. */
  readonly onElement?: (end: number, number: number, isLast: boolean) => void;
}

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c;
const OPEN = 0x5b, CLOSE = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/** Reads the elements. `Line.number` counts from 1, whereas error messages count from 0. */
export async function* readJsonArray(
  chunks: AsyncIterable<Uint8Array>,
  options: JsonArrayOptions,
): AsyncGenerator<Line[]> {
  const scanner = new ArrayScanner(options);
  for await (const chunk of chunks) yield* scanner.push(chunk);
  scanner.checkEnd();
}

type State = "start" | "elements" | "end";

class ArrayScanner {
  readonly #name: string;
  readonly #decoder = new TextDecoder();
  #state: State = "start";
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** Whether the current element has begun. */
  #hasContent = false;
  /** The pieces of an element that began in earlier chunks. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  /** The number of finished elements, which is the index of the current element in messages. */
  #number: number;
  /** The position in the stream at which the current chunk begins, in bytes. */
  #offset = 0;
  readonly #onElement: JsonArrayOptions["onElement"];
  #isAfterComma = false;

  constructor(options: JsonArrayOptions) {
    this.#name = options.name;
    this.#number = options.linesBefore ?? 0;
    this.#onElement = options.onElement;
  }

  *push(chunk: Uint8Array): Generator<Line[]> {
    let rows: Line[] = [];
    let start = this.#state === "start" ? this.#begin(chunk) : 0;
    while (start < chunk.length && this.#state !== "end") {
      const end = this.#scan(chunk, start);
      if (end === chunk.length) break;
      const isLast = chunk[end] === CLOSE;
      if (this.#onElement === undefined) this.#addRow(chunk.subarray(start, end), rows, isLast);
      else this.#reportEnd(end, isLast);
      if (isLast) this.#state = "end";
      start = end + 1;
      if (rows.length >= BATCH_ROWS) {
        yield rows;
        rows = [];
      }
    }
    if (this.#state === "end") this.#checkAfterEnd(chunk, start);
    else if (start < chunk.length) this.#carry(chunk.subarray(start));
    this.#offset += chunk.length;
    if (rows.length > 0) yield rows;
  }

  checkEnd(): void {
    if (this.#state === "end") return;
    if (this.#state === "start") throw this.#error("it is empty");
    throw this.#error(`it ends in the middle of element ${this.#number}, before the closing "]"`);
  }

  /** Returns the index after the opening bracket, or the chunk's length if there is no bracket. */
  #begin(chunk: Uint8Array): number {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === OPEN) {
        this.#state = "elements";
        return i + 1;
      }
      // Skips a byte order mark and white space.
      if (byte > 32 && byte !== 0xef && byte !== 0xbb && byte !== 0xbf) {
        throw this.#error('it must be one array of objects: "[{…}, {…}]"');
      }
    }
    return chunk.length;
  }

  /** Returns the index of the comma or bracket after an element, or the chunk's length. */
  #scan(chunk: Uint8Array, from: number): number {
    let isInString = this.#isInString, isEscaped = this.#isEscaped, depth = this.#depth;
    let i = from;
    for (; i < chunk.length; i++) {
      const byte = chunk[i];
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) isInString = false;
      } else if (byte === QUOTE) {
        isInString = true;
        this.#hasContent = true;
      } else if (byte === OPEN || byte === OPEN_OBJECT) {
        depth++;
        this.#hasContent = true;
      } else if (byte === CLOSE || byte === CLOSE_OBJECT) {
        if (depth === 0) break;
        depth--;
      } else if (byte === COMMA && depth === 0) break;
      else if (byte > 32) this.#hasContent = true;
    }
    this.#isInString = isInString;
    this.#isEscaped = isEscaped;
    this.#depth = depth;
    return i;
  }

  /** Ends an element. Returns false if the array is empty. Throws if a comma is misplaced. */
  #endElement(isLast: boolean): boolean {
    if (!this.#hasContent) {
      if (isLast && !this.#isAfterComma) return false;
      if (this.#number === 0) throw this.#error("there is a comma before the first element");
      const what = isLast
        ? 'a comma before the closing "]"'
        : "a comma without an element before it";
      throw this.#error(`there is ${what}, after element ${this.#number - 1}`);
    }
    this.#isAfterComma = !isLast;
    this.#hasContent = false;
    return true;
  }

  #reportEnd(end: number, isLast: boolean): void {
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (this.#endElement(isLast)) this.#onElement!(this.#offset + end, ++this.#number, isLast);
  }

  #addRow(segment: Uint8Array, rows: Line[], isLast: boolean): void {
    if (!this.#endElement(isLast)) return;
    let bytes = segment;
    if (this.#pieceBytes > 0) {
      bytes = join([...this.#pieces, segment]);
      this.#pieces = [];
      this.#pieceBytes = 0;
    }
    const number = ++this.#number;
    rows.push(
      isUtf8(bytes)
        ? goodLine(number, oneLine(this.#decoder.decode(bytes)))
        : badLine(number, INVALID_UTF8, bytes.slice()),
    );
  }

  #carry(piece: Uint8Array): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes > MAX_LINE_BYTES) {
      const problem = lengthProblem(MAX_LINE_BYTES);
      throw this.#error(`element ${this.#number} is ${problem}, or a quote is missing`);
    }
    this.#pieces.push(piece.slice());
  }

  #checkAfterEnd(chunk: Uint8Array, from: number): void {
    for (let i = from; i < chunk.length; i++) {
      if (chunk[i] > 32) {
        throw this.#error('there is text after the closing "]" of the array. Write one array');
      }
    }
  }

  #error(problem: string): SourceError {
    return inputError(this.#name, problem);
  }
}
