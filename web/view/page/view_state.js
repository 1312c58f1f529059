// @ts-check
/// <reference lib="dom" />
/**
 * What the data page shows: filter, sort order, columns and open row. Also holds the search bar,
 * with the inputs for search and condition.
 *
 * @module
 */

import { byId, onSubmit } from "../../page/dom.js";
import { jsonOf, parseExactly } from "./ask.js";

/** @typedef {string | number | bigint | boolean | null} FilterValue */
/** @typedef {{ field: string, only: FilterValue[], not: FilterValue[] }} FacetChoice */
/** @typedef {{ field: string, min: number | null, max: number | null }} RangeChoice */

/** The state of the page that the URL fragment stores. */
export class ViewState {
  /** @type {FacetChoice[]} */
  facets = [];
  /** @type {RangeChoice[]} */
  ranges = [];
  search = "";
  /** The field that is searched: `response`, `prompt` or `reasoning`. */
  searchIn = "response";
  isPattern = false;
  /** The condition that the user typed. */
  where = "";
  sort = "";
  isDescending = false;
  /** Names of the shown columns; empty for the default ones. @type {string[]} */
  columns = [];
  /** Uid of the open row; "" if none is open. */
  openUid = "";
  /** Id of the open row. It distinguishes rows with equal uids, as in two runs of one input. */
  openId = "";

  /** Returns the filter (facets, ranges, search, typed condition) as a `--where` expression. */
  condition() {
    const parts = this.facets.flatMap(facetParts);
    for (const { field, min, max } of this.ranges) {
      if (min !== null) parts.push(`${field} >= ${min}`);
      if (max !== null) parts.push(`${field} <= ${max}`);
    }
    if (this.search !== "") {
      const text = JSON.stringify(this.isPattern ? `(?i)${this.search}` : this.search);
      // A row may have its own field "prompt", which can differ from the prompt that was sent.
      const field = this.searchIn === "prompt" ? "distill.prompt" : this.searchIn;
      parts.push(`${field} ${this.isPattern ? "matches" : "icontains"} ${text}`);
    }
    const typed = this.where.trim();
    if (typed !== "") {
      // `and` binds more strongly than `or`. Without `or`, parentheses would only add noise.
      parts.push(parts.length > 0 && /\bor\b|\|\|/i.test(typed) ? `(${typed})` : typed);
    }
    return parts.join(" and ");
  }

  /** @param {string} field @returns {FacetChoice} */
  choiceOf(field) {
    return this.facets.find((choice) => choice.field === field) ??
      { field, only: [], not: [] };
  }

  /**
   * Shows only rows with the value (`only`), or hides them (`not`); `undefined` undoes both.
   * @param {string} field
   * @param {FilterValue} value
   * @param {"only" | "not" | undefined} mode
   */
  setChoice(field, value, mode) {
    const { only, not } = this.choiceOf(field);
    const without = (/** @type {FilterValue[]} */ values) =>
      values.filter((other) => other !== value);
    const choice = { field, only: without(only), not: without(not) };
    if (mode !== undefined) choice[mode].push(value);
    this.facets = this.facets.filter((other) => other.field !== field);
    if (choice.only.length + choice.not.length > 0) this.facets.push(choice);
  }

  /** @param {string} field @param {number | null} min @param {number | null} max */
  setRange(field, min, max) {
    this.ranges = this.ranges.filter((range) => range.field !== field);
    if (min !== null || max !== null) this.ranges.push({ field, min, max });
  }

  /** Removes the filter. Keeps sort order, columns and open row. */
  clearFilter() {
    this.facets = [];
    this.ranges = [];
    this.search = "";
    this.where = "";
  }

  /** Returns the URL fragment, without `#`. */
  toHash() {
    const params = new URLSearchParams();
    const set = (/** @type {string} */ name, /** @type {string} */ value) => {
      if (value !== "") params.set(name, value);
    };
    if (this.facets.length > 0) set("facets", jsonOf(this.facets));
    if (this.ranges.length > 0) set("ranges", JSON.stringify(this.ranges));
    set("search", this.search);
    if (this.search !== "") set("in", this.searchIn);
    if (this.search !== "" && this.isPattern) set("re", "1");
    set("where", this.where);
    set("sort", this.sort);
    if (this.isDescending) set("desc", "1");
    if (this.columns.length > 0) set("columns", JSON.stringify(this.columns));
    set("row", this.openUid);
    set("at", this.openId);
    return params.toString();
  }

  /**
   * Restores the state from a URL fragment. Ignores invalid parts, because users may edit the URL.
   * @param {string} hash
   */
  static fromHash(hash) {
    const params = new URLSearchParams(hash.replace(/^#/, ""));
    const view = new ViewState();
    const text = (/** @type {string} */ name) => params.get(name) ?? "";
    view.facets = listIn(text("facets")).flatMap(({ field, only, not }) => {
      return typeof field === "string" && Array.isArray(only) &&
          Array.isArray(not)
        ? [{ field, only: only.filter(isFilterValue), not: not.filter(isFilterValue) }]
        : [];
    });
    view.ranges = listIn(text("ranges")).flatMap(({ field, min, max }) =>
      typeof field === "string" ? [{ field, min: numberIn(min), max: numberIn(max) }] : []
    );
    view.columns = listIn(text("columns")).filter((name) => typeof name === "string");
    view.search = text("search");
    if (["response", "prompt", "reasoning"].includes(text("in"))) {
      view.searchIn = text("in");
    }
    view.isPattern = text("re") === "1";
    view.where = text("where");
    view.sort = text("sort");
    view.isDescending = text("desc") === "1";
    view.openUid = text("row");
    view.openId = text("at");
    return view;
  }
}

/**
 * Whether a field may contain Retort's flags: `flags`, or `distill.flags` where rows have a field
 * `flags` of their own.
 * @param {string} field
 */
export function isFlagField(field) {
  return field === "flags" || field === "distill.flags";
}

/** @param {FacetChoice} choice @returns {string[]} */
function facetParts({ field, only, not }) {
  if (isFlagField(field)) {
    const partOf = (/** @type {FilterValue} */ flag) => `${field} contains ${jsonOf(flag)}`;
    const onlyPart = only.map(partOf).join(" or ");
    return [
      ...(only.length > 1 ? [`(${onlyPart})`] : only.length > 0 ? [onlyPart] : []),
      ...not.map((flag) => `not ${partOf(flag)}`),
    ];
  }
  return [...listPart(field, only, false), ...listPart(field, not, true)];
}

/**
 * @param {string} field
 * @param {FilterValue[]} values
 * @param {boolean} isExcluded
 * @returns {string[]}
 */
function listPart(field, values, isExcluded) {
  if (values.length === 0) return [];
  const texts = values.map(jsonOf);
  if (texts.length === 1) {
    return [`${field} ${isExcluded ? "!=" : "=="} ${texts[0]}`];
  }
  return [`${field} ${isExcluded ? "not in" : "in"} (${texts.join(", ")})`];
}

/**
 * Parses a JSON array, and leaves out nulls. Returns an empty array for any other text.
 * @param {string} text
 * @returns {any[]}
 */
function listIn(text) {
  try {
    const value = parseExactly(text);
    return Array.isArray(value) ? value.filter((item) => item !== null) : [];
  } catch {
    return [];
  }
}

/** @param {unknown} value */
function numberIn(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} value */
function isFilterValue(value) {
  return value === null ||
    ["string", "number", "bigint", "boolean"].includes(typeof value);
}

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
