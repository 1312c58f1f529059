// @ts-check
/// <reference lib="dom" />
/**
 * The row that is open next to the table.
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
 * What the page provides.
 *
 * @typedef {object} OpenRowPage
 * @property {() => Filter} filter returns the filter, whose `row` is the uid of the open row
 * @property {() => Record<string, string>} query returns the filter as parameters of a request
 * @property {(error: unknown) => void} fail shows an error
 */

/** Shows one row in the panel, and keeps its uid in the address. */
export class OpenRow {
  #grid;
  #page;
  #detail;

  /**
   * @param {Grid} grid
   * @param {Record<string, { title: string, help: string }>} flagWords title and help text of each
   * flag
   * @param {OpenRowPage} page
   */
  constructor(grid, flagWords, page) {
    this.#grid = grid;
    this.#page = page;
    this.#detail = new Detail(
      flagWords,
      (uid) => this.openUid(uid),
      async (id, from) => {
        try {
          return await ask("row", { id, samples: String(from) });
        } catch (error) {
          page.fail(error);
          return null;
        }
      },
    );
    const onClick = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id, HTMLButtonElement).addEventListener("click", act);
    onClick("detail-close", () => this.close());
    onClick("detail-next", () => this.#step(1));
    onClick("detail-previous", () => this.#step(-1));
    byId("detail", HTMLElement).addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  get isOpen() {
    return this.#detail.isOpen;
  }

  /**
   * Reads a row and shows it.
   *
   * @param {{ id: string, uid: string }} row
   * @param {number} place among the shown rows; -1 if it is not one of them
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
      if (this.#grid.openId === id) this.#detail.show(row);
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** Opens the first row with this uid, whether or not the filter shows it. @param {string} uid */
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

  /** Closes the row and moves the focus to the table. */
  close() {
    if (!this.#detail.isOpen) return;
    this.#detail.hide();
    this.#setOpened("", "");
    this.#grid.draw();
    this.#grid.focus();
  }

  /** Opens the next or the previous row. @param {1 | -1} direction */
  async #step(direction) {
    const place = this.#grid.active + direction;
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
    this.#grid.openId = id;
    history.replaceState(null, "", `#${filter.toHash()}`);
  }
}
