/**
 * What the first pass keeps for the second:
 * - for each answer, one byte that says whether to request it;
 * - 16 bytes for an id that is a hash: hashing again would take a fifth of the engine's time per
 *   row;
 * - the rows of a small input.
 *
 * Also states the problems of rows, which both passes find.
 *
 * @module
 */

import { parseSampleUid, sampleUid } from "../answer.ts";
import type { Line } from "../formats/mod.ts";
import { blockOf, uidIn } from "../index/mod.ts";
import type { ParsedRow, RowImages } from "../source/mod.ts";

export enum Todo {
  /** The answer is finished or not chosen, or the line is a duplicate or a bad row that is in the
   * failures file already. */
  Skip = 0,
  Ask = 1,
  /** The answer has failed before, and is requested again. */
  AskAgain = 2,
  /** The line is not a row, or the id of this answer is taken, and the failures file does not have
   * the line yet. */
  Bad = 3,
}

const TODO_MASK = 3;
/** Bit in the byte of a row's first answer: the row's id is kept. */
const KEPT_UID_FLAG = 4;
/** Bit in the byte of a row's first answer: the row is a copy (`<uid>~2`). */
const COPY_FLAG = 8;

/** The decisions on each line that is not blank. */
export class Plan {
  readonly #samples: number;
  #todos = new Uint8Array(64);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  /** For each row to send whose id is `<uid>~n`: `n`. */
  readonly #copies = new NumberQueue();
  readonly keptUids = new KeptUids();
  /** For each answer that is requested again, in input order: the number of its failures line. */
  readonly failureLines = new NumberQueue();

  constructor(samples = 1) {
    this.#samples = samples;
  }

  get length(): number {
    return this.#length;
  }

  get toAsk(): number {
    return this.#counts[Todo.Ask] + this.#counts[Todo.AskAgain];
  }

  get toAskAgain(): number {
    return this.#counts[Todo.AskAgain];
  }

  get bad(): number {
    return this.#counts[Todo.Bad];
  }

  /** Adds a line. Its answers are skipped unless `decide` is called for them. */
  addLine(): void {
    this.#length++;
    const minLength = this.#length * this.#samples;
    if (minLength > this.#todos.length) {
      const { buffer } = this.#todos;
      this.#todos = new Uint8Array(buffer.transfer(Math.max(minLength, buffer.byteLength * 2)));
    }
  }

  /** Decides on an answer of the last line. */
  decide(sample: number, todo: Todo): void {
    this.#todos[(this.#length - 1) * this.#samples + sample] |= todo;
    this.#counts[todo]++;
  }

  /** Returns the decision on an answer. Lines (`index`) and samples count from 0. */
  decisionOn(index: number, sample = 0): Todo {
    return this.#todos[index * this.#samples + sample] & TODO_MASK;
  }

  /** Keeps the id of the last line's row, 32 hex digits, for `takeUid`. */
  keepUid(slot: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= KEPT_UID_FLAG;
    this.keptUids.keep(slot);
  }

