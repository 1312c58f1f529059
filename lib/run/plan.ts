/**
 * What the first pass decided for each answer, one byte each, so that the second pass needs neither the table of
 * ids nor a second look at finished rows. Ids that are hashes of rows are kept as well: 20 bytes a row instead of
 * hashing again, which takes a fifth of the engine's time for a row.
 *
 * @module
 */

import { blockOf, uidIn } from "../index/mod.ts";

/** What to do about an answer. */
export enum Todo {
  /** Nothing: it is settled, or the row is a copy of another one. */
  Skip = 0,
  /** Ask the teacher. */
  Ask = 1,
  /** Ask the teacher again: it has failed before. */
  AskAgain = 2,
  /** Report the line: it is no row, or the id of this answer is taken. */
  Bad = 3,
}

const TODO_BITS = 3;
/** Stands in the byte of a row's first answer. */
const UID_IS_KEPT = 4;

/** The decisions on each line that is not blank, in their order: one for each of a row's answers. */
export class Plan {
  readonly #samples: number;
  #todos = new Uint8Array(64);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  /** Which row of its id each line is: 0 for the first. Empty while there is one of each. */
  #copies = new Uint32Array(0);
  readonly #uids = new KeptUids();
  #failureLines = new Uint32Array(16);
  #failures = 0;
  #failuresTaken = 0;

  /** Nothing is decided yet. `samples` is how many answers a row has. */
  constructor(samples = 1) {
    this.#samples = samples;
  }

  /** How many lines were decided on. */
  get length(): number {
    return this.#length;
  }

  /** How many answers the teacher has to be asked for. */
  get toAsk(): number {
    return this.#counts[Todo.Ask] + this.#counts[Todo.AskAgain];
  }

  /** How many lines are to be reported. */
  get bad(): number {
    return this.#counts[Todo.Bad];
  }

  /** Continues to the next line, and decides on one of its answers; about the others nothing is to be done
   * unless `decide` says so. */
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

  /** Decides on another answer of the last line. */
  decide(sample: number, todo: Todo): void {
    this.#todos[(this.#length - 1) * this.#samples + sample] |= todo;
    this.#counts[todo]++;
  }

  /** The decision on an answer: by line and by sample, both from 0. */
  at(index: number, sample = 0): Todo {
    return this.#todos[index * this.#samples + sample] & TODO_BITS;
  }

  /** Keeps the id of the last line's row, 32 hex digits, for `takeUid`: its slot in the table of ids. */
  keepUid(slot: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= UID_IS_KEPT;
    this.#uids.keep(slot);
  }

  /** Hands over the hashes of the table, once all lines are decided on. */
  takeKeys(keys: Uint32Array[]): void {
    this.#uids.takeKeys(keys);
  }

  /** The id of a row where it was kept. To be asked for once for each row whose id was, in their order, after
   * `takeKeys`. */
  takeUid(index: number): string | undefined {
    const isKept = (this.#todos[index * this.#samples] & UID_IS_KEPT) !== 0;
    return isKept ? this.#uids.take() : undefined;
  }

  /** Keeps the number of the failures line of an answer that is asked for again, for `takeFailureLine`. */
  keepFailureLine(line: number): void {
    if (this.#failures === this.#failureLines.length) {
      const larger = new Uint32Array(this.#failures * 2);
      larger.set(this.#failureLines);
      this.#failureLines = larger;
    }
    this.#failureLines[this.#failures++] = line;
  }

  /** The number for the next answer that is asked for again, in their order. */
  takeFailureLine(): number {
    return this.#failureLines[this.#failuresTaken++];
  }

  /** Says that the row of the last line is not the first of its id, but the one of this number. */
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

/** Memory is taken, and given back, in blocks of this many ids; the first ones are smaller. */
const BLOCK_UIDS = 4_096;
const FIRST_UIDS = 16;

/** A queue of ids of 32 hex digits, by their slots in the table of ids. What it frees on the way is as much as
 * the rows that were read take. */
export class KeptUids {
  readonly #blocks: Uint32Array[] = [];
  /** Ids in the last block. */
  #kept = 0;
  /** Ids that the last block takes. */
  #room = 0;
  /** Ids that were taken out of the first block. */
  #taken = 0;
  #keys: Uint32Array[] = [];
  /** How many ids are still to be taken out of each block of keys. */
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

  /** Hands over the hashes of the table; blocks that hold no id that was kept are freed. */
  takeKeys(keys: Uint32Array[]): void {
    this.#keys = keys.map((block, i) => this.#left[i] ? block : NO_KEYS);
  }

  /** Takes the first id out. There must be one, and its hash. */
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
