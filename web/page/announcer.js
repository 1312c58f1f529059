// @ts-check
/// <reference lib="dom" />
/**
 * Tells users who are not looking at the page what has changed: a live region for screen readers,
 * and a browser notification at the end of the run.
 *
 * @module
 */

import { byId, setShown, setText } from "./dom.js";
import { finishedRows, stateWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/**
 * Announces changes of state, each tenth of the rows, and the results of controls, in the page's
 * only live region.
 */
export class Announcer {
  #region = byId("live", HTMLElement);
  #word = "";
  #tenth = -1;

  /**
   * Announces the changes since the last call. The first call announces nothing, because screen
   * readers read the page itself.
   *
   * @param {RunStore} store
   * @param {number} nowMs
   */
  update(store, nowMs) {
    const { word, detail } = stateWords(store, nowMs);
    const total = store.snapshot?.total ?? 0;
    const tenth = total > 0 ? Math.floor(finishedRows(store) / total * 10) : 0;
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

/**
 * Notifies the user when the run ends while the page is open, if the user wants that and the
 * browser allows it.
 */
export class Notifier {
  #checkbox = byId("notify", HTMLInputElement);
  /** Whether the run had ended at the last update. True at first: it may have ended before. */
  #hadEnded = true;

  constructor() {
    const canNotify = isSecureContext && "Notification" in globalThis;
    setShown(byId("notify-row", HTMLElement), canNotify);
    this.#checkbox.addEventListener("change", async () => {
      if (!this.#checkbox.checked) return;
      this.#checkbox.checked = await Notification.requestPermission() === "granted";
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const isEnd = store.ended && !this.#hadEnded;
    this.#hadEnded = store.ended;
    if (store.ended) setShown(byId("notify-row", HTMLElement), false);
    if (!isEnd || !this.#checkbox.checked) return;
    const { word, detail } = stateWords(store, nowMs);
    new Notification(`${store.run?.model || "Retort"}: ${word}`, { body: detail });
  }
}
