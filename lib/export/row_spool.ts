/**
 * Rows that are read at random: their text in a temporary file, and where each begins in memory.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { randomOf, shuffleIn } from "./row_order.ts";

const START_CAPACITY = 1 << 12;

/** Takes rows in their order and gives them back shuffled. A row takes 20 bytes of memory. */
export class RowSpool implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #files: string[] = [];
  #ends = new Float64Array(START_CAPACITY);
  #lines = new Float64Array(START_CAPACITY);
  #length = 0;
  #end = 0;
  #waiting: string[] = [];
  #waitingFrom = 0;
  #buffer = new Uint8Array(1 << 16);
  /** The first row of each file. */
  readonly #starts: number[] = [];

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Makes an empty one in a folder, that of temporary files where none is named. */
  static async open(folder?: string): Promise<RowSpool> {
    try {
      const path = await Deno.makeTempFile({ dir: folder, prefix: ".retort-shuffle-" });
      return new RowSpool(path, await Deno.open(path, { read: true, write: true }));
    } catch (cause) {
      throw new SinkError(`Cannot write a temporary file: ${systemReason(cause)}`, { cause });
    }
  }

  /** Adds a row of a file; those of one file come one after the other. */
  add(text: string, file: string, line: number): void {
    if (this.#files.at(-1) !== file) {
      this.#files.push(file);
      this.#starts.push(this.#length);
    }
    if (this.#length === this.#ends.length) this.#grow();
    this.#waiting.push(text);
    this.#lines[this.#length++] = line;
  }

  /** Writes the rows that were added. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    for (const text of this.#waiting) {
      this.#end += Buffer.byteLength(text);
      this.#ends[this.#waitingFrom++] = this.#end;
    }
    const bytes = this.#encoder.encode(this.#waiting.join(""));
    this.#waiting = [];
    try {
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (cause) {
      throw new SinkError(`Cannot write "${this.#path}": ${systemReason(cause)}`, {
        path: this.#path,
        cause,
      });
    }
  }

  /** Returns the rows in the order of a seed. */
  *shuffled<T>(
    seed: number,
    read: (text: string, file: string, line: number) => T,
  ): Generator<T> {
    const places = new Uint32Array(this.#length);
    for (let i = 0; i < places.length; i++) places[i] = i;
    shuffleIn(places, randomOf(seed));
    for (const place of places) {
      const file = this.#starts.findLastIndex((start) => start <= place);
      yield read(this.#textAt(place), this.#files[file], this.#lines[place]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    await Deno.remove(this.#path).catch(() => {});
  }

  #textAt(place: number): string {
    const start = place === 0 ? 0 : this.#ends[place - 1];
    const length = this.#ends[place] - start;
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length * 2);
    const bytes = this.#buffer.subarray(0, length);
    // Synchronous, as in a results file: a promise for each row would cost more than the read.
    this.#file.seekSync(start, Deno.SeekMode.Start);
    for (let at = 0; at < length;) {
      const count = this.#file.readSync(bytes.subarray(at));
      if (count === null) throw new SinkError(`Cannot read "${this.#path}": it was cut`);
      at += count;
    }
    return this.#decoder.decode(bytes);
  }

  #grow(): void {
    const [ends, lines] = [this.#ends, this.#lines];
    (this.#ends = new Float64Array(ends.length * 2)).set(ends);
    (this.#lines = new Float64Array(lines.length * 2)).set(lines);
  }
}
