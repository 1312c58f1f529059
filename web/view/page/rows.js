// @ts-check
/// <reference lib="dom" />
/** The rows of the table: those in memory, in pages, and those in the viewport. @module */

/** @import { RowPage, ShownRow } from "../../../lib/data/mod.ts" */

/** Number of rows that one request loads. */
const PAGE_ROWS = 100;

/** Number of pages that are kept. The pages that were loaded first are dropped first. */
const MAX_PAGES = 30;

export class RowPages {
  /** @type {Map<number, readonly ShownRow[] | "requested">} */
  #pages = new Map();
  /** Pages whose rows may have changed. @type {Set<number>} */
  #stale = new Set();
  /** Incremented when rows may have changed. Answers to earlier requests are dropped. */
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

  /** Marks all rows as stale. `request` loads them again; `rowAt` returns them until then. */
  markStale() {
    this.#generation++;
    this.#stale = new Set(this.#pages.keys());
  }

  /** @param {number} place @returns {ShownRow | undefined} undefined if the row is not loaded */
  rowAt(place) {
    const page = this.#pages.get(Math.floor(place / PAGE_ROWS));
    return Array.isArray(page) ? page[place % PAGE_ROWS] : undefined;
  }

  /** @param {number} place @returns {Promise<ShownRow | undefined>} */
  async fetchRow(place) {
    const row = this.rowAt(place);
    if (row !== undefined) return row;
    const { rows } = await this.#fetchRows(place, 1);
    return rows[0];
  }

  /**
   * Loads the pages of rows `first` to `last` that are missing or stale.
   * @param {number} first
   * @param {number} last
   */
  request(first, last) {
    for (let page = Math.floor(first / PAGE_ROWS); page <= Math.floor(last / PAGE_ROWS); page++) {
      this.#requestPage(page);
    }
  }

  /** @param {number} page */
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
      // `Poll` shows that the server does not respond. The grid's next `draw` requests the rows
      // again. Rows that a newer request has loaded stay.
      const isCurrent = generation === this.#generation;
      if (isCurrent || this.#pages.get(page) === "requested") this.#pages.delete(page);
    }
  }
}

/** Height of a row, and of the head of the table. */
export const ROW_PX = 36;

/**
 * Maximum height of all rows together. Browsers limit an element to 33,554,428 px. Taller tables
 * are scaled: each pixel of the scroll position then corresponds to several pixels of the table.
 */
const MAX_PX = 30_000_000;

/** The part of the table that is in the viewport, and how it scrolls. */
export class RowWindow {
  total = 0;
  #scroller;
  #top = 0;
  /**
   * The scroll position that this class has set, until the user scrolls. Own scrolling is recognized
   * by this position and not counted, because the browser fires one event for all changes in a
   * frame.
   * @type {number | undefined}
   */
  #ownScrollTop;

  /** @param {HTMLElement} scroller its first row is the head of the table */
  constructor(scroller) {
    this.#scroller = scroller;
  }

  /** Place of the row at the upper edge, with a fraction if only a part of the row is visible. */
  get top() {
    return this.#top;
  }

  /** Number of rows that fit, with a fraction. */
  get visibleRows() {
    return Math.max(1, (this.#scroller.clientHeight - ROW_PX) / ROW_PX);
  }

  /** Height of the head and of all rows, which are scaled above `MAX_PX`. */
  get heightPx() {
    return Math.min(MAX_PX, this.total * ROW_PX) + ROW_PX;
  }

  /** The difference between a row's position in a scaled table and `place * ROW_PX`. */
  get shiftPx() {
    return this.#scroller.scrollTop - this.#top * ROW_PX;
  }

  goTop() {
    this.#top = 0;
    this.#scroll();
  }

  /**
   * Scrolls until a row is in the center, or only until it is visible.
   * @param {number} place
   * @param {boolean} isCentered
   */
  show(place, isCentered) {
    const { visibleRows } = this;
    if (isCentered) this.#top = place - visibleRows / 2;
    else if (place < this.#top) this.#top = place;
    else if (place > this.#top + visibleRows - 1) this.#top = place - visibleRows + 1;
    this.#top = Math.max(0, Math.min(this.#top, this.total - visibleRows));
    this.#scroll();
  }

  /** Handles a scroll event. Returns false if it came from this class, not from the user. */
  handleScroll() {
    const { scrollTop } = this.#scroller;
    if (scrollTop === this.#ownScrollTop) return false;
    this.#ownScrollTop = undefined;
    const { px, rows } = this.#range;
    this.#top = this.#isScaled ? Math.min(1, scrollTop / px) * rows : scrollTop / ROW_PX;
    return true;
  }

  /**
   * Scrolls by rows if the table is scaled, where a turn of the wheel would skip many rows.
   * @param {WheelEvent} event
   * @returns {boolean} whether the event was handled
   */
  handleWheel(event) {
    if (!this.#isScaled || event.ctrlKey || event.deltaY === 0) return false;
    event.preventDefault();
    const rows = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL
      ? event.deltaY / ROW_PX
      : event.deltaY;
    this.#top = Math.max(0, Math.min(this.#top + rows, this.#range.rows));
    this.#scroll();
    return true;
  }

  get #isScaled() {
    return this.total * ROW_PX > MAX_PX;
  }

  /** How far the table can be scrolled, in pixels and in rows. */
  get #range() {
    return {
      px: Math.max(1, this.heightPx - this.#scroller.clientHeight),
      rows: Math.max(0, this.total - this.visibleRows),
    };
  }

  #scroll() {
    const { px, rows } = this.#range;
    this.#scroller.scrollTop = !this.#isScaled
      ? this.#top * ROW_PX
      : rows === 0
      ? 0
      : this.#top / rows * px;
    this.#ownScrollTop = this.#scroller.scrollTop;
  }
}
