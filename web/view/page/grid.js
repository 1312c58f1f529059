// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The table of rows. Only rows near the viewport are in the DOM. A row's place is its number in the
 * current order, from 0. The focus stays on the table, so that scrolling cannot lose it;
 * `aria-activedescendant` names the current row.
 *
 * @module
 */

import { byId, make, setAttribute } from "../../page/dom.js";
import { ROW_PX, RowPages, RowWindow } from "./rows.js";

/** @import { RowPage, ShownRow } from "../../../lib/data/mod.ts" */
/** @import { Column } from "./columns.js" */

/** Number of rows that are rendered beyond each edge of the viewport. */
const OVERSCAN_ROWS = 4;

/** Horizontal padding of a row, on both sides together. */
const PADDING_PX = 24;

export class Grid {
  #scroller = byId("grid");
  #head = byId("grid-head");
  #space = byId("grid-space");
  #layer = byId("grid-rows");
  /** @type {Column[]} */
  #columns = [];
  /** Place of the row on which keys act. */
  #currentPlace = 0;
  #window = new RowWindow(this.#scroller);
  #pages;
  /** Uids of the selected rows by their ids. @type {Map<string, string>} */
  selected = new Map();
  /** Id of the open row; "" if none is open. */
  openId = "";
  #listener;

