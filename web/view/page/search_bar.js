// @ts-check
/// <reference lib="dom" />
/** The fields for search and condition. @module */

import { byId } from "../../page/dom.js";

/** @import { Filter } from "./filter.js" */

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
      byId(id, HTMLFormElement).addEventListener("submit", (event) => {
        event.preventDefault();
        clearTimeout(this.#typing);
        onChange();
        onEnter();
      });
    }
  }

  /** @param {Filter} filter */
  read(filter) {
    filter.search = this.#search.value;
    filter.searchIn = this.#searchIn.value;
    filter.isPattern = this.#isPattern.checked;
    filter.where = this.#where.value;
  }

  /** Shows the filter, except in a field that has the focus. @param {Filter} filter */
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
