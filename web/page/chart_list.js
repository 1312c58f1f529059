// @ts-check
/**
 * Definitions of the charts.
 *
 * @module
 */

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

/** @import { ChartDefinition } from "./chart.js" */

/** In the order of the page. @type {readonly ChartDefinition[]} */
export const CHARTS = [
  {
    title: "Rows per second",
    place: "speed",
    description: "rows with an answer and rows that failed",
    size: "large",
    format: formatRate,
    mark: formatMark,
    least: 1,
    series: [
      {
        column: "succeeded_per_s",
        label: "answered",
        colour: "good",
        line: "solid",
        isFilled: true,
      },
      { column: "failed_per_s", label: "failed", colour: "bad", line: "dashed" },
    ],
  },
  {
    title: "Latency",
    place: "speed",
    description: "how long answers took, as 50th, 90th and 99th percentile",
    size: "large",
    least: 10,
    isTime: true,
    format: formatLatency,
    mark: formatLatencyMark,
    series: [
      { column: "p50_ms", label: "p50", colour: "first", line: "solid", isFilled: true },
      { column: "p90_ms", label: "p90", colour: "second", line: "dashed" },
      { column: "p99_ms", label: "p99", colour: "third", line: "dotted" },
    ],
  },
  {
    title: "Output tokens per second",
    place: "load",
    description: "completion tokens",
    size: "large",
    format: formatRate,
    mark: formatMark,
    least: 1,
    series: [
      { column: "tokens_per_s", label: "tokens/s", colour: "first", line: "solid", isFilled: true },
    ],
  },
  {
    title: "Concurrency",
    place: "load",
    description:
      "attempts in flight, their limit, the requested concurrency, and throttled attempts",
    size: "large",
    format: formatCount,
    mark: formatMark,
    least: 4,
    series: [
      { column: "in_flight", label: "in flight", colour: "first", line: "solid", isFilled: true },
      { column: "limit", label: "limit", colour: "wait", line: "dashed" },
      { column: "concurrency", label: "requested", colour: "muted", line: "dotted" },
      { column: "refused_for_load", label: "throttled", colour: "bad", line: "marks" },
    ],
  },
  {
    title: "Event-loop lag",
    place: "process",
    description: "how late timers of the process fire",
    size: "small",
    least: 10,
    isTime: true,
    format: formatLatency,
    mark: formatLatencyMark,
    series: [{ column: "lag_ms", label: "worst", colour: "first", line: "solid", isFilled: true }],
  },
  {
    title: "CPU",
    place: "process",
    description: "percent of one core",
    size: "small",
    least: 10,
    format: formatPercent,
    mark: formatPercentMark,
    series: [
      {
        column: "cpu_percent",
        label: "of one core",
        colour: "first",
        line: "solid",
        isFilled: true,
      },
    ],
  },
  {
    title: "Memory",
    place: "process",
    description: "of the process",
    size: "small",
    least: 100e6,
    format: formatBytes,
    mark: formatBytesMark,
    series: [{
      column: "rss_bytes",
      label: "resident",
      colour: "first",
      line: "solid",
      isFilled: true,
    }],
  },
];
