/**
 * What is asked of an index, and what it answers: plain objects that go from thread to thread and, as JSON,
 * to the page.
 *
 * @module
 */

/** Which rows, and in which order. */
export interface Query {
  /** A condition; all rows where it is empty. */
  readonly where: string;
  /** The field of numbers that they are sorted by. @default the order of the files */
  readonly sort?: string;
  /** Whether the largest come first. @default false */
  readonly descending?: boolean;
}

/** A value that rows have in common. */
export type FacetValue = string | number | boolean | null | undefined;

/** How rows spread over the values of one field. */
export interface Facet {
  /** The name of the field in conditions. */
  readonly field: string;
  readonly title: string;
  /** Whether it is a field of the user's rows. */
  readonly isOwn: boolean;
  /** The values, the most frequent first. */
  readonly values: readonly { readonly value: FacetValue; readonly count: number }[];
  /** How many values are left out. */
  readonly more: number;
}

/** How a count of tokens spreads. */
export interface Histogram {
  readonly field: string;
  readonly title: string;
  /** The largest value. */
  readonly most: number;
  /** Bins that follow one another; `from` and `to` belong to each. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

/** One row of the table. */
export interface ShownRow {
  /** What the row is called in addresses: `file:offset`. */
  readonly id: string;
  readonly uid: string;
  readonly status: string;
  /** The prompt and the answer, or the failure; cut to what a line of the table shows. */
  readonly prompt: string;
  readonly answer: string;
  readonly finish_reason: string;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly reasoning_tokens: number;
  readonly latency_ms: number;
  readonly attempts: number;
  /** US dollars, or -1. */
  readonly cost_usd: number;
  readonly is_estimated: boolean;
  readonly teacher: string;
  readonly model: string;
  readonly flags: readonly string[];
  /** The fields of the user's row that were asked for, as text. */
  readonly own: Readonly<Record<string, string>>;
}

/** Some rows of a query. */
export interface RowPage {
  /** Rows that meet the condition, as far as it is known. */
  readonly total: number;
  /** Whether all rows were looked at. */
  readonly isComplete: boolean;
  /** The place of the first of these rows among them. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  /** The index that this is of. */
  readonly version: number;
}
