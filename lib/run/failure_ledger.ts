/**
 * The lines of one input's failures file, and which of them are outdated.
 *
 * A row may have two valid lines: a final failure, and a later line of an unfinished retry. The row
 * is then reported as failed until it has a result.
 *
 * Lines are identified by number. Uids are kept only for rows in flight, bad rows, and rows whose
 * paid answer was not accepted.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import {
  ASK_AGAIN,
  HAS_FAILURE,
  HAS_RESULT,
  type IdTable,
  type IndexedLine,
  readIndex,
} from "../index/mod.ts";
import { xxHash64Hex } from "../hash.ts";
import { asText } from "../json.ts";
import type { EarlierAnswer, Outcome, Row } from "../row.ts";
import {
  type BadRow,
  badRowUid,
  dropLines,
  isBadRowLine,
  isPendingIndexLine,
  type LinePlace,
  LinePlaces,
  LineSet,
  readEarlierAnswer,
} from "../sink/mod.ts";
import type { RunOptions } from "./options.ts";
import type { Retry } from "./retry.ts";

export type RetryFilter = NonNullable<RunOptions["retry"]>;

/** An answer that was paid for but not accepted, so that its row is sent again. */
interface UnacceptedAnswer {
  /** The number of the answer's line, if the row is pending: the line is outdated once the row has
   * a newer line. Undefined for a retried row that failed as `unfinished`. */
  readonly pendingLine?: number;
  /** The place of the answer's line, if an earlier run wrote it. */
  readonly place?: LinePlace;
}

