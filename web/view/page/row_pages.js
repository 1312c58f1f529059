// @ts-check
/**
 * Keeps rows in memory, in pages that are requested when they become visible.
 *
 * @module
 */

/** @import { RowPage, ShownRow } from "../../../lib/data/protocol.ts" */

/** Number of rows in a page. */
const PAGE_ROWS = 100;

/** Most pages that are kept. */
const MAX_PAGES = 30;

/** Pages of rows, by their number. */
export class RowPages {
  /** @type {Map<number, readonly ShownRow[] | "requested">} */
  #pages = new Map();
  /** Pages whose rows may have changed. @type {Set<number>} */
  #stale = new Set();
  /** Grows when rows may have changed: answers to earlier requests are dropped. */
  #generation = 0;
  #fetchRows;
  #onChange;

  /**
   * @param {(from: number, count: number) => Promise<RowPage>} fetchRows
   * @param {() => void} onChange called when rows have arrived
   */
  constructor(fetchRows, onChange) {
    this.#fetchRows = fetchRows;
    this.#onChange = onChange;
  }

  clear() {
    this.#generation++;
    this.#pages.clear();
  }

  /**
   * Marks all rows as stale: they are requested again when they are drawn, and are shown until the
   * new ones arrive.
   */
  markStale() {
    this.#generation++;
    this.#stale = new Set(this.#pages.keys());
  }

  /**
   * Returns the row at a place if it is loaded.
   *
   * @param {number} place
   * @returns {ShownRow | undefined}
   */
  rowAt(place) {
    const page = this.#pages.get(Math.floor(place / PAGE_ROWS));
    return Array.isArray(page) ? page[place % PAGE_ROWS] : undefined;
  }

  /**
   * Returns the row at a place, and loads it if necessary.
   *
   * @param {number} place
   * @returns {Promise<ShownRow | undefined>}
   */
  async fetchRow(place) {
    const row = this.rowAt(place);
    if (row !== undefined) return row;
    const { rows } = await this.#fetchRows(place, 1);
    return rows[0];
  }

  /**
   * Requests the rows from `first` to `last` that are not loaded.
   *
   * @param {number} first
   * @param {number} last
   */
  request(first, last) {
    for (let page = Math.floor(first / PAGE_ROWS); page <= Math.floor(last / PAGE_ROWS); page++) {
      this.#requestPage(page);
    }
  }

  /** Requests a page unless it is loaded or requested, and is not stale. @param {number} page */
  async #requestPage(page) {
    const oldRows = this.#pages.get(page);
    if (oldRows !== undefined && !this.#stale.has(page)) return;
    this.#stale.delete(page);
    if (oldRows === undefined) this.#pages.set(page, "requested");
    const generation = this.#generation;
    try {
      const { rows } = await this.#fetchRows(page * PAGE_ROWS, PAGE_ROWS);
      if (generation !== this.#generation) {
        if (this.#pages.get(page) === "requested") this.#pages.delete(page);
        return;
      }
      this.#pages.delete(page);
      this.#pages.set(page, rows);
      for (const oldest of this.#pages.keys()) {
        if (this.#pages.size <= MAX_PAGES) break;
        this.#pages.delete(oldest);
      }
      this.#onChange();
    } catch {
      // The page shows that its server does not respond; the next drawing requests the rows again.
      this.#pages.delete(page);
    }
  }
}
