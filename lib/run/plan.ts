/**
 * The decisions of the first pass, one byte for each answer, so that the second pass needs neither
 * the table of ids nor another look at finished rows. Ids that are hashes of rows are kept too: 20
 * bytes a row instead of hashing again, which would take a fifth of the engine's time for a row.
 *
 * @module
 */

import { blockOf, uidIn } from "../index/mod.ts";

/** What the second pass does for an answer. */
export enum Todo {
  /** Nothing: it is finished or not chosen, or the row is a duplicate. */
  Skip = 0,
  /** Send its row. */
  Ask = 1,
  /** Send its row again: it has failed before. */
  AskAgain = 2,
  /** Report the line: it is not a row, or the id of this answer is taken. */
  Bad = 3,
}

/** The bits of a byte that hold a `Todo`. */
const TODO_MASK = 3;
/** A further bit, in the byte of a row's first answer: whether the row's id is kept. */
const KEPT_UID_FLAG = 4;

/** The decisions on each line that is not blank, in order: one byte for each of its answers. */
export class Plan {
  readonly #samples: number;
  #todos = new Uint8Array(64);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  /**
   * For each line: the number of its row among rows with the same id, 0 for the first. Empty while
   * all ids differ.
   */
  #copies = new Uint32Array(0);
  readonly #uids = new KeptUids();
  #failureLines = new Uint32Array(16);
  #failures = 0;
  #failuresTaken = 0;

  /** @param samples Answers for each row. */
  constructor(samples = 1) {
    this.#samples = samples;
  }

  /** The number of lines so far. */
  get length(): number {
    return this.#length;
  }

  /** The number of answers to request. */
  get toAsk(): number {
    return this.#counts[Todo.Ask] + this.#counts[Todo.AskAgain];
  }

  /** Answers to request that have failed before. */
  get toAskAgain(): number {
    return this.#counts[Todo.AskAgain];
  }

  /** The number of lines to report. */
  get bad(): number {
    return this.#counts[Todo.Bad];
  }

  /**
   * Adds the next line with the decision on one of its answers; the others are skipped unless
   * `decide` follows.
   */
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

  /** The decision on an answer, by line and sample, both from 0. */
  decisionOn(index: number, sample = 0): Todo {
    return this.#todos[index * this.#samples + sample] & TODO_MASK;
  }

  /**
   * Keeps the id of the last line's row for `takeUid`. The id must be 32 hex digits.
   *
   * @param slot The slot of the id in the table.
   */
  keepUid(slot: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= KEPT_UID_FLAG;
    this.#uids.keep(slot);
  }

  /** Takes over the keys of the table, once all lines were added. */
  takeKeys(keys: Uint32Array[]): void {
    this.#uids.takeKeys(keys);
  }

  /**
   * Returns the id of a row if it was kept. Must be called once for each row to send, in order,
   * after `takeKeys`.
   */
  takeUid(index: number): string | undefined {
    const isKept = (this.#todos[index * this.#samples] & KEPT_UID_FLAG) !== 0;
    return isKept ? this.#uids.take() : undefined;
  }

  /**
   * Keeps, for `takeFailureLine`, which line of the failures file belongs to an answer that is
   * requested again.
   */
  keepFailureLine(line: number): void {
    if (this.#failures === this.#failureLines.length) {
      const larger = new Uint32Array(this.#failures * 2);
      larger.set(this.#failureLines);
      this.#failureLines = larger;
    }
    this.#failureLines[this.#failures++] = line;
  }

  /** The line in the failures file for the next answer with `AskAgain`, in order. */
  takeFailureLine(): number {
    return this.#failureLines[this.#failuresTaken++];
  }

  /**
   * Records that the row of the last line is not the first with its id.
   *
   * @param number 2 for the second row, as in `<uid>~2`.
   */
  markCopy(number: number): void {
    const index = this.#length - 1;
    if (index >= this.#copies.length) {
      const larger = new Uint32Array(Math.max(this.#todos.length / this.#samples, index + 1));
      larger.set(this.#copies);
      this.#copies = larger;
    }
    this.#copies[index] = number;
  }

  /** The id of a line's row in the run: `uid`, or `<uid>~2` and so on for a copy. */
  idOf(index: number, uid: string): string {
    const copy = index < this.#copies.length ? this.#copies[index] : 0;
    return copy === 0 ? uid : `${uid}~${copy}`;
  }
}

/** Ids in the first block of `KeptUids`; each further one has twice as many, up to the maximum. */
const FIRST_BLOCK_UIDS = 16;
const MAX_BLOCK_UIDS = 4_096;

/**
 * A queue of ids of 32 hex digits, kept as slots of the table of ids. Memory is freed as the ids
 * are taken.
 */
export class KeptUids {
  readonly #blocks: Uint32Array[] = [];
  /** Slots in the last block. */
  #filled = 0;
  /** The capacity of the last block. */
  #capacity = 0;
  /** Slots that were taken out of the first block. */
  #taken = 0;
  #keys: Uint32Array[] = [];
  /** For each block of keys: how many of its ids are not taken yet. */
  readonly #remaining: number[] = [];

  /** Adds the id with this slot to the end. */
  keep(slot: number): void {
    if (this.#filled === this.#capacity) {
      this.#capacity = Math.min(MAX_BLOCK_UIDS, Math.max(FIRST_BLOCK_UIDS, this.#capacity * 2));
      this.#blocks.push(new Uint32Array(this.#capacity));
      this.#filled = 0;
    }
    this.#blocks.at(-1)![this.#filled++] = slot;
    const block = blockOf(slot);
    while (this.#remaining.length <= block) this.#remaining.push(0);
    this.#remaining[block]++;
  }

  /** Takes over the keys of the table, and frees blocks without a kept id. */
  takeKeys(keys: Uint32Array[]): void {
    this.#keys = keys.map((block, i) => this.#remaining[i] ? block : NO_KEYS);
  }

  /**
   * Removes the first id and returns it. There must be one, and `takeKeys` must have been called.
   */
  take(): string {
    if (this.#taken === this.#blocks[0].length) {
      this.#blocks.shift();
      this.#taken = 0;
    }
    const slot = this.#blocks[0][this.#taken++], uid = uidIn(this.#keys, slot);
    const block = blockOf(slot);
    if (--this.#remaining[block] === 0) this.#keys[block] = NO_KEYS;
    return uid;
  }
}

const NO_KEYS = new Uint32Array(0);
