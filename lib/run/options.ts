/** The options of a generator and of a run, and their defaults. @module */

import type { Validate } from "../checks/mod.ts";
import type { FailureType } from "../errors.ts";
import type { InputOptions } from "../formats/mod.ts";
import type { PathLike } from "../files.ts";
import type { Shard } from "../shards/mod.ts";
import type { Params, Teacher } from "../teacher/mod.ts";
import type { ThinkStyle } from "../answer.ts";

/** How the rows of the input are read and turned into prompts. */
export interface RowOptions extends InputOptions {
  /** The system message of rows that have none. */
  system?: string;
  /** The template of a row's one user message: `{{field}}` is replaced with that field. */
  template?: string;
  /** The field that holds the prompt or the messages, instead of `prompt`, `question` or
   * `messages`. */
  promptField?: string;
  /** Fields that may hold a row's id, the preferred one first. Without any of them, the id is the
   * row's `uid`, `custom_id` or `id`, or else a hash of the row. Earlier versions read `uid`,
   * `custom_id` and `id` first, and outputs that they began are continued that way. */
  uidField?: string[];
  /** How to handle rows with the same id. 2`, `~2`, `~3`, … appended to the id.
   * @default "merge" */
  duplicates?: "merge" | "keep";
  /** The folder for image paths in rows. Nothing outside the folder is read.
   * @default the folder of the input; none for standard input and `generate()`, where paths are
   * refused */
  imagesRoot?: string;
  /** Allows rows of more than one shape (`prompt`, `messages`, …) in one run. @default false */
  mixedShapes?: boolean;
}

/** A teacher of a run with several teachers. */
export interface TeacherPlace {
  /** The teacher, created by `openai()`, for example. */
  teacher: Teacher;
  /** Share of the load relative to the other teachers, above 0. @default 1 */
  weight?: number;
  /** Maximum number of attempts in flight at this teacher. @default the concurrency of the run */
  maxConcurrency?: number;
  /** Maximum number of requests per minute to this teacher. @default `rpm` of the generator */
  rpm?: number;
  /** Maximum number of tokens per minute to and from this teacher. @default `tpm` of the
   * generator */
  tpm?: number;
}

/** A change of a {@linkcode TeacherList}. */
export interface TeacherChange {
  /** Teachers that get rows from now on. */
  readonly joined: readonly TeacherPlace[];
  /** Teachers that get no new attempts; those in flight are finished. */
  readonly left: readonly Teacher[];
  /** Teachers that stay, with another weight or `maxConcurrency`. @default none */
  readonly changed?: readonly TeacherPlace[];
}

/** A list of teachers that changes. */
export interface TeacherList {
  /** Calls `onChange` with each change, and `notice` with each problem of the list, until the
   * returned function is called. */
  watch(
    onChange: (change: TeacherChange) => void,
    notice: (level: "info" | "warning", message: string) => void,
  ): () => void;
}

