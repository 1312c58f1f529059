/**
 * What the first pass over an input found, and how far the run has come since.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { tokenLimitOf } from "../engine/answers/mod.ts";
import { addOwnLimit, type OwnLimits } from "../prices/mod.ts";
import type { SummaryFile } from "../progress/mod.ts";
import type { RowFigures } from "../row.ts";
import type { ParsedRow } from "../source/mod.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { BadLines } from "./input_problems.ts";
import type { InputSequence } from "./input_sequence.ts";
import { Plan } from "./plan.ts";

/** The number of model names that a message lists. */
export const MODELS_SHOWN = 3;
/** The most names of row parameters that are noted. */
const MOST_PARAM_NAMES = 100;
/** The most kinds of changed requests that are counted separately. */
const MOST_DIFFERENCES = 20;

/** What the first pass found. Lines and rows are counted as such; finished ones are counted in answers. */
export class Preflight {
  /** Answers for each row. */
  readonly samples: number;
  /** What the second pass has to do, row by row. */
  readonly plan: Plan;
  /** Rows by shape. */
  readonly shapes = new Map<string, number>();
  /** The line of the first row of each shape. */
  readonly shapeStarts = new Map<string, number>();
  /** The lines that are not rows. */
  readonly bad = new BadLines();
  /** Why the input cannot be read; undefined if it can. */
  unreadable: string | undefined;
  /** Rows, duplicates merged. */
  rows = 0;
  /** Answers that are results. */
  succeeded = 0;
  /** Answers that have failed permanently. */
  failed = 0;
  /** Identical rows that were merged into one. */
  merged = 0;
  /** Rows whose id is a hash of themselves. */
  hashed = 0;
  /** The fields that the user has named for ids, until a row has one of them. */
  unmetUidFields: readonly string[] = [];
  /** The field that the user has named for the prompt, until a row has it. */
  unmetPromptField: string | undefined;
  /** Rows that are output lines of an earlier run. */
  fromRuns = 0;
  /** Rows that were edited after an answer was finished. */
  changed = 0;
  /** Rows that were answered by an earlier version and are sent differently now, by the difference. */
  readonly resent = new Map<string, number>();
  /** Ids of answers to an older prompt, which are requested again. */
  readonly outdated = new Set<string>();
  /** Answers that are requested again because the user has chosen them. */
  reasked = 0;
  /** Answers that the user has chosen and that stay as they are. */
  leftAnswered = 0;
  /** Rows that set a model of their own. */
  ownModels = 0;
  /** The models that they name, at most one more than `MODELS_SHOWN`. */
  readonly models = new Set<string>();
  /** Names of parameters that rows set, at most `MOST_PARAM_NAMES`. */
  readonly paramNames = new Set<string>();
  /** Fields of rows that are not sent, at most 100. */
  readonly unsent = new Set<string>();
  /** An estimate of the tokens of all prompts to send. */
  promptTokens = 0;
  /** Answers to request for rows with their own token limit. */
  readonly ownLimits: OwnLimits = { answers: 0, fewest: 0, most: 0 };
  /** The first row of each shape, for `--dry-run`. */
  readonly firsts = new Map<string, ParsedRow>();
  /** The input as it was opened for the first pass; undefined before. */
  input: InputSequence | undefined;

  /** Nothing is found yet. */
  constructor(samples = 1) {
    this.samples = samples;
    this.plan = new Plan(samples);
  }

  /** The number of answers of all rows. */
  get total(): number {
    return this.rows * this.samples;
  }

  /** Counts a row. `asked`: the number of its answers to request. */
  addRow(row: ParsedRow, line: number, asked: number): void {
    this.rows++;
    if (row.params !== undefined) this.#addParams(row.params);
    const count = this.shapes.get(row.shape) ?? 0;
    if (count === 0) {
      this.firsts.set(row.shape, row);
      this.shapeStarts.set(row.shape, line);
    }
    this.shapes.set(row.shape, count + 1);
    if (asked > 0) this.#addAsked(row, asked);
    if (row.shape === "prompt-field") this.unmetPromptField = undefined;
    if (row.clashes.length > 0 && row.has("distill") && row.has("prompt_hash")) this.fromRuns++;
    if (row.isUidDerived) this.hashed++;
    // A row whose id is a hash of itself has none of the fields.
    else if (this.unmetUidFields.some((field) => row.has(field))) this.unmetUidFields = [];
  }

