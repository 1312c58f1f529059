/**
 * Finds near duplicates: one-permutation MinHash over character shingles, with a signature of 64
 * bytes a row, proposes pairs, whose shared shingles are then counted. Works in steps, so that the
 * worker can answer questions in between.
 *
 * @module
 */

import type { DataIndex } from "./data_index.ts";
import type { NearStatus } from "./protocol.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { promptOf } from "./turns.ts";

/** The bins of a signature, with a hash each: `signatureOf` takes the bin from the top 4 bits of a
 * hash. */
const BINS = 16;
/** The bins of a band: rows that agree in all bins of a band are compared. */
const BAND = 2;
/** The characters of a shingle. */
const SHINGLE = 8;
/** In UTF-16 units: shorter texts are not compared. */
const SHORTEST = 40;
/** The fewest bins in which two signatures must agree for their shingles to be counted. */
const ENOUGH_BINS = 10;
/** The smallest share of all shingles of two near duplicates that both have (Jaccard). */
const NEAR = 0.8;
/** The most rows with the same band that a row is compared with: more are usually one group. */
const MAX_COMPARED = 16;
/** A bin without a hash: the text is too short. */
const EMPTY = 0xffff_ffff;

/** Access to the rows of a search. */
export interface NearTexts {
  /** Reads the text of a row from its file. */
  readonly textAt: (row: number) => string;
  /** Whether two answers are samples of one row, which do not count as duplicates. */
  readonly isSameRow: (a: number, b: number) => boolean;
}

/** Groups rows whose texts are nearly the same. */
export class NearDuplicates {
  readonly #rows: Uint32Array<ArrayBuffer>;
  readonly #signatures: Uint32Array<ArrayBuffer>;
  /** A union-find forest over indexes of `#rows`: the root of a group is its first row. */
  readonly #group: Int32Array<ArrayBuffer>;
  readonly #texts: NearTexts;
  #added = 0;

  constructor(rows: Uint32Array<ArrayBuffer>, texts: NearTexts) {
    this.#rows = rows;
    this.#texts = texts;
    this.#signatures = new Uint32Array(rows.length * BINS);
    this.#group = Int32Array.from(rows, (_, at) => at);
  }

  /** The number of rows added so far. */
  get added(): number {
    return this.#added;
  }

