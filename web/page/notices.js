// @ts-check
/// <reference lib="dom" />
/**
 * Notices of the run, newest first.
 *
 * @module
 */

import { byId, fillRows, icon, make, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { formatMoment } from "./figures.js";

/** @import { RunStore } from "./store.js" */

/**
 * @typedef {{ element: HTMLElement, mark: Element, time: HTMLElement, words: HTMLElement }}
 * NoticeRow
 */

export class NoticesView {
  #list = byId("notices-list", HTMLElement);
  #none = byId("notices-none", HTMLElement);
  /** @type {NoticeRow[]} */
  #rows = [];

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    setShown(this.#none, store.notices.length === 0);
    setText(this.#none, store.ended ? "No events" : "No events yet");
    fillRows(this.#list, this.#rows, store.notices.toReversed(), makeNotice, (row, notice) => {
      const isWarning = notice.level === "warning";
      setAttribute(row.element, "data-tone", isWarning ? "wait" : "calm");
      setIcon(row.mark, isWarning ? "alert" : "info");
      setText(row.time, formatMoment(store.localTime(notice.time), nowMs));
      setText(row.words, isWarning ? `Warning: ${notice.message}` : notice.message);
    });
  }
}

/** @returns {NoticeRow} */
function makeNotice() {
  const mark = icon("info");
  const time = make("time");
  const words = make("span", { class: "words" });
  return { element: make("li", {}, mark, words, time), mark, time, words };
}
