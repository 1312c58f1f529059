/**
 * What a run is told, and what it takes when it is told nothing.
 *
 * @module
 */

import type { Validate } from "../checks/mod.ts";
import type { FailureType } from "../errors.ts";
import type { InputOptions } from "../formats/mod.ts";
import type { PathLike } from "../paths.ts";
import type { Shard } from "../shards/mod.ts";
import type { Params, Teacher } from "../teacher/mod.ts";
import type { ThinkStyle } from "../think.ts";

/** How the rows of the input are read and turned into prompts. */
export interface RowOptions extends InputOptions {
  /** Adds this system message where a row has none. */
  system?: string;
  /** Makes one user message of each row: `{{field}}` stands for a field of the row. */
  template?: string;
  /** The field that holds the prompt or the messages, instead of `prompt`, `question` or `messages`. */
  promptField?: string;
  /** The fields that name a row, first match wins, before `uid`, `custom_id`, `id` and the row's own
   * hash. An output that an earlier version has begun keeps that version's order: these after `id`. */
  uidField?: string[];
  /** Rows of one id. `merge`: identical ones are one row, others bad rows. `keep`: each is a row, with
   * `~2`, `~3`, … added. @default "merge" */
  duplicates?: "merge" | "keep";
  /** The folder that image paths in rows are taken from; nothing outside it is read. @default the folder
   * of the input; for standard input and `generate()` none, and paths are refused */
  imagesRoot?: string;
  /** Sends rows of more than one shape in one run. @default false */
  mixedShapes?: boolean;
}

/** One of several teachers. */
export interface TeacherPlace {
  /** Who answers. */
  teacher: Teacher;
  /** Its share of the load beside those of the others: above 0. @default 1 */
  weight?: number;
  /** The most attempts in flight at it. @default the concurrency of the run */
  maxConcurrency?: number;
  /** Requests a minute to it. @default `rpm` of the generator */
  rpm?: number;
  /** Tokens a minute to and from it. @default `tpm` of the generator */
  tpm?: number;
}

/** Teachers that join and leave. */
export interface TeacherChange {
  /** Those that are new. */
  readonly joined: readonly TeacherPlace[];
  /** Those that get nothing new. */
  readonly left: readonly Teacher[];
}

/** A list of teachers that changes. */
export interface TeacherList {
  /** Calls back with each change, until the function that it gives is called; `notice` is told of lists that
   * cannot be used. */
  watch(
    onChange: (change: TeacherChange) => void,
    notice: (level: "info" | "warning", message: string) => void,
  ): () => void;
}

/** How a `ResponseGenerator` works. */
export interface ResponseGeneratorOptions extends RowOptions {
  /** Who answers. Stays open when the run ends: the caller that made it closes it. */
  teacher?: Teacher;
  /** Several teachers that share the rows, instead of `teacher`. A teacher that fails is left alone
   * and tried again; the run continues as long as one answers. */
  teachers?: readonly TeacherPlace[];
  /** Teachers that come and go while the run works, beside `teachers`: is told of those that join and leave. A
   * teacher that leaves gets nothing new, and what is under way there is finished. @default none */
  teacherList?: TeacherList;
  /** `prefix`: rows with the same system message and first turn stay at one teacher while it has room, since
   * servers keep the prefixes of prompts. @default any teacher */
  affinity?: "prefix";
  /** Sampling parameters of the run, by their API names. A row's own win. @default {} */
  params?: Params;
  /**
   * How many rows are asked at once, all teachers together: 1 to 100,000. `"auto"` looks for the number,
   * 32 to 1,024, beyond which tokens a second rise no more: for servers of your own that queue what is
   * too much and never refuse it.
   *
   * @default 20
   */
  concurrency?: number | "auto";
  /** Starts with one row at a time and goes up as answers come, so that a wrong key, model or parameter
   * costs a handful of calls. @default true */
  carefulStart?: boolean;
  /**
   * How long a teacher is waited for that cannot be reached, in milliseconds, while no teacher has answered:
   * neither in this run nor for the same output. `Infinity` waits as long as it takes. Once a teacher has
   * answered, outages are always waited for.
   *
   * @default 60,000; 0 where the host does not exist
   */
  waitForTeacherMs?: number;
  /** Requests a minute to each teacher, evenly spread. @default as many as it takes */
  rpm?: number;
  /** Tokens a minute to and from each teacher, evenly spread. @default as many as it takes */
  tpm?: number;
  /** Attempts a row gets for faults, the first included: 1 and more. Refusals for load have an allowance
   * of their own (20), and nothing counts while a teacher is down. @default 5 */
  maxAttempts?: number;
  /** The longest that one row may take, all attempts and waits together, in milliseconds; past it the row
   * fails with the type `timeout`. @default as long as it takes */
  rowTimeoutMs?: number;
  /** What becomes of an answer that hit the token limit or a filter: a failure, an answer, or (hit the
   * limit only) another attempt with twice the limit. @default "error" */
  onTruncated?: "error" | "keep" | "escalate";
  /** The highest token limit of `onTruncated: "escalate"`; refused without it. @default 8 times the first one */
  maxTokensCap?: number;
  /**
   * Finish reasons that end a whole answer, beside those that are known (`stop`, `tool_calls`, `end_turn`,
   * …); `none` stands for no finish reason at all. They are compared without case. Answers that end
   * otherwise are asked for again, and a teacher that ends row after row so is asked no more.
   *
   * @default []
   */
  acceptEndings?: readonly string[];
  /** Fails answers that refuse to answer, in the API's own field or in one of the common phrases; the
   * type is `refused`. @default false: they are results, with `distill.refusal` where the API says so */
  rejectRefusals?: boolean;
  /** Keeps only answers that are JSON. @default false */
  requireJson?: boolean;
  /** Keeps only answers that are JSON of this JSON Schema (2020-12, or the draft that `$schema` names), and
   * asks the teacher for them. It may stand in a `response_format`, whose name and `strict` are sent then. */
  jsonSchema?: unknown;
  /** Asks the teacher for answers of `jsonSchema` (`response_format`), unless the parameters of the run or
   * of a row set `response_format` or tools. One that refuses is asked without. @default true */
  responseFormat?: boolean;
  /** Keeps only answers that this regular expression does not match. */
  rejectPattern?: string | RegExp;
  /** Keeps only answers for which this gives `true` or nothing; a text is the reason for rejecting. */
  validate?: Validate;
  /** How often a row is asked again whose answer was empty, refused or rejected by a check. @default 0 */
  resample?: number;
  /** Answers for each row: 1 to 1,000. The uid of the second is `<uid>#1`.
   * @default 1; a retry takes as many as the run before */
  samples?: number;
  /** What the run may cost in US dollars: nothing more is sent once that is spent. @default no limit */
  maxCostUsd?: number;
  /** US dollars for a million prompt tokens. @default what a list of public prices says */
  priceIn?: number;
  /** US dollars for a million prompt tokens out of the teacher's cache.
   * @default `priceIn`, else what a list of public prices says */
  priceCached?: number;
  /** US dollars for a million completion tokens. @default what a list of public prices says */
  priceOut?: number;
  /** Completion tokens that the run may have. @default no limit */
  maxCompletionTokens?: number;
  /** The time after which nothing more is sent, in milliseconds. @default no limit */
  deadlineMs?: number;
  /** Row completions between two snapshots. @default by concurrency: 5, 10, 20, 50 */
  updateInterval?: number;
  /** Ends everything at once: calls are aborted, their rows stay pending. */
  signal?: AbortSignal;
  /** Random numbers in [0, 1), for the jitter of the backoff. @default Math.random */
  random?: () => number;
}

