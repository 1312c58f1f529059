// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The distribution of tokens, with the selected range: dragged over the bars or typed.
 *
 * @module
 */

import { formatCount } from "../../page/figures.js";
import { byId, make, setAttribute, setChildren, setShown, setText } from "../../page/dom.js";

/** @import { Histogram } from "../../../lib/data/protocol.ts" */
/** @import { Filter } from "./filter.js" */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 48;

/** @typedef {{ element: HTMLElement, bars: SVGElement, ends: HTMLElement, min: HTMLInputElement, max: HTMLInputElement, bins: Histogram["bins"], limit: HTMLElement }} Plot */

/** The histograms. */
export class HistogramList {
  #list = byId("histograms", HTMLElement);
  /** @type {Map<string, Plot>} */
  #plots = new Map();
  #onChange;

  /** @param {(field: string, min: number | null, max: number | null) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * @param {readonly Histogram[]} all of all rows, which set the axis
   * @param {readonly Histogram[]} shown of the rows that meet the condition
   * @param {Filter} filter
   * @param {readonly number[]} limits token limits of the runs
   */
  update(all, shown, filter, limits) {
    // A histogram of one value is of no use, unless a range is selected.
    const several = all.filter(({ field, bins }) =>
      bins.filter(({ count }) => count > 0).length > 1 ||
      filter.ranges.some((range) => range.field === field)
    );
    const elements = several.map((histogram) => {
      const plot = this.#plots.get(histogram.field) ??
        this.#makePlot(histogram);
      const of = new Map(
        shown.find(({ field }) => field === histogram.field)?.bins.map((
          { from, count },
        ) => [from, count]),
      );
      const first = Math.max(
        0,
        histogram.bins.findIndex(({ count }) => count > 0),
      );
      plot.bins = histogram.bins.slice(first);
      const range = filter.ranges.find(({ field }) => field === histogram.field);
      this.#drawBars(
        plot,
        of,
        histogram.field === "prompt_tokens" ? [] : limits,
        range?.min ?? null,
        range?.max ?? null,
      );
      setText(
        plot.ends,
        `${formatCount(plot.bins[0]?.from ?? 0)} – ${formatCount(histogram.most)}`,
      );
      if (document.activeElement !== plot.min) {
        plot.min.value = String(range?.min ?? "");
      }
      if (document.activeElement !== plot.max) {
        plot.max.value = String(range?.max ?? "");
      }
      return plot.element;
    });
    setChildren(this.#list, elements);
  }

  /** @param {Plot} plot @param {Map<number, number>} of @param {readonly number[]} limits @param {number | null} min @param {number | null} max */
  #drawBars(plot, of, limits, min, max) {
    const { bins, bars } = plot;
    const most = Math.max(1, ...bins.map(({ count }) => count));
    setAttribute(
      bars,
      "viewBox",
      `0 0 ${Math.max(1, bins.length) * 4} ${HEIGHT}`,
    );
    const rect = (
      /** @type {number} */ at,
      /** @type {number} */ count,
      /** @type {string} */ name,
    ) => {
      const height = count === 0 ? 0 : Math.max(1, count / most * HEIGHT);
      const element = document.createElementNS(SVG, "rect");
      const attributes = {
        class: name,
        x: at * 4,
        y: HEIGHT - height,
        width: 3,
        height,
      };
      for (const [key, value] of Object.entries(attributes)) {
        element.setAttribute(key, String(value));
      }
      return element;
    };
    const children = bins.flatMap(({ from, to, count }, at) => {
      const isIn = (min === null || to >= min) && (max === null || from <= max);
      return [
        rect(at, count, "all"),
        rect(at, isIn ? of.get(from) ?? 0 : 0, "shown"),
      ];
    });
    for (const limit of limits) {
      // A limit that no answer has reached is at the edge.
      const found = bins.findIndex(({ to }) => to >= limit);
      const at = found === -1 ? bins.length - 1 : found;
      const line = document.createElementNS(SVG, "line");
      const x = String(at * 4 + 1.5);
      for (
        const [key, value] of [["x1", x], ["x2", x], ["y1", "0"], [
          "y2",
          String(HEIGHT),
        ], [
          "class",
          "limit",
        ]]
      ) {
        line.setAttribute(key, value);
      }
      children.push(/** @type {any} */ (line));
    }
    bars.replaceChildren(...children);
    setShown(plot.limit, limits.length > 0);
    const isBeyond = limits.every((limit) => bins.every(({ to }) => to < limit));
    setText(
      plot.limit,
      `Line: max_tokens ${limits.map(formatCount).join(", ")}${isBeyond ? ", not reached" : ""}`,
    );
  }

  /** @param {Histogram} histogram @returns {Plot} */
  #makePlot({ field, title }) {
    const bars = document.createElementNS(SVG, "svg");
    for (
      const [key, value] of [
        ["class", "bars"],
        ["preserveAspectRatio", "none"],
        ["role", "img"],
        [
          "aria-label",
          `How ${title.toLowerCase()} spread`,
        ],
      ]
    ) {
      bars.setAttribute(key, value);
    }
    const ends = make("p", { class: "note" });
    const limit = make("p", { class: "note limit-note" });
    const [min, max] = ["from", "to"].map((name) =>
      make("input", {
        type: "number",
        min: "0",
        step: "1",
        placeholder: name,
        "aria-label": `${title} ${name}`,
      })
    );
    const inputs = make(
      "div",
      { class: "range" },
      min,
      make("span", {}, "–"),
      max,
    );
    const element = make(
      "fieldset",
      { class: "facet" },
      make("legend", {}, title),
      bars,
      ends,
      limit,
      inputs,
    );
    /** @type {Plot} */
    const plot = { element, bars, ends, min, max, bins: [], limit };
    const apply = () => this.#onChange(field, numberOf(min), numberOf(max));
    min.addEventListener("change", apply);
    max.addEventListener("change", apply);
    this.#startBrush(plot, field);
    this.#plots.set(field, plot);
    return plot;
  }

  /** @param {Plot} plot @param {string} field */
  #startBrush(plot, field) {
    const { bars } = plot;
    const binAt = (/** @type {PointerEvent} */ event) => {
      const { left, width } = bars.getBoundingClientRect();
      const at = Math.floor((event.clientX - left) / width * plot.bins.length);
      return Math.max(0, Math.min(plot.bins.length - 1, at));
    };
    /** @type {number | undefined} */
    let start;
    bars.addEventListener("pointerdown", (event) => {
      start = binAt(event);
      bars.setPointerCapture(event.pointerId);
    });
    bars.addEventListener("pointerup", (event) => {
      if (start === undefined || plot.bins.length === 0) return;
      const [from, to] = [start, binAt(event)].toSorted((a, b) => a - b);
      start = undefined;
      const isAll = from === 0 && to === plot.bins.length - 1;
      this.#onChange(
        field,
        isAll ? null : plot.bins[from].from,
        isAll ? null : plot.bins[to].to,
      );
    });
  }
}

/** @param {HTMLInputElement} input */
function numberOf(input) {
  return input.value.trim() === "" || !Number.isFinite(input.valueAsNumber)
    ? null
    : Math.floor(input.valueAsNumber);
}
