/**
 * Reads the inputs of all runs in order, copies the line of each answer, and counts what is
 * missing.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";
import type { Line } from "../formats/mod.ts";
import { xxHash64Hex } from "../hash.ts";
import { HAS_FAILURE, IdTable, SEEN } from "../index/mod.ts";
import { InputSequence, rowOptionsOf, sampleUid } from "../run/mod.ts";
import { badRowUid, rescuedFilesOf } from "../sink/mod.ts";
import { type ParsedRow, RowParser } from "../source/mod.ts";
import { compressedProblem, expectedRows, type MergeRun } from "./find_runs.ts";
import type { Clash, MergeProblem } from "./merge.ts";
import type { MergedOutput } from "./output.ts";
import { Contents, rowsSkippedIn } from "./contents.ts";
import { RunLines } from "./run_lines.ts";
import { formatCount, formatCountOf } from "../figures.ts";

/** Maximum number of clashes that are reported in detail. */
export const MAX_CLASHES_SHOWN = 20;

/** The run whose input is being read. */
interface Reading {
  /** The number of the current row, counted from 1 over the inputs of all runs. */
  number: number;
  /** The number of the last row of the run before, 0 for the first run. */
  readonly base: number;
  /** The number of answers for each row. */
  readonly samples: number;
  /** False for shards of an unchanged input: to look for edited rows, all prompts are hashed. */
  readonly mayBeEdited: boolean;
  readonly parser: RowParser;
  readonly input: InputSequence;
  readonly lines: RunLines;
}

/** Merges runs one after another. The counters have the meaning that they have in `MergeReport`. */
export class MergePass {
  total = 0;
  succeeded = 0;
  failed = 0;
  pending = 0;
  badRows = 0;
  mergedDuplicates = 0;
  duplicatesOfRuns = 0;
  surplus = 0;
  changed = 0;
  beyondLimit = 0;
  failuresBeyondLimit = 0;
  clashCount = 0;
  readonly clashes: Clash[] = [];
  readonly problems: MergeProblem[] = [];
  /** Uids of answers that failed in one run and have a result in a later one. */
  readonly recovered = new Set<string>();
  readonly #output: MergedOutput;
  readonly #signal: AbortSignal | undefined;
  /** All rows by uid, with `Reading.number` as their lines. */
  readonly #rows: IdTable;
  /** `Reading.base` of each run so far, and its input. */
  readonly #bases: { readonly base: number; readonly input: InputSequence }[] = [];
  /** The contents of inputs that were read again to compare rows, by `Reading.base`. */
  readonly #contents = new Map<number, Contents>();
  readonly #isPartial: boolean;
  /** `Reading.number` of the last row so far. */
  #lastNumber = 0;

  constructor(
    output: MergedOutput,
    options: { expectedRows: number; isPartial: boolean; signal?: AbortSignal },
  ) {
    this.#output = output;
    this.#rows = new IdTable(options.expectedRows);
    this.#isPartial = options.isPartial;
    this.#signal = options.signal;
  }

