/**
 * What a run is told, and what it takes when it is told nothing.
 *
 * @module
 */

import type { FailureType } from "../errors.ts";
import type { Params, Teacher } from "../teacher/teacher.ts";
import type { ThinkStyle } from "../think.ts";

/** How the rows of the input are read and turned into prompts. */
export interface RowOptions {
  /** Adds this system message where a row has none. */
  system?: string;
  /** Makes one user message of each row: `{{field}}` stands for a field of the row. */
  template?: string;
  /** The field that holds the prompt, in place of `prompt` or `question`. */
  promptField?: string;
  /** The fields that name a row, first match wins, before it falls back to the row's own hash; they
   * come after `uid`, `custom_id` and `id`. */
  uidField?: string[];
  /** Two identical rows: one row, or two with `~2`, `~3`, … added. @default "merge" */
  duplicates?: "merge" | "keep";
  /** Sends rows of more than one shape in one run. @default false */
  mixedShapes?: boolean;
}

/** How a `ResponseGenerator` works. */
export interface ResponseGeneratorOptions extends RowOptions {
  /** Who answers. Stays open when the run ends: whoever made it closes it. */
  teacher: Teacher;
  /** Sampling parameters of the run, by their API names. A row's own win. @default {} */
  params?: Params;
  /** How many rows are asked at once: 1 to 100,000. @default 20 */
  concurrency?: number;
  /** Attempts a row gets, the first included: 1 and more. @default 5 */
  maxAttempts?: number;
  /** What becomes of an answer that hit the token limit or a filter. @default "error" */
  onTruncated?: "error" | "keep";
  /** Row completions between two snapshots. @default by concurrency: 5, 10, 20, 50 */
  updateInterval?: number;
  /** Ends everything at once: calls are aborted, their rows stay pending. */
  signal?: AbortSignal;
  /** Random numbers in [0, 1), for the jitter of the backoff. @default Math.random */
  random?: () => number;
}

export type { ThinkStyle } from "../think.ts";

/** What `run()` reads and writes. */
export interface RunOptions {
  /** Input files (`.jsonl`, `.ndjson`, also `.gz`). */
  input: string[];
  /** A folder (ends in `/`, or is one already), or the one results file (`.jsonl`). */
  output: string;
  /** A stream to read in place of the input named `-`. */
  stdin?: ReadableStream<Uint8Array>;
  /** At most this many rows of each input, from its start. */
  limit?: number;
  /** Writes bad rows to the failures file and goes on. @default false */
  skipBadRows?: boolean;
  /** A row was edited after its result was made: ask again, or keep the answer. @default refuse */
  changed?: "reask" | "keep";
  /** Goes on although the results were made with another model or parameters. @default false */
  allowMixed?: boolean;
  /** Asks failed rows again: all (`true`), or those of these types or statuses. @default false */
  retry?: boolean | (FailureType | number)[];
  /** Continues what the results file holds. @default true */
  resume?: boolean;
  /** With `resume: false`, throws the old results away. @default false */
  overwrite?: boolean;
  /** Works without a lock where the filesystem has none. @default true */
  lock?: boolean;
  /** `never`: a power cut may take rows that were called done. @default "always" */
  fsync?: "always" | "never";
  /** Adds `final_messages` to each results line. @default false */
  finalMessages?: boolean;
  /** How reasoning stands in `final_messages`. @default "wrap" */
  think?: ThinkStyle;
}
