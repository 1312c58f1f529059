/**
 * A line of an output file that is read only as far as it is needed.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";

/** A line of the file. Strings are created only when they are needed. The same object is reused for the next
 * line, so it is valid only during the call. */
export interface IndexedLine {
  /** Its number, from 1. */
  readonly number: number;
  /** Its offset in the file, in bytes. */
  readonly offset: number;
  /** Its length in bytes, without the line feed. */
  readonly byteLength: number;
  /** Whether it has a prompt hash. */
  readonly hasHash: boolean;
  /** Its id. */
  uid(): string;
  /** All of it. */
  text(): string;
  /** The line as an object.
   *
   * @throws {DamagedFileError} when it is not an object: only lines that Retort did not write were parsed before */
  value(): Readonly<Record<string, unknown>>;
  /** Whether it contains this ASCII text, which has no line feed. */
  includes(text: string): boolean;
}

/** The current line. One object is reused for all lines: a file may have millions. */
export class CurrentLine implements IndexedLine {
  number = 0;
  offset = 0;
  byteLength = 0;
  hasHash = false;
  /** The block that the line is part of, as bytes and as a character for each byte, and the end of the line in
   * it. */
  #block: Uint8Array = new Uint8Array(0);
  #characters = "";
  #end = 0;
  /** The next position of each searched text in the block. */
  readonly #found = new Map<string, number>();
  /** The position of its id in the block, or its id. */
  #uidStart = 0;
  #uidEnd = 0;
  #uid: string | undefined;
  readonly #path: string;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(path: string) {
    this.#path = path;
  }

  /** The next lines are part of this block. */
  startBlock(characters: string): void {
    this.#characters = characters;
    this.#found.clear();
  }

  /** Moves to a line that was not parsed. */
  scanned(block: Uint8Array, start: number, end: number): void {
    this.#block = block;
    this.#end = end;
    this.byteLength = end - start;
    this.hasHash = true;
    this.#uid = undefined;
  }

  /** Sets the position of the id in the block. */
  uidAt(start: number, end: number): void {
    this.#uidStart = start;
    this.#uidEnd = end;
  }

  /** Moves to a line that was parsed. */
  parsed(line: Uint8Array, uid: string, hasHash: boolean): void {
    this.#block = line;
    this.#end = this.byteLength = line.length;
    this.hasHash = hasHash;
    this.#uid = uid;
  }

  uid(): string {
    // Not a slice of the characters, which would keep the whole block in memory.
    return this.#uid ?? this.#decoder.decode(this.#block.subarray(this.#uidStart, this.#uidEnd));
  }

  text(): string {
    return this.#decoder.decode(this.#block.subarray(this.#end - this.byteLength, this.#end));
  }

  value(): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(this.text());
    } catch (cause) {
      throw this.damage("it is not JSON", cause);
    }
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw this.damage("it is no object");
  }

  damage(what: string, cause?: unknown): DamagedFileError {
    return new DamagedFileError(
      `Cannot use "${this.#path}" line ${this.number}: ${what}. Repair or remove the line; ` +
        `its row will be sent again`,
      { path: this.#path, cause },
    );
  }

  /** The block is searched from match to match, not line by line: most files do not hold the text at all. */
  includes(text: string): boolean {
    if (this.#uid !== undefined) return this.text().includes(text);
    const start = this.#end - this.byteLength;
    let at = this.#found.get(text) ?? -1;
    if (at < start) {
      at = this.#characters.indexOf(text, start);
      if (at === -1) at = Infinity;
      this.#found.set(text, at);
    }
    return at < this.#end;
  }
}
