/**
 * What is known of each id: a hash table in one typed array.
 *
 * `Map` and `Set` throw at 16,777,216 entries and cost 125 bytes and more a row. This takes 24 bytes
 * a slot and at most 38 a row: open addressing, filled to four fifths, grown by a quarter.
 *
 * @module
 */

import { murmur3 } from "./murmur3.ts";

/** The id stands in the results file. */
export const HAS_RESULT = 2;
/** The id stands in the failures file and has no result. */
export const HAS_FAILURE = 4;
/** The id stands in the input. */
export const SEEN = 8;
/** The failure of the id is to be asked again. */
export const ASK_AGAIN = 16;

/** Marks a slot as taken; the other flags stand beside it. */
const TAKEN = 1;
const FLAGS = 31;
const WORDS = 6;
const MAX_LOAD = 0.8;
const GROWTH = 1.25;
const ENCODER = new TextEncoder();

/**
 * Ids by 123 bits of their hash, each with four flags and 64 bits of its owner's choice.
 *
 * Slots are plain numbers, valid until the next `insert`. A column of line numbers takes another 4 bytes
 * a slot once one is noted.
 */
export class IdTable implements Disposable {
  #words: Uint32Array<ArrayBuffer>;
  #lines: Uint32Array<ArrayBuffer> | undefined;
  #capacity: number;
  #size = 0;
  /** The key that is being looked up; kept here because a tuple per row would be garbage. */
  readonly #key = new Uint32Array(4);
  #bytes = new Uint8Array(1_024);

  /** Room for `expectedRows` without growing. */
  constructor(expectedRows = 1_000) {
    this.#capacity = Math.max(16, Math.ceil(expectedRows / MAX_LOAD));
    this.#words = new Uint32Array(this.#capacity * WORDS);
  }

  /** How many ids there are. */
  get size(): number {
    return this.#size;
  }

  /** Memory in bytes. */
  get byteLength(): number {
    return this.#words.byteLength + (this.#lines?.byteLength ?? 0);
  }

  /** Frees the memory now: it is much, and the garbage collector is in no hurry. */
  [Symbol.dispose](): void {
    this.#words.buffer.transfer(0);
    this.#words = new Uint32Array(0);
    this.#lines?.buffer.transfer(0);
    this.#lines = undefined;
  }

  /** The slot of an id, or -1. */
  find(uid: string): number {
    this.#setKey(uid);
    const slot = this.#probe();
    return this.#words[slot * WORDS + 3] === 0 ? -1 : slot;
  }

  /** The slot of an id, made if there is none; a new one has no flags and an empty check. */
  insert(uid: string): number {
    this.#setKey(uid);
    return this.#insertKey();
  }

  /** `insert` for an id that stands as 32 hex digits in a buffer, without making a string of it. Gives
   * -1 when they are not lower-case hex digits. */
  insertHex(bytes: Uint8Array, start: number): number {
    let seen = 0;
    for (let word = 0; word < 4; word++) {
      let value = 0;
      for (let i = start + word * 8; i < start + word * 8 + 8; i++) {
        const digit = DIGITS[bytes[i]];
        seen |= digit;
        value = (value << 4) | digit;
      }
      this.#key[word] = value;
    }
    if (seen > 15) return -1;
    this.#spreadKey();
    return this.#insertKey();
  }

