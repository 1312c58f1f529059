/**
 * What is asked of an index, and what it answers: plain objects that go from thread to thread and, as JSON,
 * to the page.
 *
 * @module
 */

import type { RunComparison } from "./comparison.ts";
import type { IndexStatus } from "./data_index.ts";

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
  /** The type of the failure, or "". */
  readonly failure: string;
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

/** A whole row. */
export interface RowDetail extends ShownRow {
  readonly file: string;
  /** Where its input row stands. */
  readonly source: string;
  /** What was asked. */
  readonly turns: readonly {
    readonly role: string;
    readonly text: string;
    readonly toolCalls?: string;
  }[];
  readonly response: string;
  readonly reasoning: string;
  /** Tool calls of the answer as JSON, or "". */
  readonly tool_calls: string;
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly status: number | null;
  } | null;
  /** The line as it stands in the file. */
  readonly raw: string;
  /** Whether texts were cut. */
  readonly is_cut: boolean;
  /** The row that has the same answer and came before it. */
  readonly duplicate_of: string | null;
  /** All answers to its input row, where there are several. */
  readonly samples: readonly {
    readonly id: string;
    readonly uid: string;
    readonly status: string;
    readonly file: string;
    readonly response: string;
    readonly final_answer: string;
    readonly completion_tokens: number;
    readonly latency_ms: number;
    readonly cost_usd: number;
    readonly is_estimated: boolean;
    readonly finish_reason: string;
  }[];
}

/** How far the search through the lines is. */
export interface ScanStatus {
  readonly done: number;
  readonly total: number;
  readonly isDone: boolean;
  /** Why it ended early. */
  readonly problem: string | null;
}

/** Some rows of a query. */
export interface RowPage {
  /** Rows that meet the condition, as far as it is known. */
  readonly total: number;
  /** The search through the lines; null where the condition needs none. */
  readonly scan: ScanStatus | null;
  /** The place of the first of these rows among them. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  /** The index that this is of. */
  readonly version: number;
}

/** How rows spread. */
export interface Overview {
  readonly total: number;
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
  readonly scan: ScanStatus | null;
  readonly version: number;
}

/** How far the search for near duplicates is. */
export interface NearStatus {
  /** What is compared. */
  readonly of: "prompt" | "response";
  readonly done: number;
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** Groups of rows, and rows in them beyond the first of each. */
  readonly groups: number;
  readonly copies: number;
  readonly problem: string | null;
}

/** What is known of files and rows. */
export interface DataState {
  readonly index: IndexStatus;
  /** Fields by which rows can be sorted. */
  readonly sortable: readonly string[];
  /** Fields of the users' rows. */
  readonly own: readonly string[];
  /** Token limits that the parameters of runs set. */
  readonly max_tokens: readonly number[];
  readonly near: NearStatus | null;
  /** The runs that the results are of, as commands name them. */
  readonly runs: readonly {
    readonly input: string;
    readonly output: string;
    readonly model: string;
  }[];
  /** The results files, which exports read. */
  readonly results: readonly string[];
  /** The two runs beside each other, where the user named two. */
  readonly comparison: RunComparison | null;
  /** How the command line names the files. */
  readonly paths: readonly string[];
}

/** Questions to the worker, by name: what is asked, and what is answered. */
export interface DataRequests {
  state: { in: Record<never, never>; out: DataState };
  rows: {
    in: Query & {
      readonly from: number;
      readonly count: number;
      readonly columns: readonly string[];
    };
    out: RowPage;
  };
  overview: { in: Query; out: Overview };
  row: { in: { readonly id: string }; out: RowDetail | undefined };
  /** The place of a row among those of a query, or -1. */
  locate: { in: Query & { readonly uid: string }; out: number };
  /** The ids of some rows, or of all rows of a query. */
  uids: { in: Query | { readonly ids: readonly string[] }; out: readonly string[] };
  near: { in: { readonly of: "prompt" | "response" | "cancel" }; out: NearStatus | null };
  files: { in: { readonly files: readonly { path: string; readPath?: string }[] }; out: undefined };
}

/** The name of a question. */
export type DataRequestName = keyof DataRequests;
