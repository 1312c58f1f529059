// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Lists the values of some fields with their row counts, to select or exclude. @module */

import { formatCount, formatCountOf } from "../../page/figures.js";
import { byId, make, setAttribute, setChildren, setShown, setText } from "../../page/dom.js";
import { isFlagField } from "./filter.js";

/** @import { Facet } from "../../../lib/data/mod.ts" */
/** @import { Filter, FilterValue } from "./filter.js" */

/** Number of values that a facet shows before it is expanded. */
const FEW_VALUES = 8;

/**
 * Words for the agreement of two runs.
 * @type {Record<string, { title: string, help: string }>}
 */
const AGREEMENT_WORDS = {
  none: { title: "Not in both", help: "At most one of the runs has answered the row" },
  same_text: { title: "Same text", help: "Both answers are the same, character by character" },
  same_final_answer: {
    title: "Same final answer",
    help: "The last \\boxed{} or the last number is the same, and the texts differ",
  },
  different: { title: "Different", help: "Neither the text nor the final answer is the same" },
};

/**
 * @typedef {{ element: HTMLElement, count: HTMLElement, only: HTMLInputElement, not:
 * HTMLButtonElement }} ValueRow
 */
/**
 * `rows` has the JSON of each value as its key; `elements` are those of the current values.
 * @typedef {{ element: HTMLElement, list: HTMLElement, more: HTMLButtonElement, unlisted:
 * HTMLElement, rows: Map<string, ValueRow>, elements: HTMLElement[], isOpen: boolean }} FacetBox
 */

export class FacetList {
  #list = byId("facets");
  /** @type {Map<string, FacetBox>} */
  #boxes = new Map();
  #flagWords;
  #onChange;

  /**
   * @param {Record<string, { title: string, help: string }>} flagWords title and help text of each
   * flag
   * @param {(field: string, value: FilterValue, how: "only" | "not" | undefined) => void} onChange
   * called when a choice changes; `how` is undefined if the value is no longer chosen
   */
  constructor(flagWords, onChange) {
    this.#flagWords = flagWords;
    this.#onChange = onChange;
  }

  /**
   * Updates the facets. Chosen values that no row has are listed, too: the URL may come from a page
   * of other files, and users must be able to uncheck them.
   * @param {readonly Facet[]} all facets of all rows
   * @param {readonly Facet[]} shown facets of the rows that meet the condition
   * @param {Filter} filter
   */
  update(all, shown, filter) {
    const boxes = [];
    for (const facet of [...all, ...absentFacets(all, filter)]) {
      const choice = filter.choiceOf(facet.field);
      const chosen = [...choice.only, ...choice.not];
      // A field with the same value in all rows is hidden.
      const minValues = isFlagField(facet.field) ? 1 : 2;
      if (facet.values.length < minValues && chosen.length === 0) continue;
      const box = this.#boxes.get(facet.field) ?? this.#makeBox(facet);
      boxes.push(box.element);
      const listed = new Set(facet.values.map(({ value }) => value ?? null));
      const absent = chosen.filter((value) => !listed.has(value));
      const values = [...absent, ...listed];
      this.#fillBox(box, values, facet.more, countsIn(shown, facet.field), choice);
    }
    setChildren(this.#list, boxes);
  }

  /**
   * @param {FacetBox} box
   * @param {readonly FilterValue[]} values
   * @param {number} unlisted how many further values there are
   * @param {(value: FilterValue) => string} countOf in the rows that meet the condition
   * @param {ReturnType<Filter["choiceOf"]>} choice
   */
  #fillBox(box, values, unlisted, countOf, choice) {
    box.elements = values.map((value) => {
      const row = box.rows.get(JSON.stringify(value)) ?? this.#makeRow(box, choice.field, value);
      setText(row.count, countOf(value));
      row.only.checked = choice.only.includes(value);
      setAttribute(row.not, "aria-pressed", String(choice.not.includes(value)));
      return row.element;
    });
    showValues(box);
    setShown(box.unlisted, unlisted > 0);
    setText(box.unlisted, `${formatCountOf(unlisted, "less frequent value")} not listed`);
  }