  /** Merges a run: its first `limit` rows. */
  async add(run: MergeRun, limit: number): Promise<void> {
    const input = new InputSequence(run.pieces);
    await input.open();
    this.#bases.push({ base: this.#lastNumber, input });
    const pendingBefore = this.pending;
    try {
      const problem = await compressedProblem(run);
      if (problem !== undefined) throw new DamagedFileError(problem);
      using lines = await RunLines.read(run, expectedAnswers(run), this.#signal);
      await this.#read(run, input, lines, limit);
      this.surplus += await lines.takeSurplus(this.#output.results);
      if (limit < Infinity) this.beyondLimit += lines.orphans;
      if (limit < Infinity) this.failuresBeyondLimit += lines.failuresLeft;
      this.#reportProblems(run, lines, this.pending - pendingBefore, limit === Infinity);
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
      this.problems.push({ run: run.name, kind: "damaged", message: error.message });
    }
    const { results, failures } = run.files;
    const rescued = await rescuedFilesOf(results, "results");
    rescued.push(...await rescuedFilesOf(failures, "failures"));
    if (rescued.length > 0) {
      // Not only "unfinished": a run that continues a partial merge would pay for them again.
      const message = `answers are in "${rescued[0]}": run it again, which adds them to its output`;
      this.problems.push({ run: run.name, kind: "damaged", message });
    }
  }

  async #read(
    { runFile, changes }: MergeRun,
    input: InputSequence,
    lines: RunLines,
    limit: number,
  ): Promise<void> {
    const runParams = runFile?.identity.params;
    const parser = new RowParser({ ...rowOptionsOf(runFile, {}), runParams });
    const samples = runFile?.rows.samples ?? 1;
    const { base } = this.#bases.at(-1)!;
    const skipped = rowsSkippedIn(input);
    const mayBeEdited = changes.length > 0 || typeof runFile?.identity.shards !== "number";
    const reading: Reading = { number: base, base, samples, mayBeEdited, parser, input, lines };
    let rowsLeft = limit;
    for await (const batch of input.rows()) {
      for (const line of batch) {
        if (rowsLeft-- <= 0) break;
        reading.number = base + line.number - skipped;
        const comparison = this.#mergeLine(line, reading);
        if (comparison !== undefined) await comparison;
      }
      this.#lastNumber = reading.number;
      this.#signal?.throwIfAborted();
      await this.#output.flush();
      if (rowsLeft < 0) return;
    }
  }

  /** Merges the answers to a line. Returns a promise only if it must read an earlier row again. */
  #mergeLine(line: Line, reading: Reading): Promise<void> | undefined {
    const row = line.text === undefined ? undefined : reading.parser.parse(line.text);
    if (row === undefined || "problem" in row) return this.#copyBadRow(line, reading);
    const rows = this.#rows;
    const slot = rows.insert(row.uid);
    const fingerprint = fingerprintOf(row);
    if (rows.has(slot, SEEN)) {
      const earlier = rows.lineOf(slot);
      return rows.fingerprintEquals(slot, fingerprint)
        ? this.#mergeIdentical(row.uid, earlier, reading)
        : this.#compareContents(row, earlier, line, reading);
    }
    rows.set(slot, SEEN);
    rows.setFingerprint(slot, fingerprint);
    rows.setLine(slot, reading.number);
    this.#copyAnswers(row, reading);
    return undefined;
  }

