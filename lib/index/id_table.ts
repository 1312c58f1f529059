/**
 * A compact hash table of ids: flags, a check of 64 bits, and a line number for each. Entries of 25
 * bytes are stored in the order of their insertion; an index of 4 bytes a slot refers to them.
 *
 * `Map` and `Set` throw at 16,777,216 entries and take at least 125 bytes a row. This takes at most
 * 33 bytes a row. Only the index has free slots, and only the index is rebuilt when the table
 * grows: it uses open addressing, is filled to four fifths and grows by half. The bits of a slot
 * that the entry number does not need hold bits of the hash, so that most slots of other ids are
 * skipped without reading their entries.
 *
 * @module
 */

import {
  BLOCK_BITS,
  BLOCK_ENTRIES,
  BLOCK_MASK,
  isHex,
  KEY_WORDS,
  mixed,
  murmur3,
  readHex,
  UID_DIGITS,
  wordAt,
} from "./id_hash.ts";

/** The id is in the results file. */
export const HAS_RESULT = 2;
/** The id is in the failures file and has no result. */
export const HAS_FAILURE = 4;
/** The id is in the input. */
export const SEEN = 8;
/** The failed row with the id is retried. */
export const ASK_AGAIN = 16;

const CHECK_WORDS = 2, FIRST_ENTRIES = 16;
const MAX_LOAD = 0.8, GROWTH = 1.5;
const ENCODER = new TextEncoder();

/**
 * Ids by their 128-bit hashes, each with four flags and a check of 64 bits, such as its prompt
 * hash.
 *
 * The `slot` of the methods is the number of an entry, from 0; it stays valid while the table
 * grows. A column of line numbers takes another 4 bytes a row once one is set.
 */
export class IdTable implements Disposable {
  #keys: Uint32Array[] = [];
  #checks: Uint32Array[] = [];
  #flags: Uint8Array[] = [];
  #lines: Uint32Array[] | undefined;
  #index = new Uint32Array(0);
  /** The capacity of the blocks, in entries. The first block grows to the size of the others. */
  #entryRoom = 0;
  /** The number of entries at which the index grows. */
  #room = 0;
  /**
   * How many lower bits of an index slot hold the number of its entry plus 1; 0 marks a free slot.
   * The upper bits hold bits of the hash.
   */
  #entryBits = 0;
  #size = 0;
  /** The free place in the index for the key that `#probe` did not find. */
  #free = 0;
  /** The key of the current call, in one buffer: a tuple per row would be garbage. */
  readonly #key = new Uint32Array(KEY_WORDS);
  #bytes = new Uint8Array(1_024);

  /** @param expectedRows The index starts large enough for this many, and grows with more. */
  constructor(expectedRows = 1_000) {
    this.#makeIndex(Math.max(16, Math.ceil(expectedRows / MAX_LOAD)));
  }

  get size(): number {
    return this.#size;
  }

