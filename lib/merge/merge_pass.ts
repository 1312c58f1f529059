/**
 * Copies the lines of all answers in input order, and counts what is missing.
 *
 * @module
 */

import { DamagedFileError, SinkError } from "../errors.ts";
import type { Line } from "../formats/mod.ts";
import { xxHash64Hex } from "../hash.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable, IS_PENDING, SEEN } from "../index/mod.ts";
import { sampleUid } from "../answer.ts";
import { InputSequence, rowOptionsOf } from "../run/mod.ts";
import { badRowUid } from "../sink/mod.ts";
import { type ParsedRow, RowParser } from "../source/mod.ts";
import { contentHashesOf, numberOf, rowsSkippedIn } from "./content_hashes.ts";
import {
  compressedProblem,
  expectedRows,
  fewestSamples,
  type MergeRun,
  rescuedProblem,
} from "./find_runs.ts";
import { emptyReport, type GrowingReport, type MergedOutput, unfinishedProblem } from "./output.ts";
import { NOWHERE } from "./line_file.ts";
import { RowNumbers } from "./row_numbers.ts";
import { type AnswerState, RunLines } from "./run_lines.ts";
import { sumOf } from "../figures.js";

export const MAX_CLASHES_SHOWN = 20;
const UNANSWERED = HAS_FAILURE | IS_PENDING;

interface RunInput {
  /** The number of the previous run's last row; 0 for the first run. */
  readonly base: number;
  readonly input: InputSequence;
  readonly samples: number;
  /** The result of `contentHashesOf`, once it is needed. */
  hashes?: BigUint64Array;
}

interface Reading extends RunInput {
  /** The number of the current row, from 1 over the inputs of all runs. */
  number: number;
  /** Answers of the run that are missing, even if a later run has them. */
  pending: number;
  /** Whether to look for edited rows by their hashes. False for shards of an unchanged input. */
  readonly mayBeEdited: boolean;
  readonly parser: RowParser;
  readonly lines: RunLines;
}

export class MergePass {
  readonly report: GrowingReport;
  failuresBeyondLimit = 0;
  /** Uids of answers that failed or are pending in one run, and have a result in a later one. */
  readonly recoveredUids = new Set<string>();
  readonly #output: MergedOutput;
  readonly #signal: AbortSignal | undefined;
  /** The uids of all rows, of answers without a result, and of results beyond the samples of the
   * row's first run. */
  readonly #rows: IdTable;
  readonly #numbers = new RowNumbers(); // `Reading.number` of the first row with each uid.
  readonly #inputs: RunInput[] = [];
  /** Uids that the current run and an earlier run gave to rows with different content. */
  readonly #clashingUids = new Set<string>();
  readonly #isPartial: boolean;
  readonly #samples: number;
  #lastNumber = 0;

  constructor(
    runs: readonly MergeRun[],
    output: MergedOutput,
    options: { isPartial: boolean; signal?: AbortSignal },
  ) {
    this.report = emptyReport(runs);
    this.#output = output;
    this.#rows = new IdTable(sumOf(runs, expectedRows));
    this.#isPartial = options.isPartial;
    this.#samples = fewestSamples(runs);
    this.#signal = options.signal;
  }

