// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The facets: for each field, a list of its values with row counts, which users select or exclude.
 *
 * @module
 */

import { formatCount, formatCountOf } from "../../../lib/figures.js";
import { byId, make, setAttribute, setChildren, setShown, setText } from "../../page/dom.js";
import { jsonOf } from "./ask.js";
import { FLAG_LABELS } from "./columns.js";
import { isFlagField } from "./view_state.js";

/** @import { Facet } from "../../../lib/data/mod.ts" */
/** @import { Labels } from "./columns.js" */
/** @import { ViewState, FilterValue } from "./view_state.js" */

/** Number of values that a facet shows before it is expanded. */
const FEW_VALUES = 8;

/** @type {Labels} */
const AGREEMENT_LABELS = {
  none: { title: "Not in both", help: "At most one of the runs has answered the row" },
  same_text: { title: "Same text", help: "Both answers are the same, character by character" },
  same_final_answer: {
    title: "Same final answer",
    help: "The last \\boxed{} or the last number is the same, and the texts differ",
  },
  different: { title: "Different", help: "Neither the text nor the final answer is the same" },
};

/**
 * @typedef {{ element: HTMLElement, count: HTMLElement, checkbox: HTMLInputElement, exclude:
 * HTMLButtonElement }} ValueItem
 */
/**
 * `items` has an item for each value that was ever listed, by the JSON of the value. `elements` are
 * the list items of the current values, in order.
 * @typedef {{ element: HTMLElement, list: HTMLElement, toggle: HTMLButtonElement, unlisted:
 * HTMLElement, items: Map<string, ValueItem>, elements: HTMLElement[], isExpanded: boolean }}
 * FacetBox
 */

export class FacetList {
  #list = byId("facets");
  /** @type {Map<string, FacetBox>} */
  #boxes = new Map();
  #onChange;

  /**
   * @param {(field: string, value: FilterValue, mode: "only" | "not" | undefined) => void} onChange
   * called when a choice changes; `mode` is undefined if the value is no longer chosen
   */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * Lists the values of all rows, and chosen values that no row has: the URL may have been copied
   * from a view of other files, and the user must be able to clear such choices.
   * @param {readonly Facet[]} all facets of all rows
   * @param {readonly Facet[]} shown facets of the rows that meet the condition
   * @param {ViewState} view
   */
  update(all, shown, view) {
    const boxes = [];
    for (const facet of [...all, ...absentFacets(all, view)]) {
      const choice = view.choiceOf(facet.field);
      const chosenValues = [...choice.only, ...choice.not];
      // A field with one value in all rows is hidden. Flags may have one value although only some
      // rows have that flag, so they are shown.
      const minValues = isFlagField(facet.field) ? 1 : 2;
      if (facet.values.length < minValues && chosenValues.length === 0) continue;
      const box = this.#boxes.get(facet.field) ?? this.#makeBox(facet);
      boxes.push(box.element);
      const facetValues = new Set(facet.values.map(({ value }) => value));
      const absentValues = chosenValues.filter((value) => !facetValues.has(value));
      const values = [...absentValues, ...facetValues];
      this.#fillBox(box, values, facet.more, countsIn(shown, facet.field), choice);
    }
    setChildren(this.#list, boxes);
  }

  /**
   * @param {FacetBox} box
   * @param {readonly FilterValue[]} values
   * @param {number} unlistedCount number of further values, which the server does not send
   * @param {(value: FilterValue) => string} countOf returns the number of rows that meet the
   * condition and have the value, as text
   * @param {ReturnType<ViewState["choiceOf"]>} choice
   */
  #fillBox(box, values, unlistedCount, countOf, choice) {
    box.elements = values.map((value) => {
      const item = box.items.get(jsonOf(value)) ?? this.#makeItem(box, choice.field, value);
      setText(item.count, countOf(value));
      item.checkbox.checked = choice.only.includes(value);
      setAttribute(item.exclude, "aria-pressed", String(choice.not.includes(value)));
      return item.element;
    });
    showValues(box);
    setShown(box.unlisted, unlistedCount > 0);
    setText(box.unlisted, `${formatCountOf(unlistedCount, "less frequent value")} not listed`);
  }

