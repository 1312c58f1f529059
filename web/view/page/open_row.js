// @ts-check
/// <reference lib="dom" />
/**
 * The row that is open next to the table: found, shown, kept in the address, and left for the next
 * one.
 *
 * @module
 */

import { formatCount } from "../../page/figures.js";
import { byId, setText } from "../../page/dom.js";
import { ask } from "./ask.js";
import { Detail } from "./detail.js";

/** @import { Filter } from "./filter.js" */
/** @import { Grid } from "./grid.js" */

/**
 * What the page lends it.
 *
 * @typedef {object} OpenRowPage
 * @property {() => Filter} filter which of the rows are shown, and which one is open
 * @property {() => Record<string, string>} query the same for the server
 * @property {(error: unknown) => void} fail shows what has gone wrong
 */

/** Opens and closes rows. */
export class OpenRow {
  #grid;
  #page;
  #detail;

  /**
   * @param {Grid} grid @param {Record<string, { title: string, help: string }>} words @param
   * {OpenRowPage} page
   */
  constructor(grid, words, page) {
    this.#grid = grid;
    this.#page = page;
    this.#detail = new Detail(words, (uid) => this.openUid(uid));
    const click = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id, HTMLButtonElement).addEventListener("click", act);
    click("detail-close", () => this.close());
    click("detail-next", () => this.#step(1));
    click("detail-previous", () => this.#step(-1));
    byId("detail", HTMLElement).addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  /** Whether a row is open. */
  get isOpen() {
    return this.#detail.isOpen;
  }

  /**
   * Opens a row. @param {{ id: string, uid: string }} row @param {number} place among the rows that
   * are shown; -1 if it is not one of them
   */
  async open({ id, uid }, place) {
    this.#setOpened(id, uid);
    setText(
      byId("detail-place", HTMLElement),
      place >= 0
        ? `Row ${formatCount(place + 1)} of ${formatCount(this.#grid.total)}`
        : "Not among the rows that are shown",
    );
    try {
      const row = await ask("row", { id });
      if (this.#grid.opened === id) this.#detail.show(row);
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** Opens the row of an id, wherever it is. @param {string} uid */
  async openUid(uid) {
    try {
      const place = await ask("locate", { ...this.#page.query(), uid });
      if (place >= 0) {
        this.#grid.goTo(place, true);
        await this.#openAt(place);
        return;
      }
      const { rows } = await ask("rows", {
        where: `uid == ${JSON.stringify(uid)}`,
        from: "0",
        count: "1",
      });
      if (rows.length > 0) await this.open(rows[0], -1);
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** Closes it; the table has the focus then. */
  close() {
    if (!this.#detail.isOpen) return;
    this.#detail.hide();
    this.#setOpened("", "");
    this.#grid.draw();
    this.#grid.focus();
  }

  /** @param {number} by */
  async #step(by) {
    const place = this.#grid.active + by;
    if (place < 0 || place >= this.#grid.total) return;
    this.#grid.goTo(place);
    await this.#openAt(place);
    this.#grid.draw();
  }

  /** @param {number} place */
  async #openAt(place) {
    const row = await this.#grid.fetchRow(place);
    if (row !== undefined) await this.open(row, place);
  }

  /** @param {string} id @param {string} uid */
  #setOpened(id, uid) {
    const filter = this.#page.filter();
    filter.row = uid;
    this.#grid.opened = id;
    history.replaceState(null, "", `#${filter.toHash()}`);
  }
}
