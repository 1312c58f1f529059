/**
 * The order of exported rows, shuffled or that of the input, which of them are for validation, and which are there
 * already.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { MOST_SAMPLES } from "../seed.ts";

const START_CAPACITY = 1_024;
/** The answers to one row stay below this. */
const SAMPLES_PER_LINE = MOST_SAMPLES;
/** Line numbers of one input stay below this; times 900 inputs and their answers that is still a safe
 * integer. */
const LINES_PER_FILE = 1e10;

/** Which answer to which row of the input a line holds. */
export interface Origin {
  /** The input file. */
  readonly file: string;
  /** The line in it, from 1: ten digits at most. */
  readonly line: number;
  /** Which answer to the row it is, from 0. */
  readonly sample: number;
}

/**
 * An index of 24 bytes a row: results stand in the order of completion, and a training set of ten
 * million rows is not read into memory to be sorted.
 */
export class RowOrder {
  /** How many lines it knows. */
  length = 0;
  /** What they are sorted by: the input file in order of first appearance, the line in it, and the
   * answer to it. */
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

  /** The lines in input order; of two with one origin the earlier in the results comes first. */
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

/** Whether the rows of an id are for validation: the hash of the id decides, so that they are the same in
 * each export, whatever else is in it. */
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
const MOST_FULL = 0.75;

/**
 * A set of 64-bit hashes. Ten million of them take 134 MB, where a `Set` takes over a gigabyte and ends at
 * 16 million. Two different rows among ten million share a hash with a chance of 3 in a million.
 */
export class HashSet {
  #slots = new BigUint64Array(START_SLOTS);
  #size = 0;

  /** Adds a hash of 16 hex digits. Returns whether it was new. */
  add(hex: string): boolean {
    // An empty slot holds 0.
    const hash = BigInt(`0x${hex}`) || 1n;
    if (this.#size >= this.#slots.length * MOST_FULL) this.#grow();
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
