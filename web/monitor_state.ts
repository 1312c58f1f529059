/**
 * State of a run for pages and reports. The field names are a wire format, so they are in
 * snake_case.
 *
 * @module
 */

import type { Ending } from "../lib/answer.ts";
import type {
  ErrorGroup,
  Notice,
  Percentiles,
  RunStart,
  Snapshot,
  Summary,
  TeacherStates,
} from "../lib/progress/mod.ts";

export type { Ending } from "../lib/answer.ts";
export type { TeacherStates } from "../lib/progress/mod.ts";

/** The whole state of a run, for pages and reports. */
export interface MonitorState {
  /** Unix milliseconds of the server's clock. */
  time: number;
  /** The event with which the run began; null before it. */
  run: RunStart | null;
  /** Latest snapshot; null before the first. */
  snapshot: WireSnapshot | null;
  /** The run so far, for the charts. */
  history: History;
  /** Latency of answered rows, over the whole run. */
  latency: LatencyHistogram;
  /** Endings and finish reasons of all answers, lengths of the kept ones. */
  answers: AnswerFigures;
  /** One for each teacher, in the order of the snapshot. */
  teacher_figures: TeacherFigures[];
  /** Marks of the charts, oldest first, 60 at most. */
  marks: readonly ChartMark[];
  /** Lists of samples. In this full state, `added` contains all samples. */
  samples: Samples;
  /** Latest notices, oldest first, 100 at most. Using a control adds one, too. */
  notices: Notice[];
  /** Whether failed rows are retried when the run is done. */
  retry_when_done: boolean;
  /** Summary of the run; null before its end, or if it ended with an error. */
  summary: Summary | null;
  /** Whether the run has ended. */
  ended: boolean;
  /** Description of the run; null if the caller gave none. */
  about: RunAbout | null;
}

/** Description of a run for users. */
export interface RunAbout {
  /** Command, version, inputs, output, parameters and so on, in the order of the page. */
  facts: readonly { readonly name: string; readonly text: string }[];
  /** Next commands, the suggested one first; empty before the end. */
  commands: readonly { readonly name: string; readonly command: string }[];
}

/** Endings and tokens of the last answer of each finished row. */
export interface AnswerFigures {
  /**
   * Number of answers by ending, kept or not. The answer of a row that failed as truncated or
   * filtered is counted as `limit` or `filter`, unless its finish reason means `context`.
   */
  endings: Partial<Record<Ending, number>>;
  /** Number of answers by finish reason, kept or not, most frequent first: up to 8, and `other`. */
  finish_reasons: (readonly [reason: string, count: number])[];
  /** Number of kept answers. The token figures below cover only these. */
  answered: number;
  /** Number of answers at the token limit or the end of the context window, kept or not. */
  truncated: number;
  /**
   * Completion tokens of kept answers, including reasoning. The snapshot's field of this name
   * counts all tokens that were paid for, including `wasted_completion_tokens`.
   */
  completion_tokens: number;
  /** The part of `completion_tokens` that teachers report as reasoning. */
  reasoning_tokens: number;
  /** Completion tokens per kept answer, including reasoning; all 0 if teachers report none. */
  length_tokens: Percentiles;
}

/** Figures of one teacher over the last 30 s. */
export interface TeacherFigures {
  /** Rows answered or failed per second. */
  rows_per_s: number;
  /** Median latency in milliseconds, or null without answers. */
  p50_ms: number | null;
}

/** An event, at its position in the charts. */
export interface ChartMark {
  /** Seconds on the time axis of the history. */
  at_s: number;
  /** Kind of event. */
  kind: "hold" | "throttled" | "down" | "up" | "control";
  /** A few words about the event. */
  text: string;
}

/** A snapshot for pages and reports, with fewer errors and teachers, and truncated texts (`…`). */
export interface WireSnapshot extends Omit<Snapshot, "type"> {
  /** Always "snapshot". */
  type: "snapshot";
  /** The most frequent kinds of failed attempts. */
  errors: ErrorGroup[];
  /** Number of error groups, including omitted ones. */
  errors_total: number;
  /** Number of entries for teachers, including omitted ones. */
  teachers_total: number;
  /** 1 if teachers have left, which share a single entry; otherwise 0. */
  teachers_left: number;
  /** Number of teachers in each state, including omitted ones, without those that left. */
  teacher_states: TeacherStates;
}

