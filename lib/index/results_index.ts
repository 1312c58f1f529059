/**
 * Reads the ids in an output file from the file itself, because a separate index could be wrong.
 *
 * Checks only that a line begins with `{"uid":"…","prompt_hash":"…"` and ends with `}}`, as Retort
 * writes it. Any other line is parsed, and reported as damaged if that fails. `verify` parses every
 * line.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { DamagedFileError } from "../errors.ts";
import {
  foreignLineProblem,
  isBlankLine,
  type LineBlock,
  type LineKind,
  readLineBlocks,
  readOpenBlocks,
} from "../line_blocks.ts";
import { areLowerHexDigits } from "../hash.ts";
import { HAS_RESULT, type IdTable } from "./id_table.ts";

/** Called with each line once its id is in the table. Returns `false` if the prompt hash must not
 * be stored. */
export type OnLine = (slot: number, line: IndexedLine) => void | false;

const HEAD = '{"uid":"';
const HASH = '","prompt_hash":"';
const HASH_DIGITS = 16;
const END = "}}";
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface IndexedFile {
  readonly path: string;
  readonly kind: LineKind;
  /** The open file, read from its start and not closed. @default opens `path` */
  readonly openFile?: Deno.FsFile;
}

/**
 * Inserts the ids of a file into the table, and returns the number of lines. Prompt hashes become
 * fingerprints, unless the id already has a result or `onLine` returns false. A missing file is
 * treated as empty.
 *
 * @throws {DamagedFileError} If a line is not one that Retort writes to files of this kind.
 */
export async function readIndex(
  file: IndexedFile,
  table: IdTable,
  onLine: OnLine,
  signal?: AbortSignal,
): Promise<number> {
  const scanner = new LineScanner(file, table, onLine);
  const blocks = file.openFile === undefined
    ? readLineBlocks(file.path)
    : readOpenBlocks(file.openFile, file.path);
  for await (const block of blocks) {
    signal?.throwIfAborted();
    if (block.isTail) scanner.scanTail(block);
    else scanner.scan(block);
  }
  return scanner.lineCount;
}

class LineScanner {
  readonly #table: IdTable;
  readonly #onLine: OnLine;
  readonly #line: IndexedLine;
  readonly #kind: LineKind;

  constructor({ path, kind }: IndexedFile, table: IdTable, onLine: OnLine) {
    this.#line = new IndexedLine(path);
    this.#kind = kind;
    this.#table = table;
    this.#onLine = onLine;
  }

  get lineCount(): number {
    return this.#line.number;
  }

  scan({ bytes: block, offset }: LineBlock): void {
    // This string has one character for each byte. Strings are searched many bytes at a time, typed
    // arrays byte by byte: finding line feeds and NUL bytes in a typed array takes more than twice
    // as long.
    const characters = Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1");
    const hasNul = characters.includes("\0");
    this.#line.startBlock(characters);
    let start = 0;
    while (start < block.length) {
      const end = characters.indexOf("\n", start);
      this.#line.number++;
      this.#line.offset = offset + start;
      if (hasNul || !this.#scanFast(block, characters, start, end)) {
        this.#scanParsed(block.subarray(start, end));
      }
      start = end + 1;
    }
  }

  /** Scans a last line without a line feed. Ignores a truncated one: the next run removes it. */
  scanTail({ bytes, offset }: LineBlock): void {
    this.#line.number++;
    this.#line.offset = offset;
    try {
      this.#scanParsed(bytes);
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
    }
  }

