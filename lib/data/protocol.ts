/**
 * Questions to an index, their answers, and other messages between its threads. The page sends and
 * receives questions and answers as JSON.
 *
 * @module
 */

import type { RunComparison } from "./comparison.ts";
import type { IndexedPath, IndexStatus } from "./data_index.ts";
import type { ScanJob } from "./scan.ts";

/** Selects rows and their order. */
export interface Query {
  /** A condition; "" for all rows. */
  readonly where: string;
  /**
   * The name of the field to sort by: one of `DataState.sortable`, or one of Retort's as in
   * `distill.latency_ms`. @default the order in the files
   */
  readonly sort?: string;
  /** Sorts the largest first. @default false */
  readonly descending?: boolean;
}

export type FacetValue = string | number | boolean | null | undefined;

/** How many rows have each value of a field. */
export interface Facet {
  /** The field's name in conditions. */
  readonly field: string;
  readonly title: string;
  /** Whether it is a field of the user's rows. */
  readonly isOwn: boolean;
  /** The most frequent values first; numbers in ascending order. */
  readonly values: readonly { readonly value: FacetValue; readonly count: number }[];
  /** The number of further values, which are not in `values`. */
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

/** One row of the page's table. Texts are shortened. */
export interface ShownRow {
  /** For addresses of the page: the number of the file and the offset of the line, `0:4711`. */
  readonly id: string;
  readonly uid: string;
  readonly status: string;
  readonly prompt: string;
  /** The answer; if the row failed, the message of the failure. */
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
  /** The fields of the user's row that the question named as columns, as text. */
  readonly own: Readonly<Record<string, string>>;
}

/** One row with full texts. `own` has all fields of the user's row that `turns` do not show. */
export interface RowDetail extends ShownRow {
  /** The path of the results or failures file. */
  readonly file: string;
  /** The place of the row in the input. */
  readonly source: string;
  /** The messages of the prompt. */
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
  /** The line as it is in the file. */
  readonly raw: string;
  /** Whether `raw`, and perhaps other texts, were too long and are shortened. */
  readonly is_cut: boolean;
  /** The uid of the earlier row with the same answer; null if none. */
  readonly duplicate_of: string | null;
  /** Up to 50 answers to the same input row; empty if this is the only one. */
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
  /** The index of the first of `samples` among all answers to the row. */
  readonly samples_from: number;
  /** The number of answers to the row. */
  readonly sample_count: number;
}

/** The progress of a scan, in rows. */
export interface ScanStatus {
  readonly done: number;
  readonly total: number;
  readonly isDone: boolean;
  /** Why it ended early, for a message; null if it did not. */
  readonly problem: string | null;
}

/** Consecutive rows of a query. */
export interface RowPage {
  /** The number of rows that meet the condition; those found so far if a scan is running. */
  readonly total: number;
  /** The scan of lines; null if the condition needs none. */
  readonly scan: ScanStatus | null;
  /** The index of the first of `rows` among all that meet the condition. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  /** The version of the index when the condition was evaluated. */
  readonly version: number;
}

/** Facets and histograms of the rows that meet a condition; the other fields as in `RowPage`. */
export interface Overview {
  readonly total: number;
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
  readonly scan: ScanStatus | null;
  readonly version: number;
}

/** The progress of the search for near duplicates. */
export interface NearStatus {
  /** Which texts are compared. */
  readonly of: "prompt" | "response";
  readonly done: number;
  readonly total: number;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** The number of groups of near duplicates; 0 until the search is done. */
  readonly groups: number;
  /** The number of rows in all groups, without the first row of each. */
  readonly copies: number;
  readonly problem: string | null;
}

/** What the page needs apart from rows. */
export interface DataState {
  readonly index: IndexStatus;
  readonly sortable: readonly string[];
  /** The fields of the user's rows. */
  readonly own: readonly string[];
  /** The token limits of all runs, without duplicates. */
  readonly max_tokens: readonly number[];
  /** Null if no search was started. */
  readonly near: NearStatus | null;
  /** The runs of these results, for commands that the page suggests. */
  readonly runs: readonly {
    readonly input: string;
    readonly output: string;
    readonly model: string;
  }[];
  /** The paths of readable results files, for exports. */
  readonly results: readonly string[];
  /** Null unless the user named two paths, and all files were read. */
  readonly comparison: RunComparison | null;
  /** The paths on the command line. */
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
    /** `samplesFrom` is the index of the first answer in `samples`. @default with the row's own */
    in: { readonly id: string; readonly samplesFrom?: number };
    out: RowDetail | undefined;
  };
  /** The index of a row among those of a query; -1 if it is not one of them. */
  locate: { in: Query & { readonly uid: string }; out: number };
  /** The uids of rows given by `ShownRow.id`, or of all rows of a query. */
  uids: { in: Query | { readonly ids: readonly string[] }; out: readonly string[] };
  /** Starts or cancels the search for near duplicates. */
  near: { in: { readonly of: "prompt" | "response" | "cancel" }; out: NearStatus | null };
  /** Adds files that were found later. */
  files: { in: { readonly files: readonly { path: string; readPath?: string }[] }; out: undefined };
}

export type DataRequestName = keyof DataRequests;

/** In place of an id or a chunk's number: a worker is ready to receive messages. */
export const READY = -1;

/** In place of a chunk's number: the worker failed, and `problem` says why. */
export const FAILED = -2;

/** The first message to the worker of an index, once it is ready. */
export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isSaved: boolean;
}

/** Every later message to the worker of an index. */
export interface WorkerQuestion {
  readonly id: number;
  readonly name: DataRequestName;
  readonly request: unknown;
}

/** A message from the worker of an index. */
export interface WorkerAnswer {
  /** The id of the question; `READY` in the first message. */
  readonly id: number;
  /** What was asked for, unless there is an `error`. */
  readonly result?: unknown;
  /** Why the question cannot be answered. */
  readonly error?: string;
  /** Whether the error is a `UsageError`. */
  readonly isUsage?: boolean;
}

/** The only message to a worker of a scan, once it is ready. */
export interface ScanStart {
  readonly job: ScanJob;
  /** One Int32: the number of the next chunk to take, shared by all workers of the scan. */
  readonly next: SharedArrayBuffer;
  /** An Int32 for each worker: the index of its block's first row plus 1, or 0 between chunks. */
  readonly progress: SharedArrayBuffer;
  /** The index of this worker in `progress`. */
  readonly worker: number;
}

/** A message from a worker of a scan: that it is ready, then the hits of each chunk. */
export interface ScanReport {
  /** The number of the chunk; `READY` in the first message, `FAILED` with a `problem`. */
  readonly chunk: number;
  /** The rows of the chunk that meet the conditions, in order. */
  readonly hits: readonly number[];
  /** Why the whole scan must end, for a message. */
  readonly problem?: string;
}
