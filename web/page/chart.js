// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * One chart over time: title, legend with the values under the cursor, the plot, and a table of its
 * values.
 *
 * @module
 */

import { drawMarks, drawTriangles, themeColour } from "./chart_marks.js";
import { make, setAttribute, setText } from "./dom.js";
import { formatAxisTime, formatClock, UNKNOWN } from "./figures.js";
import { evenly, roundScale, TIME_AXIS_SPACE, TIME_AXIS_STEPS } from "./scale.js";

/** @import { uPlot as UPlot } from "../../lib/deps/uplot.ts" */
/** @import { HistoryColumn } from "../monitor_state.ts" */
/** @import { ChartGroup } from "./charts.js" */

/**
 * A line. `line` says how it is drawn, so that lines can be distinguished without colours.
 *
 * @typedef {object} Series
 * @property {HistoryColumn} column
 * @property {string} label
 * @property {string} colour name of a custom property of the style
 * @property {"solid" | "dashed" | "dotted" | "marks"} line `marks`: a triangle at the bottom
 * wherever the value is above 0
 * @property {boolean} [isFilled]
 */

/**
 * @typedef {object} ChartDefinition
 * @property {string} title
 * @property {"speed" | "load" | "process"} place section of the page that holds the chart
 * @property {string} description of the lines, for screen readers
 * @property {"large" | "small"} size
 * @property {readonly Series[]} series
 * @property {(value: number) => string} format
 * @property {(value: number) => string} mark formats a round value at the axis
 * @property {boolean} [isTime] whether values are milliseconds
 * @property {number} least smallest top of the scale
 */

/** Rows of a chart's table. */
const TABLE_ROWS = 20;

/** Dashes of lines, in CSS pixels. @type {Record<string, number[]>} */
const DASHES = { solid: [], dashed: [6, 4], dotted: [1.5, 3], marks: [] };

/**
 * Half the width of the longest label of a time axis: a label may be centered at the end of the
 * axis.
 */
const RIGHT_PX = 28;

/** Width of a character of a label at the y axis. `AXIS_PX` is the gap between labels and plot. */
const LETTER_PX = 6.5;
const AXIS_PX = 14;

/**
 * Undefined if the script could not be loaded: then there are only the tables.
 *
 * @type {typeof UPlot | undefined}
 */
const Plot = Reflect.get(globalThis, "uPlot");

export class Chart {
  #definition;
  #group;
  #plotBox = make("div", { class: "plot" });
  #body = make("div");
  #table = make("details", { class: "behind" });
  /** @type {HTMLElement[]} */
  #values = [];
  /** Whether each line is shown. @type {boolean[]} */
  #isShown;
  /** @type {UPlot | undefined} */
  #plot;
  #width = 0;

  /** @param {ChartDefinition} definition @param {ChartGroup} group */
  constructor(definition, group) {
    this.#definition = definition;
    this.#group = group;
    this.#isShown = definition.series.map(() => true);
    const { title, description } = definition;
    this.#plotBox.setAttribute("role", "img");
    this.#plotBox.setAttribute("aria-label", `${title} over time: ${description}`);
    this.#table.append(
      make("summary", {}, "Table", make("span", { class: "unseen" }, ` of ${title}`)),
      this.#body,
    );
    this.#table.addEventListener("toggle", () => this.#fillTable());
    this.element = make(
      "figure",
      { class: `chart ${definition.size}` },
      make("figcaption", {}, make("h3", {}, title), this.#legend()),
      this.#plotBox,
      this.#table,
    );
  }

  /** Section of the page that holds the chart. */
  get place() {
    return this.#definition.place;
  }

  /** Sets the width of the plot. @param {number} width in CSS pixels */
  setWidth(width) {
    this.#width = Math.floor(width);
    this.#plot?.setSize({ width: this.#width, height: this.#height });
  }

