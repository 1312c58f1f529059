// @ts-check
/// <reference lib="dom" />
/**
 * The only live region: announces changes of state, each tenth of the rows, and the results of
 * controls.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { settledRows, stateWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/** Announces to screen readers, and rarely. */
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
    const tenth = total > 0 ? Math.floor(settledRows(store) / total * 10) : 0;
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
