/**
 * Which ids an output file holds, read from the file itself: there is no second book to go wrong.
 *
 * A line that Retort wrote begins with `{"uid":"…","prompt_hash":"…"` and ends as its lines end; only
 * that much of it is looked at. Any other line is parsed whole, and what does not parse is damage.
 * `verify` is what reads every byte.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";
import { readLineBlocks } from "../line_blocks.ts";
import type { IdTable } from "./id_table.ts";

/** One line of the file. What costs a string is made when it is asked for, during the call only. */
export interface IndexedLine {
  /** Its number, from 1. */
  readonly number: number;
  /** Its id. */
  uid(): string;
  /** All of it. */
  text(): string;
}

const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const CLOSING_BRACE = 125;
const ENCODER = new TextEncoder();
const HEAD = ENCODER.encode('{"uid":"');
const HASH = ENCODER.encode('","prompt_hash":"');
const HASH_DIGITS = 16;

/**
 * Enters every id of the file into the table and notes its prompt hash there, unless one is noted
 * already. A file that does not exist holds nothing.
 *
 * @throws {DamagedFileError} when a line is no JSON object with a `uid`
 */
export async function readIndex(
  path: string,
  table: IdTable,
  onLine: (slot: number, line: IndexedLine) => void,
): Promise<void> {
  const scanner = new LineScanner(path, table, onLine);
  for await (const { bytes, isTail } of readLineBlocks(path)) {
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
    const hasNul = block.includes(0);
    let start = 0;
    while (start < block.length) {
      const end = block.indexOf(NEWLINE, start);
      this.#line++;
      if (hasNul || !this.#scanFast(block, start, end)) {
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
  #scanFast(block: Uint8Array, start: number, end: number): boolean {
    if (!matches(block, start, HEAD)) return false;
    if (block[end - 1] !== CLOSING_BRACE || block[end - 2] !== CLOSING_BRACE) return false;
    const uidStart = start + HEAD.length;
    const uidEnd = block.indexOf(QUOTE, uidStart);
    if (uidEnd === -1 || uidEnd >= end || block[uidEnd - 1] === BACKSLASH) return false;
    if (!matches(block, uidEnd, HASH)) return false;
    const hashStart = uidEnd + HASH.length;
    if (block[hashStart + HASH_DIGITS] !== QUOTE) return false;
    if (!isHex(block, hashStart, hashStart + HASH_DIGITS)) return false;
    let slot: number;
    if (uidEnd - uidStart === 32 && isHex(block, uidStart, uidEnd)) {
      slot = this.#table.insertHex(block, uidStart);
    } else {
      const uid = this.#uidOf(block.subarray(uidStart, uidEnd));
      if (uid === undefined) return false;
      slot = this.#table.insert(uid);
    }
    if (this.#table.isCheckEmpty(slot)) this.#table.setCheckHex(slot, block, hashStart);
    this.#onLine(slot, {
      number: this.#line,
      uid: () => this.#decoder.decode(block.subarray(uidStart, uidEnd)),
      text: () => this.#decoder.decode(block.subarray(start, end)),
    });
    return true;
  }

  /** The id between two quotes, or undefined when it has to be parsed. */
  #uidOf(bytes: Uint8Array): string | undefined {
    if (bytes.includes(BACKSLASH)) return undefined;
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }

  #scanParsed(line: Uint8Array): void {
    const { uid, promptHash } = this.#parse(line);
    const slot = this.#table.insert(uid);
    if (promptHash !== undefined && this.#table.isCheckEmpty(slot)) {
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

function matches(block: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) {
    if (block[start + i] !== expected[i]) return false;
  }
  return true;
}

function isHex(block: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = block[i];
    if (!(code >= 48 && code <= 57) && !(code >= 97 && code <= 102)) return false;
  }
  return true;
}
