// @ts-check
/// <reference lib="dom" />
/**
 * A notification of the browser at the end of the run, if the user wants one and the browser allows
 * it.
 *
 * @module
 */

import { byId, setShown } from "./dom.js";
import { stateWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/** Notifies the user once, when the run ends while the page is open. */
export class Notifier {
  #wanted = byId("notify", HTMLInputElement);
  #hasEnded = true;

  constructor() {
    const canNotify = isSecureContext && "Notification" in globalThis;
    setShown(byId("notify-row", HTMLElement), canNotify);
    this.#wanted.addEventListener("change", async () => {
      if (!this.#wanted.checked) return;
      this.#wanted.checked = await Notification.requestPermission() === "granted";
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const isEnd = store.ended && !this.#hasEnded;
    this.#hasEnded = store.ended;
    if (store.ended) setShown(byId("notify-row", HTMLElement), false);
    if (!isEnd || !this.#wanted.checked) return;
    const { word, detail } = stateWords(store, nowMs);
    new Notification(`${store.run?.model || "Retort"}: ${word}`, { body: detail });
  }
}
