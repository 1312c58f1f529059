// @ts-check
/// <reference lib="dom" />
/**
 * Computes which rows of a table are visible. If all rows together are higher than an element may
 * be, the scroll position is scaled: each of its pixels then stands for more of the table.
 *
 * @module
 */

/** Height of a row, and of the head of the table. */
export const ROW_PX = 36;

/**
 * Tables above this height are scaled. Browsers limit the height of an element to 33,554,428 px.
 */
const MAX_PX = 30_000_000;

/** The visible rows of a table. */
export class RowWindow {
  /** Number of rows of the table. */
  total = 0;
  #scroller;
  #top = 0;
  /** Whether this class has scrolled, and its scroll event is still to come. */
  #isScrolling = false;

  /** @param {HTMLElement} scroller element that scrolls; its first row is the head of the table */
  constructor(scroller) {
    this.#scroller = scroller;
  }

  /** Place of the row at the upper edge, with a fraction if the row is cut. */
  get top() {
    return this.#top;
  }

  /** Number of visible rows. */
  get rows() {
    return Math.max(1, (this.#scroller.clientHeight - ROW_PX) / ROW_PX);
  }

  /** Height of all rows and the head in pixels, limited by the browser. */
  get heightPx() {
    return Math.min(MAX_PX, this.total * ROW_PX) + ROW_PX;
  }

  /** Pixels that are added to the position of each row because of scaling; 0 without it. */
  get shiftPx() {
    return this.#scroller.scrollTop - this.#top * ROW_PX;
  }

  goTop() {
    this.#top = 0;
    this.#scroll();
  }

  /**
   * Scrolls just far enough to show a row, or centers it.
   *
   * @param {number} place
   * @param {boolean} isCentered
   */
  show(place, isCentered) {
    const { rows } = this;
    if (isCentered) this.#top = place - rows / 2;
    else if (place < this.#top) this.#top = place;
    else if (place > this.#top + rows - 1) this.#top = place - rows + 1;
    this.#top = Math.max(0, Math.min(this.#top, this.total - rows));
    this.#scroll();
  }

  /** Handles a scroll event. Returns false if this class caused it, not the user. */
  handleScroll() {
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
   * Scrolls by rows if the table is scaled, where a turn of the wheel would skip many rows.
   *
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

  /** How far the table can be scrolled: in pixels, and the rows that they stand for. */
  get #range() {
    return {
      px: Math.max(1, this.heightPx - this.#scroller.clientHeight),
      rows: Math.max(0, this.total - this.rows),
    };
  }

  #scroll() {
    const { px, rows } = this.#range;
    const oldScrollTop = this.#scroller.scrollTop;
    this.#scroller.scrollTop = !this.#isScaled
      ? this.#top * ROW_PX
      : rows === 0
      ? 0
      : this.#top / rows * px;
    this.#isScrolling = this.#scroller.scrollTop !== oldScrollTop;
  }
}
