/**
 * Finds near duplicates among texts.
 *
 * 1. A signature of 64 bytes per row: one-permutation MinHash over character shingles.
 * 2. Rows whose signatures agree in a band of bins are compared.
 * 3. Two rows are near if their signatures are equal, or the Jaccard similarity of their shingles is
 *    high enough.
 * 4. Near rows are joined to groups (union-find).
 *
 * @module
 */

/** Bins of a signature. Each bin stores one hash. The top 4 bits of a hash select its bin. */
const BINS = 16;
/** Bins of a band. Rows that agree in all bins of a band are compared. */
const BAND_BINS = 2;
const SHINGLE_LENGTH = 8;
/** Minimum length of a text to compare, in UTF-16 units. */
const MIN_TEXT_LENGTH = 40;
/** Shingles are counted only if two signatures agree in at least this many bins. */
const MIN_EQUAL_BINS = 10;
/** Minimum Jaccard similarity: the number of shared shingles, divided by the number of all shingles
 * of both texts. */
const MIN_SIMILARITY = 0.8;
/** Maximum number of rows that a row is compared with in each band. Without it, the time would grow
 * with the square of the number of rows from the same template, because they share bands. */
const MAX_COMPARED = 16;
/** A bin without a hash. After `fillSignature`, only texts that are too short have such bins. */
const EMPTY = 0xffff_ffff;

export interface NearTexts {
  /** @param row A row of the index, like `a` and `b` below. */
  readonly textAt: (row: number) => string;
  /** Samples of one input row are not duplicates of each other. */
  readonly areSamplesOfOneRow: (a: number, b: number) => boolean;
}

/** Groups of near duplicates. Rows are identified by their position in `#rows`. */
export class NearDuplicates {
  readonly #rows: Uint32Array<ArrayBuffer>;
  readonly #signatures: Uint32Array<ArrayBuffer>;
  /** A union-find forest over the positions: the root of a group is its first row. */
  readonly #group: Int32Array<ArrayBuffer>;
  readonly #texts: NearTexts;
  #addedCount = 0;

  constructor(rows: Uint32Array<ArrayBuffer>, texts: NearTexts) {
    this.#rows = rows;
    this.#texts = texts;
    this.#signatures = new Uint32Array(rows.length * BINS);
    this.#group = Int32Array.from(rows, (_, index) => index);
  }

  get addedCount(): number {
    return this.#addedCount;
  }