  /** @param {Facet} facet @returns {FacetBox} */
  #makeBox({ field, title, isOwn }) {
    const list = make("ul", { class: "facet-values" });
    const more = make("button", { type: "button", class: "small more" }, "");
    const legend = make("legend", {}, title);
    if (isOwn) legend.append(make("span", { class: "note" }, " your field"));
    const unlisted = make("p", { class: "note", hidden: true });
    const element = make(
      "fieldset",
      { class: "facet", "data-field": field },
      legend,
      list,
      more,
      unlisted,
    );
    /** @type {FacetBox} */
    const box = { element, list, more, unlisted, rows: new Map(), elements: [], isOpen: false };
    more.addEventListener("click", () => {
      box.isOpen = !box.isOpen;
      showValues(box);
    });
    this.#boxes.set(field, box);
    return box;
  }

  /** @param {FacetBox} box @param {string} field @param {FilterValue} value @returns {ValueRow} */
  #makeRow(box, field, value) {
    const { name, help } = this.#wordsOf(field, value);
    const only = make("input", { type: "checkbox" });
    const count = make("span", { class: "count" }, "");
    const text = make("span", { class: "line", dir: "auto" }, name);
    const label = make("label", { title: help }, only, text, count);
    const not = make("button", {
      type: "button",
      class: "small not",
      "aria-pressed": "false",
      title: `Exclude the rows with ${name}`,
    }, "Exclude");
    not.append(make("span", { class: "visually-hidden" }, ` ${name}`));
    only.addEventListener(
      "change",
      () => this.#onChange(field, value, only.checked ? "only" : undefined),
    );
    not.addEventListener("click", () => {
      const isExcluded = not.getAttribute("aria-pressed") === "true";
      this.#onChange(field, value, isExcluded ? undefined : "not");
    });
    const row = { element: make("li", {}, label, not), count, only, not };
    box.rows.set(JSON.stringify(value), row);
    return row;
  }

  /** @param {string} field @param {FilterValue} value */
  #wordsOf(field, value) {
    const wordsByValue = isFlagField(field)
      ? this.#flagWords
      : field.endsWith("run_agreement")
      ? AGREEMENT_WORDS
      : {};
    const words = wordsByValue[String(value)];
    const name = words?.title ?? (value === "" || value === null ? "(none)" : String(value));
    return { name, help: words?.help ?? name };
  }
}

/**
 * Facets of fields that have a chosen value but occur in no row.
 * @param {readonly Facet[]} all
 * @param {Filter} filter
 * @returns {Facet[]}
 */
function absentFacets(all, { facets }) {
  return facets.filter(({ field }) => all.every((facet) => facet.field !== field))
    .map(({ field }) => ({ field, title: field, isOwn: false, values: [], more: 0 }));
}

/**
 * Returns the counts of values in the rows that meet the condition. Only the most frequent values
 * have exact counts; other counts are upper bounds, such as `≤ 3`.
 * @param {readonly Facet[]} shown
 * @param {string} field
 * @returns {(value: FilterValue) => string}
 */
function countsIn(shown, field) {
  const { values = [], more = 0 } = shown.find((facet) => facet.field === field) ?? {};
  const counts = new Map(values.map(({ value, count }) => [value ?? null, count]));
  const most = more > 0 ? `≤ ${formatCount(Math.min(...counts.values()))}` : formatCount(0);
  return (value) => {
    const count = counts.get(value);
    return count === undefined ? most : formatCount(count);
  };
}

/** @param {FacetBox} box */
function showValues({ list, more, elements, isOpen }) {
  setChildren(list, isOpen ? elements : elements.slice(0, FEW_VALUES));
  setShown(more, elements.length > FEW_VALUES);
  setText(more, isOpen ? "Fewer" : `${formatCount(elements.length - FEW_VALUES)} more`);
}