  /** Returns a row's id, if it was kept. Called once for each row to send, in order, after
   * `keptUids.takeKeys`. */
  takeUid(index: number): string | undefined {
    const isKept = (this.#todos[index * this.#samples] & KEPT_UID_FLAG) !== 0;
    return isKept ? this.keptUids.shift() : undefined;
  }

  /** Notes that the id of the last line's row, which is to be sent, is `<uid>~<number>`. */
  keepCopy(number: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= COPY_FLAG;
    this.#copies.push(number);
  }

  /** Returns a row's id in the run: `uid`, or `<uid>~2` and so on for a copy. Called once for each
   * row to send, in order. */
  takeIdOf(index: number, uid: string): string {
    const isCopy = (this.#todos[index * this.#samples] & COPY_FLAG) !== 0;
    return isCopy ? `${uid}~${this.#copies.shift()}` : uid;
  }
}

/** A queue of ids of 32 hex digits, kept as slots of the table of ids. Frees memory as ids are
 * taken. */
export class KeptUids {
  readonly #slots = new SlotQueue();
  #keys: Uint32Array[] = [];
  /** The number of ids left in each block of keys. */
  readonly #remainingCounts: number[] = [];

  keep(slot: number): void {
    this.#slots.push(slot);
    const block = blockOf(slot);
    this.#remainingCounts[block] = (this.#remainingCounts[block] ?? 0) + 1;
  }

  /** Takes over the keys of the table, and frees blocks without a kept id. */
  takeKeys(keys: Uint32Array[]): void {
    this.#keys = keys.map((block, i) => this.#remainingCounts[i] ? block : NO_KEYS);
  }

  /** Returns the next id. Call this after `takeKeys`, and only while an id is left. */
  shift(): string {
    const slot = this.#slots.shift(), block = blockOf(slot), uid = uidIn(this.#keys, slot);
    if (--this.#remainingCounts[block] === 0) this.#keys[block] = NO_KEYS;
    return uid;
  }
}

const NO_KEYS = new Uint32Array(0);

/** A queue of numbers below 2^32, in blocks that are freed as numbers are taken. */
export class NumberQueue {
  readonly #blocks: Uint32Array[] = [];
  #lastBlockLength = 0;
  #takenFromFirst = 0;

  push(number: number): void {
    const capacity = this.#blocks.at(-1)?.length ?? 0;
    if (this.#lastBlockLength === capacity) {
      // Blocks are small at first, because a run may have thousands of inputs.
      this.#blocks.push(new Uint32Array(Math.min(4_096, Math.max(16, capacity * 2))));
      this.#lastBlockLength = 0;
    }
    this.#blocks.at(-1)![this.#lastBlockLength++] = number;
  }

  /** Returns the next number. Call this only while a number is left. */
  shift(): number {
    if (this.#takenFromFirst === this.#blocks[0].length) {
      this.#blocks.shift();
      this.#takenFromFirst = 0;
    }
    return this.#blocks[0][this.#takenFromFirst++];
  }
}

/**
 * A queue of slots of a table of ids. Stores each sequence with equal steps as three numbers: the
 * slots of new rows are consecutive or, with several samples, equally spaced. Slots without any
 * order take 6 bytes each. Call `shift` only after the last `push`.
 */
export class SlotQueue {
  readonly #ended = new NumberQueue();
  #endedCount = 0;
  /** The sequence that `push` extends. `shift` takes from it once no other sequence is left. */
  #last = { first: 0, step: 0, length: 0 };
  /** The sequence that `shift` takes from. */
  #current = { first: 0, step: 0, length: 0 };
  #taken = 0;

  push(slot: number): void {
    const last = this.#last;
    if (last.length === 1) last.step = (slot - last.first) >>> 0;
    if (last.length > 0 && slotIn(last, last.length) === slot) {
      last.length++;
      return;
    }
    if (last.length > 0) {
      this.#ended.push(last.first);
      this.#ended.push(last.step);
      this.#ended.push(last.length);
      this.#endedCount++;
    }
    this.#last = { first: slot, step: 0, length: 1 };
  }

  /** Returns the next slot. Call this only while a slot is left. */
  shift(): number {
    if (this.#taken === this.#current.length) {
      this.#current = this.#endedCount-- > 0 ? this.#shiftEnded() : this.#last;
      this.#taken = 0;
    }
    return slotIn(this.#current, this.#taken++);
  }

  #shiftEnded() {
    const ended = this.#ended;
    return { first: ended.shift(), step: ended.shift(), length: ended.shift() };
  }
}

/** Returns the slot at `index` of a sequence. Steps are modulo 2^32, so they may be negative. */
function slotIn({ first, step }: { first: number; step: number }, index: number): number {
  return (first + Math.imul(step, index)) >>> 0;
}

/** Maximum number of characters of kept rows, and of bytes of their file. */
export const MAX_KEPT_CHARS = 4 * 2 ** 20;
/** Maximum number of kept lines. A parsed row takes 600 bytes in addition to its text. */
const MAX_KEPT_LINES = 20_000;

/** The rows of a small input, which the second pass need not read again. */
export class KeptRows {
  readonly #batches: Line[][] = [];
  readonly #parsedRows: (ParsedRow | undefined)[] = [];
  #chars = 0;

  /** Whether to read the file again instead: a small compressed file may hold a lot of text. */
  get isTooLarge(): boolean {
    return this.#chars > MAX_KEPT_CHARS || this.#parsedRows.length > MAX_KEPT_LINES;
  }

  addLines(lines: Line[]): void {
    this.#batches.push(lines);
  }

  addRow({ text, bytes }: Line, row: ParsedRow | undefined): void {
    this.#parsedRows.push(row);
    this.#chars += text?.length ?? bytes?.length ?? 0;
  }

  /** Yields the lines. Can be called only once, because nothing is kept afterwards. */
  async *lines(): AsyncGenerator<Line[]> {
    try {
      yield* this.#batches.splice(0);
    } finally {
      this.#parsedRows.length = 0;
    }
  }

  /** Removes and returns the row of a line; undefined for a bad line. `index` counts from 0. */
  takeRow(index: number): ParsedRow | undefined {
    const row = this.#parsedRows[index];
    this.#parsedRows[index] = undefined;
    return row;
  }
}

export function clashProblem(uid: string, sample: number, samples: number): string {
  const takenUid = JSON.stringify(sampleUid(uid, sample));
  if (sample > 0) {
    return `uid ${JSON.stringify(uid)} needs ${takenUid} for one of its ${samples} samples, ` +
      "which belongs to an earlier row already";
  }
  const problem = `uid ${takenUid} belongs to an earlier row already`;
  const parent = parseSampleUid(uid);
  return parent === undefined || parent.sample >= samples
    ? `${problem}, with other content`
    : `${problem}, or to one of the ${samples} samples of ${JSON.stringify(parent.uid)}`;
}

export function fileProblem({ files }: ParsedRow, images: RowImages): string | undefined {
  for (const path of files) {
    const problem = images.problemOf(path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
