/**
 * Which rows were seen, in 8 bytes a hash.
 *
 * @module
 */

const START_CAPACITY = 1 << 12;
const MOST_FULL = 0.75;

/**
 * A set of 64-bit hashes. Ten million of them take 134 MB, where a `Set` takes over a gigabyte and ends at
 * 16 million. Two different rows among ten million share a hash with a chance of 3 in a million.
 */
export class HashSet {
  #slots = new BigUint64Array(START_CAPACITY);
  #size = 0;

  /** Adds a hash of 16 hex digits. Gives whether it was new. */
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
