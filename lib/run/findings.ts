/**
 * What the first pass over an input found, and what the run has finished since.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { tokenLimitOf } from "../params.ts";
import { addOwnLimit, type OwnLimits } from "../prices/mod.ts";
import type { SummaryFile } from "../progress/mod.ts";
import type { RowFigures } from "../row.ts";
import type { ParsedRow } from "../source/mod.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { BadLines } from "./input_problems.ts";
import type { InputSequence } from "./input_sequence.ts";
import { Plan } from "./plan.ts";

/** Maximum number of models that a notice names. */
export const MODELS_SHOWN = 3;
/** Maximum number of parameter names that are kept: each row may set others. */
const MAX_PARAM_NAMES = 100;
/** Maximum number of differences that are counted separately. */
const MAX_DIFFERENCES = 20;

/** What the first pass found. Where rows and answers differ, the comments say which are counted. */
export class Findings {
  /** Answers for each row. */
  readonly samples: number;
  /** What the second pass must do for each answer. */
  readonly plan: Plan;
  /** The number of rows of each shape. */
  readonly shapes = new Map<string, number>();
  /** For each shape: the line of its first row. */
  readonly shapeStarts = new Map<string, number>();
  readonly bad = new BadLines();
  /** Why the input cannot be read; undefined if it can. */
  unreadable: string | undefined;
  /** Rows, duplicates merged. */
  rows = 0;
  /** Answers that are results. */
  succeeded = 0;
  /** Answers that have failed permanently. */
  failed = 0;
  /** Rows that were merged into an identical one. */
  merged = 0;
  /** Rows without an id, which are named by a hash of the row. */
  hashed = 0;
  /** `uidField` of the run, until a row has one of these fields. */
  missingUidFields: readonly string[] = [];
  /** `promptField` of the run, until a row has it. */
  missingPromptField: string | undefined;
  /** Rows that are lines of an earlier run's output. */
  fromRuns = 0;
  /** Rows that were edited after an answer to them was finished. */
  changed = 0;
  /**
   * Rows that an earlier version has answered and that are sent differently now, counted by
   * difference.
   */
  readonly resent = new Map<string, number>();
  /** Ids of results that are replaced, because the row was edited or the user has chosen them. */
  readonly outdated = new Set<string>();
  /** Results that are requested again because the user has chosen them. */
  reasked = 0;
  /** Results that the user has chosen and that stay as they are. */
  leftAnswered = 0;
  /** Rows that set a model of their own. */
  ownModels = 0;
  /** The models that rows set, at most `MODELS_SHOWN` + 1. */
  readonly models = new Set<string>();
  /** Names of parameters that rows set, at most `MAX_PARAM_NAMES`. */
  readonly paramNames = new Set<string>();
  /** Fields of rows that are not sent, at most 100. */
  readonly unsent = new Set<string>();
  /** Estimated tokens of the prompts of all answers to request. */
  promptTokens = 0;
  /** Answers to request to rows with a token limit of their own. */
  readonly ownLimits: OwnLimits = { answers: 0, minTokens: 0, maxTokens: 0 };
  /** The first row of each shape. */
  readonly firstRows = new Map<string, ParsedRow>();
  /** The first row of each shape that has an answer to request. */
  readonly firstToAsk = new Map<string, ParsedRow>();
  /** The input as it was opened for the first pass; undefined before. */
  input: InputSequence | undefined;

  constructor(samples = 1) {
    this.samples = samples;
    this.plan = new Plan(samples);
  }

  /** The number of answers to all rows. */
  get total(): number {
    return this.rows * this.samples;
  }

  /** The number of answers that are results or have failed, and are not requested again. */
  get finished(): number {
    return this.succeeded + this.failed - this.plan.toAskAgain;
  }

  /**
   * Counts a row.
   *
   * @param line The number of its line.
   * @param requests The number of its answers to request.
   */
  addRow(row: ParsedRow, line: number, requests: number): void {
    this.rows++;
    if (row.params !== undefined) this.#addParams(row.params);
    const count = this.shapes.get(row.shape) ?? 0;
    if (count === 0) {
      this.firstRows.set(row.shape, row);
      this.shapeStarts.set(row.shape, line);
    }
    this.shapes.set(row.shape, count + 1);
    if (requests > 0) {
      this.#addRequests(row, requests);
      if (!this.firstToAsk.has(row.shape)) this.firstToAsk.set(row.shape, row);
    }
    if (row.shape === "prompt-field") this.missingPromptField = undefined;
    if (row.clashes.length > 0 && row.has("distill") && row.has("prompt_hash")) this.fromRuns++;
    if (row.isUidDerived) this.hashed++;
    // A row whose id is a hash of itself has none of these fields.
    else if (this.missingUidFields.some((field) => row.has(field))) this.missingUidFields = [];
  }

  /** Counts a row for `resent`. */
  addResent(difference: string): void {
    const isListed = this.resent.has(difference) || this.resent.size < MAX_DIFFERENCES;
    const key = isListed ? difference : "and more";
    this.resent.set(key, (this.resent.get(key) ?? 0) + 1);
  }

  #addRequests(row: ParsedRow, requests: number): void {
    this.promptTokens += requests * promptTokensOf(row);
    const limit = row.params && tokenLimitOf(row.params);
    if (limit !== undefined) addOwnLimit(this.ownLimits, requests, limit.tokens);
  }

  #addParams(params: Params): void {
    for (const name in params) {
      if (this.paramNames.size < MAX_PARAM_NAMES) this.paramNames.add(name);
    }
    if (typeof params.model !== "string") return;
    this.ownModels++;
    if (this.models.size <= MODELS_SHOWN) this.models.add(params.model);
  }

  /** The place of a row, for messages. */
  placeOf(number: number): string {
    return this.input?.placeOf(number).source ?? String(number);
  }
}

/**
 * Bytes of UTF-8 for one token. English has 4 to 5, code 3 to 4. Chinese has 3 bytes a character
 * and somewhat more than one character a token.
 */
const BYTES_PER_TOKEN = 4;
/** For the role of a message, and the marks around it. */
const TOKENS_PER_MESSAGE = 4;
/** An image of a megapixel has 765 tokens at OpenAI, and about 1,300 at Qwen and Anthropic. */
const TOKENS_PER_IMAGE = 1_000;

/** Estimates the prompt tokens of a row, its own tools included; within about a quarter. */
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

/** Counts what the run has finished of one input since its first pass. */
export class JobCounts {
  /** Bad lines of the input that are in the failures file. */
  badWritten = 0;
  #settled = 0;
  #succeeded = 0;
  #failed = 0;
  #recovered = 0;

  /**
   * Called with each answered or failed row whose line is on disk.
   *
   * @param hadFailed Whether it had failed before this run.
   */
  add({ failure }: RowFigures, hadFailed: boolean): void {
    this.#settled++;
    if (failure === undefined) {
      this.#succeeded++;
      if (hadFailed) this.#recovered++;
    } else if (!hadFailed) this.#failed++;
  }

  /** Planned answers and bad lines that are not on disk yet. */
  remainingOf({ plan }: Findings): number {
    return plan.toAsk - this.#settled + plan.bad - this.badWritten;
  }

  /** The current counts of the input. */
  countsOf(findings: Findings): Pick<SummaryFile, "total" | "succeeded" | "failed" | "pending"> {
    const { total } = findings;
    const succeeded = findings.succeeded + this.#succeeded;
    const failed = findings.failed + this.#failed - this.#recovered;
    return { total, succeeded, failed, pending: total - succeeded - failed };
  }
}
