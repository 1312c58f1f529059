/**
 * The state of a run as pages and reports hold it. The field names are a wire format, hence
 * snake_case.
 *
 * @module
 */

import type { Ending } from "../lib/engine/answers/mod.ts";
import type {
  ErrorGroup,
  Notice,
  Percentiles,
  RunStart,
  Snapshot,
  Summary,
} from "../lib/progress/mod.ts";

export type { Ending } from "../lib/engine/answers/mod.ts";

/** The whole state of a run, from which a report is made, too. */
export interface MonitorState {
  /** When it was made: Unix milliseconds, clock of the server. */
  time: number;
  /** How the run began, or null before its first event. */
  run: RunStart | null;
  /** The latest snapshot, or null before the first. */
  snapshot: WireSnapshot | null;
  /** The run so far, for the charts. */
  history: History;
  /** How long answered rows took, over the whole run. */
  latency: LatencyHistogram;
  /** How answers ended, and how long they are. */
  answers: AnswerFigures;
  /** The figures of each teacher, in the order of the snapshot. */
  teacher_figures: TeacherFigures[];
  /** The marks of the charts, oldest first, 60 at most. */
  marks: readonly ChartMark[];
  /** Samples; `added` holds all of them. */
  samples: Samples;
  /** The latest notices, oldest first, 100 at most. Controls are among them. */
  notices: Notice[];
  /** Whether failed rows are retried when the run is done. */
  retry_when_done: boolean;
  /** How the run ended, or null where it has not, or ended with an error. */
  summary: Summary | null;
  /** Whether the run has ended. */
  ended: boolean;
  /** The description of the run, or null where there is none: a run of the library. */
  about: RunAbout | null;
}

/** The description of a run for the user. */
export interface RunAbout {
  /** Command, version, inputs, output, parameters and so on, in the order in which they are shown. */
  facts: readonly { readonly name: string; readonly text: string }[];
  /** The commands that follow, the next one first; none before the end. */
  commands: readonly { readonly name: string; readonly command: string }[];
}

/**
 * How the answers of finished rows ended, and how many tokens they have. Answers of a row that was
 * sent again are not among them.
 */
export interface AnswerFigures {
  /** How many answers ended in each way, kept or not. A row that failed as truncated or filtered counts as such,
   * whatever its finish reason. */
  endings: Partial<Record<Ending, number>>;
  /** Finish reasons and how many answers had them, kept or not, most frequent first; 9 at most. */
  finish_reasons: (readonly [reason: string, count: number])[];
  /** Answers that were kept, to which the tokens below belong. */
  answered: number;
  /** Answers that reached their limit of tokens or the end of the context, kept or not. */
  truncated: number;
  /**
   * Completion tokens of the answers that were kept, reasoning included. The field of the snapshot
   * with this name counts all that were paid for: those of `wasted_completion_tokens`, too.
   */
  completion_tokens: number;
  /** Of those, the tokens of reasoning, as far as teachers report them. */
  reasoning_tokens: number;
  /** Completion tokens of one answer that was kept, reasoning included; all 0 where teachers report none. */
  length_tokens: Percentiles;
}

/** The figures of one teacher. */
export interface TeacherFigures {
  /** Rows answered per second over the last 30 s. */
  rows_per_s: number;
  /** Median latency of the last 30 s in milliseconds, or null without answers. */
  p50_ms: number | null;
}

/** An event, at its position in the charts. */
export interface ChartMark {
  /** Seconds on the time axis of the history. */
  at_s: number;
  /** The kind of event. */
  kind: "hold" | "throttled" | "down" | "up" | "control";
  /** The text of the mark: a few words. */
  text: string;
}

/** A snapshot that fits into 8 KB: the most frequent errors only, and long texts cut (`…`). */
export interface WireSnapshot extends Omit<Snapshot, "type"> {
  /** Always "snapshot". */
  type: "snapshot";
  /** The most frequent kinds of failed attempts. */
  errors: ErrorGroup[];
  /** How many kinds there are, those that do not fit included. */
  errors_total: number;
  /** How many teachers there are, those that do not fit included. */
  teachers_total: number;
}

