/**
 * Finds the lines of one run by uid, and copies them byte for byte.
 *
 * @module
 */

import { originOf, parseSampleUid, sampleUid } from "../answer.ts";
import { formatCountOf } from "../figures.js";
import { HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "../index/mod.ts";
import { isPendingIndexLine } from "../sink/mod.ts";
import { type ParsedRow, requestHash, type RowParser } from "../source/mod.ts";
import type { MergeRun } from "./find_runs.ts";
import { LineFile, type LineSink } from "./line_file.ts";

/** What a run's files hold for a uid. "pending": only failures lines that are not final. */
export type AnswerState = "result" | "failure" | "pending" | "none";

type FlushedSink = LineSink & { flush(): Promise<void> };

export class RunLines implements Disposable {
  readonly #table: IdTable;
  readonly #results: LineFile;
  readonly #failures: LineFile;
  readonly #uidFields: readonly string[] | undefined;
  /** Up to 20 uids that have several results. */
  readonly #repeatedUids = new Set<string>();
  /** The pending line after a failure, by slot. It holds an answer that an interrupted retry paid
   * for. */
  readonly #retryLines = new Map<number, number>();

  private constructor(
    table: IdTable,
    files: { results: LineFile; failures: LineFile },
    uidFields: readonly string[] | undefined,
  ) {
    this.#table = table;
    this.#results = files.results;
    this.#failures = files.failures;
    this.#uidFields = uidFields;
  }

  /** @throws {DamagedFileError} If a line is not one that Retort writes. */
  static async read(
    { files, runFile }: Pick<MergeRun, "files" | "runFile">,
    expectedRows: number,
    signal?: AbortSignal,
  ): Promise<RunLines> {
    using stack = new DisposableStack();
    // The failures are opened before the results, because an active retry moves lines from the
    // failures to the results.
    const failures = stack.use(await LineFile.open(files.failures));
    const results = stack.use(await LineFile.open(files.results));
    const table = stack.use(new IdTable(expectedRows));
    const lines = new RunLines(table, { results, failures }, runFile?.identity.uid_field);
    await lines.#index(signal);
    stack.move();
    return lines;
  }

  async #index(signal: AbortSignal | undefined): Promise<void> {
    const table = this.#table, results = this.#results, failures = this.#failures;
    const repeatedUids = this.#repeatedUids, retryLines = this.#retryLines;
    await results.index("results", table, (slot, line) => {
      if (table.has(slot, HAS_RESULT) && repeatedUids.size < 20) repeatedUids.add(line.uid());
      table.set(slot, HAS_RESULT);
      table.setLine(slot, results.add(line));
    }, signal);
    await failures.index("failures", table, (slot, line) => {
      if (table.has(slot, HAS_RESULT)) return false;
      const isPending = isPendingIndexLine(line);
      // An unfinished retry wrote the pending line: the earlier failure is still the row's outcome.
      if (isPending && table.has(slot, HAS_FAILURE)) {
        retryLines.set(slot, failures.add(line));
        return false;
      }
      if (!isPending) table.set(slot, HAS_FAILURE);
      retryLines.delete(slot);
      table.setLine(slot, failures.add(line));
    }, signal);
  }

  /** Copies the line with this uid to the sink for its state, and marks the uid as used. Without
   * `to.pending`, pending lines are not copied. Returns the state. */
  copy(
    uid: string,
    to: { result: LineSink; failure: LineSink; pending?: LineSink },
  ): AnswerState {
    const table = this.#table;
    const slot = table.find(uid);
    if (slot === -1) return "none";
    table.set(slot, SEEN);
    const line = table.lineOf(slot);
    if (table.has(slot, HAS_RESULT)) {
      this.#results.copy(line, to.result);
      return "result";
    }
    const hasFailed = table.has(slot, HAS_FAILURE);
    const sink = hasFailed ? to.failure : to.pending;
    if (sink !== undefined) {
      this.#failures.copy(line, sink);
      const retryLine = this.#retryLines.get(slot);
      if (retryLine !== undefined) this.#failures.copy(retryLine, sink);
    }
    return hasFailed ? "failure" : "pending";
  }

  /** Whether there is a line with this uid. Does not mark the uid as used. */
  has(uid: string): boolean {
    return this.#table.find(uid) !== -1;
  }

  /** Whether a finished answer of the row belongs to another prompt. */
  isEdited(row: ParsedRow, samples: number, parser: RowParser): boolean {
    // A derived uid is a hash of the row, and changes with an edit.
    if (row.isUidDerived) return false;
    const { promptHash } = row;
    for (let sample = 0; sample < samples; sample++) {
      const uid = sampleUid(row.uid, sample);
      if (this.#isAnswerTo(uid, promptHash)) continue;
      const earlier = parser.earlierRequests(row.text, Array.isArray(row.json));
      if (!earlier.some((request) => this.#isAnswerTo(uid, requestHash(request)))) return true;
    }
    return false;
  }

  /** Whether an answer belongs to this prompt. Also true if there is no final line, or no prompt
   * hash in it. */
  #isAnswerTo(uid: string, promptHash: string): boolean {
    const table = this.#table, slot = table.find(uid);
    if (slot === -1 || !(table.has(slot, HAS_RESULT) || table.has(slot, HAS_FAILURE))) return true;
    return !table.hasFingerprint(slot) || table.fingerprintEquals(slot, promptHash);
  }

  /** Copies results of surplus samples, such as `x#3` if `x` has two, to the sinks that `sinkOf`
   * returns. If any results are unused, reads the file again: only the line tells which row it
   * answers. */
  async copySurplus(
    sinkOf: (uid: string, rowUid: string, sample: number) => FlushedSink | undefined,
  ): Promise<void> {
    if (this.orphanResults === 0) return;
    const table = this.#table, surplus: { line: number; sink: FlushedSink }[] = [];
    // `index` adds ids to its table, and `#table` must not change.
    using scratch = new IdTable();
    await this.#results.index("results", scratch, (_, line) => {
      const uid = line.uid();
      if (parseSampleUid(uid) === undefined || this.#isUsed(uid)) return;
      const slot = table.find(uid);
      if (slot === -1) return; // An active run has written the line since `read`.
      const { rowUid, sample } = originOf(line.value() as Record<string, unknown>, this.#uidFields);
      if (sample === 0 || !this.#isUsed(rowUid)) return;
      table.set(slot, SEEN);
      const sink = sinkOf(uid, rowUid, sample);
      if (sink !== undefined) surplus.push({ line: table.lineOf(slot), sink });
    });
    // Lines are copied after indexing, because both move the read position of the file.
    for (const { line, sink } of surplus) {
      this.#results.copy(line, sink);
      await sink.flush();
    }
  }

  #isUsed(uid: string): boolean {
    const slot = this.#table.find(uid);
    return slot !== -1 && this.#table.has(slot, SEEN);
  }

  /** The number of results not used so far: of rows that are not in the input or are beyond its
   * limit and, before `copySurplus`, of surplus samples. */
  get orphanResults(): number {
    return this.#table.count({ all: HAS_RESULT, none: SEEN });
  }

  /** The number of unused final failures. */
  get orphanFailures(): number {
    return this.#table.count({ all: HAS_FAILURE, none: SEEN });
  }

  /** Returns problems of the results. Each problem completes a message that begins with
   * `"FILE" has `. Unused results are a problem only if `isWhole`, which means that all rows of
   * the run were copied. */
  damage(isWhole: boolean): string[] {
    const repeatedUids = [...this.#repeatedUids], orphans = isWhole ? this.orphanResults : 0;
    return [
      ...repeatedUids.length === 0
        ? []
        : [`more than one result for ${uidList(repeatedUids)}. --no-proof keeps the first`],
      ...orphans === 0 ? [] : [
        `${formatCountOf(orphans, "result")} of rows that are not in its input. ` +
        "--no-proof keeps them",
      ],
    ];
  }

  [Symbol.dispose](): void {
    for (const part of [this.#table, this.#results, this.#failures]) part[Symbol.dispose]();
  }
}

function uidList(uids: readonly string[]): string {
  const firstUids = uids.slice(0, 3).map((uid) => JSON.stringify(uid)).join(", ");
  return uids.length > 3 ? `${firstUids} and others` : firstUids;
}
