/**
 * The order of exported rows (input order or shuffled), the choice of validation rows, and the
 * search for duplicates.
 *
 * Rows that are shuffled have their text in a temporary file, and only their offsets in memory.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { MOST_SAMPLES } from "../seed.ts";
import { Buffer } from "node:buffer";
import { SinkError } from "../errors.ts";
import { systemReason } from "../files.ts";

const START_CAPACITY = 1_024;
/** A row has fewer answers than this. */
const SAMPLES_PER_LINE = MOST_SAMPLES;
/**
 * Line numbers of one input stay below this. Multiplied by 900 inputs and their answers it is still
 * a safe integer.
 */
const LINES_PER_FILE = 1e10;

/** The row of an input and the answer to it that a line holds. */
export interface Origin {
  /** The input file. */
  readonly file: string;
  /** The line in it, from 1: ten digits at most. */
  readonly line: number;
  /** Which answer to the row it is, from 0. */
  readonly sample: number;
}

/**
 * An index of 24 bytes a row. Results are in order of completion, and a training set of ten million
 * rows should not be read into memory to sort it.
 */
export class RowOrder {
  /** The number of lines. */
  length = 0;
  /** The sort keys: the input file in order of first appearance, the line in it, and the sample. */
  #keys = new Float64Array(START_CAPACITY);
  #offsets = new Float64Array(START_CAPACITY);
  #lengths = new Uint32Array(START_CAPACITY);
  readonly #files = new Map<string, number>();

  /** Adds a line of the results file: where it is, and what it holds. */
  add(offset: number, byteLength: number, { file, line, sample }: Origin): void {
    if (this.length === this.#keys.length) this.#grow();
    let number = this.#files.get(file);
    if (number === undefined) this.#files.set(file, number = this.#files.size);
    this.#keys[this.length] = (number * LINES_PER_FILE + line) * SAMPLES_PER_LINE + sample;
    this.#offsets[this.length] = offset;
    this.#lengths[this.length] = byteLength;
    this.length++;
  }

  /** Where a line is. */
  place(index: number): { offset: number; byteLength: number } {
    return { offset: this.#offsets[index], byteLength: this.#lengths[index] };
  }

  /**
   * The lines in input order; of two with the same origin, the earlier one in the results comes
   * first.
   */
  inInputOrder(): Uint32Array {
    const keys = this.#keys;
    const order = new Uint32Array(this.length);
    let isSorted = true;
    for (let i = 0; i < order.length; i++) {
      order[i] = i;
      if (i > 0 && keys[i] < keys[i - 1]) isSorted = false;
    }
    if (!isSorted) order.sort((a, b) => keys[a] - keys[b] || a - b);
    return order;
  }

  #grow(): void {
    const capacity = this.#keys.length * 2;
    const [keys, offsets, lengths] = [this.#keys, this.#offsets, this.#lengths];
    (this.#keys = new Float64Array(capacity)).set(keys);
    (this.#offsets = new Float64Array(capacity)).set(offsets);
    (this.#lengths = new Uint32Array(capacity)).set(lengths);
  }
}

/**
 * Whether the rows of a uid are for validation. The hash of the uid decides, so the split is the
 * same in each export, whatever else is in it.
 */
export function isForValidation(rowUid: string, share: number): boolean {
  return share > 0 && Number.parseInt(xxHash64Hex(rowUid).slice(0, 8), 16) < share * 2 ** 32;
}

/** Shuffles in place (Fisher and Yates). */
export function shuffleIn(places: Uint32Array, random: () => number): void {
  for (let i = places.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j], places[i]];
  }
}

/** Mulberry32: 32 bits of state, the same numbers on every machine. */
export function randomOf(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const START_SLOTS = 1 << 12;
const MAX_FULL = 0.75;

/**
 * A set of 64-bit hashes. Ten million of them take 134 MB, where a `Set` takes over a gigabyte and
 * ends at 16 million. The chance that any two of ten million different rows share a hash is 3 in a
 * million.
 */
export class HashSet {
  #slots = new BigUint64Array(START_SLOTS);
  #size = 0;

  /** Adds a hash of 16 hex digits. Returns whether it was new. */
  add(hex: string): boolean {
    // An empty slot holds 0.
    const hash = BigInt(`0x${hex}`) || 1n;
    if (this.#size >= this.#slots.length * MAX_FULL) this.#grow();
    if (!insert(this.#slots, hash)) return false;
    this.#size++;
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new BigUint64Array(before.length * 2);
    for (const hash of before) if (hash !== 0n) insert(this.#slots, hash);
  }
}

function insert(slots: BigUint64Array, hash: bigint): boolean {
  let at = Number(hash & BigInt(slots.length - 1));
  for (; slots[at] !== 0n; at = (at + 1) & (slots.length - 1)) {
    if (slots[at] === hash) return false;
  }
  slots[at] = hash;
  return true;
}

const START_ROWS = 1 << 12;

/** Takes rows in their order and gives them back shuffled. A row takes 20 bytes of memory. */
export class RowSpool implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #files: string[] = [];
  #ends = new Float64Array(START_ROWS);
  #lines = new Float64Array(START_ROWS);
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

  /**
   * Creates an empty one in a folder. @param folder where; by default the folder for temporary
   * files
   */
  static async open(folder?: string): Promise<RowSpool> {
    try {
      const path = await Deno.makeTempFile({ dir: folder, prefix: ".retort-shuffle-" });
      return new RowSpool(path, await Deno.open(path, { read: true, write: true }));
    } catch (cause) {
      throw new SinkError(`Cannot write a temporary file: ${systemReason(cause)}`, { cause });
    }
  }

  /** Adds a row of a file; all rows of one file are added together. */
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
      if (count === null) throw new SinkError(`Cannot read "${this.#path}": it was truncated`);
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
