// @ts-check
/** Definitions of the charts. @module */

import {
  formatBytes,
  formatBytesMark,
  formatCount,
  formatLatency,
  formatLatencyMark,
  formatMark,
  formatPercent,
  formatPercentMark,
  formatRate,
} from "./figures.js";

/** @import { ChartDefinition, Series } from "./chart.js" */

/**
 * The main line of a chart.
 * @param {Series["column"]} column
 * @param {string} label
 * @returns {Series}
 */
function mainLine(column, label, color = "first") {
  return { column, label, color, line: "solid", isFilled: true };
}

/** In the order of the page. @type {readonly ChartDefinition[]} */
export const CHARTS = [
  {
    title: "Rows per second",
    section: "speed",
    description: "rows with an answer and rows that failed",
    size: "large",
    format: formatRate,
    formatTick: formatMark,
    minTop: 1,
    series: [
      mainLine("succeeded_per_s", "answered", "good"),
      { column: "failed_per_s", label: "failed", color: "bad", line: "dashed" },
    ],
  },
  {
    title: "Latency",
    section: "speed",
    description: "how long answers took, as 50th, 90th and 99th percentile",
    size: "large",
    minTop: 10,
    isTime: true,
    format: formatLatency,
    formatTick: formatLatencyMark,
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
    size: "large",
    format: formatRate,
    formatTick: formatMark,
    minTop: 1,
    series: [mainLine("tokens_per_s", "tokens/s")],
  },
  {
    title: "Concurrency",
    section: "load",
    description:
      "attempts in flight, their limit, the requested concurrency, and throttled attempts",
    size: "large",
    format: formatCount,
    formatTick: formatMark,
    minTop: 4,
    series: [
      mainLine("in_flight", "in flight"),
      { column: "limit", label: "limit", color: "wait", line: "dashed" },
      { column: "concurrency", label: "requested", color: "muted", line: "dotted" },
      { column: "refused_for_load", label: "throttled", color: "bad", line: "marks" },
    ],
  },
  {
    title: "Event-loop lag",
    section: "process",
    description: "how late timers of the process fire",
    size: "small",
    minTop: 10,
    isTime: true,
    format: formatLatency,
    formatTick: formatLatencyMark,
    series: [mainLine("lag_ms", "worst")],
  },
  {
    title: "CPU",
    section: "process",
    description: "percent of one core",
    size: "small",
    minTop: 10,
    format: formatPercent,
    formatTick: formatPercentMark,
    series: [mainLine("cpu_percent", "of one core")],
  },
  {
    title: "Memory",
    section: "process",
    description: "resident memory of the process",
    size: "small",
    minTop: 100e6,
    format: formatBytes,
    formatTick: formatBytesMark,
    series: [mainLine("rss_bytes", "resident")],
  },
];