  /** @param {Facet} facet @returns {FacetBox} */
  #makeBox({ field, title, isOwn }) {
    const list = make("ul", { class: "facet-values" });
    const toggle = make("button", { type: "button", class: "small more" }, "");
    const legend = make("legend", {}, title);
    if (isOwn) legend.append(make("span", { class: "note" }, " your field"));
    const unlisted = make("p", { class: "note", hidden: true });
    const element = make(
      "fieldset",
      { class: "facet", "data-field": field },
      legend,
      list,
      toggle,
      unlisted,
    );
    /** @type {FacetBox} */
    const box = {
      element,
      list,
      toggle,
      unlisted,
      items: new Map(),
      elements: [],
      isExpanded: false,
    };
    toggle.addEventListener("click", () => {
      box.isExpanded = !box.isExpanded;
      showValues(box);
    });
    this.#boxes.set(field, box);
    return box;
  }

  /** @param {FacetBox} box @param {string} field @param {FilterValue} value @returns {ValueItem} */
  #makeItem(box, field, value) {
    const { name, help } = labelOf(field, value);
    const checkbox = make("input", { type: "checkbox" });
    const count = make("span", { class: "count" }, "");
    const text = make("span", { class: "line", dir: "auto" }, name);
    const label = make("label", { title: help }, checkbox, text, count);
    const exclude = make("button", {
      type: "button",
      class: "small not",
      "aria-pressed": "false",
      title: `Exclude the rows with ${name}`,
    }, "Exclude");
    exclude.append(make("span", { class: "visually-hidden" }, ` ${name}`));
    checkbox.addEventListener(
      "change",
      () => this.#onChange(field, value, checkbox.checked ? "only" : undefined),
    );
    exclude.addEventListener("click", () => {
      const isExcluded = exclude.getAttribute("aria-pressed") === "true";
      this.#onChange(field, value, isExcluded ? undefined : "not");
    });
    const item = { element: make("li", {}, label, exclude), count, checkbox, exclude };
    box.items.set(jsonOf(value), item);
    return item;
  }
}

/** @param {string} field @param {FilterValue} value */
function labelOf(field, value) {
  const labels = isFlagField(field)
    ? FLAG_LABELS
    : field.endsWith("run_agreement")
    ? AGREEMENT_LABELS
    : {};
  const label = labels[String(value)];
  const name = label?.title ?? (value === "" || value === null ? "(none)" : String(value));
  return { name, help: label?.help ?? name };
}

/**
 * Returns empty facets for fields that the view filters by but that no row has.
 * @param {readonly Facet[]} all
 * @param {ViewState} view
 * @returns {Facet[]}
 */
function absentFacets(all, { facets }) {
  return facets.filter(({ field }) => all.every((facet) => facet.field !== field))
    .map(({ field }) => ({ field, title: field, isOwn: false, values: [], more: 0 }));
}

/**
 * Returns a function that formats the number of rows that meet the condition and have a value. If
 * the server listed only the most frequent values, the lowest listed count is the upper bound for
 * any other value (`≤ 3`).
 * @param {readonly Facet[]} shown
 * @param {string} field
 * @returns {(value: FilterValue) => string}
 */
function countsIn(shown, field) {
  const { values = [], more: unlistedCount = 0 } = shown.find((facet) => facet.field === field) ??
    {};
  const counts = new Map(values.map(({ value, count }) => [value, count]));
  const uncounted = unlistedCount > 0
    ? `≤ ${formatCount(Math.min(...counts.values()))}`
    : formatCount(0);
  return (value) => {
    const count = counts.get(value);
    return count === undefined ? uncounted : formatCount(count);
  };
}

/** @param {FacetBox} box */
function showValues({ list, toggle, elements, isExpanded }) {
  setChildren(list, isExpanded ? elements : elements.slice(0, FEW_VALUES));
  setShown(toggle, elements.length > FEW_VALUES);
  setText(toggle, isExpanded ? "Fewer" : `${formatCount(elements.length - FEW_VALUES)} more`);
}
