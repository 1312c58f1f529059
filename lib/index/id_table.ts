/**
 * A compact hash table of ids, with flags, a 64-bit fingerprint and optionally a line number for
 * each. Entries of 25 bytes are in insertion order. An index refers to them from buckets of 4
 * bytes.
 *
 * `Map` and `Set` throw at 16,777,216 entries and take at least 125 bytes a row. This table takes
 * at most 33 bytes a row, 37 with line numbers. Only the index has free buckets, and only the index
 * is rebuilt when the table grows: it uses open addressing, is filled to four fifths and grows by
 * half. The upper bits of a bucket, which the number of the entry does not need, store bits of the
 * hash. So most buckets of other ids are skipped without reading their entries.
 *
 * @module
 */

import { free, newWords } from "./blocks.ts";
import { hexWordAt, hexWordIn, isKey, KEY_WORDS, mixWords, murmur3, readKey } from "../hash.ts";

/** The id is in the results file. */
export const HAS_RESULT = 2;
/** The failures file has a line for the id that is final, not pending. */
export const HAS_FAILURE = 4;
/** The id is in the input. */
export const SEEN = 8;
/** The failed row with the id is sent again. */
export const ASK_AGAIN = 16;
/** The answer with the id is still missing. */
export const IS_PENDING = 32;

/** How many of the lower bits of a slot give the position in its block. The upper bits are the
 * number of the block. */
const BLOCK_BITS = 12;
/** A growing table adds blocks of this many entries. Full blocks are never copied. */
const BLOCK_ENTRIES = 1 << BLOCK_BITS;
const BLOCK_MASK = BLOCK_ENTRIES - 1;
const FINGERPRINT_WORDS = 2;
const FIRST_ENTRIES = 16;
/** Maximum share of filled buckets, beyond which the index grows. */
const MAX_LOAD = 0.8;
const GROWTH = 1.5;
const MIN_BUCKETS = 16;
const ENCODER = new TextEncoder();

/** A table of ids, each with a fingerprint of its row, such as the prompt hash. A `slot` is the
 * number of an entry, from 0. Slots stay valid while the table grows. */
export class IdTable implements Disposable {
  #keys: Uint32Array[] = [];
  #fingerprints: Uint32Array[] = [];
  #flags: Uint8Array[] = [];
  #lines: Uint32Array[] | undefined;
  #index = new Uint32Array(0);
  /** The capacity of all blocks, in entries. The first block grows until it has `BLOCK_ENTRIES`. */
  #entryCapacity = 0;
  /** The number of entries at which the index grows. */
  #maxSize = 0;
  /** How many of the lower bits of a bucket store the number of its entry plus 1; a free bucket is
   * 0. The upper bits store bits of the hash. */
  #entryBits = 0;
  #size = 0;
  /** Set by `#probe` if it does not find the key: a free bucket for the key, and the hash bits to
   * store in it. */
  #freeBucket = 0;
  #freeBits = 0;
  /** The key of the current call. All calls share this buffer, because a new tuple for each row
   * would be garbage. */
  readonly #key = new Uint32Array(KEY_WORDS);
  #bytes = new Uint8Array(1_024);

