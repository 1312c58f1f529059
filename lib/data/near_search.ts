/**
 * Searches the prompts or the responses of an index for near duplicates, in short steps, because
 * the same thread serves the requests of the page.
 *
 * @module
 */

import { systemReason } from "../files.ts";
import type { DataIndex } from "./data_index.ts";
import { NearDuplicates } from "./near_duplicates.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { nearField, type Table } from "./table.ts";
import { promptOf } from "./turns.ts";

export type SearchedField = "prompt" | "response";

export interface NearStatus {
  readonly of: SearchedField;
  /** Progress of reading and comparing, scaled to `total`: not a number of rows. */
  readonly done: number;
  /** Number of rows that are searched. */
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** Groups of near duplicates; 0 until the search is done. */
  readonly groups: number;
  /** Rows in the groups, except the first row of each and other samples of that row. */
  readonly copies: number;
  /** Why the search failed; null otherwise. */
  readonly problem: string | null;
}

const STEP_ROWS = 64;
/** The share of the work that reading takes; comparing takes the rest. */
const READING_SHARE = 0.8;

/** One search can run at a time. */
export class NearSearch {
  readonly #index: DataIndex;
  /** The table that is or was searched. */
  #table: Table | undefined;
  #status: NearStatus | null = null;
  #steps: Generator<void> | undefined;

  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** Null before the first search, and after the index has started a new table. */
  get status(): NearStatus | null {
    return this.#table === this.#index.table ? this.#status : null;
  }

  /** Starts a search over the answered rows. Replaces a search that is running. */
  start(field: SearchedField): NearStatus {
    const table = this.#table = this.#index.table;
    const rows = rowsThatMeet(table, planOf(table, 'distill.status == "answered"').indexedParts);
    table.viewFields.set("near_duplicate", nearField(0));
    this.#steps = this.#search(field, rows);
    return this.#status = {
      of: field,
      done: 0,
      total: rows.length,
      state: "running",
      groups: 0,
      copies: 0,
      problem: null,
    };
  }

  cancel(): NearStatus | null {
    if (this.status?.state === "running") this.#setStatus({ state: "cancelled" });
    return this.status;
  }

  /**
   * Continues the search until `performance.now()` reaches `endMs`. Returns whether it is still
   * running.
   */
  work(endMs: number): boolean {
    try {
      while (this.status?.state === "running" && performance.now() < endMs) this.#steps?.next();
    } catch (error) {
      // The signatures of millions of rows may not fit into memory.
      this.#setStatus({ state: "failed", problem: `Cannot compare: ${systemReason(error)}` });
    }
    return this.status?.state === "running";
  }

  #setStatus(changes: Partial<NearStatus>): void {
    if (this.#status !== null) this.#status = { ...this.#status, ...changes };
  }

  *#search(field: SearchedField, rows: Uint32Array<ArrayBuffer>): Generator<void> {
    const { table } = this.#index;
    const textAt = (row: number) => this.#textAt(field, row);
    const nearDuplicates = new NearDuplicates(rows, {
      textAt,
      areSamplesOfOneRow: (a, b) => table.isSameInputRow(a, b),
    });
    for (const row of rows) {
      nearDuplicates.add(textAt(row));
      if (nearDuplicates.addedCount % STEP_ROWS !== 0) continue;
      this.#setStatus({ done: Math.round(nearDuplicates.addedCount * READING_SHARE) });
      yield;
    }
    for (const share of nearDuplicates.compare()) {
      const doneShare = READING_SHARE + share * (1 - READING_SHARE);
      this.#setStatus({ done: Math.round(rows.length * doneShare) });
      yield;
    }
    const copies = nearDuplicates.copies();
    table.viewFields.set("near_duplicate", nearField(table.length, copies.keys()));
    this.#index.version++;
    const groups = new Set(copies.values()).size;
    this.#setStatus({ done: rows.length, state: "done", groups, copies: copies.size });
  }

  #textAt(field: SearchedField, row: number): string {
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    return field === "response" ? facts.response : promptOf(facts.line, this.#index.hintsAt(row));
  }
}
