/**
 * The second pass over an input: reads the rows that the first pass has planned.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import type { Line } from "../formats/mod.ts";
import type { EarlierAnswer, Row } from "../row.ts";
import type { BadRow } from "../sink/mod.ts";
import type { ParsedRow, RowParser } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { clashProblem, fileProblem, sampleRow } from "./admission.ts";
import { Todo } from "./plan.ts";
import type { Findings } from "./findings.ts";
import type { InputSequence } from "./input_sequence.ts";

export interface PlannedRowsOptions {
  readonly findings: Findings;
  readonly parser: RowParser;
  readonly params: Params;
  /** Index of the input in the run, from 0. */
  readonly input: number;
  /**
   * Called before an answer is requested again, with the number of its line in the failures file.
   */
  readonly onRetry: (uid: string, failureLine: number) => void;
  /** Returns what an earlier run left of a row that it did not finish. @default nothing */
  readonly earlierOf?: (row: Row) => EarlierAnswer | undefined;
  /** Called with each line that is not a row. */
  readonly onBadRow: (bad: BadRow) => Promise<void>;
  /** Ends the pass early. */
  readonly signal: AbortSignal;
}

/** Rows to yield at once, about: the samples of one batch of lines may be far more. */
const BATCH_ROWS = 1_000;

/**
 * Yields the planned rows in input order, all samples of a row in sequence. Bad lines go to
 * `onBadRow` on the way.
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
    // A user who has stopped the run must not wait for the next row, which may be far away in the
    // file.
    if (signal.aborted) return;
    // Rows are identified by their line numbers: in a changed file, other rows would be sent in
    // their place.
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

/** Turns lines into planned rows, in the order of the first pass. */
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

  /**
   * Parses the next line and adds the rows to send for it to `rows`. Returns the line if it is bad.
   */
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
      `Cannot continue with "${name}": it was changed while the run read it. Run the same command again`,
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

  /** A line to report, with the problem that the first pass found in it. */
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

/** Yields what a source yields, and requests the next batch before that is needed. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    while (true) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // The error is thrown when its batch is needed. Without this, it would be unhandled until
      // then.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
