/**
 * The second pass over an input: reads the planned rows, and makes a row to send for each sample.
 *
 * @module
 */

import { sampleUid } from "../answer.ts";
import { SourceError } from "../errors.ts";
import type { Line } from "../formats/mod.ts";
import { reseeded } from "../params.ts";
import type { EarlierAnswer, Row } from "../row.ts";
import type { BadRow } from "../sink/mod.ts";
import type { ParsedRow, RowParser } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import type { Findings } from "./findings.ts";
import type { InputSequence } from "./input_sequence.ts";
import { clashProblem, fileProblem, Todo } from "./plan.ts";

export interface PlannedRowsOptions {
  readonly findings: Findings;
  readonly parser: RowParser;
  readonly params: Params;
  /** The index of the input in the run. */
  readonly input: number;
  /** Called before an answer is requested again, with its line in the failures file. */
  readonly onRetry: (uid: string, failureLine: number) => void;
  /** Returns the last answer of an earlier run that was paid for but not accepted. @default none */
  readonly earlierOf?: (row: Row) => EarlierAnswer | undefined;
  readonly onBadRow: (bad: BadRow) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Approximate number of rows to yield at once. A batch of lines may have far more samples. */
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
  const input = findings.sequence!;
  const pass = new SecondPass(options, input);
  if (!(await input.areAllUnchanged())) throw pass.changedError();
  const { keptRows } = input;
  for await (const lines of keptRows?.lines() ?? input.rows()) {
    // The user has stopped the run, and the next row to send may be far away in the file.
    if (signal.aborted) return;
    // In a changed file, rows may have other line numbers. Checking each batch, and not only each
    // chunk that is read, would take 8 % of the engine's time for a row.
    if (keptRows !== undefined || input.hasNewChunk()) {
      if (!input.isUnchanged) throw pass.changedError();
      if (keptRows === undefined) pass.checkUids();
    }
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
  /** The number of kept ids to compare with new hashes of their rows. */
  #uidsToCheck = 0;

  constructor(options: PlannedRowsOptions, input: InputSequence) {
    this.#options = options;
    this.#input = input;
  }

  /** Compares the kept ids of the next two rows with new hashes: a changed file may have its old
   * modification time. Two, because the first row may have been read in part before the change. */
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
      if (todo === Todo.AskAgain) onRetry(row.uid, plan.failureLines.shift());
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

  /** @param uid The row's id, if it need not be hashed. */
  #parse(text: string | undefined, uid: string | undefined): ParsedRow {
    const parsed = text === undefined ? undefined : this.#options.parser.parse(text, uid);
    if (parsed === undefined || "problem" in parsed) throw this.changedError();
    return parsed;
  }

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

/** The row to send for one sample. Raises the seed of the row or of `runParams` by `sample`,
 * because the same seed would give the same answer. Keeps the prompt hash: a later sample is not
 * an edit. */
export function sampleRow(first: Row, sample: number, runParams: Params): Row {
  if (sample === 0) return first;
  const allParams = first.params === undefined ? runParams : { ...runParams, ...first.params };
  const seededParams = reseeded(allParams, sample);
  const params = seededParams === allParams ? first.params : seededParams;
  return { ...first, uid: sampleUid(first.uid, sample), sample, params };
}
