// @ts-check
/// <reference lib="dom" />
/** The fields for search and condition. @module */

import { byId, onSubmit } from "../../page/dom.js";

/** @import { ViewState } from "./view_state.js" */

/** Pause in typing after which the text is applied. */
const TYPING_PAUSE_MS = 300;

export class SearchBar {
  #search = byId("search", HTMLInputElement);
  #searchIn = byId("search-in", HTMLSelectElement);
  #isPattern = byId("search-pattern", HTMLInputElement);
  #where = byId("where", HTMLInputElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;

  /**
   * @param {() => void} onChange called when the user has typed or chosen something
   * @param {() => void} onEnter called after `onChange` when the user pressed Enter
   */
  constructor(onChange, onEnter) {
    for (const input of [this.#search, this.#where]) {
      input.addEventListener("input", () => {
        clearTimeout(this.#typing);
        this.#typing = setTimeout(onChange, TYPING_PAUSE_MS);
      });
    }
    for (const choice of [this.#searchIn, this.#isPattern]) {
      choice.addEventListener("change", () => {
        if (this.#search.value !== "") onChange();
      });
    }
    for (const id of ["search-form", "where-form"]) {
      onSubmit(id, () => {
        clearTimeout(this.#typing);
        onChange();
        onEnter();
      });
    }
  }

  /** @param {ViewState} view */
  read(view) {
    view.search = this.#search.value;
    view.searchIn = this.#searchIn.value;
    view.isPattern = this.#isPattern.checked;
    view.where = this.#where.value;
  }

  /** Shows the filter, except in a text field in which the user types. @param {ViewState} view */
  show({ search, searchIn, isPattern, where }) {
    setValue(this.#search, search);
    setValue(this.#where, where);
    this.#searchIn.value = searchIn;
    this.#isPattern.checked = isPattern;
  }
}

/** @param {HTMLInputElement} input @param {string} value */
function setValue(input, value) {
  if (input.value !== value && document.activeElement !== input) input.value = value;
}
