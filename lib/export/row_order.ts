/**
 * Orders exported rows with a few bytes of memory each, and chooses validation rows.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SinkError } from "../errors.ts";
import { readFullySync, systemReason, writeAll } from "../files.ts";
import { xxHash64Hex } from "../hash.ts";
import { MAX_SAMPLES } from "../params.ts";
import { cannotWrite } from "../sink/mod.ts";

const START_CAPACITY = 1_024, BLOCK_CAPACITY = 1 << 16;
/**
 * Distance between the sort keys of two inputs, in lines. It keeps keys within the safe integers
 * for up to 900 inputs. With more inputs, the samples of a row may be out of order.
 */
const LINES_PER_FILE = 1e10;

/** Which input row a results line answers, and with which sample. */
export interface Origin {
  /** The name of the input file, without its folder. */
  readonly file: string;
  /** The line number, from 1, with at most ten digits. */
  readonly line: number;
  readonly sample: number;
}

/** A growing list of numbers, in blocks: growing a single array would take up to three times its
 * memory, because it must be copied. */
export class Numbers {
  length = 0;
  readonly #blocks: (Float64Array | Uint32Array)[] = [];
  readonly #Block: typeof Float64Array | typeof Uint32Array;

  constructor(Block: typeof Float64Array | typeof Uint32Array) {
    this.#Block = Block;
  }

  push(value: number): void {
    const block = Math.floor(this.length / BLOCK_CAPACITY), index = this.length % BLOCK_CAPACITY;
    if (index >= (this.#blocks[block]?.length ?? 0)) this.#grow(block);
    this.#blocks[block][index] = value;
    this.length++;
  }

  at(index: number): number {
    return this.#blocks[Math.floor(index / BLOCK_CAPACITY)][index % BLOCK_CAPACITY];
  }

  /** Starts with a small block: an export may read thousands of files, with lists for each. */
  #grow(index: number): void {
    const oldBlock = this.#blocks[index];
    const capacity = index > 0 ? BLOCK_CAPACITY : (oldBlock?.length ?? START_CAPACITY / 2) * 2;
    const block = this.#blocks[index] = new this.#Block(capacity);
    if (oldBlock !== undefined) block.set(oldBlock);
  }
}

/** Sorts results lines, which are in order of completion, by their origin. Needs 20 bytes of memory
 * per row, and 8 more while sorting. */
export class RowOrder {
  /** Sort keys: the number of the input file, the line and the sample, as one number. */
  readonly #keys = new Numbers(Float64Array);
  readonly #offsets = new Numbers(Float64Array);
  readonly #lengths = new Numbers(Uint32Array);
  readonly #files = new Map<string, number>();

  get length(): number {
    return this.#keys.length;
  }

  /** @param offset Where the line begins in the results file, in bytes. */
  add(offset: number, byteLength: number, { file, line, sample }: Origin): void {
    let fileNumber = this.#files.get(file);
    if (fileNumber === undefined) this.#files.set(file, fileNumber = this.#files.size);
    this.#keys.push((fileNumber * LINES_PER_FILE + line) * MAX_SAMPLES + sample);
    this.#offsets.push(offset);
    this.#lengths.push(byteLength);
  }