/** The names of the history's columns, in their order. */
export const HISTORY_COLUMNS = [
  /** Seconds since the run could send its first row: the end of the interval that the point covers. */
  "elapsed_s",
  /** Rows per second that were answered. */
  "succeeded_per_s",
  /** Rows per second that failed permanently. */
  "failed_per_s",
  /** Latency of the answers of the last 30 s in milliseconds: half are at or below. Null without answers. */
  "p50_ms",
  /** 90 % are at or below. */
  "p90_ms",
  /** 99 % are at or below. */
  "p99_ms",
  /** Completion tokens per second. */
  "tokens_per_s",
  /** Attempts in flight, on average. */
  "in_flight",
  /** Attempts that may be in flight (the adaptive limit), on average. */
  "limit",
  /** The concurrency that was asked for. */
  "concurrency",
  /** Attempts that were refused for load (429, 503, 529) in the time of the point. */
  "refused_for_load",
  /** How late the server's timer fired, in milliseconds: the maximum in the time of the point. */
  "lag_ms",
  /** CPU of the process in percent of one core, on average. */
  "cpu_percent",
  /** Memory of the process: the maximum. */
  "rss_bytes",
] as const;

/** The name of one column of the history. */
export type HistoryColumn = typeof HISTORY_COLUMNS[number];

/** The run in at most 1,000 points, column by column, oldest first. */
export interface History {
  /** Seconds that a point covers; doubles whenever the history is thinned. */
  point_s: number;
  /** One array for each name, all of one length. */
  columns: Record<HistoryColumn, (number | null)[]>;
}

/** Rows by latency: bucket `i` holds those from `bounds_ms[i]` up to `bounds_ms[i + 1]`. */
export interface LatencyHistogram {
  /**
   * Milliseconds, rising by a constant factor; one more than `counts`. Empty while nothing was
   * measured.
   */
  bounds_ms: number[];
  /** Rows in each bucket. */
  counts: number[];
}

/**
 * One answer, or one failure, as text. A model wrote the texts: they must never be used as markup.
 */
export interface Sample {
  /** A number that is unique within the run. */
  id: number;
  /** When the row finished: Unix milliseconds. */
  time: number;
  /** The row. */
  uid: string;
  /** The last user message, cut. */
  prompt: string;
  /** The reasoning, cut; "" where there is none. */
  reasoning: string;
  /** The answer, cut; "" where there is none. */
  response: string;
  /** The tool calls as JSON, cut; "" where there are none. */
  tool_calls: string;
  /** Why the answer ended; "" where there is none. */
  finish_reason: string;
  /** Tokens of the prompt, or null where the teacher does not report them. */
  prompt_tokens: number | null;
  /** Tokens of answer and reasoning, or null. */
  completion_tokens: number | null;
  /** Tokens of the reasoning, or null. */
  reasoning_tokens: number | null;
  /** How long the last attempt took. */
  latency_ms: number;
  /** Attempts made. */
  attempts: number;
  /** What all attempts cost in US dollars; 0 where no price is known. */
  cost_usd: number;
  /** The teacher that answered: its address, without credentials; "" where none did. */
  teacher: string;
  /** The model that answered; "" where none did. */
  model: string;
  /** Why the row failed, or null where it has its answer. */
  failure: { type: string; message: string; status: number | null } | null;
  /** Whether prompt, reasoning, answer or tool calls were cut. */
  is_cut: boolean;
}

/** Which samples there are, by id, and those that are new. The page keeps samples by their id and forgets
 * those that no list names. */
export interface Samples {
  /** The latest answers, newest first, 20 at most. */
  latest: number[];
  /** A random choice of all answers of the run, 20 at most, each answer with the same chance. */
  reservoir: number[];
  /** The latest failed rows, newest first, 20 at most. */
  failures: number[];
  /** Samples that the page does not have yet. */
  added: Sample[];
}
