// @ts-check
/// <reference lib="dom" />
/**
 * Latency of rows over the whole run: four percentiles and a histogram, whose bars are SVG so that
 * they need no inline style.
 *
 * @module
 */

import { byId, fillRows, make, setAttribute, setShown, setText } from "./dom.js";
import { formatCompact, formatCount, formatLatency, UNKNOWN } from "./figures.js";

/** @import { Percentiles } from "../../lib/progress/snapshot.ts" */
/** @import { LatencyHistogram } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

/** Most labels under the bars. */
const MAX_MARKS = 7;

export class LatencyView {
  #bars = byId("histogram", SVGElement);
  #marks = byId("histogram-marks", HTMLElement);
  #lines = byId("histogram-lines", HTMLElement);
  #table = byId("histogram-table", HTMLDetailsElement);
  #drawn = "";
  /** @type {{ element: HTMLElement, word: HTMLElement }[]} */
  #lineRows = [];
  /** @type {LatencyHistogram} */
  #latency = { bounds_ms: [], counts: [] };

  constructor() {
    this.#table.addEventListener("toggle", () => this.#fillTable());
  }

  /** @param {RunStore} store */
  update({ latency, snapshot }) {
    const percentiles = snapshot?.latency_ms;
    for (const name of /** @type {const} */ (["p50", "p90", "p99", "max"])) {
      const value = percentiles?.[name] ?? 0;
      setText(byId(`latency-${name}`, HTMLElement), value > 0 ? formatLatency(value) : UNKNOWN);
    }
    this.#latency = latency;
    this.#drawLines(latency, percentiles);
    const key = `${latency.bounds_ms[0]} ${latency.counts.join()}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.#draw(latency);
    if (this.#table.open) this.#fillTable();
  }

  /** @param {LatencyHistogram} latency */
  #draw({ bounds_ms, counts }) {
    const most = Math.max(1, ...counts);
    setShown(byId("histogram-none", HTMLElement), counts.length === 0);
    setAttribute(this.#bars, "viewBox", `0 0 ${Math.max(1, counts.length)} 100`);
    while (this.#bars.childElementCount > counts.length) this.#bars.lastElementChild?.remove();
    while (this.#bars.childElementCount < counts.length) {
      this.#bars.append(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    }
    [...this.#bars.children].forEach((bar, i) => {
      // A bar with any rows must be visible.
      const height = counts[i] === 0 ? 0 : Math.max(1.5, counts[i] / most * 100);
      const place = { x: i + 0.06, y: 100 - height, width: 0.88, height };
      for (const [name, value] of Object.entries(place)) setAttribute(bar, name, value.toFixed(2));
    });
    this.#drawMarks(bounds_ms);
  }

  /** @param {readonly number[]} bounds */
  #drawMarks(bounds) {
    const buckets = Math.max(1, bounds.length - 1);
    const step = Math.max(1, Math.ceil(bounds.length / MAX_MARKS));
    const marks = bounds.map((bound, i) => ({ bound, share: i / buckets }))
      .filter((_, i) => i % step === 0 && i <= bounds.length - 1 - step / 2);
    this.#marks.replaceChildren(...marks.map(({ bound, share }) => {
      const mark = make("span", {}, formatLatency(bound));
      mark.style.left = `${share * 100}%`;
      return mark;
    }));
  }

  /**
   * Draws a line across the bars for each percentile.
   *
   * @param {LatencyHistogram} latency
   * @param {Percentiles | undefined} percentiles
   */
  #drawLines({ bounds_ms }, percentiles) {
    const names = /** @type {const} */ (["p50", "p90", "p99"]);
    const lines = names.flatMap((name) => {
      const value = percentiles?.[name] ?? 0;
      const place = placeIn(bounds_ms, value);
      return place === undefined ? [] : [{ name, place }];
    });
    fillRows(this.#lines, this.#lineRows, lines, makeLine, ({ element, word }, { name, place }) => {
      element.style.left = `${(place * 100).toFixed(2)}%`;
      setText(word, name);
      setAttribute(element, "class", name);
    });
  }

  #fillTable() {
    const body = byId("histogram-body", HTMLElement);
    body.replaceChildren();
    if (!this.#table.open) return;
    const { bounds_ms, counts } = this.#latency;
    const rows = make("tbody");
    counts.forEach((count, i) => {
      if (count === 0) return;
      const range = `${formatLatency(bounds_ms[i])} – ${formatLatency(bounds_ms[i + 1])}`;
      rows.append(
        make(
          "tr",
          {},
          make("th", { scope: "row" }, range),
          make("td", {}, count < 1e6 ? formatCount(count) : formatCompact(count)),
        ),
      );
    });
    const head = make(
      "tr",
      {},
      make("th", { scope: "col" }, "Latency"),
      make("th", { scope: "col" }, "Rows"),
    );
    const caption = make("caption", { class: "unseen" }, "Rows by latency");
    body.append(make("table", { class: "figures" }, caption, make("thead", {}, head), rows));
  }
}

/**
 * Returns the position of a value among bars of equal width, from 0 to 1; undefined if there are no
 * bars or the value is below them.
 *
 * @param {readonly number[]} bounds
 * @param {number} value
 */
function placeIn(bounds, value) {
  const bars = bounds.length - 1;
  const bar = bounds.findLastIndex((bound) => bound <= value);
  if (value <= 0 || bars < 1 || bar < 0) return undefined;
  if (bar >= bars) return 1;
  const share = Math.log(value / bounds[bar]) / Math.log(bounds[bar + 1] / bounds[bar]);
  return (bar + Math.min(1, share)) / bars;
}

function makeLine() {
  const word = make("span");
  return { element: make("div", {}, word), word };
}
