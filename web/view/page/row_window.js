// @ts-check
/// <reference lib="dom" />
/**
 * Which rows of a table are in sight, however many it has: where the scroll bar would have to be
 * longer than browsers can have it, each pixel covers more rows.
 *
 * @module
 */

export const ROW_PX = 36;
/**
 * Browsers cap the height of an element at 33,554,428 px: beyond this, places and pixels are
 * scaled.
 */
const MAX_PX = 30_000_000;

/** The rows in sight. */
export class RowWindow {
  /** How many rows there are. */
  total = 0;
  #scroller;
  #top = 0;
  #isScrolling = false;

  /** @param {HTMLElement} scroller whose first row is the head of the table */
  constructor(scroller) {
    this.#scroller = scroller;
  }

  /** The place of the row at the upper edge; a fraction while it is cut. */
  get top() {
    return this.#top;
  }

  /** How many rows are in sight. */
  get rows() {
    return Math.max(1, (this.#scroller.clientHeight - ROW_PX) / ROW_PX);
  }

  /** The height of all rows and of the head, in pixels of the scroll bar. */
  get heightPx() {
    return Math.min(MAX_PX, this.total * ROW_PX) + ROW_PX;
  }

  /** How far the rows are from where they would be without scaling. */
  get shiftPx() {
    return this.#scroller.scrollTop - this.#top * ROW_PX;
  }

  /** Goes to the first row. */
  goTop() {
    this.#top = 0;
    this.#scroll();
  }

  /** Brings a row into sight. @param {number} place @param {boolean} isCentred */
  show(place, isCentred) {
    const { rows } = this;
    if (isCentred) this.#top = place - rows / 2;
    else if (place < this.#top) this.#top = place;
    else if (place > this.#top + rows - 1) this.#top = place - rows + 1;
    this.#top = Math.max(0, Math.min(this.#top, this.total - rows));
    this.#scroll();
  }

  /** To be called when the user has scrolled; gives false where it was this window that did. */
  takeScroll() {
    if (this.#isScrolling) {
      this.#isScrolling = false;
      return false;
    }
    const { scrollTop } = this.#scroller;
    const { px, rows } = this.#range;
    this.#top = this.#isScaled ? Math.min(1, scrollTop / px) * rows : scrollTop / ROW_PX;
    return true;
  }

  /**
   * Where pixels are scaled, a turn of the wheel would pass by many rows. @param {WheelEvent} event
   * @returns {boolean} whether it was taken
   */
  takeWheel(event) {
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

  /** Pixels that can be scrolled, and the rows that this covers. */
  get #range() {
    return {
      px: Math.max(1, this.heightPx - this.#scroller.clientHeight),
      rows: Math.max(0, this.total - this.rows),
    };
  }

  #scroll() {
    const { px, rows } = this.#range;
    const before = this.#scroller.scrollTop;
    this.#scroller.scrollTop = !this.#isScaled
      ? this.#top * ROW_PX
      : rows === 0
      ? 0
      : this.#top / rows * px;
    this.#isScrolling = this.#scroller.scrollTop !== before;
  }
}