export type { AnsweredRow, Validate } from "../checks/mod.ts";
export type { ThinkStyle } from "../think.ts";

/** What `run()` reads and writes. */
export interface RunOptions {
  /** One input file or several (`.jsonl`, `.ndjson`, also compressed with gzip), as paths or `file:` URLs;
   * `-` for `stdin`. */
  input: PathLike | readonly PathLike[];
  /** A folder (ends in `/`, or is one already), or the one results file (`.jsonl`): a path or a `file:`
   * URL. */
  output: PathLike;
  /** A stream to read instead of the input named `-`, which may be gzip, too. */
  stdin?: ReadableStream<Uint8Array>;
  /** At most this many rows of each input, from its start. */
  limit?: number;
  /** Writes bad rows to the failures file and continues. @default false */
  skipBadRows?: boolean;
  /** Takes inputs that hold no row at all. @default false */
  allowEmpty?: boolean;
  /** A row was edited after its result was made: ask again, or keep the answer. @default refuse */
  changed?: "reask" | "keep";
  /** Continues although the results were made with another model or parameters. @default false */
  allowMixed?: boolean;
  /** Asks failed rows again: all (`true`), or those of these types or statuses. @default false */
  retry?: boolean | (FailureType | number)[];
  /** With `retry`, asks these answers only, by their ids. @default all that failed */
  uids?: readonly string[];
  /** Leaves these answers as they are, by their ids. @default none */
  excludeUids?: readonly string[];
  /** With `retry` and `uids`, asks answered rows among them again, too: their old answers are moved to
   * `<name>.outdated.jsonl`. @default false */
  reaskAnswered?: boolean;
  /** Continues what the results file holds. @default true */
  resume?: boolean;
  /** With `resume: false`, throws the old results away. @default false */
  overwrite?: boolean;
  /** Runs one of several contiguous parts of the input, all of which may run at the same time: files are
   * one sequence, and the shard has its own output files, as `out/x-00003-of-00016.jsonl`.
   * @default the whole input */
  shard?: Shard;
  /** Works without a lock where the filesystem has none. @default true */
  lock?: boolean;
  /** `never`: a power cut may take rows that were called done. @default "always" */
  fsync?: "always" | "never";
  /** Adds `final_messages` to each results line. @default false */
  finalMessages?: boolean;
  /** How reasoning stands in `final_messages`. @default "wrap" */
  think?: ThinkStyle;
}

/** One teacher, or several. */
export type OneOrMany =
  | { teacher: Teacher; teachers?: undefined }
  | { teacher?: undefined; teachers: readonly TeacherPlace[] };

/** What `distill()` and `distillFiles()` have in common. */
export type SharedOptions =
  & Omit<ResponseGeneratorOptions, "teacher" | "teachers" | "validate">
  & OneOrMany;