  /** Counts a row that an earlier version has answered and that is sent differently now. */
  addResent(difference: string): void {
    const isTold = this.resent.has(difference) || this.resent.size < MOST_DIFFERENCES;
    const what = isTold ? difference : "and more";
    this.resent.set(what, (this.resent.get(what) ?? 0) + 1);
  }

  #addAsked(row: ParsedRow, asked: number): void {
    this.promptTokens += asked * promptTokensOf(row);
    const limit = row.params && tokenLimitOf(row.params);
    if (limit !== undefined) addOwnLimit(this.ownLimits, asked, limit.tokens);
  }

  #addParams(params: Params): void {
    for (const name in params) {
      if (this.paramNames.size < MOST_PARAM_NAMES) this.paramNames.add(name);
    }
    if (typeof params.model !== "string") return;
    this.ownModels++;
    if (this.models.size <= MODELS_SHOWN) this.models.add(params.model);
  }

  /** The place of a row, as users count. */
  placeOf(number: number): string {
    return this.input?.placeOf(number).source ?? String(number);
  }
}

/** Bytes of UTF-8 for one token: English has 4 to 5, code 3 to 4, Chinese 3 bytes a character and
 * somewhat more than one character a token. */
const BYTES_PER_TOKEN = 4;
/** The tokens that chat templates add to a message. */
const TOKENS_PER_MESSAGE = 4;
/** An image of a megapixel has 765 tokens at OpenAI, and about 1,300 at Qwen and Anthropic. */
const TOKENS_PER_IMAGE = 1_000;

/** An estimate of the prompt tokens of a row, its own tools included; within about a quarter. */
function promptTokensOf(
  { messages, params }: Pick<ParsedRow, "messages" | "params">,
): number {
  let tokens = 0;
  for (let i = 0; i < messages.length; i++) tokens += messageTokens(messages[i]);
  if (params?.tools !== undefined) tokens += textTokens(JSON.stringify(params.tools));
  return tokens;
}

function messageTokens({ content, tool_calls: calls }: Message): number {
  let tokens = TOKENS_PER_MESSAGE;
  if (typeof content === "string") tokens += textTokens(content);
  else if (Array.isArray(content)) { for (const part of content) tokens += partTokens(part); }
  if (calls !== undefined) tokens += textTokens(JSON.stringify(calls));
  return tokens;
}

function partTokens(part: { type?: unknown; text?: unknown }): number {
  if (typeof part.text === "string") return textTokens(part.text);
  return part.type === "image_url" ? TOKENS_PER_IMAGE : textTokens(JSON.stringify(part));
}

function textTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** How far the run has come with an input since its first pass. */
export class JobCounts {
  /** Bad lines of the input that are in the failures file. */
  badWritten = 0;
  #settled = 0;
  #succeeded = 0;
  #failed = 0;
  #recovered = 0;

  /** Counts a row whose line is on disk. */
  add({ failure }: RowFigures, hadFailed: boolean): void {
    this.#settled++;
    if (failure === undefined) {
      this.#succeeded++;
      if (hadFailed) this.#recovered++;
    } else if (!hadFailed) this.#failed++;
  }

  /** What is planned and not on disk yet: rows, and bad lines to report. */
  leftOf({ plan }: Preflight): number {
    return plan.toAsk - this.#settled + plan.bad - this.badWritten;
  }

  /** The counts of the input now. */
  standing(found: Preflight): Pick<SummaryFile, "total" | "succeeded" | "failed" | "pending"> {
    const { total } = found;
    const succeeded = found.succeeded + this.#succeeded;
    const failed = found.failed + this.#failed - this.#recovered;
    return { total, succeeded, failed, pending: total - succeeded - failed };
  }
}
