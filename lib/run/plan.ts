/**
 * What the first pass over an input has decided, one byte for each answer, and the second pass,
 * which reads the planned rows: it needs neither the table of ids nor another look at finished
 * rows. Ids that are hashes of rows are kept, too: 20 bytes a row instead of hashing again, which
 * would take a fifth of the engine's time for a row.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import type { Line } from "../formats/mod.ts";
import { KeptUids } from "../index/mod.ts";
import type { EarlierAnswer, Row } from "../row.ts";
import type { BadRow } from "../sink/mod.ts";
import type { ParsedRow, RowParser } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { clashProblem, fileProblem, sampleRow } from "./admission.ts";
import type { Findings } from "./findings.ts";
import type { InputSequence } from "./input_sequence.ts";

export enum Todo {
  /** Nothing: it is finished or not chosen, or the row is a duplicate. */
  Skip = 0,
  Ask = 1,
  /** Send its row again: it has failed before. */
  AskAgain = 2,
  /** Report the line: it is not a row, or the id of this answer is taken. */
  Bad = 3,
}

const TODO_MASK = 3;
/** A further bit, in the byte of a row's first answer: whether the row's id is kept. */
const KEPT_UID_FLAG = 4;

/** The decisions on each line that is not blank. */
export class Plan {
  readonly #samples: number;
  #todos = new Uint8Array(64);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  /** For each line: 0, or `n` for the row `<uid>~n`. Empty while all ids differ. */
  #copies = new Uint32Array(0);
  readonly #uids = new KeptUids();
  #failureLines = new Uint32Array(16);
  #failures = 0;
  #failuresTaken = 0;

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

  /**
   * Adds a line with the decision on one answer; other answers are skipped unless `decide` follows.
   */
  push(todo: Todo, sample = 0): void {
    this.#length++;
    const needed = this.#length * this.#samples;
    if (needed > this.#todos.length) {
      const { buffer } = this.#todos;
      this.#todos = new Uint8Array(buffer.transfer(Math.max(needed, buffer.byteLength * 2)));
    }
    this.decide(sample, todo);
  }

  decide(sample: number, todo: Todo): void {
    this.#todos[(this.#length - 1) * this.#samples + sample] |= todo;
    this.#counts[todo]++;
  }

  /** The decision on an answer, by line and sample, both from 0. */
  decisionOn(index: number, sample = 0): Todo {
    return this.#todos[index * this.#samples + sample] & TODO_MASK;
  }

  /** Keeps the id of the last line's row, which must be 32 hex digits, for `takeUid`. */
  keepUid(slot: number): void {
    this.#todos[(this.#length - 1) * this.#samples] |= KEPT_UID_FLAG;
    this.#uids.keep(slot);
  }

  takeKeys(keys: Uint32Array[]): void {
    this.#uids.takeKeys(keys);
  }

