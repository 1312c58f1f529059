/**
 * Orders exported rows (input order or shuffled), and chooses the validation rows.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { MAX_SAMPLES } from "../params.ts";

/** Numbers for which the first block has room at the beginning. */
const START_CAPACITY = 1_024;
/** Numbers in a full block. */
const BLOCK_CAPACITY = 1 << 16;
/** Maximum number of answers per row, for the sort key. */
const SAMPLES_PER_LINE = MAX_SAMPLES;
/**
 * The highest line number, for the sort key: with 900 inputs and their answers, the key is still a
 * safe integer.
 */
const LINES_PER_FILE = 1e10;

/** Which input row and which answer to it a results line holds. */
export interface Origin {
  /** Name of the input file. */
  readonly file: string;
  /** Line of the file from 1, at most ten digits. */
  readonly line: number;
  /** Number of the answer to the row, from 0. */
  readonly sample: number;
}

/**
 * A growing list of numbers, in blocks: a single array would take up to three times its memory
 * while it is copied.
 */
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

  /** Returns the number at an index below `length`. */
  at(index: number): number {
    return this.#blocks[Math.floor(index / BLOCK_CAPACITY)][index % BLOCK_CAPACITY];
  }

  /** Grows a block. The first one begins small: an export may have thousands of files. */
  #grow(index: number): void {
    const old = this.#blocks[index];
    const capacity = index > 0 ? BLOCK_CAPACITY : (old?.length ?? START_CAPACITY / 2) * 2;
    const block = this.#blocks[index] = new this.#Block(capacity);
    if (old !== undefined) block.set(old);
  }
}

/**
 * An index of 20 bytes per row, and 8 more while it is sorted. Results are in order of completion,
 * and a training set of ten million rows should not be read into memory to sort it.
 */
export class RowOrder {
  /** Sort keys: the input file in order of first appearance, the line in it, and the sample. */
  readonly #keys = new Numbers(Float64Array);
  readonly #offsets = new Numbers(Float64Array);
  readonly #lengths = new Numbers(Uint32Array);
  readonly #files = new Map<string, number>();

  /** Number of lines that were added. */
  get length(): number {
    return this.#keys.length;
  }

  /** Adds a line of the results file with its position and origin. */
  add(offset: number, byteLength: number, { file, line, sample }: Origin): void {
    let fileNumber = this.#files.get(file);
    if (fileNumber === undefined) this.#files.set(file, fileNumber = this.#files.size);
    this.#keys.push((fileNumber * LINES_PER_FILE + line) * SAMPLES_PER_LINE + sample);
    this.#offsets.push(offset);
    this.#lengths.push(byteLength);
  }

  /** Returns where a line is in the results file, in bytes. */
  position(index: number): { offset: number; byteLength: number } {
    return { offset: this.#offsets.at(index), byteLength: this.#lengths.at(index) };
  }

  /**
   * Returns the indexes of the lines in input order. Of two lines with the same origin, the one
   * that was added earlier comes first.
   */
  inInputOrder(): Uint32Array {
    const order = new Uint32Array(this.length);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return sorted(order, this.#keys);
  }
}

/**
 * Sorts indexes by their keys, stably, by merging. The sort of typed arrays would hold every
 * element as a JavaScript value meanwhile.
 */
function sorted(indexes: Uint32Array, keys: Numbers): Uint32Array {
  const { length } = indexes;
  let from = indexes, to: Uint32Array = new Uint32Array(length);
  for (let width = 1; width < length; width *= 2) {
    let isSorted = true;
    for (let start = 0; start < length; start += 2 * width) {
      const middle = Math.min(start + width, length), end = Math.min(middle + width, length);
      if (middle === end || keys.at(from[middle - 1]) <= keys.at(from[middle])) {
        to.set(from.subarray(start, end), start);
        continue;
      }
      isSorted = false;
      for (let left = start, right = middle, next = start; next < end; next++) {
        const takesLeft = right === end ||
          (left < middle && keys.at(from[left]) <= keys.at(from[right]));
        to[next] = from[takesLeft ? left++ : right++];
      }
    }
    [from, to] = [to, from];
    if (isSorted && isInOrder(from, keys)) break;
  }
  return from;
}

function isInOrder(indexes: Uint32Array, keys: Numbers): boolean {
  for (let i = 1; i < indexes.length; i++) {
    if (keys.at(indexes[i - 1]) > keys.at(indexes[i])) return false;
  }
  return true;
}

/**
 * Whether the rows of a uid are for validation. The hash of the uid decides, so the split is the
 * same in each export, no matter what else it contains.
 */
export function isForValidation(rowUid: string, share: number): boolean {
  return share > 0 && Number.parseInt(xxHash64Hex(rowUid).slice(0, 8), 16) < share * 2 ** 32;
}

/** Shuffles in place (Fisher and Yates). */
export function shuffleIn(numbers: Uint32Array, random: () => number): void {
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
  }
}

/**
 * Returns a generator of numbers in [0, 1): mulberry32, with 32 bits of state, the same on every
 * machine.
 */
export function randomOf(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
