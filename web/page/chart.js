// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * One chart over time: title, legend with the values under the cursor, the plot, and a table.
 *
 * @module
 */

import {
  drawMarks,
  drawTriangles,
  evenIndexes,
  makeValueTable,
  roundScale,
  themeColor,
  TIME_AXIS_SPACE,
  TIME_AXIS_STEPS,
} from "./chart_parts.js";
import { make, setAttribute, setText } from "./dom.js";
import { formatAxisTime, formatClock, UNKNOWN } from "./figures.js";

/** @import { uPlot as UPlot } from "../../lib/deps/uplot.ts" */
/** @import { HistoryColumn } from "../monitor_state.ts" */
/** @import { ChartGroup } from "./charts.js" */

/**
 * A line of a chart. `line` says how it is drawn, so that users can tell lines apart without
 * colors.
 * @typedef {object} Series
 * @property {HistoryColumn} column
 * @property {string} label
 * @property {string} color name of a custom property of the style
 * @property {"solid" | "dashed" | "dotted" | "triangles"} line `triangles`: one at the bottom
 * wherever the value is above 0
 * @property {boolean} [isFilled]
 */

/**
 * @typedef {object} ChartDefinition
 * @property {string} title
 * @property {"speed" | "load" | "process"} section of the page that holds the chart; the charts of
 * `process` are small
 * @property {string} description of the lines, for screen readers
 * @property {readonly Series[]} series
 * @property {(value: number) => string} format
 * @property {(value: number) => string} formatTick formats a round value for a label of the axis
 * @property {boolean} [isTime] whether values are milliseconds
 * @property {number} minTop minimum value at the top of the scale
 */

const MAX_TABLE_ROWS = 20;

/** Lengths of dashes and gaps, in CSS pixels. @type {Record<string, number[]>} */
const DASHES = { solid: [], dashed: [6, 4], dotted: [1.5, 3], triangles: [] };

/**
 * Half the width of a label of the time axis, because a label may be centered at the end of the
 * axis.
 */
const RIGHT_PADDING_PX = 28;

/** Width of a character in the labels of the y axis. */
const CHARACTER_PX = 6.5;

/** Width of the gap between the labels of the y axis and the plot. */
const AXIS_GAP_PX = 14;

/** Minimum width of a plot that is drawn. */
const MIN_WIDTH_PX = 50;

/** Minimum length of a drag that zooms. */
const MIN_DRAG_PX = 8;

/**
 * The class `uPlot`; undefined if the script could not be loaded. Charts then show only their
 * tables.
 * @type {typeof UPlot | undefined}
 */
const Plot = Reflect.get(globalThis, "uPlot");

export class Chart {
  #definition;
  #isLarge;
  #group;
  #plotBox = make("div", { class: "plot", role: "img" });
  #body = make("div");
  #table = make("details", { class: "chart-table" });
  /** @type {HTMLElement[]} */
  #values = [];
  /** @type {boolean[]} */
  #isShown;
  /** @type {UPlot | undefined} */
  #plot;
  #width = 0;

