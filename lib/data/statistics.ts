/**
 * Statistics over rows.
 *
 * @module
 */

import { FLAGS } from "./flags.ts";
import { Mark } from "./columns.ts";
import { facetsOf, histogramsOf } from "./facets.ts";
import type { Facet, Histogram } from "./protocol.ts";
import { STATUSES } from "./line_facts.ts";
import { type Spread, spreadOf } from "./spread.ts";
import type { Table } from "./table.ts";

/** Statistics over some rows. */
export interface DataStatistics {
  /** Rows by status. */
  readonly rows: Readonly<Record<"total" | typeof STATUSES[number], number>>;
  /** Tokens, of answered rows only. */
  readonly prompt_tokens: Spread;
  readonly completion_tokens: Spread;
  readonly reasoning_tokens: Spread;
  readonly latency_ms: Spread;
  /** US dollars of the rows whose cost is known. */
  readonly cost_usd: number;
  /** Rows whose cost is estimated from public prices, and rows whose cost is not known. */
  readonly cost_estimated_rows: number;
  readonly cost_unknown_rows: number;
  /** Rows by flag. */
  readonly flags: Readonly<Record<string, number>>;
  /** Counts for every field with few values. */
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
}

/** Computes the statistics of rows. */
export function statisticsOf(table: Table, rows: Uint32Array): DataStatistics {
  const { columns } = table;
  const counts = STATUSES.map(() => 0);
  const flags = FLAGS.map(() => 0);
  let cost = 0, estimated = 0, unknown = 0;
  for (const row of rows) {
    counts[columns.status[row]]++;
    for (let bits = columns.flags[row]; bits !== 0; bits &= bits - 1) {
      flags[31 - Math.clz32(bits & -bits)]++;
    }
    const usd = columns.costUsd[row];
    if (usd >= 0) cost += usd;
    else unknown++;
    if ((columns.marks[row] & Mark.Estimated) !== 0) estimated++;
  }
  const answered = rows.filter((row) => columns.status[row] === 0);
  const spread = (column: Uint32Array) =>
    spreadOf(Uint32Array.from(answered, (row) => column[row]));
  return {
    rows: {
      total: rows.length,
      ...Object.fromEntries(STATUSES.map((status, at) => [status, counts[at]])),
    } as DataStatistics["rows"],
    prompt_tokens: spread(columns.promptTokens),
    completion_tokens: spread(columns.completionTokens),
    reasoning_tokens: spread(columns.reasoningTokens),
    latency_ms: spread(columns.latencyMs),
    cost_usd: cost,
    cost_estimated_rows: estimated,
    cost_unknown_rows: unknown,
    flags: Object.fromEntries(FLAGS.map(({ name }, at) => [name, flags[at]])),
    facets: facetsOf(table, rows),
    histograms: histogramsOf(table, rows),
  };
}
