// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Counts of rows by the fields with few values, each of which can be selected or excluded.
 *
 * @module
 */

import { formatCount } from "../../page/figures.js";
import { byId, make, setAttribute, setChildren, setShown, setText } from "../../page/dom.js";

/** @import { Facet } from "../../../lib/data/protocol.ts" */
/** @import { Filter, FilterValue } from "./filter.js" */

/** The number of values of a facet that is not opened. */
const FEW_VALUES = 8;

/** How answers of two runs compare. @type {Record<string, { title: string, help: string }>} */
const AGREEMENT_WORDS = {
  none: { title: "Not in both", help: "Only one of the runs has answered the row" },
  same_text: { title: "Same text", help: "Both answers are the same, character by character" },
  same_final_answer: {
    title: "Same final answer",
    help: "The last \\boxed{} or the last number is the same, and the texts differ",
  },
  different: { title: "Different", help: "Neither the text nor the final answer is the same" },
};

/** @typedef {{ element: HTMLElement, count: HTMLElement, box: HTMLInputElement, not: HTMLButtonElement }} ValueRow */
/** @typedef {{ element: HTMLElement, list: HTMLElement, more: HTMLButtonElement, rows: Map<string, ValueRow>, isOpen: boolean }} FacetBox */

/** The list of facets. */
export class FacetList {
  #list = byId("facets", HTMLElement);
  /** @type {Map<string, FacetBox>} */
  #boxes = new Map();
  #words;
  #onChange;

  /** @param {Record<string, { title: string, help: string }>} words @param {(field: string, value: FilterValue, how: "only" | "not" | undefined) => void} onChange */
  constructor(words, onChange) {
    this.#words = words;
    this.#onChange = onChange;
  }

  /**
   * Shows counts of the shown rows; values of other rows are kept, with 0.
   *
   * @param {readonly Facet[]} all facets of all rows
   * @param {readonly Facet[]} shown facets of the rows that meet the condition
   * @param {Filter} filter
   */
  update(all, shown, filter) {
    const boxes = [];
    for (const facet of all) {
      const { field, values } = facet;
      const choice = filter.choiceOf(field);
      // A facet with one value is of no use, unless the value is selected.
      if (
        values.length < 2 && field !== "flags" &&
        choice.only.length + choice.not.length === 0
      ) {
        continue;
      }
      const box = this.#boxes.get(field) ?? this.#makeBox(facet);
      boxes.push(box.element);
      const counts = new Map(
        shown.find((one) => one.field === field)?.values.map((
          { value, count },
        ) => [value ?? null, count]),
      );
      const rows = values.map(({ value: given }) => {
        const value = given ?? null;
        const key = JSON.stringify(value);
        const row = box.rows.get(key) ?? this.#makeRow(box, field, value);
        setText(row.count, formatCount(counts.get(value) ?? 0));
        row.box.checked = choice.only.includes(value);
        setAttribute(
          row.not,
          "aria-pressed",
          String(choice.not.includes(value)),
        );
        return row.element;
      });
      setChildren(box.list, box.isOpen ? rows : rows.slice(0, FEW_VALUES));
      setShown(box.more, rows.length > FEW_VALUES);
      setText(
        box.more,
        box.isOpen ? "Fewer" : `${formatCount(rows.length - FEW_VALUES)} more`,
      );
    }
    setChildren(this.#list, boxes);
  }

  /** @param {Facet} facet @returns {FacetBox} */
  #makeBox({ field, title, isOwn }) {
    const list = make("ul", { class: "facet-values" });
    const more = make("button", { type: "button", class: "small more" }, "");
    const legend = make("legend", {}, title);
    if (isOwn) legend.append(make("span", { class: "note" }, " your field"));
    const element = make(
      "fieldset",
      { class: "facet", "data-field": field },
      legend,
      list,
      more,
    );
    const box = { element, list, more, rows: new Map(), isOpen: false };
    more.addEventListener("click", () => {
      box.isOpen = !box.isOpen;
      setChildren(
        list,
        [...box.rows.values()].map((row) => row.element).slice(
          0,
          box.isOpen ? undefined : FEW_VALUES,
        ),
      );
      setText(
        more,
        box.isOpen ? "Fewer" : `${formatCount(box.rows.size - FEW_VALUES)} more`,
      );
    });
    this.#boxes.set(field, box);
    return box;
  }

  /** @param {FacetBox} facet @param {string} field @param {FilterValue} value @returns {ValueRow} */
  #makeRow(facet, field, value) {
    const words = field === "flags"
      ? this.#words[String(value)]
      : field === "run_agreement"
      ? AGREEMENT_WORDS[String(value)]
      : undefined;
    const name = words?.title ??
      (value === "" || value === null ? "(none)" : String(value));
    const box = make("input", { type: "checkbox" });
    const count = make("span", { class: "count" }, "");
    const label = make(
      "label",
      { title: words?.help ?? name },
      box,
      make("span", { class: "line", dir: "auto" }, name),
      count,
    );
    const not = make(
      "button",
      {
        type: "button",
        class: "small not",
        "aria-pressed": "false",
        title: "Exclude these rows",
      },
      "Not",
    );
    not.append(make("span", { class: "unseen" }, ` ${name}`));
    box.addEventListener(
      "change",
      () => this.#onChange(field, value, box.checked ? "only" : undefined),
    );
    not.addEventListener(
      "click",
      () =>
        this.#onChange(
          field,
          value,
          not.getAttribute("aria-pressed") === "true" ? undefined : "not",
        ),
    );
    const row = { element: make("li", {}, label, not), count, box, not };
    facet.rows.set(JSON.stringify(value), row);
    return row;
  }
}