  /** @param {ChartDefinition} definition @param {ChartGroup} group */
  constructor(definition, group) {
    this.#definition = definition;
    this.#group = group;
    this.#isShown = definition.series.map(() => true);
    const { title, description, section } = definition;
    this.#isLarge = section !== "process";
    setAttribute(this.#plotBox, "aria-label", `${title} over time: ${description}`);
    this.#table.append(
      make("summary", {}, "Table", make("span", { class: "visually-hidden" }, ` of ${title}`)),
      this.#body,
    );
    this.#table.addEventListener("toggle", () => this.#fillTable());
    this.element = make(
      "figure",
      { class: `chart ${this.#isLarge ? "large" : "small"}` },
      make("figcaption", {}, make("h3", {}, title), this.#legend()),
      this.#plotBox,
      this.#table,
    );
  }

  get section() {
    return this.#definition.section;
  }

  /** @param {number} width in CSS pixels */
  setWidth(width) {
    this.#width = Math.floor(width);
    this.#plot?.setSize({ width: this.#width, height: this.#height });
  }

  draw() {
    if (this.#width < MIN_WIDTH_PX || Plot === undefined) return;
    const data = this.#group.data(this.#definition.series.map(({ column }) => column));
    if (data[0].length === 0) return;
    if (this.#plot === undefined) this.#plot = new Plot(this.#options(), data, this.#plotBox);
    else this.#plot.setData(data);
    this.showValues(this.#group.cursorIndex);
  }

  redrawColors() {
    this.#plot?.redraw(false, true);
  }

  /** @param {number | null} index null for the last point */
  showValues(index) {
    this.#definition.series.forEach(({ column }, i) => {
      const value = this.#group.values(column).at(index ?? -1) ?? null;
      setText(this.#values[i], value === null ? UNKNOWN : this.#definition.format(value));
    });
  }

  get #height() {
    return this.#isLarge ? 168 : 120;
  }

  #legend() {
    const list = make("ul", { class: "legend" });
    this.#definition.series.forEach(({ label, color, line }, i) => {
      const value = make("span", { class: "value" }, UNKNOWN);
      this.#values.push(value);
      const key = make("span", { class: `key ${line}`, "aria-hidden": "true" });
      key.style.setProperty("--series", `var(--${color})`);
      const button = make("button", { type: "button", "aria-pressed": "true" }, key, `${label} `);
      button.addEventListener("click", () => {
        this.#isShown[i] = !this.#isShown[i];
        setAttribute(button, "aria-pressed", String(this.#isShown[i]));
        this.#plot?.setSeries(i + 1, { show: this.#isShown[i] });
      });
      list.append(make("li", {}, button, value));
    });
    return list;
  }

  /** @returns {UPlot.Options} */
  #options() {
    const shown = this.#definition.series.map((line, i) => ({
      ...seriesOptions(line),
      show: this.#isShown[i],
    }));
    return {
      width: this.#width,
      height: this.#height,
      padding: [8, RIGHT_PADDING_PX, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 7, width: 1.5 },
        drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PX },
        sync: { key: "run" },
      },
      scales: {
        x: { time: true, range: () => this.#group.range() },
        y: { range: (_plot, _min, max) => [0, this.#scale(max).top] },
      },
      series: [{}, ...shown],
      axes: this.#axes(),
      hooks: {
        setCursor: [(plot) => this.#group.showCursor(plot.cursor.idx ?? null)],
        setSelect: [(plot) => this.#zoom(plot)],
        draw: [
          (plot) => this.#drawTriangles(plot),
          (plot) => drawMarks(plot, this.#group.marks, this.#isLarge),
        ],
      },
    };
  }

  /** @returns {UPlot.Axis[]} */
  #axes() {
    const axis = {
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      stroke: () => themeColor("muted"),
      ticks: { show: false },
      grid: { stroke: () => themeColor("line"), width: 1 },
    };
    return [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        gap: 6,
        space: TIME_AXIS_SPACE,
        incrs: TIME_AXIS_STEPS,
        values: (_plot, splits) => {
          const stepMs = ((splits[1] ?? 0) - splits[0]) * 1000;
          return splits.map((split) => formatAxisTime(split * 1000, stepMs));
        },
      },
      {
        ...axis,
        size: (_plot, values) =>
          AXIS_GAP_PX + CHARACTER_PX * Math.max(4, ...(values ?? []).map(({ length }) => length)),
        gap: 8,
        splits: (_plot, _axis, _min, max) => {
          const { step } = this.#scale(max);
          return Array.from({ length: Math.round(max / step) + 1 }, (_, i) => i * step);
        },
        values: (_plot, splits) => splits.map((value) => this.#definition.formatTick(value)),
      },
    ];
  }

  /** @param {number | null} max largest value, if there are any */
  #scale(max) {
    const { minTop, isTime } = this.#definition;
    return roundScale(Math.max(max ?? 0, minTop), this.#isLarge ? 4 : 3, isTime);
  }

  /** @param {UPlot} plot */
  #zoom(plot) {
    const { left, width } = plot.select;
    if (width < MIN_DRAG_PX) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#group.zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
  }

  /** Draws the series with the line `triangles`, which uPlot cannot draw. @param {UPlot} plot */
  #drawTriangles(plot) {
    const { series } = this.#definition;
    const index = series.findIndex(({ line }) => line === "triangles");
    if (index >= 0 && this.#isShown[index]) drawTriangles(plot, index + 1, series[index].color);
  }

  /** Fills the open table with evenly spaced points. */
  #fillTable() {
    this.#body.replaceChildren();
    if (!this.#table.open) return;
    const { title, series, format } = this.#definition;
    const [times] = this.#group.data([]);
    const indexes = evenIndexes(times.length, MAX_TABLE_ROWS);
    const rows = indexes.map((index) => [
      formatClock(times[index] * 1000),
      ...series.map(({ column }) => {
        const value = this.#group.values(column)[index];
        return value === null ? UNKNOWN : format(value);
      }),
    ]);
    const titles = ["Time", ...series.map(({ label }) => label)];
    this.#body.append(
      makeValueTable(`${title}: ${indexes.length} points of the run`, titles, rows),
    );
  }
}

/** @param {Series} series @returns {UPlot.Series} */
function seriesOptions({ color, line, isFilled }) {
  if (line === "triangles") {
    return { scale: "none", show: true, paths: () => null, points: { show: false } };
  }
  return {
    stroke: () => themeColor(color),
    width: 1.5,
    dash: DASHES[line],
    // Appended to `#rrggbb`, `1f` is an opacity of 12 %.
    fill: isFilled ? () => `${themeColor(color)}1f` : undefined,
    points: { show: false },
    spanGaps: false,
  };
}
