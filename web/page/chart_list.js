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

/** @import { ChartDefinition } from "./chart.js" */

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
      {
        column: "succeeded_per_s",
        label: "answered",
        color: "good",
        line: "solid",
        isFilled: true,
      },
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
      { column: "p50_ms", label: "p50", color: "first", line: "solid", isFilled: true },
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
    series: [
      { column: "tokens_per_s", label: "tokens/s", color: "first", line: "solid", isFilled: true },
    ],
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
      { column: "in_flight", label: "in flight", color: "first", line: "solid", isFilled: true },
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
    series: [{ column: "lag_ms", label: "worst", color: "first", line: "solid", isFilled: true }],
  },
  {
    title: "CPU",
    section: "process",
    description: "percent of one core",
    size: "small",
    minTop: 10,
    format: formatPercent,
    formatTick: formatPercentMark,
    series: [
      {
        column: "cpu_percent",
        label: "of one core",
        color: "first",
        line: "solid",
        isFilled: true,
      },
    ],
  },
  {
    title: "Memory",
    section: "process",
    description: "resident memory of the process",
    size: "small",
    minTop: 100e6,
    format: formatBytes,
    formatTick: formatBytesMark,
    series: [{
      column: "rss_bytes",
      label: "resident",
      color: "first",
      line: "solid",
      isFilled: true,
    }],
  },
];
