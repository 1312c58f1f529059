// @ts-check
/// <reference lib="dom" />
/**
 * Tells users what has changed: notices on the page, announcements for screen readers, and a
 * notification at the end of the run.
 *
 * @module
 */

import { byId, fillRows, icon, make, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { formatMoment } from "./figures.js";
import { describeState, finishedRows } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/**
 * @typedef {{ element: HTMLElement, mark: Element, time: HTMLElement, words: HTMLElement }}
 * NoticeRow
 */

export class NoticesView {
  #list = byId("notices-list");
  #none = byId("notices-none");
  /** @type {NoticeRow[]} */
  #rows = [];

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const { notices, ended } = store.state;
    setShown(this.#none, notices.length === 0);
    setText(this.#none, ended ? "No events" : "No events yet");
    fillRows(this.#list, this.#rows, notices.toReversed(), makeNotice, (row, notice) => {
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

/** Announces changes of state, each tenth of the rows and results of controls to screen readers. */
export class Announcer {
  #region = byId("live");
  #word = "";
  #tenth = -1;

  /**
   * The first call announces nothing, because screen readers read the page.
   * @param {RunStore} store
   * @param {number} nowMs
   */
  update(store, nowMs) {
    const { word, detail } = describeState(store, nowMs);
    const total = store.state.snapshot?.total ?? 0;
    const tenth = total > 0 ? Math.floor(finishedRows(store.state) / total * 10) : 0;
    const isFirst = this.#tenth < 0;
    const isNewState = word !== this.#word;
    const isNewTenth = tenth > this.#tenth;
    this.#word = word;
    this.#tenth = tenth;
    if (isFirst) return;
    if (isNewState) this.say(`${word}${detail === "" ? "" : `, ${detail}`}`);
    else if (isNewTenth) this.say(`${tenth * 10} % of the rows are finished`);
  }

  /** @param {string} text */
  say(text) {
    setText(this.#region, text);
  }
}

/** Notifies the user if the run ends while the page is open, and user and browser allow it. */
export class Notifier {
  #checkbox = byId("notify", HTMLInputElement);
  /** True at first: the run may have ended before the page was opened. */
  #hadEnded = true;

  constructor() {
    const canNotify = isSecureContext && "Notification" in globalThis;
    setShown("notify-row", canNotify);
    this.#checkbox.addEventListener("change", async () => {
      if (!this.#checkbox.checked) return;
      this.#checkbox.checked = await Notification.requestPermission() === "granted";
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const { ended, run } = store.state;
    const isEnd = ended && !this.#hadEnded;
    this.#hadEnded = ended;
    if (ended) setShown("notify-row", false);
    if (!isEnd || !this.#checkbox.checked) return;
    const { word, detail } = describeState(store, nowMs);
    new Notification(`${run?.model || "Retort"}: ${word}`, { body: detail });
  }
}