  /** A row's id, if it was kept. Called once for each row to send, in order, after `takeKeys`. */
  takeUid(index: number): string | undefined {
    const isKept = (this.#todos[index * this.#samples] & KEPT_UID_FLAG) !== 0;
    return isKept ? this.#uids.take() : undefined;
  }

  /** For `takeFailureLine`: the line in the failures file of an answer that is requested again. */
  keepFailureLine(line: number): void {
    if (this.#failures === this.#failureLines.length) {
      const { buffer } = this.#failureLines;
      this.#failureLines = new Uint32Array(buffer.transfer(buffer.byteLength * 2));
    }
    this.#failureLines[this.#failures++] = line;
  }

  /** The line in the failures file for the next answer with `AskAgain`, in order. */
  takeFailureLine(): number {
    return this.#failureLines[this.#failuresTaken++];
  }

  /** Records that the row of the last line is `<uid>~<number>`. */
  markCopy(number: number): void {
    const index = this.#length - 1;
    if (index >= this.#copies.length) {
      const length = Math.max(Math.floor(this.#todos.length / this.#samples), index + 1);
      this.#copies = new Uint32Array(this.#copies.buffer.transfer(4 * length));
    }
    this.#copies[index] = number;
  }

  /** The id of a line's row in the run: `uid`, or `<uid>~2` and so on for a copy. */
  idOf(index: number, uid: string): string {
    const copy = index < this.#copies.length ? this.#copies[index] : 0;
    return copy === 0 ? uid : `${uid}~${copy}`;
  }
}

export interface PlannedRowsOptions {
  readonly findings: Findings;
  readonly parser: RowParser;
  readonly params: Params;
  /** Index of the input in the run, from 0. */
  readonly input: number;
  /** Called before an answer is requested again, with its line in the failures file. */
  readonly onRetry: (uid: string, failureLine: number) => void;
  /** Returns what an earlier run left of a row that it did not finish. @default nothing */
  readonly earlierOf?: (row: Row) => EarlierAnswer | undefined;
  readonly onBadRow: (bad: BadRow) => Promise<void>;
  readonly signal: AbortSignal;
}

/** About this many rows are yielded at once: a batch of lines may have far more samples. */
const BATCH_ROWS = 1_000;

/**
 * Yields the planned rows in input order, all samples of a row in sequence.
 *
 * @throws {SourceError} when the file was changed since the first pass
 */
export async function* plannedRows(options: PlannedRowsOptions): AsyncGenerator<Row[]> {
  const { findings, signal } = options;
  let remaining = findings.plan.toAsk + findings.plan.bad;
  if (remaining === 0) return;
  const input = findings.input!;
  const pass = new SecondPass(options, input);
  if (!(await input.areAllUnchanged())) throw pass.changedError();
  const { keptRows } = input;
  for await (const lines of keptRows?.lines() ?? input.rows()) {
    // The next row may be far away in the file, and the user has stopped the run.
    if (signal.aborted) return;
    // In a changed file, rows have other line numbers.
    if (!input.isUnchanged) throw pass.changedError();
    if (keptRows === undefined) pass.checkUids();
    let rows: Row[] = [];
    for (const line of lines) {
      const bad = pass.take(line, rows);
      if (bad !== undefined) {
        await options.onBadRow(bad);
        remaining--;
      }
      if (rows.length < BATCH_ROWS) continue;
      remaining -= rows.length;
      yield rows;
      rows = [];
    }
    remaining -= rows.length;
    if (rows.length > 0) yield rows;
    if (remaining === 0) return;
  }
  throw pass.changedError();
}

class SecondPass {
  readonly #options: PlannedRowsOptions;
  readonly #input: InputSequence;
  #index = 0;
  /** Kept ids that are still to be compared with a new hash of their rows. */
  #uidsToCheck = 0;

  constructor(options: PlannedRowsOptions, input: InputSequence) {
    this.#options = options;
    this.#input = input;
  }

  /**
   * Hashes the next two rows again and compares them with their kept ids: a file may have been
   * changed although its modification time was set back. Two, because the first of them may have
   * been read in part before the change.
   */
  checkUids(): void {
    this.#uidsToCheck = 2;
  }

  /** Adds the rows to send for the next line to `rows`, or returns the line if it is bad. */
  take(line: Line, rows: Row[]): BadRow | undefined {
    const { params, onRetry, earlierOf } = this.#options;
    const { plan, samples } = this.#options.findings;
    const index = this.#index++;
    let first: Row | undefined;
    for (let sample = 0; sample < samples; sample++) {
      const todo = plan.decisionOn(index, sample);
      if (todo === Todo.Skip) continue;
      if (todo === Todo.Bad) return this.#badRowOf(line, index, sample);
      first ??= this.#rowOf(line, index);
      const row = sampleRow(first, sample, params);
      if (todo === Todo.AskAgain) onRetry(row.uid, plan.takeFailureLine());
      const earlier = earlierOf?.(row);
      rows.push(earlier === undefined ? row : { ...row, earlier });
    }
  }

  changedError(): SourceError {
    const name = this.#input.current?.name ?? "";
    return new SourceError(
      `Cannot continue with "${name}": it was changed while the run read it. Run the same command again once nothing writes to it`,
      { path: name },
    );
  }

  #rowOf({ text, number }: Line, index: number): Row {
    const { input, findings: { plan } } = this.#options;
    const keptUid = plan.takeUid(index);
    const parsed = this.#input.keptRows?.takeRow(index) ??
      this.#parse(text, this.#uidsToCheck > 0 ? undefined : keptUid);
    if (keptUid !== undefined && this.#uidsToCheck > 0) {
      this.#uidsToCheck--;
      if (parsed.uid !== keptUid) throw this.changedError();
    }
    const source = this.#input.sourceOf(number);
    return parsed.toRow({ uid: plan.idOf(index, parsed.uid), input, source }, this.#input.images);
  }

  /** @param uid The row's id, if it need not be hashed again. */
  #parse(text: string | undefined, uid: string | undefined): ParsedRow {
    const parsed = text === undefined ? undefined : this.#options.parser.parse(text, uid);
    if (parsed === undefined || "problem" in parsed) throw this.changedError();
    return parsed;
  }

  /** The bad row of a line, with the problem that the first pass found. */
  #badRowOf(line: Line, index: number, sample: number): BadRow {
    const { parser, findings } = this.#options;
    const { text, bytes } = line;
    const parsed = text === undefined
      ? { problem: line.problem ?? "unreadable" }
      : parser.parse(text);
    const problem = "problem" in parsed
      ? parsed.problem
      : fileProblem(parsed, this.#input.images) ??
        clashProblem(findings.plan.idOf(index, parsed.uid), sample, findings.samples);
    return { ...this.#input.placeOf(line.number), problem, text, bytes };
  }
}