/** Names of the history's columns, in order. */
export const HISTORY_COLUMNS = [
  /**
   * End of the interval that the point covers, in seconds since the run could send a row. A retry
   * continues the time of the run before it.
   */
  "elapsed_s",
  /** Rows answered per second. */
  "succeeded_per_s",
  /** Rows that failed permanently, per second. */
  "failed_per_s",
  /**
   * Median latency of the last 30 s, in milliseconds; null without answers. A point has the mean of
   * its readings.
   */
  "p50_ms",
  /** 90th percentile of the latency, like `p50_ms`. */
  "p90_ms",
  /** 99th percentile of the latency, like `p50_ms`. */
  "p99_ms",
  /** Completion tokens per second, including those of answers that were not accepted. */
  "tokens_per_s",
  /** Mean number of attempts in flight. */
  "in_flight",
  /** Mean of the adaptive limit of attempts in flight. */
  "limit",
  /** Requested concurrency. */
  "concurrency",
  /** Attempts that were throttled (mostly 429, 503, 529) during the point. */
  "refused_for_load",
  /** Longest event loop lag during the point, in milliseconds. */
  "lag_ms",
  /** Mean CPU of the process, in percent of one core. */
  "cpu_percent",
  /** Peak memory of the process during the point. */
  "rss_bytes",
] as const;

/** A column of the history. */
export type HistoryColumn = typeof HISTORY_COLUMNS[number];

/** The history of the run in at most 1,000 points, column by column, oldest first. */
export interface History {
  /** Duration of a point in seconds. Doubles whenever points are merged. */
  point_s: number;
  /** One array per column, all of the same length. */
  columns: Record<HistoryColumn, (number | null)[]>;
}

/** Rows by latency. Bucket `i` is from `bounds_ms[i]` up to `bounds_ms[i + 1]`. */
export interface LatencyHistogram {
  /**
   * Bounds of the buckets in milliseconds, each a constant factor above the one before. There is
   * one more bound than counts, or none if there are no answers.
   */
  bounds_ms: number[];
  /** Number of rows in each bucket. */
  counts: number[];
}

/** An answer or a failure, as text. Never use the texts as markup, because a model wrote them. */
export interface Sample {
  /** Unique within the run. */
  id: number;
  /** When the row finished, in Unix milliseconds. */
  time: number;
  /** Id of the row. */
  uid: string;
  /** Last user message, or the last message if no user wrote one. Long texts are truncated. */
  prompt: string;
  /** Reasoning, truncated if it is long; "" if there is none. */
  reasoning: string;
  /** Answer, truncated if it is long; "" if there is none. */
  response: string;
  /** Tool calls as JSON, truncated if they are long; "" if there are none. */
  tool_calls: string;
  /** Finish reason as the teacher sent it; "" if there is no answer. */
  finish_reason: string;
  /** Tokens of the prompt; null if the teacher does not report them. */
  prompt_tokens: number | null;
  /** Tokens of answer and reasoning; null if the teacher does not report them. */
  completion_tokens: number | null;
  /** Tokens of the reasoning; null if the teacher does not report them. */
  reasoning_tokens: number | null;
  /** Duration of the last attempt. */
  latency_ms: number;
  /** Number of attempts. */
  attempts: number;
  /** Cost of all attempts in US dollars; 0 if unknown. */
  cost_usd: number;
  /** Address of the teacher of the last attempt, without credentials; "" without an attempt. */
  teacher: string;
  /** Model that answered, or that the last attempt requested; "" if there was no attempt. */
  model: string;
  /** Why the row failed; null if it has an answer. */
  failure: { type: string; message: string; status: number | null } | null;
  /** Whether prompt, reasoning, answer or tool calls are truncated. */
  is_cut: boolean;
}

/** Lists of sample ids, and the new samples. The page drops samples that are in no list. */
export interface Samples {
  /** Latest answers, newest first, 20 at most. */
  latest: number[];
  /** Random choice of 20 answers. Each answer so far has the same chance. */
  reservoir: number[];
  /** Latest failed rows, newest first, 20 at most. */
  failures: number[];
  /** Samples that the page does not have yet. */
  added: Sample[];
}
