/**
 * Where the lines of a results file are, in the order in which their rows stand in the input.
 *
 * @module
 */

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
