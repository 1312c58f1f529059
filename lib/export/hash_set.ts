/**
 * A set of hashes, to find rows that occur twice.
 *
 * @module
 */

const SEGMENTS = 256;
/** The number of slots of an empty segment. */
const START_SLOTS = 8;
/** The share of used slots above which a segment grows. */
const MAX_FULL = 0.85;
/** The factor by which a segment grows. With it, a hash takes 9.4 to 11.8 bytes. */
const GROWTH = 1.25;

/**
 * A set of 64-bit hashes. Ten million of them take at most 120 MB; a `Set` takes over a gigabyte,
 * and its limit is 16 million. Each of 256 segments grows by itself, so little is copied at a time.
 * The chance that any two of ten million different rows share a hash is 3 in a million.
 */
export class HashSet {
  readonly #segments = Array.from({ length: SEGMENTS }, () => new Segment());

  /** Adds a hash of 16 hex digits. Returns whether it was new. */
  add(hex: string): boolean {
    const high = Number.parseInt(hex.slice(0, 8), 16), low = Number.parseInt(hex.slice(8), 16);
    // Two zeros stand for an empty slot, so the hash 0 gets another low half.
    return this.#segments[low % SEGMENTS].add(high, high === 0 && low === 0 ? SEGMENTS : low);
  }
}

/** Hashes that end in the same two digits. */
class Segment {
  /** High and low half of each hash, alternating. */
  #slots = new Uint32Array(2 * START_SLOTS);
  #size = 0;

  add(high: number, low: number): boolean {
    if (!this.#insert(high, low)) return false;
    if (++this.#size > this.#slots.length / 2 * MAX_FULL) this.#grow();
    return true;
  }

  #insert(high: number, low: number): boolean {
    const slots = this.#slots, { length } = slots;
    let slot = 2 * Math.floor(high / 2 ** 32 * (length / 2));
    while (slots[slot] !== 0 || slots[slot + 1] !== 0) {
      if (slots[slot] === high && slots[slot + 1] === low) return false;
      slot = slot + 2 === length ? 0 : slot + 2;
    }
    slots[slot] = high;
    slots[slot + 1] = low;
    return true;
  }

  #grow(): void {
    const oldSlots = this.#slots;
    this.#slots = new Uint32Array(2 * Math.ceil(oldSlots.length / 2 * GROWTH));
    for (let slot = 0; slot < oldSlots.length; slot += 2) {
      const high = oldSlots[slot], low = oldSlots[slot + 1];
      if (high !== 0 || low !== 0) this.#insert(high, low);
    }
  }
}