/** Options of a `ResponseGenerator`. */
export interface ResponseGeneratorOptions extends RowOptions {
  /** The only teacher. The run leaves it open: the caller that created it closes it. */
  teacher?: Teacher;
  /** Several teachers that share the rows, instead of `teacher`. A teacher that is down is only
   * probed; the run continues while any teacher answers. */
  teachers?: readonly TeacherPlace[];
  /** Teachers that join and leave during the run, in addition to `teachers`. A teacher that leaves
   * gets no new attempts and finishes those in flight.
   * @default none */
  teacherList?: TeacherList;
  /** `prefix`: rows with the same system message and first turn go to the same teacher while it has
   * room, because servers cache the prefixes of prompts.
   * @default any teacher */
  affinity?: "prefix";
  /** Sampling parameters, named as in the API. A row's own parameters override them. @default {} */
  params?: Params;
  /** Maximum number of rows in flight, over all teachers: 1 to 100,000. `"auto"` searches for the
   * number above which the tokens per second no longer rise, from 32 for each teacher to 1,024
   * times the number of teachers. Use `"auto"` with your own servers, which queue excess requests
   * instead of rejecting them.
   * @default 20 */
  concurrency?: number | "auto";
  /** Starts with one row at a time and sends more with each answer, so that a wrong key, model or
   * parameter costs only a few calls.
   * @default true */
  carefulStart?: boolean;
  /** Maximum wait, in milliseconds, for the first answer of a teacher that cannot be reached.
   * `Infinity` waits without limit. If a teacher has answered in this run, or in an earlier one
   * over the same output, the run always waits for the end of an outage. With a `teacherList`, the
   * run also waits this long for a teacher to join while none can be used, and at least 15 minutes
   * once a row has finished.
   * @default 60,000; 0 if the host does not exist */
  waitForTeacherMs?: number;
  /** Maximum number of requests per minute to each teacher, evenly spread. @default no limit */
  rpm?: number;
  /** Maximum number of tokens per minute to and from each teacher, evenly spread. @default no
   * limit */
  tpm?: number;
  /** Maximum number of attempts of a row that end in faults, such as status 500: 1 or more. A row
   * that timed out is sent again only once. Throttled attempts are counted separately, up to 20
   * (or `maxAttempts` if that is more); attempts while a teacher is down do not count.
   * @default 5 */
  maxAttempts?: number;
  /** Maximum time for one row, in milliseconds, over all attempts and waits. Then the row fails as
   * `timeout`. Outages, and waits that the teacher requests, do not count.
   * @default no limit */
  rowTimeoutMs?: number;
  /** What to do with an answer that hit the token limit or a filter. `error`: it is a failure.
   * `keep`: it is a result. `escalate`: if the answer hit the token limit, the row is sent again
   * with twice the limit; otherwise, the answer is a failure.
   * @default "error" */
  onTruncated?: "error" | "keep" | "escalate";
  /** The highest token limit that `onTruncated: "escalate"` may set. With another value of
   * `onTruncated`, this option is refused.
   * @default 8 times the first limit; without a first limit, no row is sent again */
  maxTokensCap?: number;
  /** Finish reasons of complete answers, in addition to the known ones (`stop`, `tool_calls`,
   * `end_turn`, …); `none` means a missing finish reason. Case does not matter. A row is sent again
   * if the finish reason of its answer is unknown or missing. A teacher that sends only such
   * answers is halted.
   * @default [] */
  acceptEndings?: readonly string[];
  /** Rejects refusals, recognized by the API's own field or by common phrases. The failure type is
   * `refused`.
   * @default false: refusals are results, with `distill.refusal` where the API reports one */
  rejectRefusals?: boolean;
  /** Keeps only answers that are JSON. @default false */
  requireJson?: boolean;
  /** Keeps only answers that are valid JSON under this JSON Schema (2020-12, or the draft that
   * `$schema` names), and requests such answers from the teacher. The schema may be inside a
   * `response_format`, whose name and `strict` are then sent. */
  jsonSchema?: unknown;
  /** Requests answers that follow `jsonSchema` (`response_format`), unless the parameters of the
   * run or of a row set `response_format` or tools, or the teacher rejects that field.
   * @default true */
  responseFormat?: boolean;
  /** Keeps only answers that this regular expression does not match. */
  rejectPattern?: string | RegExp;
  /** Keeps only answers for which this function returns `true` or nothing. `false` rejects the
   * answer. A string also rejects it, and states the reason. */
  validate?: Validate;
  /** Maximum number of times a row is sent again because its answer was empty, refused or rejected
   * by a check.
   * @default 0 */
  resample?: number;
  /** Number of answers for each row: 1 to 1,000. The uid of the second answer is `<uid>#1`.
   * @default the number in the earlier run over this output, or 1 */
  samples?: number;
  /** The cost limit in US dollars: nothing more is sent once it is reached. @default no limit */
  maxCostUsd?: number;
  /** US dollars per million prompt tokens. @default from a list of public prices */
  priceIn?: number;
  /** US dollars per million prompt tokens from the teacher's cache.
   * @default `priceIn`, else from a list of public prices */
  priceCached?: number;
  /** US dollars per million completion tokens. @default from a list of public prices */
  priceOut?: number;
  /** The limit of completion tokens: nothing more is sent once it is reached. @default no limit */
  maxCompletionTokens?: number;
  /** Time limit in milliseconds, from when the first row could be sent. Nothing more is sent after
   * it.
   * @default no limit */
  deadlineMs?: number;
  /** Finished rows between two snapshots. @default 5, 10, 20 or 50, depending on the concurrency */
  updateInterval?: number;
  /** Aborts the run and its calls. Their rows stay pending. */
  signal?: AbortSignal | undefined;
  /** Random numbers in [0, 1), for the jitter of the backoff. @default Math.random */
  random?: () => number;
}

