// @ts-check
/// <reference lib="dom" />
/**
 * The one live region: says a change of state, each tenth of the rows, and what became of a control.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { settledRows, stateWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/** Speaks up seldom. */
export class Announcer {
  #region = byId("live", HTMLElement);
  #word = "";
  #tenth = -1;

  /** Says what has changed since the last time; nothing at first, as the page is read out itself. @param {RunStore} store @param {number} nowMs */
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

  /** Says this. @param {string} text */
  say(text) {
    setText(this.#region, text);
  }
}