  /** Adds the text of the next row, in the order of `rows`. */
  add(text: string): void {
    const at = this.#added++ * BINS;
    signatureOf(text, this.#signatures.subarray(at, at + BINS));
  }

  /** Compares rows once all are added; yields the share of the work done after every 2,048 rows. */
  *compare(): Generator<number> {
    const { length } = this.#rows;
    const mask = 2 ** Math.ceil(Math.log2(Math.max(16, length * 2))) - 1;
    const heads = new Int32Array(mask + 1);
    const next = new Int32Array(length);
    const bands = BINS / BAND;
    for (let band = 0; band < bands; band++) {
      heads.fill(-1);
      for (let at = 0; at < length; at++) {
        if (at % 2048 === 0) yield (band + at / length) / bands;
        const place = at * BINS + band * BAND;
        if (this.#signatures[place] === EMPTY) continue;
        const slot =
          mix(this.#signatures[place] ^ Math.imul(this.#signatures[place + 1], 0x9e37_79b1)) & mask;
        if (this.#compareWith(heads[slot], next, at, place)) continue;
        next[at] = heads[slot];
        heads[slot] = at;
      }
    }
  }

  /** The first row of the group by each other row of it, except other samples of that first row. */
  copies(): Map<number, number> {
    const copies = new Map<number, number>();
    this.#rows.forEach((row, at) => {
      const first = this.#find(at);
      if (first !== at && !this.#texts.isSameRow(row, this.#rows[first])) {
        copies.set(row, this.#rows[first]);
      }
    });
    return copies;
  }

  /**
   * Compares a row with others of the same band; returns whether it now shares a group with one.
   */
  #compareWith(head: number, next: Int32Array, at: number, place: number): boolean {
    const band = place - at * BINS;
    let compared = 0;
    for (let other = head; other !== -1 && compared < MAX_COMPARED; other = next[other]) {
      const theirs = other * BINS + band;
      if (
        this.#signatures[theirs] !== this.#signatures[place] ||
        this.#signatures[theirs + 1] !== this.#signatures[place + 1]
      ) {
        continue;
      }
      compared++;
      if (this.#find(other) === this.#find(at)) return true;
      if (this.#texts.isSameRow(this.#rows[at], this.#rows[other]) || !this.#isNear(at, other)) {
        continue;
      }
      const [a, b] = [this.#find(at), this.#find(other)];
      this.#group[Math.max(a, b)] = Math.min(a, b);
      return true;
    }
    return false;
  }

  #isNear(a: number, b: number): boolean {
    let same = 0;
    for (let bin = 0; bin < BINS; bin++) {
      if (this.#signatures[a * BINS + bin] === this.#signatures[b * BINS + bin]) same++;
    }
    if (same === BINS) return true;
    if (same < ENOUGH_BINS) return false;
    const [left, right] = [a, b].map((at) => shinglesOf(this.#texts.textAt(this.#rows[at])));
    let shared = 0;
    for (const shingle of left) if (right.has(shingle)) shared++;
    return shared / (left.size + right.size - shared) >= NEAR;
  }

  #find(at: number): number {
    while (this.#group[at] !== at) at = this.#group[at] = this.#group[this.#group[at]];
    return at;
  }
}

function signatureOf(text: string, signature: Uint32Array): void {
  signature.fill(EMPTY);
  if (text.length < SHORTEST) return;
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

/** Hashes every `SHINGLE` characters. Ignores the case of ASCII letters, collapses white space. */
function forEachShingle(text: string, take: (hash: number) => void): void {
  let hash = 0, filled = 0, wasSpace = true;
  const window = new Uint16Array(SHINGLE);
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code <= 32) {
      if (wasSpace) continue;
      wasSpace = true;
      code = 32;
    } else {
      wasSpace = false;
      if (code >= 65 && code <= 90) code += 32;
    }
    const slot = filled % SHINGLE;
    hash = (Math.imul(hash, BASE) + code - Math.imul(window[slot], BASE_OUT)) | 0;
    window[slot] = code;
    if (++filled >= SHINGLE) take(mix(hash));
  }
}

const BASE = 0x0100_0193;
/** `BASE` to the power of the length of a shingle. */
const BASE_OUT = Array.from({ length: SHINGLE }).reduce<number>(
  (power) => Math.imul(power, BASE),
  1,
);

/** The finalizer of MurmurHash3. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The rows that are read in one step. */
const STEP_ROWS = 64;
/** The share of the work that reading takes; comparing takes the rest. */
const READING_SHARE = 0.8;

/** The search for near duplicates over an index: one at a time. */
export class NearSearch {
  readonly #index: DataIndex;
  #status: NearStatus | null = null;
  #steps: Generator<void> | undefined;

  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** The progress of the last search; null if there was none. */
  get status(): NearStatus | null {
    return this.#status;
  }

  /** Starts a search over answered rows, instead of the one that is running. */
  start(of: "prompt" | "response"): NearStatus {
    const { table } = this.#index;
    const rows = rowsThatMeet(table, planOf(table, 'status == "answered"').indexed);
    table.nearOf = undefined;
    this.#steps = this.#search(of, rows);
    return this.#status = {
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
    if (this.#status?.state === "running") this.#notify({ state: "cancelled" });
    return this.#status;
  }

  /** Works until `endMs` by `performance.now()`; returns false if no search is running. */
  work(endMs: number): boolean {
    while (this.#status?.state === "running" && performance.now() < endMs) this.#steps?.next();
    return this.#status?.state === "running";
  }

  #notify(changes: Partial<NearStatus>): void {
    if (this.#status !== null) this.#status = { ...this.#status, ...changes };
  }

  *#search(of: "prompt" | "response", rows: Uint32Array<ArrayBuffer>): Generator<void> {
    const { table } = this.#index;
    const textAt = (row: number) => this.#textAt(of, row);
    const near = new NearDuplicates(rows, { textAt, isSameRow: (a, b) => table.isSameRow(a, b) });
    for (const row of rows) {
      near.add(textAt(row));
      if (near.added % STEP_ROWS !== 0) continue;
      this.#notify({ done: Math.round(near.added * READING_SHARE) });
      yield;
    }
    for (const share of near.compare()) {
      const done = READING_SHARE + share * (1 - READING_SHARE);
      this.#notify({ done: Math.round(rows.length * done) });
      yield;
    }
    const copies = near.copies();
    table.nearOf = copies;
    this.#index.version++;
    const groups = new Set(copies.values()).size;
    this.#notify({ done: rows.length, state: "done", groups, copies: copies.size });
  }

  #textAt(of: "prompt" | "response", row: number): string {
    const { table, files } = this.#index;
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    if (of === "response") return facts.response;
    return promptOf(facts.line, files[table.columns.file[row]].hints);
  }
}
