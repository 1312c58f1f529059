// @ts-check
/// <reference lib="dom" />
/**
 * Marks over the lines of a chart: events and throttled attempts.
 *
 * @module
 */

/** @import { uPlot as UPlot } from "../../lib/deps/uplot.ts" */
/** @import { ChartMark } from "../monitor_state.ts" */

/** Least distance from the start of one text to the start of the next. */
const MARK_SPACE_PX = 90;

/** CSS custom properties, without `--`. @type {Record<ChartMark["kind"], string>} */
const MARK_COLORS = {
  hold: "wait",
  throttled: "wait",
  down: "bad",
  up: "good",
  control: "accent",
};

/**
 * Caches colors by theme and name: getting the color of a line from the computed style takes as
 * long as drawing the line.
 *
 * @type {Map<string, string>}
 */
const COLORS = new Map();

/** Returns the value of a CSS custom property in the current theme. @param {string} name */
export function themeColor(name) {
  const root = document.documentElement;
  const key = `${root.dataset.theme} ${name}`;
  const color = COLORS.get(key) ?? getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  COLORS.set(key, color);
  return color;
}

/**
 * Draws a vertical line for each event, with its text if there is room.
 *
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
 *
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
