/**
 * Rows to be shuffled: their texts are in a temporary file, and only their lengths in memory.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SinkError } from "../errors.ts";
import { readFullySync, systemReason, writeAll } from "../files.ts";
import { Numbers, randomOf, shuffleIn } from "./row_order.ts";

/** One offset is stored for this number of rows. Those in between are found by adding lengths. */
const ROWS_PER_BASE = 64;

/** Takes rows in order and returns them shuffled. A row takes 8 bytes of memory. */
export class RowSpool implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #files: string[] = [];
  /** The length of each row in bytes: its line number, a space and its text. */
  readonly #lengths = new Numbers(Uint32Array);
  /** Offset of every 64th row in the temporary file. */
  readonly #bases = new Numbers(Float64Array);
  /** Size of the temporary file. */
  #end = 0;
  /** Rows that were added and are not in the file yet. */
  #unwritten: string[] = [];
  #buffer = new Uint8Array(1 << 16);
  /** Index of the first row of each file. */
  readonly #starts: number[] = [];

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Creates an empty spool in a folder, by default in the folder for temporary files. */
  static async open(folder?: string): Promise<RowSpool> {
    try {
      const path = await Deno.makeTempFile({ dir: folder, prefix: ".retort-shuffle-" });
      return new RowSpool(path, await Deno.open(path, { read: true, write: true }));
    } catch (cause) {
      throw new SinkError(`Cannot write a temporary file: ${systemReason(cause)}`, { cause });
    }
  }

  /** Adds a row of a file. All rows of a file must be added together. */
  add(text: string, file: string, line: number): void {
    if (this.#files.at(-1) !== file) {
      this.#files.push(file);
      this.#starts.push(this.#lengths.length + this.#unwritten.length);
    }
    this.#unwritten.push(`${line} ${text}`);
  }

  /** Writes the added rows to the temporary file. */
  async flush(): Promise<void> {
    if (this.#unwritten.length === 0) return;
    for (const text of this.#unwritten) {
      if (this.#lengths.length % ROWS_PER_BASE === 0) this.#bases.push(this.#end);
      const length = Buffer.byteLength(text);
      this.#lengths.push(length);
      this.#end += length;
    }
    const bytes = this.#encoder.encode(this.#unwritten.join(""));
    this.#unwritten = [];
    try {
      await writeAll(this.#file, bytes);
    } catch (cause) {
      throw new SinkError(`Cannot write "${this.#path}": ${systemReason(cause)}`, {
        path: this.#path,
        cause,
      });
    }
  }

  /** Reads the rows in the order that the seed gives. */
  *shuffled<T>(
    seed: number,
    read: (text: string, file: string, line: number) => T,
  ): Generator<T> {
    const indexes = new Uint32Array(this.#lengths.length);
    for (let i = 0; i < indexes.length; i++) indexes[i] = i;
    shuffleIn(indexes, randomOf(seed));
    for (const index of indexes) {
      const file = this.#starts.findLastIndex((start) => start <= index);
      const row = this.#rowAt(index), space = row.indexOf(" ");
      yield read(row.slice(space + 1), this.#files[file], Number(row.slice(0, space)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    await Deno.remove(this.#path).catch(() => {});
  }

  /** Reads a row: its line number, a space and its text. */
  #rowAt(index: number): string {
    const base = Math.floor(index / ROWS_PER_BASE);
    let start = this.#bases.at(base);
    for (let i = base * ROWS_PER_BASE; i < index; i++) start += this.#lengths.at(i);
    const length = this.#lengths.at(index);
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length * 2);
    const bytes = this.#buffer.subarray(0, length);
    if (readFullySync(this.#file, bytes, start) < length) {
      throw new SinkError(`Cannot read "${this.#path}": it was truncated`);
    }
    return this.#decoder.decode(bytes);
  }
}
