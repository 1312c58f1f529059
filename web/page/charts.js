// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * All charts over time, with a common time axis and cursor. Only visible charts are drawn.
 *
 * @module
 */

import { Chart } from "./chart.js";
import { CHARTS, trailingMeans } from "./chart_parts.js";
import { byId, inOwnFrame, onClick, setShown, setText } from "./dom.js";
import { formatDuration } from "../../lib/figures.js";
import { formatClock, formatLatencyTick } from "./figures.js";

/** @import { uPlot as UPlot } from "../../lib/deps/uplot.ts" */
/** @import { ChartMark, HistoryColumn } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

/** Time between redraws while only the last point changes. */
const LAST_POINT_REDRAW_MS = 2_000;

/** Windows for averaging rates. Charts use the first one that is long enough for the run. */
const WINDOWS_S = [10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200];

/** Minimum length of the averaging window, as a share of the run. */
const MIN_WINDOW_SHARE = 1 / 120;

const MIN_RANGE_S = 10;

/** @type {readonly HistoryColumn[]} */
const RATES = ["succeeded_per_s", "failed_per_s", "tokens_per_s"];

export class ChartGroup {
  /** @type {number | null} */
  cursorIndex = null;
  /** @type {Record<HistoryColumn, (number | null)[]> | undefined} */
  columns;
  /** Averaged rates, computed when they are first shown. @type {Map<HistoryColumn, number[]>} */
  #means = new Map();
  #windowS = WINDOWS_S[0];
  #charts = CHARTS.map((definition) => new Chart(definition, this));
  /** @type {Set<Chart>} */
  #visible = new Set();
  /** @type {Set<Chart>} */
  #stale = new Set();
  /** @type {number[]} */
  #timesS = [];
  /** Events and their times in Unix seconds. @type {(ChartMark & { timeS: number })[]} */
  marks = [];
  /** How many seconds at the end of the run are shown; 0 for the whole run. */
  #rangeS = 0;
  /** The range that the user zoomed into, in Unix seconds. @type {[number, number] | undefined} */
  #zoomed;
  /** Start of the time axis, in Unix seconds. */
  #startS = 0;
  #drawnMs = 0;
  #isDrawing = false;

  constructor() {
    for (const { element, section } of this.#charts) {
      byId(`charts-${section}`).append(element);
    }
    this.#watch();
    onClick("zoom-out", () => this.zoom(undefined));
    const range = byId("range", HTMLSelectElement);
    range.addEventListener("change", () => {
      this.#rangeS = Number(range.value);
      this.zoom(undefined);
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update({ state: { history, marks }, startMs }, nowMs) {
    this.marks = marks.map((mark) => ({ ...mark, timeS: startMs / 1000 + mark.at_s }));
    const { elapsed_s } = history.columns;
    if (this.columns !== history.columns || this.#startS !== startMs / 1000) {
      this.columns = history.columns;
      this.#startS = startMs / 1000;
      this.#timesS = [];
    }
    const firstChanged = Math.max(0, this.#timesS.length - 1);
    for (let i = firstChanged; i < elapsed_s.length; i++) {
      this.#timesS[i] = this.#startS + (elapsed_s[i] ?? 0);
    }
    this.#means.clear();
    const minWindowS = (elapsed_s.at(-1) ?? 0) * MIN_WINDOW_SHARE;
    this.#windowS = WINDOWS_S.find((seconds) => seconds >= minWindowS) ?? minWindowS;
    setText("mean", `Rates are means over ${formatLatencyTick(this.#windowS * 1000)}`);
    if (firstChanged < elapsed_s.length - 1 || nowMs - this.#drawnMs >= LAST_POINT_REDRAW_MS) {
      this.#drawnMs = nowMs;
      this.drawAll();
    } else if (this.cursorIndex === null) {
      for (const chart of this.#visible) chart.showValues(null);
    }
  }

  /** Draws visible charts now, and the other charts when they become visible. */
  drawAll() {
    for (const chart of this.#charts) this.#stale.add(chart);
    this.#drawNextStale();
  }

  redrawColors() {
    for (const chart of this.#charts) chart.redrawColors();
  }

  /**
   * Returns times in Unix seconds, then the values of the columns.
   * @param {readonly HistoryColumn[]} names
   * @returns {UPlot.AlignedData}
   */
  data(names) {
    return [this.#timesS, ...names.map((name) => this.values(name))];
  }

  /** Returns the values of a column, with rates averaged. @param {HistoryColumn} name */
  values(name) {
    const { columns } = this;
    if (columns === undefined) return [];
    if (!RATES.includes(name)) return columns[name];
    const means = this.#means.get(name) ??
      trailingMeans(columns.elapsed_s, columns[name], this.#windowS, columns.in_flight);
    this.#means.set(name, means);
    return means;
  }

  /** Returns the range of the time axes, in Unix seconds. @returns {[number, number]} */
  range() {
    if (this.#zoomed !== undefined) return this.#zoomed;
    const startS = this.#timesS[0] ?? 0;
    const endS = this.#timesS.at(-1) ?? 0;
    const fromS = this.#rangeS > 0 ? Math.max(startS, endS - this.#rangeS) : startS;
    return [fromS, Math.max(endS, fromS + MIN_RANGE_S)];
  }

  /** @param {number | null} index null for the last point */
  showCursor(index) {
    if (index === this.cursorIndex) return;
    this.cursorIndex = index;
    const timeS = index === null ? undefined : this.#timesS[index];
    setText(
      "cursor-time",
      timeS === undefined ? "" : [
        formatClock(timeS * 1000),
        `${formatDuration((timeS - this.#startS) * 1000)} in`,
        ...this.#eventsNear(timeS),
      ].join(" · "),
    );
    for (const chart of this.#visible) chart.showValues(index);
  }

  /**
   * Returns the texts of the last two events within a hundredth of the chart's width.
   * @param {number} timeS
   */
  #eventsNear(timeS) {
    const [from, to] = this.range();
    return this.marks.filter((mark) => Math.abs(mark.timeS - timeS) <= (to - from) / 100)
      .map(({ text }) => text).slice(-2);
  }

  /** @param {[number, number] | undefined} range in Unix seconds; undefined for the whole run */
  zoom(range) {
    this.#zoomed = range;
    setShown("zoom-out", range !== undefined);
    this.drawAll();
  }

  #watch() {
    /** @type {Map<Element, Chart>} */
    const chartOf = new Map(this.#charts.map((chart) => [chart.element, chart]));
    const visibility = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const chart = chartOf.get(target);
        if (chart === undefined) continue;
        if (isIntersecting) this.#visible.add(chart);
        else this.#visible.delete(chart);
      }
      this.#drawNextStale();
    }, { rootMargin: "64px" });
    const size = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        chartOf.get(target)?.setWidth(contentRect.width);
      }
      this.drawAll();
    });
    for (const element of chartOf.keys()) {
      visibility.observe(element);
      size.observe(element);
    }
  }

  drawForPrint() {
    for (const chart of this.#charts) {
      // Charts in folded sections have no width yet.
      chart.setWidth(chart.element.clientWidth);
      chart.draw();
    }
  }

  /** Draws one chart per frame, so that the page does not stutter. */
  #drawNextStale() {
    if (this.#isDrawing) return;
    const chart = [...this.#stale].find((stale) => this.#visible.has(stale));
    if (chart === undefined) return;
    this.#isDrawing = true;
    inOwnFrame(() => {
      this.#isDrawing = false;
      this.#stale.delete(chart);
      // Requests the next chart before drawing, so that an error in one chart does not stop the
      // others.
      this.#drawNextStale();
      chart.draw();
    });
  }
}
