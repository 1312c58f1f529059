/**
 * The content of the failures file of one input, and which of its lines are outdated.
 *
 * A row may have two valid lines: one that says it has failed, and a later one of an unfinished retry. The second
 * does not revoke the first: the row has failed until it has a result.
 *
 * Lines are identified by their numbers. Uids are kept only of rows in flight, and of rows that were between two
 * answers when a run ended.
 *
 * @module
 */

import type { FailureType } from "../errors.ts";
import {
  ASK_AGAIN,
  HAS_FAILURE,
  HAS_RESULT,
  type IdTable,
  type IndexedLine,
  readIndex,
} from "../index/mod.ts";
import type { EarlierAnswer, Row } from "../row.ts";
import {
  BAD_ROW_PREFIX,
  badRowUid,
  dropLines,
  isPendingLine,
  type LinePlace,
  LineSet,
  PENDING_MARKS,
  readEarlierAnswer,
} from "../sink/mod.ts";

/** Which failed rows are retried: all, or those of these types or statuses. */
export type RetryFilter = boolean | readonly (FailureType | number)[];

/** A line of a pending row; its place is only known for lines of earlier runs. */
interface PendingLine {
  readonly number: number;
  readonly place?: LinePlace;
}

/** The failures of one input. */
export class FailureLedger {
  readonly #path: string;
  /** The number of lines before this run. */
  #lines = 0;
  /** Outdated lines: their row has a newer one or a result, or their input line is a valid row now. */
  readonly #dropped = new LineSet();
  /** Bad rows of earlier runs that this run has not found again yet, with the numbers of their lines. */
  readonly #badRows = new Map<string, number>();
  /** Rows in flight that have failed before, with the numbers of their lines. */
  readonly #askedAgain = new Map<string, number>();
  /** Rows without a newer outcome than an answer that was not accepted. */
  readonly #pending = new Map<string, PendingLine>();

  /** The places of answers without proof that they are complete, of failed rows that are retried. */
  readonly #unfinished = new Map<string, LinePlace>();
  readonly #keepsUnfinished: boolean;

  /** `path` is the failures file. `keepsUnfinished`: such answers may be accepted now. */
  constructor(path: string, keepsUnfinished = false) {
    this.#path = path;
    this.#keepsUnfinished = keepsUnfinished;
  }

  /** Reads the file and flags its ids in the table, which knows the results already. */
  async read(table: IdTable, retry: RetryFilter): Promise<void> {
    this.#lines = await readIndex({ path: this.#path, kind: "failures" }, table, (slot, line) => {
      if (isBadRow(line)) return this.#readBadRow(line);
      if (table.has(slot, HAS_RESULT)) {
        this.#dropped.add(line.number);
      } else if (isPending(line)) {
        const { number, offset, byteLength } = line;
        this.#setPending(line.uid(), { number, place: { offset, byteLength } });
        // Edits of the prompt only matter for finished rows.
        return false;
      } else this.#readFailure(table, slot, line, retry);
    });
  }

  /** Whether the file already has a line for this bad row. */
  hasBadRow({ file, line }: { file: string; line: number }): boolean {
    return this.#badRows.delete(badRowUid(file, line));
  }

  /** The whole input was read: bad rows that were not found again have been fixed. */
  dropRepairedRows(): void {
    for (const number of this.#badRows.values()) this.#dropped.add(number);
  }

  /** A row of the file is retried; `number` is that of its line. */
  askAgain(uid: string, number: number): void {
    this.#askedAgain.set(uid, number);
  }

  /** The state in which an earlier run left an unfinished row, if there is one. */
  earlierOf(row: Row, paramsId: string): EarlierAnswer | undefined {
    if (this.#pending.size === 0 && this.#unfinished.size === 0) return undefined;
    const place = this.#pending.get(row.uid)?.place ?? this.#unfinished.get(row.uid);
    return place && readEarlierAnswer(this.#path, place, row, paramsId);
  }

  /** Notes an answer that was not accepted; its line is the `count`th that this run has added. */
  keep(uid: string, count: number): void {
    this.#setPending(uid, { number: this.#lines + count });
  }

  /** Notes a row whose line is on disk; returns whether it had failed before. */
  settle(uid: string): boolean {
    this.#dropPending(uid);
    const number = this.#askedAgain.size === 0 ? undefined : this.#askedAgain.get(uid);
    if (number === undefined) return false;
    this.#askedAgain.delete(uid);
    this.#dropped.add(number);
    return true;
  }

  /** Rewrites the file so that it holds one line for each failed and each pending row. This run has added
   * `count` lines; no process may have the file open for writing. Returns false if the file was changed by
   * others. */
  async tidy(count: number, token?: string): Promise<boolean> {
    return await dropLines(this.#path, this.#dropped, this.#lines + count, token);
  }

  #readBadRow(line: IndexedLine): void {
    const uid = line.uid();
    const before = this.#badRows.get(uid);
    if (before !== undefined) this.#dropped.add(before);
    this.#badRows.set(uid, line.number);
  }

  /** The last failure of a row is the one that counts. */
  #readFailure(table: IdTable, slot: number, line: IndexedLine, retry: RetryFilter): void {
    const before = table.lineOf(slot);
    if (before > 0) this.#dropped.add(before);
    if (this.#pending.size > 0) this.#dropPending(line.uid());
    table.setLine(slot, line.number);
    table.set(slot, HAS_FAILURE);
    const isAsked = retry !== false && isAskedFor(retry, line);
    if (isAsked) table.set(slot, ASK_AGAIN);
    else table.clear(slot, ASK_AGAIN);
    if (this.#keepsUnfinished && isAsked && isUnfinished(line)) {
      const { offset, byteLength } = line;
      this.#unfinished.set(line.uid(), { offset, byteLength });
    }
  }

  #setPending(uid: string, line: PendingLine): void {
    this.#dropPending(uid);
    this.#pending.set(uid, line);
  }

  #dropPending(uid: string): void {
    const line = this.#pending.size === 0 ? undefined : this.#pending.get(uid);
    if (line === undefined) return;
    this.#pending.delete(uid);
    this.#dropped.add(line.number);
  }
}

/** A row of the input may have such an id too; but the line of a bad row has no prompt hash. */
function isBadRow(line: IndexedLine): boolean {
  return !line.hasHash && line.uid().startsWith(BAD_ROW_PREFIX);
}

function isPending(line: IndexedLine): boolean {
  return PENDING_MARKS.some((mark) => line.includes(mark)) && isPendingLine(line.value());
}

function isUnfinished(line: IndexedLine): boolean {
  if (!line.includes('"unfinished"')) return false;
  return (line.value() as { error?: { type?: string } }).error?.type === "unfinished";
}

function isAskedFor(retry: Exclude<RetryFilter, false>, line: IndexedLine): boolean {
  if (retry === true) return true;
  const { error } = line.value() as { error?: { type?: string; status?: number } };
  return retry.some((wanted) => wanted === error?.type || wanted === error?.status);
}
