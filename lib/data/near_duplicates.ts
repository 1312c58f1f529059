/**
 * Finds near duplicates among the answers of an index. One-permutation MinHash over character
 * shingles, with a signature of 64 bytes per row, proposes pairs; then the shingles that both texts
 * share are counted.
 *
 * @module
 */

import type { DataIndex } from "./data_index.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { promptOf } from "./turns.ts";

export interface NearStatus {
  readonly of: "prompt" | "response";
  readonly done: number;
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** Groups of near duplicates; 0 until the search is done. */
  readonly groups: number;
  /** Rows in these groups, without the first of each. */
  readonly copies: number;
  readonly problem: string | null;
}

const STEP_ROWS = 64;
/** The share of the work that reading takes; comparing takes the rest. */
const READING_SHARE = 0.8;

/** Searches an index for near duplicates in short steps. One search can run at a time. */
export class NearSearch {
  /** Null until a search is started. */
  status: NearStatus | null = null;
  readonly #index: DataIndex;
  #steps: Generator<void> | undefined;

  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** Starts a search over answered rows, which replaces a running one. */
  start(of: "prompt" | "response"): NearStatus {
    const { table } = this.#index;
    const rows = rowsThatMeet(table, planOf(table, 'distill.status == "answered"').indexed);
    table.nearOf = undefined;
    this.#steps = this.#search(of, rows);
    return this.status = {
      of,
      done: 0,
      total: rows.length,
      state: "running",
      groups: 0,
      copies: 0,
      problem: null,
    };
  }

  cancel(): NearStatus | null {
    if (this.status?.state === "running") this.#setStatus({ state: "cancelled" });
    return this.status;
  }

  /** Continues the search until `endMs`. Returns whether it is still running. */
  work(endMs: number): boolean {
    while (this.status?.state === "running" && performance.now() < endMs) this.#steps?.next();
    return this.status?.state === "running";
  }

  #setStatus(changes: Partial<NearStatus>): void {
    if (this.status !== null) this.status = { ...this.status, ...changes };
  }

  *#search(of: "prompt" | "response", rows: Uint32Array<ArrayBuffer>): Generator<void> {
    const { table } = this.#index;
    const textAt = (row: number) => this.#textAt(of, row);
    const near = new NearDuplicates(rows, { textAt, isSameRow: (a, b) => table.isSameRow(a, b) });
    for (const row of rows) {
      near.add(textAt(row));
      if (near.added % STEP_ROWS !== 0) continue;
      this.#setStatus({ done: Math.round(near.added * READING_SHARE) });
      yield;
    }
    for (const share of near.compare()) {
      const done = READING_SHARE + share * (1 - READING_SHARE);
      this.#setStatus({ done: Math.round(rows.length * done) });
      yield;
    }
    const copies = near.copies();
    table.nearOf = copies;
    this.#index.version++;
    const groups = new Set(copies.values()).size;
    this.#setStatus({ done: rows.length, state: "done", groups, copies: copies.size });
  }

  #textAt(of: "prompt" | "response", row: number): string {
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    return of === "response" ? facts.response : promptOf(facts.line, this.#index.hintsAt(row));
  }
}

/** Bins of a signature. Each holds one hash; the top 4 bits of a hash choose its bin. */
const BINS = 16;
/** Bins of a band. Rows that agree in all bins of a band are compared. */
const BAND_BINS = 2;
const SHINGLE_LENGTH = 8;
/** In UTF-16 units: shorter texts are not compared. */
const MIN_TEXT_LENGTH = 40;
/** Shingles are counted only if two signatures agree in at least this many bins. */
const MIN_EQUAL_BINS = 10;
/** Minimum Jaccard similarity of the shingles of near duplicates. */
const MIN_SIMILARITY = 0.8;
/** Maximum number of rows of equal bands that a row is compared with: more are often one group. */
const MAX_COMPARED = 16;
/** A bin without a hash, because the text is too short. */
const EMPTY = 0xffff_ffff;

export interface NearTexts {
  readonly textAt: (row: number) => string;
  /** Whether two answers are samples of one row, which do not count as duplicates. */
  readonly isSameRow: (a: number, b: number) => boolean;
}

export class NearDuplicates {
  readonly #rows: Uint32Array<ArrayBuffer>;
  readonly #signatures: Uint32Array<ArrayBuffer>;
  /** A union-find forest over indexes in `#rows`: the root of a group is its first row. */
  readonly #group: Int32Array<ArrayBuffer>;
  readonly #texts: NearTexts;
  #added = 0;

  constructor(rows: Uint32Array<ArrayBuffer>, texts: NearTexts) {
    this.#rows = rows;
    this.#texts = texts;
    this.#signatures = new Uint32Array(rows.length * BINS);
    this.#group = Int32Array.from(rows, (_, index) => index);
  }

  get added(): number {
    return this.#added;
  }

  add(text: string): void {
    const start = this.#added++ * BINS;
    fillSignature(text, this.#signatures.subarray(start, start + BINS));
  }

  /** Call it after all rows were added. Yields the share that is done, every 2,048 rows. */
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
          mix(this.#signatures[bin] ^ Math.imul(this.#signatures[bin + 1], 0x9e37_79b1)) & mask;
        if (this.#joinGroup(index, bin, heads[slot], next)) continue;
        next[index] = heads[slot];
        heads[slot] = index;
      }
    }
  }

  /**
   * Maps each row of a group to the group's first row, except that row itself and other samples of
   * it.
   */
  copies(): Map<number, number> {
    const copies = new Map<number, number>();
    this.#rows.forEach((row, index) => {
      const first = this.#rootOf(index);
      if (first !== index && !this.#texts.isSameRow(row, this.#rows[first])) {
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
    let compared = 0;
    for (let other = head; other !== -1 && compared < MAX_COMPARED; other = next[other]) {
      const otherBin = other * BINS + bandStart;
      if (
        this.#signatures[otherBin] !== this.#signatures[bin] ||
        this.#signatures[otherBin + 1] !== this.#signatures[bin + 1]
      ) {
        continue;
      }
      compared++;
      const root = this.#rootOf(index), otherRoot = this.#rootOf(other);
      if (root === otherRoot) return true;
      if (
        this.#texts.isSameRow(this.#rows[index], this.#rows[other]) || !this.#isNear(index, other)
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
    if (equalBins === BINS) return true;
    if (equalBins < MIN_EQUAL_BINS) return false;
    const shinglesAt = (index: number) => shinglesOf(this.#texts.textAt(this.#rows[index]));
    const left = shinglesAt(a), right = shinglesAt(b);
    let shared = 0;
    for (const shingle of left) if (right.has(shingle)) shared++;
    return shared / (left.size + right.size - shared) >= MIN_SIMILARITY;
  }

  /** The root of the group of an index in `#rows`. Shortens the path to it. */
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
      if (other !== EMPTY) signature[bin] = mix(other + step);
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
    if (++filled >= SHINGLE_LENGTH) onHash(mix(hash));
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
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