  draw() {
    if (this.#width < 50 || Plot === undefined) return;
    const data = this.#group.data(this.#definition.series.map(({ column }) => column));
    if (data[0].length === 0) return;
    if (this.#plot === undefined) this.#plot = new Plot(this.#options(), data, this.#plotBox);
    else this.#plot.setData(data);
    this.showValues(this.#group.cursorIndex);
  }

  /** Draws the same points again, after a change of colours. */
  redraw() {
    this.#plot?.redraw(false, true);
  }

  /**
   * Writes the values of a point into the legend.
   *
   * @param {number | null} index null for the last point
   */
  showValues(index) {
    this.#definition.series.forEach(({ column }, i) => {
      const value = this.#group.values(column).at(index ?? -1) ?? null;
      setText(this.#values[i], value === null ? UNKNOWN : this.#definition.format(value));
    });
  }

  get #height() {
    return this.#definition.size === "large" ? 168 : 120;
  }

  /** Makes the legend. Each line has a button that hides it. */
  #legend() {
    const list = make("ul", { class: "legend" });
    this.#definition.series.forEach(({ label, colour, line }, i) => {
      const value = make("span", { class: "value" }, UNKNOWN);
      this.#values.push(value);
      const key = make("span", { class: `key ${line} ${colour}`, "aria-hidden": "true" });
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
    const shown = this.#definition.series.map((one, i) => ({
      ...seriesOptions(one),
      show: this.#isShown[i],
    }));
    return {
      width: this.#width,
      height: this.#height,
      padding: [8, RIGHT_PX, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 7, width: 1.5 },
        drag: { x: true, y: false, setScale: false, dist: 8 },
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
          (plot) => this.#drawThrottled(plot),
          (plot) => drawMarks(plot, this.#group.marks, this.#definition.size === "large"),
        ],
      },
    };
  }

  /** @returns {UPlot.Axis[]} */
  #axes() {
    const axis = {
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      stroke: () => themeColour("muted"),
      ticks: { show: false },
      grid: { stroke: () => themeColour("line"), width: 1 },
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
          AXIS_PX + LETTER_PX * Math.max(4, ...(values ?? []).map(({ length }) => length)),
        gap: 8,
        splits: (_plot, _axis, _min, max) => {
          const { step } = this.#scale(max);
          return Array.from({ length: Math.round(max / step) + 1 }, (_, i) => i * step);
        },
        values: (_plot, splits) => splits.map((value) => this.#definition.mark(value)),
      },
    ];
  }

  /** @param {number | null} most */
  #scale(most) {
    const { least, isTime, size } = this.#definition;
    return roundScale(Math.max(most ?? 0, least), size === "large" ? 4 : 3, isTime);
  }

  /** @param {UPlot} plot */
  #zoom(plot) {
    const { left, width } = plot.select;
    if (width < 8) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#group.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }

  /** @param {UPlot} plot */
  #drawThrottled(plot) {
    const { series } = this.#definition;
    const place = series.findIndex(({ line }) => line === "marks");
    if (place >= 0 && this.#isShown[place]) drawTriangles(plot, place + 1, series[place].colour);
  }

  /** Fills the table with about twenty points when it is opened. */
  #fillTable() {
    this.#body.replaceChildren();
    if (!this.#table.open) return;
    const { title, series, format } = this.#definition;
    const [times] = this.#group.data([]);
    const head = make("tr", {}, make("th", { scope: "col" }, "Time"));
    for (const { label } of series) head.append(make("th", { scope: "col" }, label));
    const rows = make("tbody");
    for (const index of evenly(times.length, TABLE_ROWS)) {
      const row = make("tr", {}, make("th", { scope: "row" }, formatClock(times[index] * 1000)));
      for (const { column } of series) {
        const value = this.#group.values(column)[index];
        row.append(make("td", {}, value === null ? UNKNOWN : format(value)));
      }
      rows.append(row);
    }
    const caption = make(
      "caption",
      { class: "unseen" },
      `${title}: ${TABLE_ROWS} points of the run`,
    );
    this.#body.append(make("table", { class: "figures" }, caption, make("thead", {}, head), rows));
  }
}

/** @param {Series} series @returns {UPlot.Series} */
function seriesOptions({ colour, line, isFilled }) {
  if (line === "marks") {
    return {
      scale: "none",
      show: true,
      paths: () => null,
      points: { show: false },
    };
  }
  return {
    stroke: () => themeColour(colour),
    width: 1.5,
    dash: DASHES[line],
    fill: isFilled ? () => `${themeColour(colour)}1f` : undefined,
    points: { show: false },
    spanGaps: false,
  };
}
