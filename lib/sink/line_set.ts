/**
 * Lines of a file by their numbers: one bit each, where the uids of ten million of them would be a
 * gigabyte.
 *
 * @module
 */

/** A set of line numbers, from 1. */
export class LineSet {
  #bits = new Uint8Array(1_024);
  #size = 0;

  /** How many lines there are in it. */
  get size(): number {
    return this.#size;
  }

  /** Adds a line. */
  add(line: number): void {
    if (this.has(line)) return;
    const index = Math.floor(line / 8);
    if (index >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(index + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[index] |= 1 << line % 8;
    this.#size++;
  }

  /** Whether a line is in it. */
  has(line: number): boolean {
    return (this.#bits[Math.floor(line / 8)] & (1 << line % 8)) !== 0;
  }
}
