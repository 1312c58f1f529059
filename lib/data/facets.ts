/**
 * Facets, histograms and statistics of rows.
 *
 * @module
 */

import { RowMark, type Scalar } from "./columns.ts";
import { FLAGS } from "./flags.ts";
import { STATUSES } from "./line_facts.ts";
import { NUMBER_FIELDS } from "./fields.ts";
import { type Spread, spreadOf } from "./comparison.ts";
import { ANSWERED, type Table } from "./table.ts";
import { isNumber } from "../where/mod.ts";

export interface Facet {
  readonly field: string;
  readonly title: string;
  /** Whether the field belongs to the user's rows. */
  readonly isOwn: boolean;
  /**
   * Frequent values come first, but numbers are in ascending order, and flags in the order of
   * `FLAGS`.
   */
  readonly values: readonly { readonly value: Scalar; readonly count: number }[];
  /** The number of values that are not in `values`. */
  readonly more: number;
}

export interface Histogram {
  readonly field: string;
  readonly title: string;
  /** The largest value. */
  readonly most: number;
  /** `from` and `to` are inclusive. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

const MAX_FACET_VALUES = 50;

const COMPARISON_FACETS = [
  ["compared_run", "Run"],
  ["run_agreement", "Answers of both runs"],
] as const;

export function facetsOf(table: Table, rows: Uint32Array): Facet[] {
  const { columns, names, viewFields } = table;
  const field = (name: string) => conditionName(table, name);
  const { finishReason, failure, model, teacher, source } = names;
  const comparisonFacets = COMPARISON_FACETS.flatMap(([name, title]) => {
    const viewField = viewFields.get(name);
    if (viewField === undefined) return [];
    return [facet(field(name), title, rows, viewField.codes, listed(viewField.values))];
  });
  const facets = [
    ...comparisonFacets,
    facet(field("status"), "Status", rows, columns.status, STATUSES),
    facet("error.type", "Failure", rows, columns.failure, listed(failure.list)),
    facet(field("finish_reason"), "Finish reason", rows, columns.finishReason, finishReason.list),
    flagFacet(table, rows),
    facet(field("model"), "Model", rows, columns.model, model.list),
    facet(field("teacher"), "Teacher", rows, columns.teacher, teacher.list),
    facet(field("source_file"), "Source file", rows, columns.source, source.list),
    ...ownFacets(table, rows),
  ];
  return facets.filter(({ values }) => values.length > 0);
}

function ownFacets({ fields }: Table, rows: Uint32Array): Facet[] {
  return fields.values().toArray().flatMap(({ name, path, values, codes }) => {
    if (values === undefined || values.length === 0) return [];
    // The name is in backquotes, because the page takes the plain name for the facet of Retort's
    // flags.
    const field = name === "flags" ? "`flags`" : name;
    const ownFacet = facet(field, path.join("."), rows, codes, [undefined, ...values]);
    return [{ ...ownFacet, isOwn: true }];
  });
}

/**
 * Returns the name of Retort's field in conditions: `distill.model` if rows have a `model` of their
 * own.
 */
function conditionName({ fieldNames }: Table, name: string): string {
  return fieldNames.has(name) ? `distill.${name}` : name;
}

/**
 * Keeps null and "" out of a facet, because they mean that a row lacks the field. An answer, for
 * example, has no failure.
 */
function listed(values: readonly Scalar[]): (Scalar | undefined)[] {
  return values.map((value) => value === null || value === "" ? undefined : value);
}

/** @param values The value of each code; undefined for a code that is not listed. */
function facet(
  field: string,
  title: string,
  rows: Uint32Array,
  codes: Uint8Array | Uint16Array,
  values: readonly (Scalar | undefined)[],
): Facet {
  const counts = new Uint32Array(values.length);
  if (codes instanceof Uint8Array) countUint8(rows, codes, counts);
  else countUint16(rows, codes, counts);
  // For conditions, a row without the field (code 0) has null.
  const nullCode = values.indexOf(null);
  if (nullCode > 0) counts[nullCode] += counts[0];
  const valueCounts = values.flatMap((value, code) =>
    value === undefined || counts[code] === 0 ? [] : [{ value, count: counts[code] }]
  );
  const areNumbers = valueCounts.every(({ value }) => isNumber(value));
  valueCounts.sort((a, b) => areNumbers ? a.value! < b.value! ? -1 : 1 : b.count - a.count);
  return {
    field,
    title,
    isOwn: false,
    values: valueCounts.slice(0, MAX_FACET_VALUES),
    more: Math.max(0, valueCounts.length - MAX_FACET_VALUES),
  };
}

// Each kind of array has a function of its own, because a shared one takes five times as long. A
// loop with `of` is slower, too.

/** Counts rows by code. Rows beyond the end of `codes` have code 0. */
function countUint8(rows: Uint32Array, codes: Uint8Array, counts: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    counts[row < codes.length ? codes[row] : 0]++;
  }
}