  /** Returns false if the line must be parsed. */
  #scanFast(block: Uint8Array, characters: string, start: number, end: number): boolean {
    if (!characters.startsWith(HEAD, start)) return false;
    if (!characters.startsWith(END, end - END.length)) return false;
    const uidStart = start + HEAD.length;
    const uidEnd = characters.indexOf('"', uidStart);
    if (uidEnd === -1 || uidEnd >= end) return false;
    if (!characters.startsWith(HASH, uidEnd)) return false;
    const hashStart = uidEnd + HASH.length;
    const hashEnd = hashStart + HASH_DIGITS;
    if (characters[hashEnd] !== '"' || !areLowerHexDigits(block, hashStart, hashEnd)) return false;
    const slot = this.#table.insertBytes(block, uidStart, uidEnd);
    if (slot === -1) return false;
    // The last failure of a row replaces the hash of earlier failures, but never the hash of a
    // result.
    const hadResult = this.#table.has(slot, HAS_RESULT);
    this.#line.moveTo(block, start, end, uidStart, uidEnd);
    const storesHash = this.#onLine(slot, this.#line) !== false;
    if (!hadResult && storesHash) this.#table.setFingerprintBytes(slot, block, hashStart);
    return true;
  }

  #scanParsed(line: Uint8Array): void {
    if (isBlankLine(line)) return;
    const value = this.#line.jsonOf(line);
    const problem = foreignLineProblem(value, this.#kind);
    if (problem !== undefined) throw this.#line.damage(problem);
    const { uid, prompt_hash: promptHash } = value as { uid: string; prompt_hash: string };
    const isHash = /^[0-9a-f]{16}$/.test(promptHash);
    const slot = this.#table.insert(uid);
    const hadResult = this.#table.has(slot, HAS_RESULT);
    this.#line.moveToParsed(line, uid, isHash);
    const storesHash = this.#onLine(slot, this.#line) !== false;
    if (isHash && !hadResult && storesHash) this.#table.setFingerprint(slot, promptHash);
  }
}

/** A line whose strings are created on demand. One object is reused for all lines of a file, which
 * may have millions: it is valid only during the call of `OnLine`. */
export class IndexedLine {
  /** The line's number, from 1. */
  number = 0;
  /** Where the line begins in the file. */
  offset = 0;
  /** Length in bytes, without the line feed. */
  byteLength = 0;
  hasHash = false;
  /** The bytes of the block, or of a parsed line. */
  #block: Uint8Array = new Uint8Array(0);
  /** The block with one character for each byte. */
  #characters = "";
  #end = 0;
  /** The next position of each text of `includes` in the block, or `Infinity`. */
  readonly #nextPositions = new Map<string, number>();
  /** Where the id is in `#block`, unless `#uid` is set. */
  #uidStart = 0;
  #uidEnd = 0;
  #uid: string | undefined;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  startBlock(characters: string): void {
    this.#characters = characters;
    this.#nextPositions.clear();
  }

  moveTo(block: Uint8Array, start: number, end: number, uidStart: number, uidEnd: number): void {
    this.#block = block;
    this.#end = end;
    this.byteLength = end - start;
    this.hasHash = true;
    this.#uid = undefined;
    this.#uidStart = uidStart;
    this.#uidEnd = uidEnd;
  }

  moveToParsed(line: Uint8Array, uid: string, hasHash: boolean): void {
    this.#block = line;
    this.#end = this.byteLength = line.length;
    this.hasHash = hasHash;
    this.#uid = uid;
  }

  uid(): string {
    // A slice of `#characters` would keep the whole block in memory.
    return this.#uid ?? DECODER.decode(this.#block.subarray(this.#uidStart, this.#uidEnd));
  }

  text(): string {
    return DECODER.decode(this.#bytes);
  }

  get #bytes(): Uint8Array {
    return this.#block.subarray(this.#end - this.byteLength, this.#end);
  }

  /** Parses the line, of which the scanner may have checked only the beginning and the end.
   *
   * @throws {DamagedFileError} If the line is not a JSON object. */
  value(): Readonly<Record<string, unknown>> {
    const value = this.jsonOf(this.#bytes);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw this.damage("it is not an object");
  }

  jsonOf(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(DECODER.decode(bytes));
    } catch (cause) {
      throw this.damage("it is not JSON", cause);
    }
  }

  damage(problem: string, cause?: unknown): DamagedFileError {
    return new DamagedFileError(
      `Cannot use "${this.#path}" line ${this.number}: ${problem}. Repair the line, or remove it ` +
        "to send its row again",
      { path: this.#path, cause },
    );
  }

  /** Whether the line contains a text, which must be ASCII without a line feed. Searches the block
   * from match to match, not line by line, because most files do not contain the text. */
  includes(text: string): boolean {
    if (this.#uid !== undefined) return this.text().includes(text);
    const start = this.#end - this.byteLength;
    let next = this.#nextPositions.get(text) ?? -1;
    if (next < start) {
      next = this.#characters.indexOf(text, start);
      if (next === -1) next = Infinity;
      this.#nextPositions.set(text, next);
    }
    return next < this.#end;
  }
}
