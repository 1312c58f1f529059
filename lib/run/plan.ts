/**
 * The decisions of the first pass, one byte for each answer, so that the second pass needs neither the table of ids
 * nor another look at finished rows. Ids that are hashes of rows are kept too: 20 bytes a row instead of hashing
 * again, which would take a fifth of the engine's time for a row.
 *
 * @module
 */

import { blockOf, uidIn } from "../index/mod.ts";

/** What the second pass does for an answer. */
export enum Todo {
  /** Nothing: it is finished, or the row is a duplicate. */
  Skip = 0,
  /** Send its row. */
  Ask = 1,
  /** Send its row again: it has failed before. */
  AskAgain = 2,
  /** Report the line: it is not a row, or the id of this answer is taken. */
  Bad = 3,
}

const TODO_BITS = 3;
/** A bit in the byte of a row's first answer. */
const UID_IS_KEPT = 4;

/** The decisions for each line that is not blank, in order: one for each of a row's answers. */
export class Plan {
  readonly #samples: number;
  #todos = new Uint8Array(64);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  /** The number of each line's row among rows with the same id: 0 for the first. Empty while all ids differ. */
  #copies = new Uint32Array(0);
  readonly #uids = new KeptUids();
  #failureLines = new Uint32Array(16);
  #failures = 0;
  #failuresTaken = 0;

  /** Nothing is decided yet. `samples` is the number of answers of a row. */
  constructor(samples = 1) {
    this.#samples = samples;
  }

  /** The number of lines. */
  get length(): number {
    return this.#length;
  }

  /** The number of answers to request. */
  get toAsk(): number {
    return this.#counts[Todo.Ask] + this.#counts[Todo.AskAgain];
  }

  /** The number of lines to report. */
  get bad(): number {
    return this.#counts[Todo.Bad];
  }

  /** Adds the next line with the decision for one of its answers; the others are skipped unless `decide` is
   * called. */
  push(todo: Todo, sample = 0): void {
    this.#length++;
    const needed = this.#length * this.#samples;
    if (needed > this.#todos.length) {
      const larger = new Uint8Array(Math.max(needed, this.#todos.length * 2));
      larger.set(this.#todos);
      this.#todos = larger;
    }
    this.decide(sample, todo);
  }

  /** Sets the decision for another answer of the last line. */
  decide(sample: number, todo: Todo): void {
    this.#todos[(this.#length - 1) * this.#samples + sample] |= todo;
    this.#counts[todo]++;
  }

  /** The decision for an answer, by line and sample, both from 0. */
  at(index: number, sample = 0): Todo {
    return this.#todos[index * this.#samples + sample] & TODO_BITS;
  }

  /** Keeps the id of the last line's row, 32 hex digits, for `takeUid`. `slot` is its slot in the table of ids. */
  keepUid(slot: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= UID_IS_KEPT;
    this.#uids.keep(slot);
  }

  /** Takes over the hashes of the table, once all lines were added. */
  takeKeys(keys: Uint32Array[]): void {
    this.#uids.takeKeys(keys);
  }

  /** The id of a row, if it was kept. To be called once for each row, in order, after `takeKeys`. */
  takeUid(index: number): string | undefined {
    const isKept = (this.#todos[index * this.#samples] & UID_IS_KEPT) !== 0;
    return isKept ? this.#uids.take() : undefined;
  }

  /** Keeps the number of the failures line of an answer that is requested again, for `takeFailureLine`. */
  keepFailureLine(line: number): void {
    if (this.#failures === this.#failureLines.length) {
      const larger = new Uint32Array(this.#failures * 2);
      larger.set(this.#failureLines);
      this.#failureLines = larger;
    }
    this.#failureLines[this.#failures++] = line;
  }

  /** The number for the next answer that is requested again, in order. */
  takeFailureLine(): number {
    return this.#failureLines[this.#failuresTaken++];
  }

  /** Notes that the row of the last line is not the first with its id, but has this number. */
  isCopy(number: number): void {
    const index = this.#length - 1;
    if (index >= this.#copies.length) {
      const larger = new Uint32Array(Math.max(this.#todos.length / this.#samples, index + 1));
      larger.set(this.#copies);
      this.#copies = larger;
    }
    this.#copies[index] = number;
  }

  /** The id of a row whose own is `uid`. */
  idOf(index: number, uid: string): string {
    const copy = index < this.#copies.length ? this.#copies[index] : 0;
    return copy === 0 ? uid : `${uid}~${copy}`;
  }
}

/** Memory is allocated and freed in blocks of this many ids; the first ones are smaller. */
const BLOCK_UIDS = 4_096;
const FIRST_UIDS = 16;

/** A queue of ids of 32 hex digits, by their slots in the table of ids. It frees memory as fast as the rows
 * that are read take it. */
export class KeptUids {
  readonly #blocks: Uint32Array[] = [];
  /** Ids in the last block. */
  #kept = 0;
  /** The capacity of the last block. */
  #room = 0;
  /** The number of ids that were taken out of the first block. */
  #taken = 0;
  #keys: Uint32Array[] = [];
  /** The number of ids that are still to be taken out of each block of keys. */
  readonly #left: number[] = [];

  /** Adds the id of a slot at the end. */
  keep(slot: number): void {
    if (this.#kept === this.#room) {
      this.#room = Math.min(BLOCK_UIDS, Math.max(FIRST_UIDS, this.#room * 2));
      this.#blocks.push(new Uint32Array(this.#room));
      this.#kept = 0;
    }
    this.#blocks.at(-1)![this.#kept++] = slot;
    const block = blockOf(slot);
    while (this.#left.length <= block) this.#left.push(0);
    this.#left[block]++;
  }

  /** Takes over the hashes of the table; blocks without a kept id are freed. */
  takeKeys(keys: Uint32Array[]): void {
    this.#keys = keys.map((block, i) => this.#left[i] ? block : NO_KEYS);
  }

  /** Removes and returns the first id. There must be one, and its hash. */
  take(): string {
    if (this.#taken === this.#blocks[0].length) {
      this.#blocks.shift();
      this.#taken = 0;
    }
    const slot = this.#blocks[0][this.#taken++], uid = uidIn(this.#keys, slot);
    const block = blockOf(slot);
    if (--this.#left[block] === 0) this.#keys[block] = NO_KEYS;
    return uid;
  }
}

const NO_KEYS = new Uint32Array(0);
