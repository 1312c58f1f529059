// @ts-check
/// <reference lib="dom" />
/** Latency of rows over the whole run: percentiles and a histogram. @module */

import { makeValueTable } from "./chart_parts.js";
import { byId, fillRows, make, makeSvg, setAttribute, setShown, setText } from "./dom.js";
import { formatCount, formatLatency } from "../../lib/figures.js";
import { formatCompact, UNKNOWN } from "./figures.js";

/** @import { Percentiles } from "../../lib/progress/counters.ts" */
/** @import { LatencyHistogram, MonitorState } from "../monitor_state.ts" */

const MAX_LABELS = 7;

/** Percentiles with a line in the histogram. */
const PERCENTILES = /** @type {const} */ (["p50", "p90", "p99"]);

export class LatencyView {
  #bars = byId("histogram", SVGElement);
  #labels = byId("histogram-marks");
  #lines = byId("histogram-lines");
  #table = byId("histogram-table", HTMLDetailsElement);
  /** Identifies the histogram that is drawn. */
  #drawnKey = "";
  /** @type {{ element: HTMLElement, word: HTMLElement }[]} */
  #lineRows = [];
  /** @type {LatencyHistogram} */
  #latency = { bounds_ms: [], counts: [] };

  #figures = [...PERCENTILES, /** @type {const} */ ("max")].map((name) => {
    const figure = make("dd", {}, UNKNOWN);
    byId("percentiles").append(make("div", {}, make("dt", {}, name), figure));
    return { name, figure };
  });

  constructor() {
    this.#table.addEventListener("toggle", () => this.#fillTable());
  }

  /** @param {MonitorState} state */
  update({ latency, snapshot }) {
    const percentiles = snapshot?.latency_ms;
    for (const { name, figure } of this.#figures) {
      const value = percentiles?.[name] ?? 0;
      setText(figure, value > 0 ? formatLatency(value) : UNKNOWN);
    }
    this.#latency = latency;
    this.#drawLines(latency, percentiles);
    const key = `${latency.bounds_ms[0]} ${latency.counts.join()}`;
    if (key === this.#drawnKey) return;
    this.#drawnKey = key;
    this.#draw(latency);
    if (this.#table.open) this.#fillTable();
  }

  /** @param {LatencyHistogram} latency */
  #draw({ bounds_ms, counts }) {
    const maxCount = Math.max(1, ...counts);
    setShown("histogram-none", counts.length === 0);
    setAttribute(this.#bars, "viewBox", `0 0 ${Math.max(1, counts.length)} 100`);
    while (this.#bars.childElementCount > counts.length) this.#bars.lastElementChild?.remove();
    while (this.#bars.childElementCount < counts.length) {
      this.#bars.append(makeSvg("rect"));
    }
    [...this.#bars.children].forEach((bar, i) => {
      // Even the bar of a single row must be visible.
      const height = counts[i] === 0 ? 0 : Math.max(1.5, counts[i] / maxCount * 100);
      const box = { x: i + 0.06, y: 100 - height, width: 0.88, height };
      for (const [name, value] of Object.entries(box)) setAttribute(bar, name, value.toFixed(2));
    });
    this.#drawLabels(bounds_ms);
  }

  /** @param {readonly number[]} bounds */
  #drawLabels(bounds) {
    const buckets = Math.max(1, bounds.length - 1);
    const step = Math.max(1, Math.ceil(bounds.length / MAX_LABELS));
    const labels = bounds.map((bound, i) => ({ bound, share: i / buckets }))
      .filter((_, i) => i % step === 0 && i <= bounds.length - 1 - step / 2);
    this.#labels.replaceChildren(...labels.map(({ bound, share }) => {
      const label = make("span", {}, formatLatency(bound));
      label.style.left = `${share * 100}%`;
      return label;
    }));
  }

  /** @param {LatencyHistogram} latency @param {Percentiles | undefined} percentiles */
  #drawLines({ bounds_ms }, percentiles) {
    const lines = PERCENTILES.flatMap((name) => {
      const value = percentiles?.[name] ?? 0;
      const position = positionAmong(bounds_ms, value);
      return position === undefined ? [] : [{ name, position }];
    });
    fillRows(
      this.#lines,
      this.#lineRows,
      lines,
      makeLine,
      ({ element, word }, { name, position }) => {
        element.style.left = `${(position * 100).toFixed(2)}%`;
        // The name is on the side of the line where there is room.
        word.style.right = position > 0.5 ? "0" : "";
        setText(word, name);
        setAttribute(element, "class", name);
      },
    );
  }

  #fillTable() {
    const body = byId("histogram-body");
    body.replaceChildren();
    if (!this.#table.open) return;
    const { bounds_ms, counts } = this.#latency;
    const rows = counts.map((count, i) => [
      `${formatLatency(bounds_ms[i])} – ${formatLatency(bounds_ms[i + 1])}`,
      count < 1e6 ? formatCount(count) : formatCompact(count),
    ]).filter((_, i) => counts[i] > 0);
    body.append(makeValueTable("Rows by latency", ["Latency", "Rows"], rows));
  }
}

/**
 * Returns the position of a value on the axis, from 0 to 1; undefined if there are no bars or the
 * value is below them.
 * @param {readonly number[]} bounds
 * @param {number} value
 */
function positionAmong(bounds, value) {
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