  async add(run: MergeRun, limit: number): Promise<void> {
    this.#clashingUids.clear();
    const input = new InputSequence(run.pieces);
    await input.open();
    // A run that has not started is assumed to have the fewest samples of any started run.
    const samples = run.runFile === undefined ? this.#samples : run.runFile.rows.samples ?? 1;
    this.#inputs.push({ base: this.#lastNumber, input, samples });
    try {
      const problem = await compressedProblem(run);
      if (problem !== undefined) throw new DamagedFileError(problem);
      const answers = Math.max(1_000, expectedRows(run)) * samples;
      using lines = await RunLines.read(run, answers, this.#signal);
      const pending = await this.#read(run, input, lines, limit);
      await lines.copySurplus(this.#surplusSink);
      if (limit < Infinity) {
        this.report.beyondLimit += lines.orphanResults;
        this.failuresBeyondLimit += lines.orphanFailures;
      }
      for (const damage of lines.damage(limit === Infinity)) {
        this.#addDamage(run, `"${run.files.results}" has ${damage}`);
      }
      this.report.problems.push(...await unfinishedProblem(run, pending));
    } catch (error) {
      if (!(error instanceof DamagedFileError || isAboutFileOf(run, error))) throw error;
      this.#addDamage(run, error.message);
    }
    const problem = await rescuedProblem(run);
    // Damage also stops a partial merge: a run that continued it would pay for the answers again.
    if (problem !== undefined) this.#addDamage(run, problem);
  }

  /** Returns how many answers of the run are missing. */
  async #read(
    run: MergeRun,
    input: InputSequence,
    lines: RunLines,
    limit: number,
  ): Promise<number> {
    const { runFile, changes } = run;
    const runParams = runFile?.identity.params;
    const parser = new RowParser({ ...rowOptionsOf(runFile, {}), runParams });
    const runInput = this.#inputs.at(-1)!, skippedRows = rowsSkippedIn(input);
    const mayBeEdited = changes.length > 0 || typeof runFile?.identity.shards !== "number";
    const counters = { number: runInput.base, pending: 0 };
    const reading: Reading = { ...runInput, ...counters, mayBeEdited, parser, lines };
    let rowsLeft = limit;
    for await (const batch of input.rows()) {
      for (const line of batch) {
        if (rowsLeft-- <= 0) break;
        reading.number = reading.base + line.number - skippedRows;
        const comparison = this.#mergeLine(line, reading);
        if (comparison !== undefined) await comparison;
      }
      this.#lastNumber = reading.number;
      this.#signal?.throwIfAborted();
      await this.#output.flush();
      if (rowsLeft < 0) break;
    }
    return reading.pending;
  }

  /** Returns a promise only if the content must be compared with an earlier row's. The first
   * comparison reads the input of that row's run again. */
  #mergeLine(line: Line, reading: Reading): Promise<void> | undefined {
    const row = line.text === undefined ? undefined : reading.parser.parse(line.text);
    if (row === undefined || "problem" in row) return this.#copyBadRow(line, reading);
    const rows = this.#rows;
    const slot = rows.insert(row.uid);
    const fingerprint = fingerprintOf(row);
    if (rows.has(slot, SEEN)) {
      const earlier = this.#numbers.get(slot);
      return rows.fingerprintEquals(slot, fingerprint)
        ? this.#mergeIdentical(row.uid, earlier, reading)
        : this.#compareContents(row, earlier, line, reading);
    }
    rows.set(slot, SEEN);
    rows.setFingerprint(slot, fingerprint);
    this.#numbers.set(slot, reading.number);
    this.#copyAnswers(row, reading);
    return undefined;
  }

