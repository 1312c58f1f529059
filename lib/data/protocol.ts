/**
 * Questions to an index and their answers, and the other messages between its threads: plain
 * objects. Questions and answers are also passed, as JSON, to the page.
 *
 * @module
 */

import type { RunComparison } from "./comparison.ts";
import type { IndexedPath, IndexStatus } from "./data_index.ts";
import type { ScanJob } from "./scan.ts";

/** Which rows, and in which order. */
export interface Query {
  /** A condition; all rows where it is empty. */
  readonly where: string;
  /** The number field to sort by. @default the order of the files */
  readonly sort?: string;
  /** Whether the largest come first. @default false */
  readonly descending?: boolean;
}

/** A value that rows have in common. */
export type FacetValue = string | number | boolean | null | undefined;

/** The number of rows for each value of a field. */
export interface Facet {
  /** The name of the field in conditions. */
  readonly field: string;
  readonly title: string;
  /** Whether it is a field of the user's rows. */
  readonly isOwn: boolean;
  /** The values, the most frequent first. */
  readonly values: readonly { readonly value: FacetValue; readonly count: number }[];
  /** The number of values that are left out. */
  readonly more: number;
}

/** The distribution of a token count. */
export interface Histogram {
  readonly field: string;
  readonly title: string;
  /** The largest value. */
  readonly most: number;
  /** Consecutive bins; both `from` and `to` are included. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

/** One row of the table. */
export interface ShownRow {
  /** The id of the row in addresses: `file:offset`. */
  readonly id: string;
  readonly uid: string;
  readonly status: string;
  /** The prompt and the answer, or the failure; shortened for the table. */
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
  /** The requested fields of the user's row, as text. */
  readonly own: Readonly<Record<string, string>>;
}

/** A whole row. */
export interface RowDetail extends ShownRow {
  readonly file: string;
  /** The place of its input row. */
  readonly source: string;
  /** The prompt. */
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
  /** The line as it is in the file. */
  readonly raw: string;
  /** Whether texts were shortened. */
  readonly is_cut: boolean;
  /** The uid of the earlier row with the same answer. */
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

/** The progress of a search through the lines. */
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
  /** The index of the first of these rows. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  /** The version of the index. */
  readonly version: number;
}

/** Facets and histograms of a query. */
export interface Overview {
  readonly total: number;
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
  readonly scan: ScanStatus | null;
  readonly version: number;
}

/** The progress of the search for near duplicates. */
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

/** The state of the data. */
export interface DataState {
  readonly index: IndexStatus;
  /** Fields by which rows can be sorted. */
  readonly sortable: readonly string[];
  /** Fields of the users' rows. */
  readonly own: readonly string[];
  /** Token limits that the parameters of runs set. */
  readonly max_tokens: readonly number[];
  readonly near: NearStatus | null;
  /** The runs of the results, for commands. */
  readonly runs: readonly {
    readonly input: string;
    readonly output: string;
    readonly model: string;
  }[];
  /** The results files, which exports read. */
  readonly results: readonly string[];
  /** The comparison of two runs, if the user named two. */
  readonly comparison: RunComparison | null;
  /** The paths on the command line. */
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
  /** The index of a row among those of a query, or -1. */
  locate: { in: Query & { readonly uid: string }; out: number };
  /** The ids of some rows, or of all rows of a query. */
  uids: { in: Query | { readonly ids: readonly string[] }; out: readonly string[] };
  near: { in: { readonly of: "prompt" | "response" | "cancel" }; out: NearStatus | null };
  files: { in: { readonly files: readonly { path: string; readPath?: string }[] }; out: undefined };
}

/** The name of a question. */
export type DataRequestName = keyof DataRequests;

/** The id of the message by which a worker reports that it listens. */
export const READY = -1;

/** The first message to the worker of an index, once it listens. */
export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isKept: boolean;
}

/** All later messages to that worker. */
export interface WorkerQuestion {
  readonly id: number;
  readonly name: DataRequestName;
  readonly given: unknown;
}

/** Its answer. */
export interface WorkerAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Whether the error is a usage error. */
  readonly isUsage?: boolean;
}

/** The only message to a worker of a scan, once it listens. */
export interface ScanStart {
  readonly job: ScanJob;
  /** The next chunk of rows to take: an Int32. */
  readonly next: SharedArrayBuffer;
  /** The progress of each worker: the first row of its block plus 1, or 0. Int32s. */
  readonly progress: SharedArrayBuffer;
  /** The number of the worker. */
  readonly worker: number;
}

/** A message from that worker: first that it listens, then the hits of each chunk. */
export interface ScanReport {
  /** The number of the chunk; `READY` in the first message. */
  readonly chunk: number;
  /** Rows of it that meet the conditions. */
  readonly hits: readonly number[];
  readonly problem?: string;
}
