/**
 * Finds near duplicates among the prompts or the responses of an index, in short steps, because the
 * same thread serves the requests of the page.
 *
 * 1. A signature of 64 bytes per row: one-permutation MinHash over character shingles.
 * 2. Rows whose signatures agree in a band of bins are compared.
 * 3. Two rows are near if their signatures are equal, or if their shingles have a high Jaccard
 *    similarity.
 * 4. Near rows are joined into groups (union-find).
 *
 * @module
 */

import { systemReason } from "../files.ts";
import type { DataIndex } from "./data_index.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { nearField, type Table } from "./table.ts";
import { promptOf } from "./turns.ts";

export type SearchedField = "prompt" | "response";

export interface NearStatus {
  readonly of: SearchedField;
  /** Progress of reading and comparing, scaled to `total`: not a number of rows. */
  readonly done: number;
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** Groups of near duplicates; 0 until the search is done. */
  readonly groups: number;
  /** Rows in the groups, except the first row of each group and other samples of that row. */
  readonly copies: number;
  readonly problem: string | null;
}

/** Runs one search at a time. */
export class NearSearch {
  readonly #index: DataIndex;
  #search: {
    readonly table: Table;
    readonly steps: ReturnType<NearDuplicates["find"]>;
    status: NearStatus;
  } | undefined;

  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** Null before the first search, and after the index has started a new table. */
  get status(): NearStatus | null {
    return this.#search?.table === this.#index.table ? this.#search.status : null;
  }

  /** Starts a search over the answered rows. Replaces a search that is running. */
  start(of: SearchedField): NearStatus {
    const { table } = this.#index;
    const rows = rowsThatMeet(table, planOf(table, 'distill.status == "answered"').indexedParts);
    table.viewFields.set("near_duplicate", nearField(0));
    const steps = new NearDuplicates(rows, {
      textAt: (row) => this.#textAt(of, row),
      areSamplesOfOneRow: (a, b) => table.isSameInputRow(a, b),
    }).find();
    const total = rows.length, nothingFound = { groups: 0, copies: 0, problem: null };
    const status: NearStatus = { of, done: 0, total, state: "running", ...nothingFound };
    this.#search = { table, steps, status };
    return status;
  }

  cancel(): NearStatus | null {
    if (this.status?.state === "running") this.#setStatus({ state: "cancelled" });
    return this.status;
  }

  /** Searches until `performance.now()` reaches `endMs`. Returns whether the search is running. */
  work(endMs: number): boolean {
    try {
      while (this.status?.state === "running" && performance.now() < endMs) this.#step();
    } catch (error) {
      // With millions of rows, the arrays of `NearDuplicates.find` may not fit into memory.
      this.#setStatus({
        state: "failed",
        problem: `Cannot compare the rows: ${systemReason(error)}`,
      });
    }
    return this.status?.state === "running";
  }

  #setStatus(changes: Partial<NearStatus>): void {
    this.#search!.status = { ...this.#search!.status, ...changes };
  }

  #step(): void {
    const { table, steps, status: { total } } = this.#search!;
    const { done: isDone, value } = steps.next();
    if (!isDone) return this.#setStatus({ done: Math.round(total * value) });
    table.viewFields.set("near_duplicate", nearField(table.length, value.keys()));
    this.#index.version++;
    const groups = new Set(value.values()).size;
    this.#setStatus({ done: total, state: "done", groups, copies: value.size });
  }

  #textAt(field: SearchedField, row: number): string {
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    return field === "response" ? facts.response : promptOf(facts.line, this.#index.hintsAt(row));
  }
}

const STEP_ROWS = 64;
/** The share of the work that reading takes; comparing takes the rest. */
const READING_SHARE = 0.8;
/** Bins per signature. Each bin stores one hash. The top 4 bits of a hash select its bin. */
const BINS = 16;
/** Bins per band. Rows that agree in all bins of a band are compared. */
const BAND_BINS = 2;
const SHINGLE_LENGTH = 8;
/** Minimum length of a text to compare, in UTF-16 units. */
const MIN_TEXT_LENGTH = 40;
/** Shingles are counted only if two signatures agree in at least this many bins. */
const MIN_EQUAL_BINS = 10;
/** Minimum Jaccard similarity: shared shingles, divided by all shingles of both texts. */
const MIN_SIMILARITY = 0.8;
/** Maximum number of rows that a row is compared with in each band. Without it, the time would grow
 * with the square of the number of rows from the same template, because they share bands. */
const MAX_COMPARED = 16;
/** Marks a bin without a hash. After `fillSignature`, only texts that are too short have any. */
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

  constructor(rows: Uint32Array<ArrayBuffer>, texts: NearTexts) {
    this.#rows = rows;
    this.#texts = texts;
    this.#signatures = new Uint32Array(rows.length * BINS);
    this.#group = Int32Array.from(rows, (_, index) => index);
  }

  /**
   * Reads and compares the texts in short steps. After each step, yields the share that is done.
   *
   * @returns For each copy, the first row of its group. Other samples of that row are not copies.
   */
  *find(): Generator<number, Map<number, number>> {
    for (const [index, row] of this.#rows.entries()) {
      const start = index * BINS;
      fillSignature(this.#texts.textAt(row), this.#signatures.subarray(start, start + BINS));
      if ((index + 1) % STEP_ROWS === 0) yield READING_SHARE * (index + 1) / this.#rows.length;
    }
    for (const share of this.#compare()) yield READING_SHARE + share * (1 - READING_SHARE);
    const copies = new Map<number, number>();
    for (const [index, row] of this.#rows.entries()) {
      const first = this.#rows[this.#rootOf(index)];
      if (!this.#texts.areSamplesOfOneRow(row, first)) copies.set(row, first);
    }
    return copies;
  }

  /** Groups the rows. Yields the share that is done, from 0 to 1, every 2,048 rows. */
  *#compare(): Generator<number> {
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
        const first = this.#signatures[bin], second = this.#signatures[bin + 1];
        if (first === EMPTY) continue;
        const slot = mixBits(first ^ Math.imul(second, 0x9e37_79b1)) & mask;
        if (this.#joinGroup(index, bin, heads[slot], next)) continue;
        next[index] = heads[slot];
        heads[slot] = index;
      }
    }
  }

  /**
   * Compares a row with earlier rows that agree in the band, until it shares a group with one of
   * them. Returns whether it does.
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
      ) continue;
      comparedCount++;
      const root = this.#rootOf(index), otherRoot = this.#rootOf(other);
      if (root === otherRoot) return true;
      if (!this.#isNear(index, other)) continue;
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
    // Texts below the minimum similarity have 16 equal bins with a probability of at most 3 %, which
    // does not justify reading both texts again.
    if (equalBins === BINS) return true;
    if (equalBins < MIN_EQUAL_BINS) return false;
    // Equal samples of one row were joined above, so that their copies share a group.
    if (this.#texts.areSamplesOfOneRow(this.#rows[a], this.#rows[b])) return false;
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

/** Calls `onHash` with a rolling hash of each shingle. Ignores the case of ASCII letters and
 * collapses white space. */
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
/** `BASE` to the power of the length of a shingle, in 32 bits. */
const BASE_OUT = Number(BigInt.asIntN(32, BigInt(BASE) ** BigInt(SHINGLE_LENGTH)));

/** Mixes the bits with the finalizer of MurmurHash3. */
function mixBits(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