  position(index: number): { offset: number; byteLength: number } {
    return { offset: this.#offsets.at(index), byteLength: this.#lengths.at(index) };
  }

  haveSameOrigin(index: number, other: number): boolean {
    return this.#keys.at(index) === this.#keys.at(other);
  }

  /**
   * Returns the indexes of the lines in input order. Lines with the same origin stay in the order
   * of `add`.
   */
  inInputOrder(): Uint32Array {
    const order = new Uint32Array(this.length);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return sortByKeys(order, this.#keys);
  }
}

/** Sorts stably, by merging. `TypedArray.sort` with a comparator would copy all elements first. */
function sortByKeys(indexes: Uint32Array, keys: Numbers): Uint32Array {
  if (isInOrder(indexes, keys)) return indexes;
  const { length } = indexes;
  let from = indexes, to: Uint32Array = new Uint32Array(length);
  for (let width = 1; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) {
      const middle = Math.min(start + width, length), end = Math.min(middle + width, length);
      if (middle === end || keys.at(from[middle - 1]) <= keys.at(from[middle])) {
        to.set(from.subarray(start, end), start);
        continue;
      }
      for (let left = start, right = middle, next = start; next < end; next++) {
        const takesLeft = right === end ||
          (left < middle && keys.at(from[left]) <= keys.at(from[right]));
        to[next] = from[takesLeft ? left++ : right++];
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

function isInOrder(indexes: Uint32Array, keys: Numbers): boolean {
  for (let i = 1; i < indexes.length; i++) {
    if (keys.at(indexes[i - 1]) > keys.at(indexes[i])) return false;
  }
  return true;
}

/** Whether a row is for validation. The hash of its uid alone decides, so the split is the same in
 * each export. The uid is read only if there is a split, because some rows compute it. */
export function isForValidation(row: { readonly rowUid: string }, share: number): boolean {
  return share > 0 && Number.parseInt(xxHash64Hex(row.rowUid).slice(0, 8), 16) < share * 2 ** 32;
}

/** Shuffles the numbers in place (Fisher–Yates). */
export function shuffleIn(numbers: Uint32Array, seed: number): void {
  const random = randomOf(seed);
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
  }
}

/** Returns a Mulberry32 generator of numbers in [0, 1), which are the same on every machine. */
function randomOf(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The number of rows per stored offset. The offsets between are found by adding lengths. */
const ROWS_PER_BASE = 64;

/** Shuffles rows whose texts are in a temporary file. Needs 8 bytes of memory per row. */
export class RowSpool implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  /** The path of each file, and the index of its first row. */
  readonly #files: { readonly path: string; readonly start: number }[] = [];
  /** The length in bytes of each row in the file: its line number, a space and its text. */
  readonly #lengths = new Numbers(Uint32Array);
  /** The offset of each `ROWS_PER_BASE`th row. */
  readonly #bases = new Numbers(Float64Array);
  #end = 0;
  #unwrittenLines: string[] = [];
  #buffer = new Uint8Array(1 << 16);

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** @param folder A folder with space for the rows. If it is not given, or no file can be created
   * in it, as in `/dev/fd`, the file is in the folder for temporary files. */
  static async open(folder?: string): Promise<RowSpool> {
    const create = (dir?: string) => Deno.makeTempFile({ dir, prefix: ".retort-shuffle-" });
    try {
      const path = await create(folder).catch(() => create());
      const file = await Deno.open(path, { read: true, write: true });
      // The file is removed while it is open. Otherwise, Ctrl-C would leave behind a file as large
      // as the rows.
      if (Deno.build.os !== "windows") await Deno.remove(path).catch(() => {});
      return new RowSpool(path, file);
    } catch (cause) {
      throw new SinkError(`Cannot write a temporary file: ${systemReason(cause)}`, { cause });
    }
  }

  /** Buffers a row until `flush`. The rows of a file must be consecutive. */
  add(text: string, file: string, line: number): void {
    if (this.#files.at(-1)?.path !== file) {
      this.#files.push({ path: file, start: this.#lengths.length + this.#unwrittenLines.length });
    }
    this.#unwrittenLines.push(`${line} ${text}`);
  }

  async flush(): Promise<void> {
    if (this.#unwrittenLines.length === 0) return;
    for (const text of this.#unwrittenLines) {
      if (this.#lengths.length % ROWS_PER_BASE === 0) this.#bases.push(this.#end);
      const length = Buffer.byteLength(text);
      this.#lengths.push(length);
      this.#end += length;
    }
    const bytes = this.#encoder.encode(this.#unwrittenLines.join(""));
    this.#unwrittenLines = [];
    try {
      await writeAll(this.#file, bytes);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Yields what `read` returns for each row, in shuffled order. */
  *shuffled<T>(
    seed: number,
    read: (text: string, file: string, line: number) => T,
  ): Generator<T> {
    const indexes = new Uint32Array(this.#lengths.length);
    for (let i = 0; i < indexes.length; i++) indexes[i] = i;
    shuffleIn(indexes, seed);
    for (const index of indexes) {
      const { path } = this.#files.findLast(({ start }) => start <= index)!;
      const row = this.#rowAt(index), space = row.indexOf(" ");
      yield read(row.slice(space + 1), path, Number(row.slice(0, space)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    await Deno.remove(this.#path).catch(() => {});
  }

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
