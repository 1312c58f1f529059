/**
 * What the failures file of one input holds, and which of its lines are no longer true.
 *
 * All that is kept here grows with the rows that failed, not with the rows.
 *
 * @module
 */

import type { FailureType } from "../errors.ts";
import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, type IdTable, readIndex } from "../index/mod.ts";
import type { Outcome } from "../row.ts";
import { BAD_ROW_PREFIX, badRowUid, rewriteFailures } from "../sink/mod.ts";

/** Which failed rows are to be asked again: all, or those of these types or statuses. */
export type RetryFilter = boolean | readonly (FailureType | number)[];

/** The failures of one input. */
export class FailureLedger {
  readonly #path: string;
  readonly #input: string;
  /** Lines to drop: their row has a result, or their input line is a row now. */
  readonly #overcome = new Set<string>();
  /** Bad rows of earlier runs that this run has not met again yet. */
  readonly #badRows = new Set<string>();
  /** Rows under way that have a line in the file. */
  readonly #askedAgain = new Set<string>();

  /** `path` is the failures file, `input` names the input in the ids of bad rows. */
  constructor(path: string, input: string) {
    this.#path = path;
    this.#input = input;
  }

  /** Reads the file and flags its ids in the table, which knows the results already. */
  async read(table: IdTable, retry: RetryFilter): Promise<void> {
    await readIndex(this.#path, table, (slot, line) => {
      const uid = line.uid();
      if (uid.startsWith(BAD_ROW_PREFIX)) this.#badRows.add(uid);
      else if (table.has(slot, HAS_RESULT)) this.#overcome.add(uid);
      else table.set(slot, HAS_FAILURE);
      // The last failure of a row is the one that counts.
      if (retry !== false && isAskedFor(retry, line.text)) table.set(slot, ASK_AGAIN);
      else table.clear(slot, ASK_AGAIN);
    });
  }

  /** Whether this line of the input stands in the file as a bad row already. */
  hasBadRow(line: number): boolean {
    return this.#badRows.delete(badRowUid(this.#input, line));
  }

  /** The whole input was looked at: bad rows that were not met again have been mended. */
  dropMendedRows(): void {
    for (const uid of this.#badRows) this.#overcome.add(uid);
  }

  /** A row of the file is asked again. */
  askAgain(uid: string): void {
    this.#askedAgain.add(uid);
  }

  /** Takes note of an outcome on disk; tells whether its row had a line here before. */
  settle({ row, failure }: Outcome): boolean {
    const stoodHere = this.#askedAgain.size > 0 && this.#askedAgain.delete(row.uid);
    // A line that was overcome by an answer which is outdated by now: the newest one counts.
    if (failure !== undefined) this.#overcome.delete(row.uid);
    else if (stoodHere) this.#overcome.add(row.uid);
    return stoodHere;
  }

  /** Brings the file to hold exactly what failed for good. Nobody may have it open for writing. */
  async tidy(): Promise<void> {
    await rewriteFailures(this.#path, (uid) => !this.#overcome.has(uid));
  }
}

function isAskedFor(retry: Exclude<RetryFilter, false>, text: () => string): boolean {
  if (retry === true) return true;
  const { error } = JSON.parse(text()) as { error?: { type?: string; status?: number } };
  return retry.some((wanted) => wanted === error?.type || wanted === error?.status);
}
