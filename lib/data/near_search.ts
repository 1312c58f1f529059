/**
 * Searches an index for near duplicates, in steps: the worker answers requests in between.
 *
 * @module
 */

import type { DataIndex } from "./data_index.ts";
import { NearDuplicates } from "./near_duplicates.ts";
import type { NearStatus } from "./protocol.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { promptOf } from "./turns.ts";

/** The number of rows that are read in one step. */
const STEP_ROWS = 64;
/** The share of the work that reading takes; comparing takes the rest. */
const READING_SHARE = 0.8;

/** Searches of an index for near duplicates, of which one can run at a time. */
export class NearSearch {
  readonly #index: DataIndex;
  #status: NearStatus | null = null;
  #steps: Generator<void> | undefined;

  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** The progress of the last search; null if there was none. */
  get status(): NearStatus | null {
    return this.#status;
  }

  /** Starts a search over answered rows, which replaces a running one. */
  start(of: "prompt" | "response"): NearStatus {
    const { table } = this.#index;
    const rows = rowsThatMeet(table, planOf(table, 'status == "answered"').indexed);
    table.nearOf = undefined;
    this.#steps = this.#search(of, rows);
    return this.#status = {
      of,
      done: 0,
      total: rows.length,
      state: "running",
      groups: 0,
      copies: 0,
      problem: null,
    };
  }

  cancel(): NearStatus | null {
    if (this.#status?.state === "running") this.#setStatus({ state: "cancelled" });
    return this.#status;
  }

  /** Works until `performance.now()` is `endMs`. Returns whether a search is running. */
  work(endMs: number): boolean {
    while (this.#status?.state === "running" && performance.now() < endMs) this.#steps?.next();
    return this.#status?.state === "running";
  }

  #setStatus(changes: Partial<NearStatus>): void {
    if (this.#status !== null) this.#status = { ...this.#status, ...changes };
  }

  *#search(of: "prompt" | "response", rows: Uint32Array<ArrayBuffer>): Generator<void> {
    const { table } = this.#index;
    const textAt = (row: number) => this.#textAt(of, row);
    const near = new NearDuplicates(rows, { textAt, isSameRow: (a, b) => table.isSameRow(a, b) });
    for (const row of rows) {
      near.add(textAt(row));
      if (near.added % STEP_ROWS !== 0) continue;
      this.#setStatus({ done: Math.round(near.added * READING_SHARE) });
      yield;
    }
    for (const share of near.compare()) {
      const done = READING_SHARE + share * (1 - READING_SHARE);
      this.#setStatus({ done: Math.round(rows.length * done) });
      yield;
    }
    const copies = near.copies();
    table.nearOf = copies;
    this.#index.version++;
    const groups = new Set(copies.values()).size;
    this.#setStatus({ done: rows.length, state: "done", groups, copies: copies.size });
  }

  #textAt(of: "prompt" | "response", row: number): string {
    const { table, files } = this.#index;
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    if (of === "response") return facts.response;
    return promptOf(facts.line, files[table.columns.file[row]].hints);
  }
}
