/**
 * Which ids an output file holds, read from the file itself: there is no second book to go wrong.
 *
 * A line that Retort wrote begins with `{"uid":"…","prompt_hash":"…"` and ends as its lines end; only
 * that much of it is looked at. Any other line is parsed whole, and what does not parse is damage.
 * `verify` is what reads every byte.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { DamagedFileError } from "../errors.ts";
import { readLineBlocks } from "../line_blocks.ts";
import { HAS_RESULT, type IdTable } from "./id_table.ts";

/** One line of the file. What costs a string is made when it is asked for, during the call only. */
export interface IndexedLine {
  /** Its number, from 1. */
  readonly number: number;
  /** Its id. */
  uid(): string;
  /** All of it. */
  text(): string;
}

const BACKSLASH = 92;
const HEAD = '{"uid":"';
const HASH = '","prompt_hash":"';
const HASH_DIGITS = 16;
const END = "}}";

/**
 * Enters every id of the file into the table and notes its prompt hash there, unless the id has a
 * result already. A file that does not exist holds nothing. Rejects when the signal is aborted.
 *
 * @throws {DamagedFileError} when a line is no JSON object with a `uid`
 */
export async function readIndex(
  path: string,
  table: IdTable,
  onLine: (slot: number, line: IndexedLine) => void,
  signal?: AbortSignal,
): Promise<void> {
  const scanner = new LineScanner(path, table, onLine);
  for await (const { bytes, isTail } of readLineBlocks(path)) {
    signal?.throwIfAborted();
    if (isTail) scanner.scanTail(bytes);
    else scanner.scan(bytes);
  }
}

class LineScanner {
  readonly #path: string;
  readonly #table: IdTable;
  readonly #onLine: (slot: number, line: IndexedLine) => void;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #line = 0;

  constructor(
    path: string,
    table: IdTable,
    onLine: (slot: number, line: IndexedLine) => void,
  ) {
    this.#path = path;
    this.#table = table;
    this.#onLine = onLine;
  }

  /** Looks at every line of the block. */
  scan(block: Uint8Array): void {
    // A character for each byte. Strings are searched many bytes at a time, typed arrays one by one: with
    // them the search for line feeds and NUL bytes takes more than twice the time.
    const characters = Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1");
    const hasNul = characters.includes("\0");
    let start = 0;
    while (start < block.length) {
      const end = characters.indexOf("\n", start);
      this.#line++;
      if (hasNul || !this.#scanFast(block, characters, start, end)) {
        this.#scanParsed(block.subarray(start, end));
      }
      start = end + 1;
    }
  }

  /** Looks at a last line that has no line ending: half of one holds nothing yet, and the next run
   * cuts it off. */
  scanTail(line: Uint8Array): void {
    this.#line++;
    try {
      this.#scanParsed(line);
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
    }
  }

  /** Gives false for a line that has to be parsed. */
  #scanFast(block: Uint8Array, characters: string, start: number, end: number): boolean {
    if (!characters.startsWith(HEAD, start)) return false;
    if (!characters.startsWith(END, end - END.length)) return false;
    const uidStart = start + HEAD.length;
    const uidEnd = characters.indexOf('"', uidStart);
    if (uidEnd === -1 || uidEnd >= end) return false;
    if (!characters.startsWith(HASH, uidEnd)) return false;
    const hashStart = uidEnd + HASH.length;
    const hashEnd = hashStart + HASH_DIGITS;
    if (characters[hashEnd] !== '"' || !isHex(block, hashStart, hashEnd)) return false;
    const slot = this.#slotOf(block, uidStart, uidEnd);
    if (slot === -1) return false;
    if (this.#isNewest(slot)) this.#table.setCheckHex(slot, block, hashStart);
    this.#onLine(slot, {
      number: this.#line,
      // Not a slice of `characters`, which would keep the whole block in memory.
      uid: () => this.#decoder.decode(block.subarray(uidStart, uidEnd)),
      text: () => this.#decoder.decode(block.subarray(start, end)),
    });
    return true;
  }

  /** The slot of the id; -1 when it has to be parsed. */
  #slotOf(block: Uint8Array, start: number, end: number): number {
    const slot = end - start === 32 ? this.#table.insertHex(block, start) : -1;
    if (slot !== -1 || !this.#isPlain(block, start, end)) return slot;
    return this.#table.insertUtf8(block, start, end);
  }

  /** Whether the bytes of an id stand for themselves: they are UTF-8 without escapes. */
  #isPlain(block: Uint8Array, start: number, end: number): boolean {
    let isAscii = true;
    for (let i = start; i < end; i++) {
      if (block[i] === BACKSLASH) return false;
      if (block[i] >= 128) isAscii = false;
    }
    if (isAscii) return true;
    try {
      this.#decoder.decode(block.subarray(start, end));
      return true;
    } catch {
      return false;
    }
  }

  /** The last failure of a row counts, but a result outranks it. */
  #isNewest(slot: number): boolean {
    return !this.#table.has(slot, HAS_RESULT);
  }

  #scanParsed(line: Uint8Array): void {
    const { uid, promptHash } = this.#parse(line);
    const slot = this.#table.insert(uid);
    if (promptHash !== undefined && this.#isNewest(slot)) {
      this.#table.setCheck(slot, promptHash);
    }
    this.#onLine(slot, {
      number: this.#line,
      uid: () => uid,
      text: () => this.#decoder.decode(line),
    });
  }

  #parse(line: Uint8Array): { uid: string; promptHash: string | undefined } {
    let value: unknown;
    try {
      value = JSON.parse(this.#decoder.decode(line));
    } catch (cause) {
      throw this.#damage("it is not JSON", cause);
    }
    if (typeof value !== "object" || value === null || !("uid" in value)) {
      throw this.#damage('it has no "uid"');
    }
    if (typeof value.uid !== "string") throw this.#damage('its "uid" is not a string');
    const hash = "prompt_hash" in value ? value.prompt_hash : undefined;
    const isHash = typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash);
    return { uid: value.uid, promptHash: isHash ? hash : undefined };
  }

  #damage(what: string, cause?: unknown): DamagedFileError {
    return new DamagedFileError(
      `Cannot use "${this.#path}" line ${this.#line}: ${what}. Repair or remove the line; ` +
        `its row will be asked again`,
      { path: this.#path, cause },
    );
  }
}

function isHex(block: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = block[i];
    if (!(code >= 48 && code <= 57) && !(code >= 97 && code <= 102)) return false;
  }
  return true;
}