export type { AnsweredRow, Validate } from "../checks/mod.ts";
export type { ThinkStyle } from "../answer.ts";

/** Options of `run()`. */
export interface RunOptions {
  /** Input files, folders or patterns, as paths or `file:` URLs; `-` for `stdin`. */
  input: PathLike | readonly PathLike[];
  /** A folder, or one results file (`.jsonl` or `.ndjson`), as a path or `file:` URL. */
  output: PathLike;
  /** The stream for the input `-`. It may be compressed. */
  stdin?: ReadableStream<Uint8Array>;
  /** Maximum number of rows to read from the start of each input. With `shard`, or if all inputs
   * share one results file, the maximum is for all of them together. */
  limit?: number;
  /** Writes bad rows to the failures file and continues. @default false */
  skipBadRows?: boolean;
  /** Accepts inputs without any row. @default false */
  allowEmpty?: boolean;
  /** What to do if a row was edited since it was answered or failed: `reask` sends it again, `keep`
   * keeps the outcome. A retry sends its failed rows as they are now.
   * @default the run is refused */
  changed?: "reask" | "keep";
  /** Continues even if the results were created with another model or parameters. @default false */
  allowMixed?: boolean;
  /** Sends failed rows again: all (`true`), or those with one of these failure types or HTTP
   * statuses.
   * @default false */
  retry?: boolean | (FailureType | number)[];
  /** With `retry`, requests only the answers with these ids again. @default all that failed */
  uids?: readonly string[];
  /** Leaves the answers with these ids as they are. @default none */
  excludeUids?: readonly string[];
  /** With `retry` and `uids`, also sends answered rows again. Old answers are moved to
   * `<name>.outdated.jsonl`. A retry that was interrupted is continued with the rows that it has
   * not answered.
   * @default false */
  reaskAnswered?: boolean;
  /** Continues an output that holds answers; `false` starts over. @default true */
  resume?: boolean;
  /** With `resume: false`, deletes the old results and failures. @default false */
  overwrite?: boolean;
  /** Runs one of several contiguous parts of the input, which may all run at the same time. Several
   * input files are read as one sequence. The shard has its own output files, such as
   * `out/x-00003-of-00016.jsonl`.
   * @default the whole input */
  shard?: Shard;
  /** Whether a lock is required. `false` continues without a lock if the filesystem does not
   * support locks.
   * @default true */
  lock?: boolean;
  /** With `never`, a power cut may lose rows that were reported as finished. @default "always" */
  fsync?: "always" | "never";
  /** Adds `final_messages` to each results line. @default false */
  finalMessages?: boolean;
  /** How reasoning is written in `final_messages`. @default "wrap" */
  think?: ThinkStyle;
}

/** One teacher, or several. */
export type OneOrMany =
  | { teacher: Teacher; teachers?: undefined }
  | { teacher?: undefined; teachers: readonly TeacherPlace[] };

/** Options that `distill()` and `distillFiles()` share. */
export type SharedOptions =
  & Omit<ResponseGeneratorOptions, "teacher" | "teachers" | "validate">
  & OneOrMany;