  /** `insert` for an id that stands as UTF-8 in a buffer and is not 32 hex digits. */
  insertUtf8(bytes: Uint8Array, start: number, end: number): number {
    murmur3(bytes, start, end, this.#key);
    this.#spreadKey();
    return this.#insertKey();
  }

  /** Whether a flag is set. */
  has(slot: number, flag: number): boolean {
    return (this.#words[slot * WORDS + 3] & flag) !== 0;
  }

  /** Sets a flag. */
  set(slot: number, flag: number): void {
    this.#words[slot * WORDS + 3] |= flag;
  }

  /** Takes a flag back. */
  clear(slot: number, flag: number): void {
    this.#words[slot * WORDS + 3] &= ~flag;
  }

  /** Notes 16 hex digits with the id. */
  setCheck(slot: number, hex: string): void {
    this.#words[slot * WORDS + 4] = parseInt(hex.slice(0, 8), 16);
    this.#words[slot * WORDS + 5] = parseInt(hex.slice(8, 16), 16);
  }

  /** `setCheck` from 16 hex digits in a buffer. */
  setCheckHex(slot: number, bytes: Uint8Array, start: number): void {
    for (let word = 0; word < 2; word++) {
      let value = 0;
      for (let i = start + word * 8; i < start + word * 8 + 8; i++) {
        const code = bytes[i];
        value = (value << 4) | (code <= 57 ? code - 48 : code - 87);
      }
      this.#words[slot * WORDS + 4 + word] = value;
    }
  }

  /** Whether these 16 hex digits were noted. */
  checkEquals(slot: number, hex: string): boolean {
    return this.#words[slot * WORDS + 4] === parseInt(hex.slice(0, 8), 16) &&
      this.#words[slot * WORDS + 5] === parseInt(hex.slice(8, 16), 16);
  }

  /** Counts up in the place of what is noted with an id, and gives the count: for ids that no row has. */
  countUp(slot: number): number {
    return ++this.#words[slot * WORDS + 5];
  }

  /** Whether nothing was noted. */
  isCheckEmpty(slot: number): boolean {
    return this.#words[slot * WORDS + 4] === 0 && this.#words[slot * WORDS + 5] === 0;
  }

  /** Notes the number of a line, from 1, with the id. */
  setLine(slot: number, line: number): void {
    this.#lines ??= new Uint32Array(this.#capacity);
    this.#lines[slot] = line;
  }

  /** The line that was noted last, or 0. */
  lineOf(slot: number): number {
    return this.#lines === undefined ? 0 : this.#lines[slot];
  }

  /** How many ids have all the flags of `set` and none of `unset`. */
  count(set: number, unset = 0): number {
    let count = 0;
    for (let slot = 0; slot < this.#capacity; slot++) {
      const flags = this.#words[slot * WORDS + 3] & FLAGS;
      if (flags !== 0 && (flags & set) === set && (flags & unset) === 0) count++;
    }
    return count;
  }

  /** An id of 32 hex digits, as most are, is its own hash; any other is hashed. */
  #setKey(uid: string): void {
    if (uid.length === 32 && HEX_32.test(uid)) {
      for (let word = 0; word < 4; word++) {
        this.#key[word] = parseInt(uid.slice(word * 8, word * 8 + 8), 16);
      }
    } else {
      // One UTF-16 unit takes three bytes at most.
      if (uid.length * 3 > this.#bytes.length) this.#bytes = new Uint8Array(uid.length * 3);
      const { written } = ENCODER.encodeInto(uid, this.#bytes);
      murmur3(this.#bytes, 0, written, this.#key);
    }
    this.#spreadKey();
  }

  /** The last five bits give way to the flags. Ids that the user made up may differ in nothing else
   * (`0…01`, `0…02`), so two other words take them in first. */
  #spreadKey(): void {
    const lost = this.#key[3] & FLAGS;
    this.#key[1] ^= Math.imul(lost, 0x9e3779b1);
    this.#key[2] ^= Math.imul(lost, 0x85ebca6b);
  }

  #insertKey(): number {
    let slot = this.#probe();
    if (this.#words[slot * WORDS + 3] !== 0) return slot;
    if (this.#size + 1 > this.#capacity * MAX_LOAD) {
      this.#grow();
      slot = this.#probe();
    }
    const base = slot * WORDS;
    this.#words.set(this.#key, base);
    this.#words[base + 3] = (this.#key[3] & ~FLAGS) | TAKEN;
    this.#size++;
    return slot;
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #probe(): number {
    const key = this.#key;
    const a = key[0], b = key[1], c = key[2], last = (key[3] & ~FLAGS) >>> 0;
    const words = this.#words;
    let slot = this.#home(a, b, c, last);
    while (true) {
      const base = slot * WORDS;
      const tail = words[base + 3];
      if (tail === 0) return slot;
      if (
        words[base] === a && words[base + 1] === b && words[base + 2] === c &&
        ((tail & ~FLAGS) >>> 0) === last
      ) return slot;
      if (++slot === this.#capacity) slot = 0;
    }
  }

  /** Ids that the user made up may differ in a few digits of any word only, so all four are mixed (the
   * constants are the golden ratio's, after Knuth, and MurmurHash3's) and scaled to the capacity. */
  #home(a: number, b: number, c: number, d: number): number {
    let mixed = Math.imul(a ^ (a >>> 16), 0x9e3779b1) ^ b;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) ^ c;
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0x9e3779b1) ^ d;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
    mixed = (mixed ^ (mixed >>> 16)) >>> 0;
    return Math.floor(mixed / 2 ** 32 * this.#capacity);
  }

  #grow(): void {
    const old = this.#words, oldLines = this.#lines;
    const oldCapacity = this.#capacity;
    const key = this.#key.slice();
    this.#capacity = Math.ceil(oldCapacity * GROWTH);
    this.#words = new Uint32Array(this.#capacity * WORDS);
    if (oldLines !== undefined) this.#lines = new Uint32Array(this.#capacity);
    for (let from = 0; from < oldCapacity * WORDS; from += WORDS) {
      if (old[from + 3] === 0) continue;
      this.#key.set(old.subarray(from, from + 4));
      const slot = this.#probe();
      this.#words.set(old.subarray(from, from + WORDS), slot * WORDS);
      if (oldLines !== undefined) this.#lines![slot] = oldLines[from / WORDS];
    }
    this.#key.set(key);
  }
}

const HEX_32 = /^[0-9a-f]{32}$/;

/** What a byte is worth as a lower-case hex digit; 255 when it is none. */
const DIGITS = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;
