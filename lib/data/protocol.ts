/**
 * Questions to an index, their answers, and other messages between its threads. The page sends and
 * receives questions and answers as JSON.
 *
 * @module
 */

import type { RunComparison } from "./comparison.ts";
import type { IndexedPath, IndexStatus } from "./data_index.ts";
import type { ScanJob } from "./scan.ts";

export interface Query {
  /** A condition; "" for all rows. */
  readonly where: string;
  /**
   * One of `DataState.sortable`, or a field of Retort's as in `distill.latency_ms`. @default the
   * order in the files
   */
  readonly sort?: string;
  readonly descending?: boolean;
}

export type FacetValue = string | number | boolean | null | undefined;

export interface Facet {
  readonly field: string;
  readonly title: string;
  readonly isOwn: boolean;
  /** The most frequent values first; numbers in ascending order. */
  readonly values: readonly { readonly value: FacetValue; readonly count: number }[];
  /** How many further values there are. */
  readonly more: number;
}

export interface Histogram {
  readonly field: string;
  readonly title: string;
  readonly most: number;
  /** Both `from` and `to` are included. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

export interface ShownRow {
  /** The number of the file and the offset of the line, `0:4711`, for addresses of the page. */
  readonly id: string;
  readonly uid: string;
  readonly status: string;
  readonly prompt: string;
  /** If the row failed, the message of the failure. */
  readonly answer: string;
  readonly finish_reason: string;
  /** The type of the failure; "" if the row was answered. */
  readonly failure: string;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly reasoning_tokens: number;
  readonly latency_ms: number;
  readonly attempts: number;
  /** -1 if unknown. */
  readonly cost_usd: number;
  /** Whether `cost_usd` is estimated from public prices. */
  readonly is_estimated: boolean;
  readonly teacher: string;
  readonly model: string;
  readonly flags: readonly string[];
  /** As text, the fields of the user's row that the question named as columns. */
  readonly own: Readonly<Record<string, string>>;
}

/** One row with full texts. `own` has all fields of the user's row that `turns` do not show. */
export interface RowDetail extends ShownRow {
  readonly file: string;
  readonly source: string;
  readonly turns: readonly {
    readonly role: string;
    readonly text: string;
    readonly toolCalls?: string;
  }[];
  readonly response: string;
  readonly reasoning: string;
  /** Tool calls of the answer as indented JSON; "" if none. */
  readonly tool_calls: string;
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly status: number | null;
  } | null;
  readonly raw: string;
  /** Whether `raw`, and perhaps other texts, were too long and are shortened. */
  readonly is_cut: boolean;
  readonly duplicate_of: string | null;
  /** Up to 50 answers to the same input row; none if this is the only one. */
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
  /** The index of the first of these samples among all. */
  readonly samples_from: number;
  readonly sample_count: number;
}

export interface ScanStatus {
  readonly done: number;
  readonly total: number;
  readonly isDone: boolean;
  /** Why it ended early, for a message; null if it did not. */
  readonly problem: string | null;
}

export interface RowPage {
  /** Rows that meet the condition; those found so far if a scan is running. */
  readonly total: number;
  /** Null if the condition needs no scan of lines. */
  readonly scan: ScanStatus | null;
  /** The index of the first row among all that meet the condition. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  readonly version: number;
}

/** Facets and histograms of the rows that meet a condition; the other fields as in `RowPage`. */
export interface Overview {
  readonly total: number;
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
  /** About fields of the condition that no row has, as misspelt ones. */
  readonly notes: readonly string[];
  readonly scan: ScanStatus | null;
  readonly version: number;
}

export interface NearStatus {
  readonly of: "prompt" | "response";
  readonly done: number;
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** Groups of near duplicates; 0 until the search is done. */
  readonly groups: number;
  /** Rows in these groups, without the first of each. */
  readonly copies: number;
  readonly problem: string | null;
}

export interface DataState {
  readonly index: IndexStatus;
  readonly sortable: readonly string[];
  readonly own: readonly string[];
  /** The values of all runs, without duplicates. */
  readonly max_tokens: readonly number[];
  readonly near: NearStatus | null;
  /** The runs, for commands that the page suggests. */
  readonly runs: readonly {
    readonly input: string;
    readonly output: string;
    readonly model: string;
  }[];
  readonly results: readonly string[];
  /** Null unless the user named two paths, and all files were read. */
  readonly comparison: RunComparison | null;
  readonly paths: readonly string[];
}

/** Questions to the worker by name: `in` is the question, `out` the answer. */
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
  row: {
    /**
     * @param samplesFrom The index of the first answer in `samples`. @default with the row's own
     */
    in: { readonly id: string; readonly samplesFrom?: number };
    out: RowDetail | undefined;
  };
  /** The index of a row among those of a query; -1 if it is not one of them. */
  locate: { in: Query & { readonly uid: string }; out: number };
  /** The uids of rows given by `ShownRow.id`, or of all rows of a query. */
  uids: { in: Query | { readonly ids: readonly string[] }; out: readonly string[] };
  near: { in: { readonly of: "prompt" | "response" | "cancel" }; out: NearStatus | null };
  files: { in: { readonly files: readonly { path: string; readPath?: string }[] }; out: undefined };
}

export type DataRequestName = keyof DataRequests;

/** In place of an id or a chunk's number: a worker is ready to receive messages. */
export const READY = -1;

/** In place of a chunk's number: the worker failed, and `problem` says why. */
export const FAILED = -2;

export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isSaved: boolean;
}

export interface WorkerQuestion {
  readonly id: number;
  readonly name: DataRequestName;
  readonly request: unknown;
}

export interface WorkerAnswer {
  /** The id of the question; `READY` in the first message. */
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly isUsage?: boolean;
}

/** The only message to a worker of a scan, once it is ready. */
export interface ScanStart {
  readonly job: ScanJob;
  /** The number of the next chunk to take, as one Int32 for all workers of the scan. */
  readonly next: SharedArrayBuffer;
  /** An Int32 for each worker: the index of its block's first row plus 1, or 0 between chunks. */
  readonly progress: SharedArrayBuffer;
  readonly worker: number;
}

/** A message from a worker of a scan: that it is ready, then the hits of each chunk. */
export interface ScanReport {
  readonly chunk: number;
  readonly hits: readonly number[];
  readonly problem?: string;
}
