/**
 * Metrics of the run for Prometheus, in its text format 0.0.4. Scrapers send the token of the
 * printed URL as `Authorization: Bearer TOKEN`.
 *
 * @module
 */

import type { RunState, Snapshot } from "../lib/progress/mod.ts";
import type { Hub } from "./hub.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Value {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  readonly suffix?: string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly values: readonly Value[];
}

const STATES: readonly RunState[] = [
  "preparing",
  "running",
  "backing_off",
  "paused",
  "disk_full",
  "draining",
  "done",
  "halted",
];

/** Renders all metrics; before the first snapshot, only those of the monitor itself. */
export function renderMetrics(hub: Hub): string {
  const { snapshot } = hub.record;
  const metrics = snapshot === undefined ? [] : [
    ...rowMetrics(snapshot),
    ...attemptMetrics(snapshot),
    teacherStates(snapshot),
    ...costMetrics(snapshot),
    ...processMetrics(snapshot),
    latencyHistogram(hub),
  ];
  return [...metrics, ...monitorMetrics(hub)].map(formatMetric).join("");
}

function rowMetrics(snapshot: Snapshot): Metric[] {
  const { succeeded, failed } = snapshot;
  return [
    gauge("rows", "Rows of the input.", snapshot.total),
    counter("rows_finished_total", "Rows whose line is on disk.", [
      { labels: { result: "succeeded" }, value: succeeded },
      { labels: { result: "failed" }, value: failed },
    ]),
    gauge("rows_skipped", "Rows that were finished before this run.", snapshot.skipped),
    gauge("rows_waiting", "Rows between two attempts.", snapshot.waiting),
    gauge("rows_per_second", "Rows finished per second over the last 30 s.", snapshot.rate_per_s),
    gauge("eta_seconds", "Estimated time until the end.", snapshot.eta_s),
    gauge("elapsed_seconds", "Time since the first row could be sent.", snapshot.elapsed_ms / 1000),
    gauge(
      "state",
      "1 for the current state of the run, 0 for the others.",
      STATES.map((state) => ({ labels: { state }, value: state === snapshot.state ? 1 : 0 })),
    ),
  ];
}

function attemptMetrics(snapshot: Snapshot): Metric[] {
  const { p50, p90, p99, max } = snapshot.latency_ms;
  const quantiles: [string, number][] = [["0.5", p50], ["0.9", p90], ["0.99", p99], ["1", max]];
  return [
    counter("attempts_total", "Attempts made.", snapshot.attempts),
    counter(
      "attempts_failed_total",
      "Attempts that failed or whose answer was not accepted.",
      snapshot.failed_attempts,
    ),
    counter(
      "attempts_refused_total",
      "Attempts that were throttled (mostly 429, 503, 529).",
      snapshot.refused_for_load,
    ),
    gauge("errors", "Failed attempts by type and status.", errorValues(snapshot)),
    gauge(
      "in_flight",
      "Attempts in flight, and answers that are being checked.",
      snapshot.in_flight,
    ),
    gauge("limit", "Attempts that may be in flight: the adaptive limit.", snapshot.limit),
    gauge("concurrency", "The requested concurrency.", snapshot.concurrency),
    {
      name: "latency_quantile_seconds",
      help: "Latency of the attempts that succeeded, over the whole run.",
      // `promtool check metrics` rejects a label "quantile" on a metric of any other type.
      type: "summary",
      values: quantiles.map(([quantile, ms]) => ({ labels: { quantile }, value: ms / 1000 })),
    },
  ];
}

function teacherStates({ teachers }: Snapshot): Metric {
  const present = teachers.filter(({ state }) => state !== "left");
  return gauge(
    "teacher_up",
    "Whether a teacher takes requests.",
    present.map(({ address, model, state }, index) => ({
      labels: { index: String(index), address, model },
      value: state === "up" ? 1 : 0,
    })),
  );
}

function costMetrics(snapshot: Snapshot): Metric[] {
  return [
    counter("tokens_total", "Tokens paid for.", [
      { labels: { kind: "prompt" }, value: snapshot.prompt_tokens },
      { labels: { kind: "completion" }, value: snapshot.completion_tokens },
    ]),
    counter(
      "wasted_tokens_total",
      "Completion tokens of answers that were not accepted.",
      snapshot.wasted_completion_tokens,
    ),
    gauge("cost_usd", "Cost so far in US dollars.", snapshot.cost_usd),
    gauge(
      "projected_cost_usd",
      "Estimated cost of the whole run in US dollars.",
      snapshot.projected_cost_usd,
    ),
    gauge(
      "max_cost_usd",
      "Budget of the run in US dollars; for a shard, its share.",
      snapshot.max_cost_usd,
    ),
  ];
}

function processMetrics(snapshot: Snapshot): Metric[] {
  const lag = snapshot.event_loop_lag_ms;
  return [
    gauge("cpu_ratio", "CPU of the process: 1 is one core.", snapshot.cpu_percent / 100),
    gauge("memory_bytes", "Resident memory of the process.", snapshot.rss_bytes),
    gauge("event_loop_lag_seconds", "How late timers fire: 99th percentile.", lag.p99 / 1000),
  ];
}

function monitorMetrics(hub: Hub): Metric[] {
  return [
    gauge("monitor_pages", "Pages that are open.", hub.pageCount),
    counter("monitor_faults_total", "Errors of the monitor itself.", hub.faults),
  ];
}

function latencyHistogram(hub: Hub): Metric {
  const { latency } = hub.record;
  const bucket = (le: string, value: number) => ({ suffix: "_bucket", labels: { le }, value });
  return {
    name: "latency_seconds",
    help: "Latency of the last attempt of each answered row.",
    type: "histogram",
    values: [
      ...latency.octaves().map(({ upToMs, count }) => bucket(String(upToMs / 1000), count)),
      bucket("+Inf", latency.count),
      { suffix: "_sum", value: latency.sumMs / 1000 },
      { suffix: "_count", value: latency.count },
    ],
  };
}

/** Sums errors by type and status: there are too many different messages for a label. */
function errorValues({ errors }: Snapshot): Value[] {
  const counts = Map.groupBy(errors, ({ type, status }) => `${type} ${status ?? ""}`);
  return [...counts.values()].map((groups) => ({
    labels: { type: groups[0].type, status: String(groups[0].status ?? "") },
    value: groups.reduce((sum, { count }) => sum + count, 0),
  }));
}

function counter(name: string, help: string, values: number | readonly Value[]): Metric {
  return { name, help, type: "counter", values: valuesOf(values) };
}

function gauge(name: string, help: string, values: number | null | readonly Value[]): Metric {
  return { name, help, type: "gauge", values: valuesOf(values) };
}

function valuesOf(values: number | null | readonly Value[]): readonly Value[] {
  if (values === null) return [];
  return typeof values === "number" ? [{ value: values }] : values;
}

function formatMetric({ name, help, type, values }: Metric): string {
  if (values.length === 0) return "";
  const fullName = `retort_${name}`;
  const lines = values.map(({ suffix = "", labels, value }) =>
    `${fullName}${suffix}${labelText(labels)} ${value}\n`
  );
  return `# HELP ${fullName} ${help}\n# TYPE ${fullName} ${type}\n${lines.join("")}`;
}

function labelText(labels: Value["labels"]): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
