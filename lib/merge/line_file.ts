/**
 * Reads lines of a file in any order.
 *
 * @module
 */

import { cannotRead, ifThere, openToRead, readFullySync } from "../files.ts";
import { free, type IdTable, type OnLine, readIndex } from "../index/mod.ts";
import type { LineKind } from "../line_blocks.ts";

/** Receives lines in parts, with their newlines. */
export interface LineSink {
  /** `bytes` are valid only during the call. */
  add(bytes: Uint8Array): void;
}

/** A sink for lines that are not written, so that `RunLines.copy` only marks them as used. */
export const NOWHERE: LineSink = { add: () => {} };

export const NEWLINE = new Uint8Array([10]);

const BLOCK_BYTES = 1 << 18;
/** Maximum number of blocks in memory. Lines are roughly in input order, but rows that were in
 * flight together may be far apart. */
const MAX_BLOCKS = 64;

/** Reads lines of a file in any order, in blocks. Keeps the file open: a run may replace it. */
export class LineFile implements Disposable {
  readonly #path: string;
  #offsets = new Float64Array(1_024);
  #lengths = new Uint32Array(1_024);
  #count = 0;
  readonly #file: Deno.FsFile | undefined;
  /** The blocks that were read last, by number, oldest first. */
  readonly #blocks = new Map<number, Uint8Array<ArrayBuffer>>();

  private constructor(path: string, file: Deno.FsFile | undefined) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<LineFile> {
    const file = await ifThere(openToRead(path), (cause) => cannotRead(path, cause));
    return new LineFile(path, file);
  }

  async index(kind: LineKind, table: IdTable, onLine: OnLine, signal?: AbortSignal): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.seek(0, Deno.SeekMode.Start);
    await readIndex({ path: this.#path, kind, openFile: this.#file }, table, onLine, signal);
  }

  /** Remembers a line. Returns its number for `copy`, from 1. */
  add({ offset, byteLength }: { offset: number; byteLength: number }): number {
    if (this.#count === this.#offsets.length) {
      const { buffer: offsets } = this.#offsets, { buffer: lengths } = this.#lengths;
      this.#offsets = new Float64Array(offsets.transfer(offsets.byteLength * 2));
      this.#lengths = new Uint32Array(lengths.transfer(lengths.byteLength * 2));
    }
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = byteLength;
    return ++this.#count;
  }

  /** Copies a line with its newline. Synchronous, because a promise for each line would cost more
   * than reading the line. */
  copy(line: number, sink: LineSink): void {
    let offset = this.#offsets[line - 1];
    const end = offset + this.#lengths[line - 1];
    while (offset < end) {
      const number = Math.floor(offset / BLOCK_BYTES);
      const start = offset - number * BLOCK_BYTES;
      const bytes = this.#block(number).subarray(start, start + end - offset);
      if (bytes.length === 0) throw cannotRead(this.#path, "it was truncated");
      sink.add(bytes);
      offset += bytes.length;
    }
    sink.add(NEWLINE);
  }

  #block(number: number): Uint8Array<ArrayBuffer> {
    const cached = this.#blocks.get(number);
    if (cached !== undefined) return cached;
    const bytes = this.#blocks.size < MAX_BLOCKS
      ? new Uint8Array(BLOCK_BYTES)
      : new Uint8Array(this.#dropOldestBlock().buffer);
    const block = bytes.subarray(0, this.#read(number * BLOCK_BYTES, bytes));
    this.#blocks.set(number, block);
    return block;
  }

  #dropOldestBlock(): Uint8Array<ArrayBuffer> {
    const [number, block] = this.#blocks.entries().next().value!;
    this.#blocks.delete(number);
    return block;
  }

  #read(offset: number, bytes: Uint8Array): number {
    try {
      return readFullySync(this.#file!, bytes, offset);
    } catch (cause) {
      throw cannotRead(this.#path, cause);
    }
  }

  /** Frees the memory at once: the garbage collector would let that of several runs pile up. */
  [Symbol.dispose](): void {
    this.#file?.close();
    for (const array of [...this.#blocks.values(), this.#offsets, this.#lengths]) free(array);
  }
}