function countUint16(rows: Uint32Array, codes: Uint16Array, counts: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) counts[codes[rows[i]]]++;
}

function flagFacet(table: Table, rows: Uint32Array): Facet {
  const counts = flagCounts(table, rows);
  const values = FLAGS.map(({ name }, bit) => ({ value: name, count: counts[bit] }));
  return {
    field: conditionName(table, "flags"),
    title: "Flags",
    isOwn: false,
    values: values.filter(({ count }) => count > 0),
    more: 0,
  };
}

function flagCounts({ columns }: Table, rows: Uint32Array): number[] {
  const combinations = new Uint32Array(0x1_0000);
  countUint16(rows, columns.flags, combinations);
  return FLAGS.map((_, bit) => {
    let count = 0;
    for (let bits = 1; bits < 1 << FLAGS.length; bits++) {
      if ((bits & (1 << bit)) !== 0) count += combinations[bits];
    }
    return count;
  });
}

const HISTOGRAMS = [
  ["prompt_tokens", "Prompt tokens"],
  ["completion_tokens", "Answer tokens"],
  ["reasoning_tokens", "Reasoning tokens"],
] as const;

/**
 * Counts answered rows by value: bins 0 to 3 are for one value each, and four bins follow for each
 * power of two. Leaves out failed rows: most have no answer, and so a count of 0. Fields that are 0
 * in all rows have no histogram.
 */
export function histogramsOf(table: Table, rows: Uint32Array): Histogram[] {
  const { status } = table.columns;
  return HISTOGRAMS.map(([field, title]) => {
    const values = table.columns[NUMBER_FIELDS[field]];
    const counts = new Uint32Array(binOf(0xffff_ffff) + 1);
    let most = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (status[row] !== ANSWERED) continue;
      const value = values[row];
      counts[binOf(value)]++;
      if (value > most) most = value;
    }
    const last = binOf(most);
    return {
      field: conditionName(table, field),
      title,
      most,
      bins: [...counts.subarray(0, last + 1)].map((count, bin) => ({
        from: binStart(bin),
        to: binStart(bin + 1) - 1,
        count,
      })),
    };
  }).filter(({ most }) => most > 0);
}

function binOf(value: number): number {
  if (value < 4) return value;
  const octave = 31 - Math.clz32(value);
  return 4 * (octave - 1) + ((value >>> (octave - 2)) & 3);
}

function binStart(bin: number): number {
  if (bin < 4) return bin;
  const octave = Math.floor(bin / 4) + 1;
  return (4 + bin % 4) * 2 ** (octave - 2);
}

/** Figures of selected rows. Spreads, flags and histograms cover only answered rows. */
export interface DataStatistics {
  readonly rows: Readonly<Record<"total" | typeof STATUSES[number], number>>;
  readonly prompt_tokens: Spread;
  readonly completion_tokens: Spread;
  readonly reasoning_tokens: Spread;
  readonly latency_ms: Spread;
  /** US dollars, without the rows whose cost is unknown. */
  readonly cost_usd: number;
  readonly cost_estimated_rows: number;
  readonly cost_unknown_rows: number;
  readonly flags: Readonly<Record<string, number>>;
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
}

export function statisticsOf(table: Table, rows: Uint32Array): DataStatistics {
  const { columns } = table;
  const statusCounts = STATUSES.map(() => 0);
  let costUsd = 0, estimatedRows = 0, unknownRows = 0;
  for (const row of rows) {
    statusCounts[columns.status[row]]++;
    const rowUsd = columns.costUsd[row];
    if (rowUsd >= 0) costUsd += rowUsd;
    else unknownRows++;
    if ((columns.marks[row] & RowMark.Estimated) !== 0) estimatedRows++;
  }
  const answeredRows = rows.filter((row) => table.isAnswered(row));
  const spread = (column: Uint32Array) =>
    spreadOf(Uint32Array.from(answeredRows, (row) => column[row]));
  const counts = flagCounts(table, rows);
  return {
    rows: {
      total: rows.length,
      ...Object.fromEntries(STATUSES.map((status, index) => [status, statusCounts[index]])),
    } as DataStatistics["rows"],
    prompt_tokens: spread(columns.promptTokens),
    completion_tokens: spread(columns.completionTokens),
    reasoning_tokens: spread(columns.reasoningTokens),
    latency_ms: spread(columns.latencyMs),
    cost_usd: costUsd,
    cost_estimated_rows: estimatedRows,
    cost_unknown_rows: unknownRows,
    flags: Object.fromEntries(FLAGS.map(({ name }, index) => [name, counts[index]])),
    facets: facetsOf(table, rows),
    histograms: histogramsOf(table, rows),
  };
}
