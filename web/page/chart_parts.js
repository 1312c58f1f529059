// @ts-check
/// <reference lib="dom" />
/** The list of charts, and what they are drawn with: scales, means, event marks, colors. @module */

import { make } from "./dom.js";
import { formatBytes, formatCount, formatLatency } from "../../lib/figures.js";
import {
  formatBytesTick,
  formatCompactTick,
  formatLatencyTick,
  formatPercent,
  formatPercentTick,
  formatRate,
} from "./figures.js";

/** @import { uPlot as UPlot } from "../../lib/deps/uplot.ts" */
/** @import { ChartMark } from "../monitor_state.ts" */
/** @import { ChartDefinition, Series } from "./chart.js" */

/**
 * @param {Series["column"]} column
 * @param {string} label
 * @param {string} color a CSS custom property, without `--`
 * @returns {Series}
 */
function mainLine(column, label, color = "first") {
  return { column, label, color, line: "solid", isFilled: true };
}

const RATE = { format: formatRate, formatTick: formatCompactTick };
const LATENCY = { format: formatLatency, formatTick: formatLatencyTick, isTime: true };

/** The charts in the order of the page. @type {readonly ChartDefinition[]} */
export const CHARTS = [
  {
    title: "Rows per second",
    section: "speed",
    description: "rows with an answer and rows that failed",
    ...RATE,
    minTop: 1,
    series: [
      mainLine("succeeded_per_s", "answered", "good"),
      { column: "failed_per_s", label: "failed", color: "bad", line: "dashed" },
    ],
  },
  {
    title: "Latency",
    section: "speed",
    description: "how long answers took: the 50th, 90th and 99th percentiles",
    minTop: 10,
    ...LATENCY,
    series: [
      mainLine("p50_ms", "p50"),
      { column: "p90_ms", label: "p90", color: "second", line: "dashed" },
      { column: "p99_ms", label: "p99", color: "third", line: "dotted" },
    ],
  },
  {
    title: "Output tokens per second",
    section: "load",
    description: "completion tokens",
    ...RATE,
    minTop: 1,
    series: [mainLine("tokens_per_s", "tokens/s")],
  },
  {
    title: "Concurrency",
    section: "load",
    description:
      "attempts in flight, their limit, the requested concurrency, and throttled attempts",
    format: formatCount,
    formatTick: formatCompactTick,
    minTop: 4,
    series: [
      mainLine("in_flight", "in flight"),
      { column: "limit", label: "limit", color: "wait", line: "dashed" },
      { column: "concurrency", label: "requested", color: "muted", line: "dotted" },
      { column: "refused_for_load", label: "throttled", color: "bad", line: "triangles" },
    ],
  },
  {
    title: "Event-loop lag",
    section: "process",
    description: "how late timers of the process fire",
    minTop: 10,
    ...LATENCY,
    series: [mainLine("lag_ms", "maximum")],
  },
  {
    title: "CPU",
    section: "process",
    description: "percent of one core",
    minTop: 10,
    format: formatPercent,
    formatTick: formatPercentTick,
    series: [mainLine("cpu_percent", "of one core")],
  },
  {
    title: "Memory",
    section: "process",
    description: "resident memory of the process",
    minTop: 100e6,
    format: formatBytes,
    formatTick: formatBytesTick,
    series: [mainLine("rss_bytes", "resident")],
  },
];

/**
 * Makes the table of a chart's values. The first cell of each row is its heading.
 * @param {string} caption for screen readers
 * @param {readonly string[]} titles of the columns
 * @param {readonly (readonly string[])[]} rows
 */
export function makeValueTable(caption, titles, rows) {
  const heads = titles.map((title) => make("th", { scope: "col" }, title));
  const bodyRows = rows.map(([first, ...others]) => {
    const cells = others.map((text) => make("td", {}, text));
    return make("tr", {}, make("th", { scope: "row" }, first), ...cells);
  });
  return make(
    "table",
    { class: "figures" },
    make("caption", { class: "visually-hidden" }, caption),
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...bodyRows),
  );
}

/** Round distances between two labels, to be multiplied by a power of ten. */
const ROUND_STEPS = [1, 2, 5, 10];

/** Steps in milliseconds above 5 s, where powers of ten are not round. */
const TIME_STEPS = [10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 18_000, 36_000]
  .map((seconds) => seconds * 1_000);

const DAY_S = 86_400;

/**
 * Distances between labels of a time axis, in seconds. Each is at most twice the one before, so
 * that a narrow chart has at least two labels.
 */
export const TIME_AXIS_STEPS = [
  ...[1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600],
  ...[43_200, DAY_S, 2 * DAY_S, 4 * DAY_S, 8 * DAY_S, 16 * DAY_S, 30 * DAY_S],
];

/** Minimum distance of labels on a time axis, in CSS pixels: `12:03:07` and a space. */
export const TIME_AXIS_SPACE = 64;