  /**
   * @param {(from: number, count: number) => Promise<RowPage>} load loads rows, beginning at a
   * place
   * @param {{ open: (row: ShownRow, place: number) => void, select: () => void, sort: (field:
   * string) => void }} listener
   */
  constructor(load, listener) {
    this.#pages = new RowPages(load, () => this.draw());
    this.#listener = listener;
    this.#scroller.addEventListener("scroll", () => {
      if (this.#window.handleScroll()) this.draw();
    });
    this.#scroller.addEventListener("wheel", (event) => {
      if (this.#window.handleWheel(event)) this.draw();
    }, { passive: false });
    this.#scroller.addEventListener("keydown", (event) => this.#onKey(event));
    this.#layer.addEventListener("click", (event) => this.#onClick(event));
    new ResizeObserver(() => this.draw()).observe(this.#scroller);
  }

  get total() {
    return this.#window.total;
  }

  get currentPlace() {
    return this.#currentPlace;
  }

  /**
   * @param {Column[]} columns
   * @param {string} sort field by which rows are sorted
   * @param {boolean} isDescending
   */
  setColumns(columns, sort, isDescending) {
    this.#columns = columns;
    const cells = columns.map((column) => {
      const isSorted = column.sort !== undefined && column.sort === sort;
      const cell = make("div", {
        role: "columnheader",
        class: column.isNumber ? "cell number" : "cell",
        "aria-sort": isSorted ? isDescending ? "descending" : "ascending" : false,
      });
      if (column.title === "Selected") {
        cell.append(make("span", { class: "visually-hidden" }, column.title));
      } else if (column.sort === undefined) cell.append(column.title);
      else {
        const arrow = isSorted ? isDescending ? " ↓" : " ↑" : "";
        const button = make("button", { type: "button", class: "sort" }, column.title + arrow);
        const { sort: field } = column;
        button.addEventListener("click", () => this.#listener.sort(field));
        cell.append(button);
      }
      return cell;
    });
    this.#head.replaceChildren(...cells);
    setAttribute(this.#scroller, "aria-colcount", String(columns.length));
    const { style } = this.#scroller;
    style.setProperty("--columns", columns.map(({ width }) => width).join(" "));
    // The first number of a width is its minimum in pixels.
    const minPx = columns.reduce((sum, { width }) => sum + Number(/\d+/.exec(width)), 0);
    style.setProperty("--min-width", `${minPx + PADDING_PX}px`);
    this.draw();
  }

  /** Drops all rows, because others will be shown, and scrolls to the top. */
  clear() {
    this.#pages.clear();
    this.#currentPlace = 0;
    this.#window.goTop();
    this.draw();
  }

  /** Loads the rows again, because their number or order may have changed. */
  reload() {
    this.#pages.markStale();
    this.draw();
  }

  /** @param {number} total number of rows */
  setTotal(total) {
    if (total === this.total) return;
    this.#window.total = total;
    this.#currentPlace = Math.max(0, Math.min(this.#currentPlace, total - 1));
    setAttribute(this.#scroller, "aria-rowcount", String(total + 1));
    this.#space.style.height = `${this.#window.heightPx}px`;
    this.draw();
  }

  /** @param {number} place @param {boolean} [isCentered] */
  goTo(place, isCentered = false) {
    this.#currentPlace = Math.max(0, Math.min(place, this.total - 1));
    this.#window.show(this.#currentPlace, isCentered);
    this.draw();
  }

  /** @param {number} place @returns {Promise<ShownRow | undefined>} */
  async fetchRow(place) {
    return await this.#pages.fetchRow(place);
  }

  focus() {
    this.#scroller.focus({ preventScroll: true });
  }

  draw() {
    const { top, visibleRows, shiftPx } = this.#window;
    const first = Math.max(0, Math.floor(top) - OVERSCAN_ROWS);
    const last = Math.min(this.total - 1, Math.ceil(top + visibleRows) + OVERSCAN_ROWS);
    const elements = [];
    for (let place = first; place <= last; place++) {
      const element = this.#rowElement(place);
      element.style.transform = `translateY(${Math.round(shiftPx + place * ROW_PX)}px)`;
      elements.push(element);
    }
    this.#layer.replaceChildren(...elements);
    const isCurrentDrawn = this.#currentPlace >= first && this.#currentPlace <= last;
    setAttribute(
      this.#scroller,
      "aria-activedescendant",
      isCurrentDrawn ? `row-${this.#currentPlace}` : false,
    );
    if (this.total > 0) this.#pages.request(first, last);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // A button in the table handles its own keys.
    if (
      event.target !== this.#scroller || event.ctrlKey || event.metaKey ||
      event.altKey
    ) return;
    const page = Math.max(1, Math.floor(this.#window.visibleRows) - 1);
    const places = {
      ArrowDown: this.#currentPlace + 1,
      j: this.#currentPlace + 1,
      ArrowUp: this.#currentPlace - 1,
      k: this.#currentPlace - 1,
      PageDown: this.#currentPlace + page,
      PageUp: this.#currentPlace - page,
      Home: 0,
      End: this.total - 1,
    };
    const place = Reflect.get(places, event.key);
    if (place !== undefined) this.goTo(place);
    else if (event.key === "Enter") this.#open(this.#currentPlace);
    else if (event.key === " " || event.key === "x") this.#toggle(this.#currentPlace);
    else return;
    event.preventDefault();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const { target } = event;
    if (!(target instanceof Element)) return;
    const row = target.closest("[data-place]");
    if (!(row instanceof HTMLElement)) return;
    const place = Number(row.dataset.place);
    this.#currentPlace = place;
    if (target.closest(".choose") !== null) this.#toggle(place);
    else this.#open(place);
    this.focus();
  }

  /** @param {number} place */
  async #open(place) {
    const row = await this.fetchRow(place);
    if (row !== undefined) this.#listener.open(row, place);
    this.draw();
  }

  /** @param {number} place */
  async #toggle(place) {
    const row = await this.fetchRow(place);
    if (row === undefined) return;
    if (!this.selected.delete(row.id)) this.selected.set(row.id, row.uid);
    this.#listener.select();
    this.draw();
  }

  /** @param {number} place */
  #rowElement(place) {
    const row = this.#pages.rowAt(place);
    const isSelected = row !== undefined && this.selected.has(row.id);
    const element = make("div", {
      role: "row",
      id: `row-${place}`,
      class: `row${place === this.#currentPlace ? " active" : ""}${
        row?.status === "failed" ? " failed" : ""
      }${row !== undefined && row.id === this.openId ? " opened" : ""}`,
      "aria-rowindex": String(place + 2),
      "aria-selected": String(isSelected),
      "data-place": String(place),
    });
    for (const column of this.#columns) {
      const cell = make("div", {
        role: "gridcell",
        class: column.isNumber ? "cell number" : "cell",
        dir: "auto",
      });
      if (row !== undefined) cell.append(...column.cell(row));
      element.append(cell);
    }
    return element;
  }
}
