// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Opens rows next to the table, and closes them. The URL and the history follow. @module */

import { byId, setText } from "../../page/dom.js";
import { formatCount } from "../../page/figures.js";
import { ask } from "./ask.js";
import { Detail } from "./detail.js";

/** @import { Grid } from "./grid.js" */
/** @import { ViewState } from "./view_state.js" */

/**
 * @typedef {object} OpenRowPage
 * @property {() => ViewState} view
 * @property {() => void} writeHash writes the state into the URL of the current history entry
 * @property {() => Record<string, string>} query returns filter and sort order as parameters of a
 * request
 * @property {(error: unknown) => void} showProblem
 */

/** Fields and menus that have a use for Escape. */
const USES_ESCAPE = "input:not([type=checkbox]), select, dialog";

/** Opens rows next to the table, and keeps the open row in the URL. */
export class OpenRow {
  #grid;
  #page;
  #detail;
  /** Whether closing a row has called `history.back()`, and the browser has not stepped back yet. */
  #isSteppingBack = false;
  /**
   * The history has an entry for the table, and one for rows that are opened from it. They differ
   * only in the open row, so both have this number in `history.state`.
   */
  #series = history.state?.series ?? Date.now();

  /**
   * @param {Grid} grid
   * @param {OpenRowPage} page
   */
  constructor(grid, page) {
    this.#grid = grid;
    this.#page = page;
    this.#detail = new Detail(
      (uid, id) => this.openUid(uid, id),
      (id, from) =>
        ask("row", { id, samples: String(from) }).catch((error) => {
          page.showProblem(error);
          return null;
        }),
    );
    byId("detail-close").addEventListener("click", () => this.close());
    byId("detail-next").addEventListener("click", () => this.#step(1));
    byId("detail-previous").addEventListener("click", () => this.#step(-1));
    addEventListener("keydown", ({ key, target }) => {
      const isUsed = target instanceof Element && target.closest(USES_ESCAPE) !== null;
      if (key === "Escape" && !isUsed) this.close();
    });
    addEventListener("popstate", () => {
      if (!this.#isSteppingBack) return;
      this.#isSteppingBack = false;
      // Another row may have been opened meanwhile.
      if (page.view().openUid !== "") this.#addEntry();
    });
  }

  get isOpen() {
    return this.#detail.isOpen;
  }

  /**
   * Notes that the browser has gone to another entry. Returns whether the entry is of the same
   * series.
   */
  enterEntry() {
    const series = history.state?.series ?? Date.now();
    const isSame = series === this.#series;
    this.#series = series;
    return isSame;
  }

  /**
   * @param {{ id: string, uid: string }} row
   * @param {number} place among the shown rows; -1 if it is not one of them
   */
  async open({ id, uid }, place) {
    this.#setOpenRow(id, uid);
    setText(
      "detail-place",
      place >= 0
        ? `Row ${formatCount(place + 1)} of ${formatCount(this.#grid.total)}`
        : "Not among the rows that are shown",
    );
    try {
      const row = await ask("row", { id });
      if (this.#grid.openId === id) this.#detail.show(row);
    } catch (error) {
      this.#page.showProblem(error);
    }
  }

  /**
   * Opens a row, even if the filter hides it. If no row has both this id and this uid, opens the
   * first row with this uid, because ids change when files are replaced.
   * @param {string} uid
   * @param {string} id
   */
  async openUid(uid, id) {
    try {
      const place = await ask("locate", { ...this.#page.query(), uid, id });
      if (place >= 0) {
        this.#grid.goTo(place, true);
        await this.#openAt(place);
        return;
      }
      const row = id === "" ? null : await ask("row", { id });
      if (row?.uid === uid) {
        await this.open(row, -1);
        return;
      }
      const { rows } = await ask("rows", {
        where: `uid == ${JSON.stringify(uid)}`,
        from: "0",
        count: "1",
      });
      if (rows.length > 0) await this.open(rows[0], -1);
    } catch (error) {
      this.#page.showProblem(error);
    }
  }

  close() {
    if (this.#grid.openId === "") return;
    this.#detail.hide();
    this.#setOpenRow("", "");
    this.#grid.focus();
  }

  /** @param {1 | -1} direction */
  async #step(direction) {
    const place = this.#grid.currentPlace + direction;
    if (place < 0 || place >= this.#grid.total) return;
    this.#grid.goTo(place);
    await this.#openAt(place);
  }

  /** @param {number} place */
  async #openAt(place) {
    const row = await this.#grid.fetchRow(place);
    if (row !== undefined) await this.open(row, place);
  }

  /** @param {string} id @param {string} uid */
  #setOpenRow(id, uid) {
    const view = this.#page.view();
    const isRowEntry = history.state?.isRow === true;
    const needsEntry = view.openUid === "" && uid !== "" && !isRowEntry;
    [view.openUid, view.openId] = [uid, id];
    this.#grid.openId = id;
    this.#grid.draw();
    if (this.#isSteppingBack) return;
    if (uid === "" && isRowEntry) {
      // Otherwise the table would have two entries, and Back would seem to do nothing.
      this.#isSteppingBack = true;
      history.back();
    } else if (needsEntry) this.#addEntry();
    else this.#page.writeHash();
  }

  /**
   * Adds one entry for all rows that are opened one after the other, so that Back closes the open
   * row.
   */
  #addEntry() {
    const series = this.#series;
    history.replaceState({ series, isRow: false }, "");
    history.pushState({ series, isRow: true }, "");
    this.#page.writeHash();
  }
}
