/**
 * Where the lines of a results file are, in the order in which their rows stand in the input.
 *
 * @module
 */

const START_CAPACITY = 1_024;
/** Line numbers of one input stay below this; times 8,192 inputs that is still a safe integer. */
const LINES_PER_FILE = 2 ** 40;

/**
 * An index of 24 bytes a row: results stand in the order of completion, and a training set of ten
 * million rows is not read into memory to be sorted.
 */
export class RowOrder {
  /** How many lines it knows. */
  length = 0;
  /** What they are sorted by: the input file in order of first appearance, and the line in it. */
  #keys = new Float64Array(START_CAPACITY);
  #offsets = new Float64Array(START_CAPACITY);
  #lengths = new Uint32Array(START_CAPACITY);
  readonly #files = new Map<string, number>();

  /** Adds a line of the results file: where it is, and the `file:line` that its row comes from. */
  add(offset: number, byteLength: number, file: string, line: number): void {
    if (this.length === this.#keys.length) this.#grow();
    let number = this.#files.get(file);
    if (number === undefined) this.#files.set(file, number = this.#files.size);
    this.#keys[this.length] = number * LINES_PER_FILE + line;
    this.#offsets[this.length] = offset;
    this.#lengths[this.length] = byteLength;
    this.length++;
  }

  /** The lines in input order; of two with one origin the earlier in the results comes first. */
  *inInputOrder(): Generator<{ offset: number; byteLength: number }> {
    const keys = this.#keys;
    const order = new Uint32Array(this.length);
    let isSorted = true;
    for (let i = 0; i < order.length; i++) {
      order[i] = i;
      if (i > 0 && keys[i] < keys[i - 1]) isSorted = false;
    }
    if (!isSorted) order.sort((a, b) => keys[a] - keys[b] || a - b);
    for (const i of order) yield { offset: this.#offsets[i], byteLength: this.#lengths[i] };
  }

  #grow(): void {
    const capacity = this.#keys.length * 2;
    const [keys, offsets, lengths] = [this.#keys, this.#offsets, this.#lengths];
    (this.#keys = new Float64Array(capacity)).set(keys);
    (this.#offsets = new Float64Array(capacity)).set(offsets);
    (this.#lengths = new Uint32Array(capacity)).set(lengths);
  }
}