  /** Allocated memory in bytes. */
  get byteLength(): number {
    const blocks = [...this.#keys, ...this.#checks, ...this.#flags, ...this.#lines ?? []];
    return blocks.reduce((sum, block) => sum + block.byteLength, this.#index.byteLength);
  }

  /** Frees the memory now: it is large, and the garbage collector would free it late. */
  [Symbol.dispose](): void {
    for (const block of this.releaseKeys()) free(block);
  }

  /** Returns the blocks of hashes, for `uidIn`, and frees everything else: the table is empty
   * afterwards. */
  releaseKeys(): Uint32Array[] {
    const keys = this.#keys;
    for (const block of [...this.#checks, ...this.#flags, ...this.#lines ?? []]) free(block);
    this.#keys = [];
    this.#checks = [];
    this.#flags = [];
    this.#lines = undefined;
    this.#size = this.#entryRoom = 0;
    this.#makeIndex(16);
    return keys;
  }

  /** The slot of an id, or -1 if it is not in the table. */
  find(uid: string): number {
    this.#setKey(uid);
    return this.#probe();
  }

  /** The slot of an id, which is inserted if it is missing; a new one has no flags and an empty
   * check. */
  insert(uid: string): number {
    this.#setKey(uid);
    return this.#insertKey();
  }

  /** `insert` for an id of 32 hex digits in a buffer, without creating a string. Returns -1 when
   * they are not lower-case hex digits. */
  insertHex(bytes: Uint8Array, start: number): number {
    if (!readHex(bytes, start, this.#key)) return -1;
    return this.#insertKey();
  }

  /** `insert` for an id in UTF-8 in a buffer that is not 32 hex digits. */
  insertUtf8(bytes: Uint8Array, start: number, end: number): number {
    murmur3(bytes, start, end, this.#key);
    return this.#insertKey();
  }

  has(slot: number, flag: number): boolean {
    return (this.#flags[slot >>> BLOCK_BITS][slot & BLOCK_MASK] & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.#flags[slot >>> BLOCK_BITS][slot & BLOCK_MASK] |= flag;
  }

  clear(slot: number, flag: number): void {
    this.#flags[slot >>> BLOCK_BITS][slot & BLOCK_MASK] &= ~flag;
  }

  /** @param hex 16 lower-case hex digits. */
  setCheck(slot: number, hex: string): void {
    const checks = this.#checks[slot >>> BLOCK_BITS], at = (slot & BLOCK_MASK) * CHECK_WORDS;
    checks[at] = wordAt(hex, 0);
    checks[at + 1] = wordAt(hex, 8);
  }

  /** `setCheck` from 16 lower-case hex digits in a buffer. */
  setCheckHex(slot: number, bytes: Uint8Array, start: number): void {
    const checks = this.#checks[slot >>> BLOCK_BITS], at = (slot & BLOCK_MASK) * CHECK_WORDS;
    for (let word = 0; word < CHECK_WORDS; word++) {
      let value = 0;
      for (let i = start + word * 8; i < start + word * 8 + 8; i++) {
        const code = bytes[i];
        value = (value << 4) | (code <= 57 ? code - 48 : code - 87);
      }
      checks[at + word] = value;
    }
  }

  checkEquals(slot: number, hex: string): boolean {
    const checks = this.#checks[slot >>> BLOCK_BITS], at = (slot & BLOCK_MASK) * CHECK_WORDS;
    return checks[at] === wordAt(hex, 0) && checks[at + 1] === wordAt(hex, 8);
  }

  /** Uses the check of an id that no row has as a counter: increments and returns it. */
  countUp(slot: number): number {
    return ++this.#checks[slot >>> BLOCK_BITS][(slot & BLOCK_MASK) * CHECK_WORDS + 1];
  }

  isCheckEmpty(slot: number): boolean {
    const checks = this.#checks[slot >>> BLOCK_BITS], at = (slot & BLOCK_MASK) * CHECK_WORDS;
    return checks[at] === 0 && checks[at + 1] === 0;
  }

  /** @param line From 1. */
  setLine(slot: number, line: number): void {
    const lines = this.#lines ??= [];
    (lines[slot >>> BLOCK_BITS] ??= new Uint32Array(BLOCK_ENTRIES))[slot & BLOCK_MASK] = line;
  }

  /** The line number of an id, or 0 if none is set. */
  lineOf(slot: number): number {
    return this.#lines?.[slot >>> BLOCK_BITS]?.[slot & BLOCK_MASK] ?? 0;
  }

  /** The number of ids that have all flags of `set` and none of `unset`. */
  count(set: number, unset = 0): number {
    let count = 0;
    for (let slot = 0; slot < this.#size; slot++) {
      const flags = this.#flags[slot >>> BLOCK_BITS][slot & BLOCK_MASK];
      if ((flags & set) === set && (flags & unset) === 0) count++;
    }
    return count;
  }

  /** An id of 32 hex digits, as most are, is its own hash; any other is hashed. */
  #setKey(uid: string): void {
    if (uid.length === UID_DIGITS && isHex(uid)) {
      for (let word = 0; word < KEY_WORDS; word++) this.#key[word] = wordAt(uid, word * 8);
    } else {
      // One UTF-16 unit takes three bytes at most.
      if (uid.length * 3 > this.#bytes.length) this.#bytes = new Uint8Array(uid.length * 3);
      const { written } = ENCODER.encodeInto(uid, this.#bytes);
      murmur3(this.#bytes, 0, written, this.#key);
    }
  }

  #insertKey(): number {
    const found = this.#probe();
    if (found !== -1) return found;
    if (this.#size === this.#room) {
      this.#makeIndex(Math.ceil(this.#index.length * GROWTH));
      this.#probe();
    }
    const slot = this.#size++, at = slot & BLOCK_MASK;
    if (slot === this.#entryRoom) this.#makeEntries();
    this.#keys[slot >>> BLOCK_BITS].set(this.#key, at * KEY_WORDS);
    this.#index[this.#free] = this.#hashBits() | (slot + 1);
    return slot;
  }

  /** The entry of the key. If there is none, returns -1 and sets `#free`. */
  #probe(): number {
    const { 0: a, 1: b, 2: c, 3: d } = this.#key;
    const index = this.#index, entryMask = 2 ** this.#entryBits - 1;
    const hash = mixed(a, b, c, d), hashBits = this.#entryBits === 32 ? 0 : hash << this.#entryBits;
    let place = Math.floor(hash / 2 ** 32 * index.length);
    while (true) {
      const word = index[place];
      if (word === 0) {
        this.#free = place;
        return -1;
      }
      if (((word ^ hashBits) & ~entryMask) === 0) {
        const entry = ((word & entryMask) >>> 0) - 1;
        const keys = this.#keys[entry >>> BLOCK_BITS], at = (entry & BLOCK_MASK) * KEY_WORDS;
        if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) {
          return entry;
        }
      }
      if (++place === index.length) place = 0;
    }
  }

  /** Adds a block, or enlarges the first one, which begins small: a run may have thousands of
   * tables of a few rows. */
  #makeEntries(): void {
    const old = this.#entryRoom;
    const isFirst = old < BLOCK_ENTRIES;
    const block = isFirst ? 0 : this.#keys.length;
    const wanted = isFirst ? Math.max(FIRST_ENTRIES, old * 2) : BLOCK_ENTRIES;
    const entries = Math.min(BLOCK_ENTRIES, wanted);
    const keys = new Uint32Array(entries * KEY_WORDS);
    const checks = new Uint32Array(entries * CHECK_WORDS);
    const flags = new Uint8Array(entries);
    if (isFirst && old > 0) {
      keys.set(this.#keys[0]);
      checks.set(this.#checks[0]);
      flags.set(this.#flags[0]);
    }
    this.#keys[block] = keys;
    this.#checks[block] = checks;
    this.#flags[block] = flags;
    this.#entryRoom += isFirst ? entries - old : entries;
  }

  #hashBits(): number {
    const [a, b, c, d] = this.#key;
    return this.#entryBits === 32 ? 0 : mixed(a, b, c, d) << this.#entryBits;
  }

  /** Rebuilds the index of all entries. The old one is freed first. */
  #makeIndex(capacity: number): void {
    free(this.#index);
    this.#index = new Uint32Array(capacity);
    this.#room = Math.floor(capacity * MAX_LOAD);
    this.#entryBits = 32 - Math.clz32(this.#room);
    const key = this.#key.slice();
    for (let entry = 0; entry < this.#size; entry++) {
      const at = (entry & BLOCK_MASK) * KEY_WORDS;
      this.#key.set(this.#keys[entry >>> BLOCK_BITS].subarray(at, at + KEY_WORDS));
      this.#probe();
      this.#index[this.#free] = this.#hashBits() | (entry + 1);
    }
    this.#key.set(key);
  }
}

function free({ buffer }: { buffer: ArrayBufferLike }): void {
  (buffer as ArrayBuffer).transfer(0);
}