  constructor(expectedRows = 1_000) {
    this.#rebuildIndex(Math.max(MIN_BUCKETS, Math.ceil(expectedRows / MAX_LOAD)));
  }

  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    const blocks = [...this.#keys, ...this.#fingerprints, ...this.#flags, ...this.#lines ?? []];
    return blocks.reduce((sum, block) => sum + block.byteLength, this.#index.byteLength);
  }

  [Symbol.dispose](): void {
    for (const block of this.releaseKeys()) free(block);
  }

  /** Empties the table, and returns its keys in insertion order, in blocks. A key is an id of 32
   * hex digits, or the hash of any other id. */
  releaseKeys(): Uint32Array[] {
    const keys = this.#keys;
    for (const block of [...this.#fingerprints, ...this.#flags, ...this.#lines ?? []]) free(block);
    this.#keys = [];
    this.#fingerprints = [];
    this.#flags = [];
    this.#lines = undefined;
    this.#size = this.#entryCapacity = 0;
    this.#rebuildIndex(MIN_BUCKETS);
    return keys;
  }

  /** Returns the slot of an id; -1 if it is not in the table. */
  find(uid: string): number {
    this.#setKey(uid);
    return this.#probe();
  }

  /** Returns the slot of an id, which is inserted if it is missing. */
  insert(uid: string): number {
    this.#setKey(uid);
    return this.#insertKey();
  }

  /** Like `insert`, for an id that is a JSON string in a buffer. Creates no string. Returns -1 if the
   * JSON string must be parsed first, because it has escapes or is not UTF-8. */
  insertBytes(bytes: Uint8Array, start: number, end: number): number {
    return readKey(bytes, start, end, this.#key) ? this.#insertKey() : -1;
  }

  /** Whether a slot has the flag, or any flag of a combination. */
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
  setFingerprint(slot: number, hex: string): void {
    this.#setFingerprint(slot, hexWordAt(hex, 0), hexWordAt(hex, 8));
  }

  /** Like `setFingerprint`, with the hex digits at `start` in a buffer. */
  setFingerprintBytes(slot: number, bytes: Uint8Array, start: number): void {
    this.#setFingerprint(slot, hexWordIn(bytes, start), hexWordIn(bytes, start + 8));
  }

  #setFingerprint(slot: number, high: number, low: number): void {
    const fingerprints = this.#fingerprints[slot >>> BLOCK_BITS],
      offset = (slot & BLOCK_MASK) * FINGERPRINT_WORDS;
    fingerprints[offset] = high;
    fingerprints[offset + 1] = low;
  }

  /** Returns the upper (0) or lower (1) half of a fingerprint. */
  #fingerprintWord(slot: number, word: 0 | 1): number {
    return this.#fingerprints[slot >>> BLOCK_BITS][(slot & BLOCK_MASK) * FINGERPRINT_WORDS + word];
  }

  fingerprintEquals(slot: number, hex: string): boolean {
    return this.#fingerprintWord(slot, 0) === hexWordAt(hex, 0) &&
      this.#fingerprintWord(slot, 1) === hexWordAt(hex, 8);
  }

  /** Uses the fingerprint as a counter, and returns the new count. Use it only for ids that belong
   * to no row, such as an id that counts the copies of a uid. */
  countUp(slot: number): number {
    return ++this.#fingerprints[slot >>> BLOCK_BITS][(slot & BLOCK_MASK) * FINGERPRINT_WORDS + 1];
  }

  hasFingerprint(slot: number): boolean {
    return this.#fingerprintWord(slot, 0) !== 0 || this.#fingerprintWord(slot, 1) !== 0;
  }

  /** @param line The number of the line, from 1. */
  setLine(slot: number, line: number): void {
    const lines = this.#lines ??= [];
    (lines[slot >>> BLOCK_BITS] ??= newWords(BLOCK_ENTRIES))[slot & BLOCK_MASK] = line;
  }

  /** Returns the line of the slot, from 1; 0 if none is set. */
  lineOf(slot: number): number {
    return this.#lines?.[slot >>> BLOCK_BITS]?.[slot & BLOCK_MASK] ?? 0;
  }

  /** Counts ids that have all flags of `all` and none of `none`. With `fingerprints`, each of 16
   * lower-case hex digits, counts only ids that have one of them. */
  count(
    { all = 0, none = 0, fingerprints }: {
      all?: number;
      none?: number;
      fingerprints?: ReadonlySet<string>;
    },
  ): number {
    let count = 0;
    for (let slot = 0; slot < this.#size; slot++) {
      const flags = this.#flags[slot >>> BLOCK_BITS][slot & BLOCK_MASK];
      if ((flags & all) !== all || (flags & none) !== 0) continue;
      if (fingerprints?.has(this.#fingerprintOf(slot)) ?? true) count++;
    }
    return count;
  }

  #fingerprintOf(slot: number): string {
    return ([0, 1] as const)
      .map((word) => this.#fingerprintWord(slot, word).toString(16).padStart(8, "0")).join("");
  }

  #setKey(uid: string): void {
    if (isKey(uid)) {
      for (let word = 0; word < KEY_WORDS; word++) this.#key[word] = hexWordAt(uid, word * 8);
    } else {
      // A UTF-16 unit takes at most three bytes.
      if (uid.length * 3 > this.#bytes.length) this.#bytes = new Uint8Array(uid.length * 3);
      const { written } = ENCODER.encodeInto(uid, this.#bytes);
      murmur3(this.#bytes, 0, written, this.#key);
    }
  }

  #insertKey(): number {
    const existing = this.#probe();
    if (existing !== -1) return existing;
    if (this.#size === this.#maxSize) {
      this.#rebuildIndex(Math.ceil(this.#index.length * GROWTH));
      this.#probe();
    }
    const slot = this.#size++;
    if (slot === this.#entryCapacity) this.#addEntries();
    this.#keys[slot >>> BLOCK_BITS].set(this.#key, (slot & BLOCK_MASK) * KEY_WORDS);
    this.#index[this.#freeBucket] = this.#freeBits | (slot + 1);
    return slot;
  }

  #probe(): number {
    const { 0: a, 1: b, 2: c, 3: d } = this.#key;
    const index = this.#index, entryMask = 2 ** this.#entryBits - 1;
    const hash = mixWords(a, b, c, d),
      hashBits = this.#entryBits === 32 ? 0 : hash << this.#entryBits;
    let bucket = Math.floor(hash / 2 ** 32 * index.length);
    while (true) {
      const word = index[bucket];
      if (word === 0) {
        this.#freeBucket = bucket;
        this.#freeBits = hashBits;
        return -1;
      }
      if (((word ^ hashBits) & ~entryMask) === 0) {
        const slot = ((word & entryMask) >>> 0) - 1;
        const keys = this.#keys[slot >>> BLOCK_BITS], i = (slot & BLOCK_MASK) * KEY_WORDS;
        if (keys[i] === a && keys[i + 1] === b && keys[i + 2] === c && keys[i + 3] === d) {
          return slot;
        }
      }
      if (++bucket === index.length) bucket = 0;
    }
  }

  /** Adds a block, or enlarges the first one, which begins small because a run may have thousands
   * of tables with few rows. */
  #addEntries(): void {
    const block = this.#entryCapacity >>> BLOCK_BITS;
    const entries = block === 0
      ? Math.min(BLOCK_ENTRIES, Math.max(FIRST_ENTRIES, this.#entryCapacity * 2))
      : BLOCK_ENTRIES;
    const enlarge = <T extends Uint8Array | Uint32Array>(blocks: T[], larger: T) => {
      larger.set(blocks[block] ?? []);
      blocks[block] = larger;
    };
    // `newWords` is not used here: keys outlive the table, and reading them from a resizable buffer
    // would take 50 % longer.
    enlarge(this.#keys, new Uint32Array(entries * KEY_WORDS));
    enlarge(this.#fingerprints, newWords(entries * FINGERPRINT_WORDS));
    enlarge(this.#flags, new Uint8Array(entries));
    this.#entryCapacity = block * BLOCK_ENTRIES + entries;
  }

  #rebuildIndex(buckets: number): void {
    free(this.#index);
    this.#index = new Uint32Array(buckets);
    this.#maxSize = Math.floor(buckets * MAX_LOAD);
    this.#entryBits = 32 - Math.clz32(this.#maxSize);
    const key = this.#key.slice();
    for (let entry = 0; entry < this.#size; entry++) {
      const offset = (entry & BLOCK_MASK) * KEY_WORDS;
      this.#key.set(this.#keys[entry >>> BLOCK_BITS].subarray(offset, offset + KEY_WORDS));
      this.#probe();
      this.#index[this.#freeBucket] = this.#freeBits | (entry + 1);
    }
    this.#key.set(key);
  }
}

export function blockOf(slot: number): number {
  return slot >>> BLOCK_BITS;
}

/** Returns the key of a slot as 32 hex digits. `keys` is the result of `IdTable.releaseKeys()`. */
export function uidIn(keys: readonly Uint32Array[], slot: number): string {
  const block = keys[blockOf(slot)], offset = (slot & BLOCK_MASK) * KEY_WORDS;
  for (let word = 0; word < KEY_WORDS; word++) UID_VIEW.setUint32(word * 4, block[offset + word]);
  return UID_BYTES.toHex();
}

/** One key, big-endian, reused by each call of `uidIn`. */
const UID_BYTES = new Uint8Array(16);
const UID_VIEW = new DataView(UID_BYTES.buffer);
