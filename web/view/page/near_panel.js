// @ts-check
/// <reference lib="dom" />
/**
 * Starts, follows and cancels the search for near duplicates.
 *
 * @module
 */

import { byId, setShown, setText } from "../../page/dom.js";
import { nearWords } from "./words.js";

/** @import { DataState } from "../../../lib/data/protocol.ts" */

/** The buttons and the state of the search. */
export class NearPanel {
  #startButtons = ["near-prompt", "near-response"].map((id) => byId(id, HTMLButtonElement));
  #cancel = byId("near-cancel", HTMLButtonElement);

  /** @param {(of: "prompt" | "response" | "cancel") => void} onClick */
  constructor(onClick) {
    const [prompt, response] = this.#startButtons;
    prompt.addEventListener("click", () => onClick("prompt"));
    response.addEventListener("click", () => onClick("response"));
    this.#cancel.addEventListener("click", () => onClick("cancel"));
  }

  /** @param {DataState} state */
  update({ index, near }) {
    const isRunning = near?.state === "running";
    for (const button of this.#startButtons) button.disabled = !index.isCurrent || isRunning;
    setShown(this.#cancel, isRunning);
    setText(byId("near-words", HTMLElement), nearWords(near));
    setShown(byId("near-choices", HTMLElement), near?.state === "done" && near.copies > 0);
  }
}
