/**
 * A search for near duplicates among the answers of an index: begun and cancelled by the page, done in steps.
 *
 * @module
 */

import type { DataIndex } from "./data_index.ts";
import { NearDuplicates } from "./near_duplicates.ts";
import type { NearStatus } from "./protocol.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { readFacts } from "./shown_row.ts";
import { promptOf } from "./turns.ts";

/** Rows between two steps. */
const STEP_ROWS = 64;
/** How much of the work it is to read the texts; the rest is to compare them. */
const READING_SHARE = 0.8;

/** The last search that was asked for. */
export class NearSearch {
  readonly #index: DataIndex;
  #status: NearStatus | null = null;
  #steps: Generator<void> | undefined;

  /** Over this index. */
  constructor(index: DataIndex) {
    this.#index = index;
  }

  /** How far it is; null where none was asked for. */
  get status(): NearStatus | null {
    return this.#status;
  }

  /** Begins a search, in place of any other. */
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

  /** Ends the search that is under way. */
  cancel(): NearStatus | null {
    if (this.#status?.state === "running") this.#tell({ state: "cancelled" });
    return this.#status;
  }

  /** Works up to a time of `performance.now()`; gives false when there is nothing left to do. */
  work(endMs: number): boolean {
    while (this.#status?.state === "running" && performance.now() < endMs) this.#steps?.next();
    return this.#status?.state === "running";
  }

  #tell(changes: Partial<NearStatus>): void {
    if (this.#status !== null) this.#status = { ...this.#status, ...changes };
  }

  *#search(of: "prompt" | "response", rows: Uint32Array<ArrayBuffer>): Generator<void> {
    const { table } = this.#index;
    const textAt = (row: number) => this.#textAt(of, row);
    const near = new NearDuplicates(rows, { textAt, isSameRow: (a, b) => table.isSameRow(a, b) });
    for (const row of rows) {
      near.add(textAt(row));
      if (near.added % STEP_ROWS !== 0) continue;
      this.#tell({ done: Math.round(near.added * READING_SHARE) });
      yield;
    }
    for (const share of near.compare()) {
      const done = READING_SHARE + share * (1 - READING_SHARE);
      this.#tell({ done: Math.round(rows.length * done) });
      yield;
    }
    const copies = near.copies();
    table.nearOf = copies;
    this.#index.version++;
    const groups = new Set(copies.values()).size;
    this.#tell({ done: rows.length, state: "done", groups, copies: copies.size });
  }

  #textAt(of: "prompt" | "response", row: number): string {
    const { table, files } = this.#index;
    const facts = readFacts(this.#index, row);
    if (facts === undefined) return "";
    if (of === "response") return facts.response;
    return promptOf(facts.line, files[table.columns.file[row]].hints);
  }
}