  #copyAnswers(row: ParsedRow, { samples, mayBeEdited, lines, parser }: Reading): void {
    const { results, failures } = this.#output;
    const pending = this.#isPartial ? failures : undefined;
    if (mayBeEdited && lines.isEdited(row, samples, parser)) this.changed++;
    for (let sample = 0; sample < samples; sample++) {
      const uid = sampleUid(row.uid, sample);
      this.total++;
      const state = lines.take(uid, { result: results, failure: failures, pending });
      if (state === "result") this.succeeded++;
      else if (state === "failure") {
        this.failed++;
        this.#rows.set(this.#rows.insert(uid), HAS_FAILURE);
      } else this.pending++;
    }
  }

  /** For a row that repeats an earlier one, of the same run or of a run before. */
  #mergeIdentical(uid: string, earlier: number, reading: Reading): undefined {
    if (earlier > reading.base) this.mergedDuplicates++;
    else this.#mergeDuplicateOfRun(uid, reading);
  }

  /** For a row with the uid of an earlier one and other text: their contents may still be equal. */
  async #compareContents(
    row: ParsedRow,
    earlier: number,
    line: Line,
    reading: Reading,
  ): Promise<void> {
    const content = await this.#contentOf(earlier, reading.parser);
    if (content === row.contentHash) this.#mergeIdentical(row.uid, earlier, reading);
    else this.#clash(row, earlier, line, reading);
  }

  #copyBadRow(line: Line, { input, lines }: Reading): undefined {
    const place = input.placeOf(line.number);
    this.badRows++;
    const uid = badRowUid(place.file, place.line);
    // Without a failures line, nothing is missing: a run without --skip-bad-rows would not start.
    lines.take(uid, { result: NOWHERE, failure: this.#output.failures });
  }

  /** For a row that an earlier run has: its answer stays, unless only this run has a result. */
  #mergeDuplicateOfRun(rowUid: string, { samples, lines }: Reading): void {
    this.duplicatesOfRuns++;
    const rows = this.#rows;
    for (let sample = 0; sample < samples; sample++) {
      const uid = sampleUid(rowUid, sample);
      const slot = rows.find(uid);
      const hasFailed = slot !== -1 && rows.has(slot, HAS_FAILURE);
      const result = hasFailed ? this.#output.results : NOWHERE;
      if (lines.take(uid, { result, failure: NOWHERE }) !== "result" || !hasFailed) continue;
      rows.clear(slot, HAS_FAILURE);
      this.recovered.add(uid);
      this.failed--;
      this.succeeded++;
    }
  }

  /** For a row with the uid of an earlier one, but other content: writes it to the duplicates. */
  #clash(row: ParsedRow, earlier: number, line: Line, reading: Reading): void {
    const { input, lines, samples } = reading;
    const place = input.placeOf(line.number);
    // If the earlier row is of the same run, that run found this one to be bad.
    const isBadRow = lines.stateOf(badRowUid(place.file, place.line)) !== "none";
    if (isBadRow) return this.#copyBadRow(line, reading);
    if (++this.clashCount <= MAX_CLASHES_SHOWN) {
      const first = this.#placeOf(earlier);
      this.clashes.push({ uid: row.uid, first, second: place.source });
    }
    const { duplicates } = this.#output;
    for (let sample = 0; sample < samples; sample++) {
      lines.take(sampleUid(row.uid, sample), { result: duplicates, failure: duplicates });
    }
  }

  /** The content hash of an earlier row; undefined if the row is gone. */
  async #contentOf(number: number, parser: RowParser): Promise<string | undefined> {
    const { base, input } = this.#bases.findLast(({ base }) => base < number)!;
    let contents = this.#contents.get(base);
    if (contents === undefined) {
      contents = await Contents.read(input, parser);
      this.#contents.set(base, contents);
    }
    return contents.of(number - base);
  }

  #placeOf(number: number): string {
    const { base, input } = this.#bases.findLast(({ base }) => base < number)!;
    return input.placeOf(number - base + rowsSkippedIn(input)).source;
  }

  #reportProblems(run: MergeRun, lines: RunLines, pending: number, isWhole: boolean): void {
    const add = (kind: MergeProblem["kind"], message: string) =>
      this.problems.push({ run: run.name, kind, message });
    const results = `"${run.files.results}"`;
    if (lines.repeated.length > 0) {
      const what = `more than one result for ${quoted(lines.repeated)}`;
      add("damaged", `${results} has ${what}. --no-proof keeps the first`);
    }
    const orphans = isWhole ? lines.orphans : 0;
    if (orphans > 0) {
      const what = formatCountOf(orphans, "result");
      const where = "of rows that are not in its input";
      add("damaged", `${results} has ${what} ${where}. --no-proof keeps them`);
    }
    if (pending === 0) return;
    const rows = pending === 1 ? "1 row is" : `${formatCount(pending)} rows are`;
    add("unfinished", `${rows} pending${endOf(run)}`);
  }
}

const NOWHERE = { add: () => {} };

/**
 * A hash that is equal only for rows of the same content, but may differ for such rows, too:
 * hashing the canonical content takes four times as long.
 */
function fingerprintOf(row: ParsedRow): string {
  return row.isUidDerived ? row.contentHash : xxHash64Hex(row.text);
}

function quoted(uids: readonly string[]): string {
  const shown = uids.slice(0, 3).map((uid) => JSON.stringify(uid)).join(", ");
  return uids.length > 3 ? `${shown} and others` : shown;
}

/** How a run ended, to append to the message on its pending rows. */
function endOf({ runFile }: MergeRun): string {
  if (runFile === undefined) return "";
  const { merged, summary } = runFile;
  if (merged?.pending === 0) return ": it is a merge that took fewer rows. Add its --limit here";
  if (merged !== undefined) return ": it is the output of a merge";
  if (summary === null) return ": it is running or was killed";
  const { state, reason } = summary;
  if (state !== "done") return `: it was ${state}${reason === null ? "" : ` (${reason})`}`;
  return ": it ended before it reached them. If it had a --limit, add the same one here; otherwise " +
    "run it again";
}

/** An estimate of the answers of a run, for the size of its table. */
function expectedAnswers(run: MergeRun): number {
  return Math.max(1_000, expectedRows(run)) * (run.runFile?.rows.samples ?? 1);
}