  add(text: string): void {
    const start = this.#addedCount++ * BINS;
    fillSignature(text, this.#signatures.subarray(start, start + BINS));
  }

  /** Groups the rows, after all were added. Yields the share that is done, from 0 to 1, every 2,048
   * rows. */
  *compare(): Generator<number> {
    const { length } = this.#rows;
    const mask = 2 ** Math.ceil(Math.log2(Math.max(16, length * 2))) - 1;
    const heads = new Int32Array(mask + 1);
    const next = new Int32Array(length);
    const bands = BINS / BAND_BINS;
    for (let band = 0; band < bands; band++) {
      heads.fill(-1);
      for (let index = 0; index < length; index++) {
        if (index % 2048 === 0) yield (band + index / length) / bands;
        const bin = index * BINS + band * BAND_BINS;
        if (this.#signatures[bin] === EMPTY) continue;
        const slot =
          mixBits(this.#signatures[bin] ^ Math.imul(this.#signatures[bin + 1], 0x9e37_79b1)) & mask;
        if (this.#joinGroup(index, bin, heads[slot], next)) continue;
        next[index] = heads[slot];
        heads[slot] = index;
      }
    }
  }

  /** Maps each row of a group to the first one. Leaves out the first row and other samples of it. */
  copies(): Map<number, number> {
    const copies = new Map<number, number>();
    this.#rows.forEach((row, index) => {
      const first = this.#rootOf(index);
      if (first !== index && !this.#texts.areSamplesOfOneRow(row, this.#rows[first])) {
        copies.set(row, this.#rows[first]);
      }
    });
    return copies;
  }

  /**
   * Compares a row with earlier ones of the same band, until it shares a group with one of them.
   * Returns whether it does.
   *
   * @param bin The index in `#signatures` of the row's first bin of the band.
   * @param head The first row of a linked list, which `next` continues; -1 ends it.
   */
  #joinGroup(index: number, bin: number, head: number, next: Int32Array): boolean {
    const bandStart = bin - index * BINS;
    let comparedCount = 0;
    for (let other = head; other !== -1 && comparedCount < MAX_COMPARED; other = next[other]) {
      const otherBin = other * BINS + bandStart;
      if (
        this.#signatures[otherBin] !== this.#signatures[bin] ||
        this.#signatures[otherBin + 1] !== this.#signatures[bin + 1]
      ) {
        continue;
      }
      comparedCount++;
      const root = this.#rootOf(index), otherRoot = this.#rootOf(other);
      if (root === otherRoot) return true;
      if (
        this.#texts.areSamplesOfOneRow(this.#rows[index], this.#rows[other]) ||
        !this.#isNear(index, other)
      ) {
        continue;
      }
      this.#group[Math.max(root, otherRoot)] = Math.min(root, otherRoot);
      return true;
    }
    return false;
  }

  #isNear(a: number, b: number): boolean {
    let equalBins = 0;
    for (let bin = 0; bin < BINS; bin++) {
      if (this.#signatures[a * BINS + bin] === this.#signatures[b * BINS + bin]) equalBins++;
    }
    // Texts below the minimum similarity have 16 equal bins with a probability of at most 3 %, so
    // such texts are not read again.
    if (equalBins === BINS) return true;
    if (equalBins < MIN_EQUAL_BINS) return false;
    const shinglesAt = (index: number) => shinglesOf(this.#texts.textAt(this.#rows[index]));
    const shingles = shinglesAt(a), otherShingles = shinglesAt(b);
    let sharedCount = 0;
    for (const shingle of shingles) if (otherShingles.has(shingle)) sharedCount++;
    return sharedCount / (shingles.size + otherShingles.size - sharedCount) >= MIN_SIMILARITY;
  }

  /** Returns the root of the group, and shortens the path to it. */
  #rootOf(index: number): number {
    let root = index;
    while (this.#group[root] !== root) root = this.#group[root] = this.#group[this.#group[root]];
    return root;
  }
}

function fillSignature(text: string, signature: Uint32Array): void {
  signature.fill(EMPTY);
  if (text.length < MIN_TEXT_LENGTH) return;
  forEachShingle(text, (hash) => {
    const bin = hash >>> 28;
    const rest = (hash << 4) >>> 0;
    if (rest < signature[bin]) signature[bin] = rest;
  });
  // An empty bin takes a hash of the next one that is not empty (Shrivastava and Li 2014).
  for (let bin = 0; bin < BINS; bin++) {
    for (let step = 1; signature[bin] === EMPTY && step < BINS; step++) {
      const other = signature[(bin + step) % BINS];
      if (other !== EMPTY) signature[bin] = mixBits(other + step);
    }
  }
}

function shinglesOf(text: string): Set<number> {
  const shingles = new Set<number>();
  forEachShingle(text, (hash) => shingles.add(hash));
  return shingles;
}

/**
 * Calls `onHash` with a rolling hash of each shingle. Ignores the case of ASCII letters and
 * collapses white space.
 */
function forEachShingle(text: string, onHash: (hash: number) => void): void {
  let hash = 0, filled = 0, wasSpace = true;
  const window = new Uint16Array(SHINGLE_LENGTH);
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code <= 32) {
      if (wasSpace) continue;
      wasSpace = true;
      code = 32;
    } else {
      wasSpace = false;
      if (code >= 65 && code <= 90) code += 32;
    }
    const slot = filled % SHINGLE_LENGTH;
    hash = (Math.imul(hash, BASE) + code - Math.imul(window[slot], BASE_OUT)) | 0;
    window[slot] = code;
    if (++filled >= SHINGLE_LENGTH) onHash(mixBits(hash));
  }
}

/** The base of the rolling hash: FNV's prime. */
const BASE = 0x0100_0193;
/** `BASE` to the power of the length of a shingle. */
const BASE_OUT = Array.from({ length: SHINGLE_LENGTH }).reduce<number>(
  (power) => Math.imul(power, BASE),
  1,
);

/** The finalizer of MurmurHash3. */
function mixBits(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