  #copyAnswers(row: ParsedRow, reading: Reading): void {
    const { samples, mayBeEdited, lines, parser } = reading;
    if (mayBeEdited && lines.isEdited(row, samples, parser)) this.report.changed++;
    for (let sample = 0; sample < samples; sample++) {
      this.#copyAnswer(sampleUid(row.uid, sample), reading);
    }
  }

  #copyAnswer(uid: string, reading: Reading): AnswerState {
    const { results, failures } = this.#output, rows = this.#rows;
    const pending = this.#isPartial ? failures : undefined;
    this.report.total++;
    const state = reading.lines.copy(uid, { result: results, failure: failures, pending });
    if (state === "result") {
      this.report.succeeded++;
      return state;
    }
    const hasFailed = state === "failure";
    this.report[hasFailed ? "failed" : "pending"]++;
    if (!hasFailed) reading.pending++;
    rows.set(rows.insert(uid), hasFailed ? HAS_FAILURE : IS_PENDING);
    return state;
  }

  #mergeIdentical(uid: string, earlier: number, reading: Reading): undefined {
    if (earlier > reading.base) this.report.mergedDuplicates++;
    else this.#mergeWithEarlierRun(uid, earlier, reading);
  }

  /** Merges a row with an earlier row of the same uid if their texts differ only in form, such as
   * spaces. Otherwise, reports a clash. */
  async #compareContents(
    row: ParsedRow,
    earlier: number,
    line: Line,
    reading: Reading,
  ): Promise<void> {
    const earlierRun = this.#inputOf(earlier);
    const hashes = earlierRun.hashes ??= await contentHashesOf(earlierRun.input, reading.parser);
    const isEqual = hashes[earlier - earlierRun.base] === numberOf(row.contentHash);
    if (isEqual) this.#mergeIdentical(row.uid, earlier, reading);
    else this.#addClash(row, earlier, line, reading);
  }

  #copyBadRow(line: Line, { input, lines }: Reading): undefined {
    const place = input.placeOf(line.number);
    this.report.badRows++;
    const uid = badRowUid(place.file, place.line);
    // Only --skip-bad-rows writes a failures line for a bad row; a missing line is no problem.
    lines.copy(uid, { result: NOWHERE, failure: this.#output.failures });
  }

  /** Keeps the answer of an earlier run to the row, unless only this run has a result. Copies the
   * answers of samples that the earlier run lacks. */
  #mergeWithEarlierRun(rowUid: string, earlier: number, reading: Reading): void {
    const rows = this.#rows, { samples, lines } = reading;
    const { samples: samplesBefore } = this.#inputOf(earlier);
    this.report.duplicatesOfRuns++;
    // This run's answers belong to its row with the other content.
    if (this.#clashingUids.has(rowUid)) return;
    for (let sample = 0; sample < samples; sample++) {
      const uid = sampleUid(rowUid, sample), slot = rows.find(uid);
      if (sample >= samplesBefore && (slot === -1 || !rows.has(slot, HAS_RESULT | UNANSWERED))) {
        if (this.#copyAnswer(uid, reading) === "result") rows.set(rows.insert(uid), HAS_RESULT);
        continue;
      }
      const isUnanswered = slot !== -1 && rows.has(slot, UNANSWERED);
      const result = isUnanswered ? this.#output.results : NOWHERE;
      const state = lines.copy(uid, { result, failure: NOWHERE });
      if (state === "result" && isUnanswered) this.#recover(uid, slot);
    }
  }

  #recover(uid: string, slot: number): void {
    const rows = this.#rows;
    this.report[rows.has(slot, HAS_FAILURE) ? "failed" : "pending"]--;
    this.report.succeeded++;
    rows.clear(slot, UNANSWERED);
    rows.set(slot, HAS_RESULT);
    this.recoveredUids.add(uid);
  }

  /** Returns where a surplus answer goes; undefined if an earlier run has a result with its uid. */
  readonly #surplusSink = (uid: string, rowUid: string, sample: number) => {
    const { results, duplicates } = this.#output;
    if (this.#clashingUids.has(rowUid)) return duplicates;
    const rows = this.#rows, slot = rows.insert(uid);
    if (rows.has(slot, UNANSWERED)) {
      this.#recover(uid, slot);
      return results;
    }
    const { samples } = this.#inputOf(this.#numbers.get(rows.find(rowUid)));
    if (sample < samples || rows.has(slot, HAS_RESULT)) return undefined;
    rows.set(slot, HAS_RESULT);
    this.report.surplus++;
    return results;
  };

  /** Reports two different rows with one uid. Writes the answers to the later row to the duplicates
   * file if the rows are of different runs. */
  #addClash(row: ParsedRow, earlier: number, line: Line, reading: Reading): void {
    const { input, lines, samples } = reading;
    const place = input.placeOf(line.number);
    // The run has reported the row as bad if an earlier row of its input has the same uid and
    // different content.
    if (lines.has(badRowUid(place.file, place.line))) return this.#copyBadRow(line, reading);
    if (++this.report.clashCount <= MAX_CLASHES_SHOWN) {
      const { base, input } = this.#inputOf(earlier);
      const first = input.placeOf(earlier - base + rowsSkippedIn(input)).source;
      this.report.clashes.push({ uid: row.uid, first, second: place.source });
    }
    // A run has one answer for a uid, which is the earlier row's if both rows are in its input.
    if (earlier > reading.base) return;
    this.#clashingUids.add(row.uid);
    const { duplicates } = this.#output, to = { result: duplicates, failure: duplicates };
    for (let sample = 0; sample < samples; sample++) lines.copy(sampleUid(row.uid, sample), to);
  }

  #inputOf(number: number): RunInput {
    return this.#inputs.findLast(({ base }) => base < number)!;
  }

  #addDamage({ name }: MergeRun, message: string): void {
    this.report.problems.push({ run: name, kind: "damaged", message });
  }
}

function isAboutFileOf({ files }: MergeRun, error: unknown): error is SinkError {
  return error instanceof SinkError && [files.results, files.failures].includes(error.path ?? "");
}

/** Returns the content hash if the uid is derived from it. Otherwise, returns a hash of the text,
 * which takes a quarter of the time. Texts with different hashes may have the same content. */
function fingerprintOf(row: ParsedRow): string {
  return row.isUidDerived ? row.contentHash : xxHash64Hex(row.text);
}