export class FailureLedger {
  readonly #path: string;
  #lines = 0;
  /** Lines to remove: the row has a newer line or a result, or the bad row was fixed. */
  readonly #outdatedLines = new LineSet();
  /** The bad rows of earlier runs that the first pass has not found yet, by uid. */
  readonly #badRows = new Map<string, { readonly lineNumber: number; readonly hash: string }>();
  /** The lines of failed rows that this run sends again and that have not finished yet, by uid. */
  readonly #retriedLines = new Map<string, number>();
  /** The lines of failed rows that this run sends again, if they hold a paid answer. */
  readonly #paidLines = new LinePlaces();
  /** The last paid answer of each row that has no accepted answer, by uid. */
  readonly #unaccepted = new Map<string, UnacceptedAnswer>();
  /** Rows that have failed again since the interrupted retry began. */
  failedAgain = 0;
  /** When the latest failure that this run sends again was written (ISO 8601). */
  #latestFailure = "";
  #retrySinceMs = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Reads the file and flags its ids in the table. The table already holds the results.
   *
   * @param retry The retry of this run. If it continues an interrupted retry, rows that have failed
   *   again since that retry began are not sent again.
   * @returns `retry`. The start of a new retry is moved after all failures that it sends again,
   *   because the clock may have been ahead when they were written.
   */
  async read(
    table: IdTable,
    filter: RetryFilter = false,
    retry?: Retry,
    signal?: AbortSignal,
  ): Promise<Retry | undefined> {
    const file = { path: this.#path, kind: "failures" } as const;
    this.#lines = await readIndex(file, table, (slot, line) => {
      if (isBadRowLine(line.hasHash, () => line.uid())) return this.#readBadRow(line);
      if (table.has(slot, HAS_RESULT)) {
        this.#outdatedLines.add(line.number);
      } else if (isPendingIndexLine(line)) {
        this.#setUnaccepted(line.uid(), { pendingLine: line.number, place: placeOf(line) });
        // The prompt hash is not stored: an edit of the prompt matters only for finished rows.
        return false;
      } else this.#readFailure(table, slot, line, this.#isAskedAgain(line, filter, retry?.before));
    }, signal);
    if (retry === undefined) return undefined;
    this.#retrySinceMs = Date.parse(retry.unfinished.since) || 0;
    const latestMs = Date.parse(this.#latestFailure);
    if (retry.before !== undefined || !(latestMs >= this.#retrySinceMs)) return retry;
    this.#retrySinceMs = latestMs + 1;
    const since = new Date(this.#retrySinceMs).toISOString();
    return { ...retry, unfinished: { ...retry.unfinished, since } };
  }

  /** Keeps the file's line for this bad row, which `dropRepairedRows` would otherwise remove.
   * Returns false if the file has none, or has one for an earlier text of the row: the row then
   * needs a new line. */
  keepBadRow({ file, line, problem, text, bytes }: BadRow): boolean {
    const uid = badRowUid(file, line);
    const hash = badRowHash(problem, text ?? bytes?.toBase64() ?? "");
    return this.#badRows.get(uid)?.hash === hash && this.#badRows.delete(uid);
  }

  /** Called after the whole input was read: bad rows not found again have been fixed or edited. */
  dropRepairedRows(): void {
    for (const { lineNumber } of this.#badRows.values()) this.#outdatedLines.add(lineNumber);
  }

  /** Notes that this run sends a failed row again. @param lineNumber The line of its failure. */
  askAgain(uid: string, lineNumber: number): void {
    this.#retriedLines.set(uid, lineNumber);
  }

  /** Returns the last answer of an earlier run to the row, if it was paid for but not accepted. */
  earlierOf(row: Row, paramsId: string): EarlierAnswer | undefined {
    if (this.#unaccepted.size === 0) return undefined;
    const place = this.#unaccepted.get(row.uid)?.place;
    return place && readEarlierAnswer(this.#path, place, row, paramsId);
  }

  /**
   * Completes the outcome of a retried row that has failed again. Its line replaces the line of the
   * earlier run, so an outcome without an answer takes over the earlier paid answer. The outcome's
   * time is never before the start of the retry, even if the clock has been set back.
   */
  replacing(outcome: Outcome): Outcome {
    const { row, failure } = outcome;
    const number = failure === undefined ? undefined : this.#retriedLines.get(row.uid);
    if (number === undefined) return outcome;
    const place = outcome.completion === undefined ? this.#paidLines.get(number) : undefined;
    const settledAt = Math.max(outcome.settledAt, this.#retrySinceMs);
    const earlier = place && readEarlierAnswer(this.#path, place, row, "");
    const completion = earlier?.rejected?.completion;
    if (completion === undefined) return { ...outcome, settledAt };
    return { ...outcome, row: { ...row, earlier }, completion, settledAt };
  }

  /** Notes the rejected answer of a row that is sent again. Its line is the last of the
   * `addedLines` lines that this run has added. */
  keep(uid: string, addedLines: number): void {
    this.#setUnaccepted(uid, { pendingLine: this.#lines + addedLines });
  }

  /** Called when a row's final outcome is on disk. Returns whether the row had failed before. */
  settle(uid: string): boolean {
    this.#dropUnaccepted(uid);
    const number = this.#retriedLines.size === 0 ? undefined : this.#retriedLines.get(uid);
    if (number === undefined) return false;
    this.#retriedLines.delete(uid);
    this.#outdatedLines.add(number);
    return true;
  }

  /** Removes outdated lines. No process may have the file open for writing. If the file cannot be
   * rewritten, returns a warning. Nothing is lost then, because readers ignore outdated lines. */
  async tidy(addedLines: number, token?: string): Promise<string | undefined> {
    const path = this.#path, lines = this.#lines + addedLines;
    let problem = `"${path}" was changed while the run added to it`;
    try {
      if (await dropLines(path, this.#outdatedLines, lines, token)) return undefined;
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      problem = error.message;
    }
    return `${problem}: outdated lines stay in it until the next run`;
  }

  #readBadRow(line: IndexedLine): void {
    const uid = line.uid();
    const earlier = this.#badRows.get(uid);
    if (earlier !== undefined) this.#outdatedLines.add(earlier.lineNumber);
    const { raw, raw_base64 } = line.value();
    const hash = badRowHash(asText(errorOf(line).message), asText(raw ?? raw_base64));
    this.#badRows.set(uid, { lineNumber: line.number, hash });
  }

  #isAskedAgain(line: IndexedLine, filter: RetryFilter, before: string | undefined): boolean {
    if (filter === false || !isAskedFor(filter, line)) return false;
    const created = asText(errorOf(line).created);
    if (created > this.#latestFailure) this.#latestFailure = created;
    const hasFailedAgain = before !== undefined && created >= before;
    if (hasFailedAgain) this.failedAgain++;
    return !hasFailedAgain;
  }

  #readFailure(table: IdTable, slot: number, line: IndexedLine, isAsked: boolean): void {
    const earlierLine = table.lineOf(slot);
    if (earlierLine > 0) this.#outdatedLines.add(earlierLine);
    if (this.#unaccepted.size > 0) this.#dropUnaccepted(line.uid());
    table.setLine(slot, line.number);
    table.set(slot, HAS_FAILURE);
    if (isAsked) table.set(slot, ASK_AGAIN);
    else table.clear(slot, ASK_AGAIN);
    if (!isAsked || !line.includes('"partial"')) return;
    this.#paidLines.add(line.number, placeOf(line));
    // This run may accept an ending that the earlier run did not accept.
    if (isUnfinished(line)) this.#unaccepted.set(line.uid(), { place: placeOf(line) });
  }

  #setUnaccepted(uid: string, answer: UnacceptedAnswer): void {
    this.#dropUnaccepted(uid);
    this.#unaccepted.set(uid, answer);
  }

  #dropUnaccepted(uid: string): void {
    // For an empty map, `Map.get` would still hash the uid, whose text has left the CPU cache.
    const answer = this.#unaccepted.size === 0 ? undefined : this.#unaccepted.get(uid);
    if (answer === undefined) return;
    this.#unaccepted.delete(uid);
    if (answer.pendingLine !== undefined) this.#outdatedLines.add(answer.pendingLine);
  }
}

function placeOf({ offset, byteLength }: IndexedLine): LinePlace {
  return { offset, byteLength };
}

function errorOf(line: IndexedLine): Partial<Record<string, unknown>> {
  return (line.value() as { error?: object }).error ?? {};
}

function badRowHash(problem: string, content: string): string {
  return xxHash64Hex(`${problem}\n${content}`);
}

function isUnfinished(line: IndexedLine): boolean {
  return line.includes('"unfinished"') && errorOf(line).type === "unfinished";
}

function isAskedFor(retry: Exclude<RetryFilter, false>, line: IndexedLine): boolean {
  if (retry === true) return true;
  const { type, status } = errorOf(line);
  return retry.some((wanted) => wanted === type || wanted === status);
}