/**
 * Returns a scale from 0 with round labels, one of them at the top.
 * @param {number} max largest value
 * @param {number} maxLabels maximum number of labels above 0
 * @param {boolean} [isTime] whether values are milliseconds
 */
export function roundScale(max, maxLabels, isTime = false) {
  const minStep = max / maxLabels;
  const power = 10 ** Math.floor(Math.log10(minStep));
  const factor = ROUND_STEPS.find((step) => step * power >= minStep) ?? 10;
  const isLong = isTime && minStep > 5_000;
  const step = (isLong ? TIME_STEPS.find((time) => time >= minStep) : undefined) ?? factor * power;
  return { step, top: Math.ceil(max / step - 1e-9) * step };
}

/**
 * Returns the indexes of evenly spaced points, up to the last point.
 * @param {number} length
 * @param {number} maxCount
 */
export function evenIndexes(length, maxCount) {
  const count = Math.min(length, maxCount);
  return Array.from({ length: count }, (_, i) => Math.round((i + 1) * length / count) - 1);
}

/**
 * Returns means over the last `windowS` seconds, because a point of the history may cover only 0.5
 * s, in which too few rows finish for a reliable rate. Each value covers the time since the value
 * before it.
 * @param {readonly (number | null)[]} endsS end of the time that each value covers, in seconds
 * @param {readonly (number | null)[]} rates
 * @param {number} windowS
 * @param {readonly (number | null)[]} [inFlight] attempts in flight. If there are none and no row
 * has finished, the rate is 0 and the window starts again: a mean over a pause and the time
 * before it would be misleading
 * @returns {number[]}
 */
export function trailingMeans(endsS, rates, windowS, inFlight = []) {
  let first = 0, amount = 0;
  const end = (/** @type {number} */ i) => i < 0 ? 0 : endsS[i] ?? 0;
  const amountOf = (/** @type {number} */ i) => (rates[i] ?? 0) * (end(i) - end(i - 1));
  return rates.map((rate, i) => {
    if (rate === 0 && inFlight[i] === 0) {
      first = i + 1;
      amount = 0;
      return 0;
    }
    amount += amountOf(i);
    while (first < i && end(first) <= end(i) - windowS) amount -= amountOf(first++);
    const spanS = end(i) - end(first - 1);
    const mean = spanS > 0 ? amount / spanS : rate ?? 0;
    // Additions and subtractions leave rounding errors instead of 0.
    return mean < 1e-6 ? 0 : mean;
  });
}

/** Minimum distance between the starts of two texts. */
const MARK_SPACE_PX = 90;

/** Names of CSS custom properties, without `--`. @type {Record<ChartMark["kind"], string>} */
const MARK_COLORS = {
  hold: "wait",
  throttled: "wait",
  down: "bad",
  up: "good",
  control: "accent",
};

/**
 * Colors by theme and name. Reading a color from the computed style takes as long as drawing a
 * line.
 * @type {Map<string, string>}
 */
const COLORS = new Map();

/** Returns a CSS custom property in the current theme. @param {string} name */
export function themeColor(name) {
  const root = document.documentElement;
  const key = `${root.dataset.theme} ${name}`;
  const color = COLORS.get(key) ?? getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  COLORS.set(key, color);
  return color;
}

/**
 * Draws a vertical line for each event, with its text if there is room.
 * @param {UPlot} plot
 * @param {readonly (ChartMark & { timeS: number })[]} marks
 * @param {boolean} hasTexts whether to draw texts at all
 */
export function drawMarks(plot, marks, hasTexts) {
  const { ctx, bbox } = plot;
  const right = bbox.left + bbox.width;
  let freeFrom = bbox.left;
  ctx.save();
  ctx.font = `${10 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textBaseline = "top";
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { timeS, kind, text } of marks) {
    const x = plot.valToPos(timeS, "x", true);
    if (x < bbox.left || x > right) continue;
    ctx.strokeStyle = ctx.fillStyle = themeColor(MARK_COLORS[kind]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(text).width + 6 * devicePixelRatio;
    if (!hasTexts || x < freeFrom || x + width > right) continue;
    ctx.fillText(text, x + 3 * devicePixelRatio, bbox.top);
    freeFrom = x + Math.max(width, MARK_SPACE_PX * devicePixelRatio);
  }
  ctx.restore();
}

/**
 * Draws a triangle at the bottom wherever a series is above 0.
 * @param {UPlot} plot
 * @param {number} series index in the data of the plot
 * @param {string} color a CSS custom property, without `--`
 */
export function drawTriangles(plot, series, color) {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.fillStyle = themeColor(color);
  ctx.beginPath();
  plot.data[series].forEach((value, index) => {
    const x = plot.valToPos(plot.data[0][index], "x", true);
    if (!value || x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.moveTo(x - size, bottom);
    ctx.lineTo(x + size, bottom);
    ctx.lineTo(x, bottom - size * 1.7);
  });
  ctx.fill();
  ctx.restore();
}
