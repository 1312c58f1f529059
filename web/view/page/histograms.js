// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Histograms of tokens, in which users select a range: by dragging over the bars or typing.
 *
 * @module
 */

import { formatCount } from "../../../lib/figures.js";
import {
  byId,
  make,
  makeSvg,
  setAttribute,
  setChildren,
  setShown,
  setText,
} from "../../page/dom.js";

/** @import { Histogram } from "../../../lib/data/mod.ts" */
/** @import { ViewState } from "./view_state.js" */

// Height of the bars, in units of the `viewBox`.
const HEIGHT = 48;
const BAR_WIDTH = 3;
/** Distance between the starts of two bars, in units of the `viewBox`. */
const BAR_STEP = 4;

/**
 * The elements of a histogram, and the bins that it shows. `limitLines` mark the token limits of
 * the runs, which `limitNote` names.
 * @typedef {{ element: HTMLElement, bars: SVGElement, allBars: SVGElement, shownBars: SVGElement,
 * limitLines: SVGElement, endsNote: HTMLElement, min: HTMLInputElement, max: HTMLInputElement,
 * bins: Histogram["bins"], limitNote: HTMLElement }} Plot
 */

/** @typedef {Histogram["bins"][number]} Bin */
/** @typedef {{ min: number | null, max: number | null }} Range */

export class HistogramList {
  #list = byId("histograms");
  /** @type {Map<string, Plot>} */
  #plots = new Map();
  #onChange;

  /** @param {(field: string, min: number | null, max: number | null) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * @param {readonly Histogram[]} all histograms of all rows, which set the axis
   * @param {readonly Histogram[]} shown histograms of the rows that meet the condition
   * @param {ViewState} view
   * @param {readonly number[]} limits token limits of the runs
   */
  update(all, shown, view, limits) {
    // A histogram with a single bar is hidden, unless a range is selected.
    const drawn = all.filter(({ field, bins }) =>
      bins.filter(({ count }) => count > 0).length > 1 ||
      view.ranges.some((range) => range.field === field)
    );
    const elements = drawn.map((histogram) => {
      const plot = this.#plots.get(histogram.field) ?? this.#makePlot(histogram);
      const counts = shown.find(({ field }) => field === histogram.field)?.bins ?? [];
      const range = view.ranges.find(({ field }) => field === histogram.field) ??
        { min: null, max: null };
      this.#fill(plot, histogram, counts, range);
      showLimits(plot, /^(distill\.)?prompt_tokens$/.test(histogram.field) ? [] : limits);
      return plot.element;
    });
    setChildren(this.#list, elements);
  }

  /**
   * @param {Plot} plot
   * @param {Histogram} histogram
   * @param {Histogram["bins"]} shown
   * @param {Range} range
   */
  #fill(plot, { bins, most: largest }, shown, { min, max }) {
    const first = Math.max(0, bins.findIndex(({ count }) => count > 0));
    plot.bins = bins.slice(first);
    const counts = new Map(shown.map(({ from, count }) => [from, count]));
    const isInRange = (/** @type {Bin} */ { from, to }) =>
      (min === null || to >= min) && (max === null || from <= max);
    drawBars(plot, plot.bins.map((bin) => isInRange(bin) ? counts.get(bin.from) ?? 0 : 0));
    setText(plot.endsNote, `${formatCount(plot.bins[0]?.from ?? 0)} – ${formatCount(largest)}`);
    if (document.activeElement !== plot.min) plot.min.value = String(min ?? "");
    if (document.activeElement !== plot.max) plot.max.value = String(max ?? "");
  }

  /** @param {Histogram} histogram @returns {Plot} */
  #makePlot({ field, title }) {
    const allBars = makeSvg("g"), shownBars = makeSvg("g"), limitLines = makeSvg("g");
    const label = `Distribution of ${title.toLowerCase()}`;
    const attributes = {
      class: "bars",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    };
    const bars = makeSvg("svg", attributes, allBars, shownBars, limitLines);
    const endsNote = make("p", { class: "note" });
    const limitNote = make("p", { class: "note limit-note" });
    const [min, max] = ["from", "to"].map((name) =>
      make("input", {
        type: "number",
        min: "0",
        step: "1",
        placeholder: name,
        "aria-label": `${title} ${name}`,
      })
    );
    const inputs = make("div", { class: "range" }, min, make("span", {}, "–"), max);
    const legend = make("legend", {}, title);
    const parts = [legend, bars, endsNote, limitNote, inputs];
    const element = make("fieldset", { class: "facet" }, ...parts);
    /** @type {Plot} */
    const plot = {
      element,
      bars,
      allBars,
      shownBars,
      limitLines,
      endsNote,
      min,
      max,
      bins: [],
      limitNote,
    };
    const apply = () => this.#onChange(field, numberOf(min), numberOf(max));
    min.addEventListener("change", apply);
    max.addEventListener("change", apply);
    this.#enableDragging(plot, field);
    this.#plots.set(field, plot);
    return plot;
  }

  /** @param {Plot} plot @param {string} field */
  #enableDragging(plot, field) {
    const { bars } = plot;
    const binAt = (/** @type {PointerEvent} */ event) => {
      const { left, width } = bars.getBoundingClientRect();
      const index = Math.floor((event.clientX - left) / width * plot.bins.length);
      return Math.max(0, Math.min(plot.bins.length - 1, index));
    };
    /** @type {number | undefined} */
    let firstBin;
    bars.addEventListener("pointerdown", (event) => {
      firstBin = binAt(event);
      bars.setPointerCapture(event.pointerId);
    });
    bars.addEventListener("pointerup", (event) => {
      if (firstBin === undefined || plot.bins.length === 0) return;
      const [from, to] = [firstBin, binAt(event)].toSorted((a, b) => a - b);
      firstBin = undefined;
      const isAll = from === 0 && to === plot.bins.length - 1;
      this.#onChange(field, isAll ? null : plot.bins[from].from, isAll ? null : plot.bins[to].to);
    });
  }
}

/** Returns the typed number, rounded down, or null. @param {HTMLInputElement} input */
function numberOf(input) {
  return input.value.trim() === "" || !Number.isFinite(input.valueAsNumber)
    ? null
    : Math.floor(input.valueAsNumber);
}

/**
 * Draws the bars of all rows, and in front of them the bars of the shown rows.
 * @param {Plot} plot
 * @param {readonly number[]} shown counts of the shown rows
 */
function drawBars({ bins, bars, allBars, shownBars }, shown) {
  const counts = bins.map(({ count }) => count);
  const maxCount = Math.max(1, ...counts);
  setAttribute(bars, "viewBox", `0 0 ${Math.max(1, bins.length) * BAR_STEP} ${HEIGHT}`);
  fillBars(allBars, "all", counts, maxCount);
  fillBars(shownBars, "shown", shown, maxCount);
}

/**
 * @param {SVGElement} group
 * @param {string} name
 * @param {readonly number[]} counts
 * @param {number} maxCount count of a bar of full height
 */
function fillBars(group, name, counts, maxCount) {
  while (group.childElementCount > counts.length) group.lastElementChild?.remove();
  while (group.childElementCount < counts.length) {
    const x = String(group.childElementCount * BAR_STEP);
    group.append(makeSvg("rect", { class: name, width: String(BAR_WIDTH), x }));
  }
  counts.forEach((count, i) => {
    const height = count === 0 ? 0 : Math.max(1, count / maxCount * HEIGHT);
    setAttribute(group.children[i], "y", String(HEIGHT - height));
    setAttribute(group.children[i], "height", String(height));
  });
}

/** @param {Plot} plot @param {readonly number[]} limits */
function showLimits({ bins, limitLines, limitNote }, limits) {
  limitLines.replaceChildren(...limits.map((tokens) => {
    // A limit above all answers is drawn in the last bar.
    const index = bins.findIndex(({ to }) => to >= tokens);
    const x = String((index === -1 ? bins.length - 1 : index) * BAR_STEP + BAR_WIDTH / 2);
    return makeSvg("line", { x1: x, x2: x, y1: "0", y2: String(HEIGHT), class: "limit" });
  }));
  setShown(limitNote, limits.length > 0);
  const isUnreached = limits.every((tokens) => bins.every(({ to }) => to < tokens));
  const end = isUnreached ? ", not reached" : "";
  setText(limitNote, `Line: max_tokens ${limits.map(formatCount).join(", ")}${end}`);
}
