/**
 * Holds what the first pass over an input found, and groups its bad lines by problem.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { SourceError } from "../errors.ts";
import { UTF8_ADVICE } from "../formats/mod.ts";
import { HAS_RESULT, type IdTable, readIndex, SEEN } from "../index/mod.ts";
import { parseSampleUid } from "../answer.ts";
import { tokenLimitOf } from "../params.ts";
import { addRowTokenLimit, type RowTokenLimits } from "../prices/mod.ts";
import type { ParsedRow } from "../source/mod.ts";
import type { Message, Params } from "../teacher/mod.ts";
import type { InputSequence } from "./input_rows.ts";
import { Plan } from "./plan.ts";

export const MODELS_SHOWN = 3;
/** Limits memory, because each row may set different parameters. */
const MAX_PARAM_NAMES = 100;
const MAX_DIFFERENCES = 20;

/** What the first pass found. Some fields count rows, others count answers: one for each sample of
 * a row. */
export class Findings {
  /** The input, as the user named it. */
  readonly input: string;
  readonly samples: number;
  readonly plan: Plan;
  readonly shapes = new Map<string, number>();
  /** The line of each shape's first row. */
  readonly shapeStarts = new Map<string, number>();
  readonly bad = new BadLines();
  /** Why the input cannot be read. */
  unreadable: SourceError | undefined;
  /** Rows. Duplicates count once, unless they are kept. */
  rows = 0;
  /** Answers that have a result and are not requested again. */
  succeeded = 0;
  /** Answers that have failed permanently, including those that are requested again. */
  failed = 0;
  /** Answers that have failed again since the interrupted retry began. */
  failedAgain = 0;
  /** Rows that are identical to an earlier row. */
  merged = 0;
  /** Rows without an id. Their id is a hash of the row. */
  hashed = 0;
  /** The `uidField` of the run; empty once a row has one of these fields. */
  missingUidFields: readonly string[] = [];
  /** The `promptField` of the run; undefined once a row has this field. */
  missingPromptField: string | undefined;
  /** Rows that are output lines of an earlier run. */
  fromRuns = 0;
  /** Rows that were edited after they were answered or had failed. Failed rows that a retry sends
   * are not counted. */
  changed = 0;
  /** The number of rows that this version sends differently from the version that answered them, by
   * difference (`images are sent`). */
  readonly sentDifferently = new Map<string, number>();
  /** Ids of results to replace: the row was edited, or the user has chosen to request it again. */
  readonly outdatedUids = new Set<string>();
  /** Results that the user has chosen to request again. */
  reasked = 0;
  /** Results without a row or sample in the run; 0 if the run might leave out rows. */
  orphans = 0;
  /** Orphans with the prompt of a new row. The row has a different id now, so it would be paid for
   * again. An id that is a hash of the row changes if a program writes `1.0` for `1`. */
  rewritten = 0;
  /** Prompt hashes of the first rows without an outcome. */
  readonly newPrompts = new Set<string>();
  /** The number of results that the output had when its last run ended and that are missing now. It
   * is at most the number of answers to request. */
  lost = 0;
  /** Results that the user has chosen and that are not requested again. */
  leftAnswered = 0;
  /** Rows that set a model. */
  ownModels = 0;
  /** The first models that rows set, at most `MODELS_SHOWN` + 1. */
  readonly models = new Set<string>();
  readonly paramNames = new Set<string>();
  /** Row fields that are not sent, at most 100. */
  readonly unsent = new Set<string>();
  /** Estimated tokens of the prompts of all answers to request. */
  promptTokens = 0;
  /** Answers to request for rows that set a token limit. */
  readonly rowTokenLimits: RowTokenLimits = { answers: 0, minTokens: 0, maxTokens: 0 };
  readonly firstRows = new Map<string, ParsedRow>();
  /** The first row to send of each shape. */
  readonly firstToAsk = new Map<string, ParsedRow>();
  /** The input, which both passes read. Set before its first row is read. */
  sequence: InputSequence | undefined;

  constructor(input: string, samples = 1) {
    this.input = input;
    this.samples = samples;
    this.plan = new Plan(samples);
  }

  get total(): number {
    return this.rows * this.samples;
  }

  get finished(): number {
    return this.succeeded + this.failed - this.plan.toAskAgain;
  }

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
    // A row whose id is a hash has none of these fields.
    else if (this.missingUidFields.some((field) => row.has(field))) this.missingUidFields = [];
  }

  /** Sets `orphans` and `rewritten`. Results of samples beyond those of this run have the prompt of
   * their row, but are not `rewritten`: an earlier run with more samples wrote them. */
  async countOrphans(table: IdTable, resultsPaths: readonly string[]): Promise<void> {
    const flags = { all: HAS_RESULT, none: SEEN };
    const countRewritten = () => table.count({ ...flags, fingerprints: this.newPrompts });
    this.orphans = table.count(flags);
    this.rewritten = this.orphans === 0 ? 0 : countRewritten();
    if (this.rewritten === 0) return;
    // The files are read again, because the table does not hold the row of a sample.
    for (const path of resultsPaths) {
      await readIndex({ path, kind: "results" }, table, (slot, line) => {
        const rowSlot = table.find(parseSampleUid(line.uid())?.uid ?? "");
        if (rowSlot !== -1 && table.has(rowSlot, SEEN)) table.set(slot, SEEN);
      });
    }
    this.rewritten = countRewritten();
  }

  addSentDifferently(difference: string): void {
    const isListed = this.sentDifferently.has(difference) ||
      this.sentDifferently.size < MAX_DIFFERENCES;
    const key = isListed ? difference : "and more";
    this.sentDifferently.set(key, (this.sentDifferently.get(key) ?? 0) + 1);
  }

  #addRequests(row: ParsedRow, requests: number): void {
    this.promptTokens += requests * promptTokensOf(row);
    const limit = row.params && tokenLimitOf(row.params);
    if (limit !== undefined) addRowTokenLimit(this.rowTokenLimits, requests, limit.tokens);
  }

  #addParams(params: Params): void {
    for (const name in params) {
      if (this.paramNames.size < MAX_PARAM_NAMES) this.paramNames.add(name);
    }
    if (typeof params.model !== "string") return;
    this.ownModels++;
    if (this.models.size <= MODELS_SHOWN) this.models.add(params.model);
  }

  placeOf(number: number): string {
    return this.sequence!.placeOf(number).source;
  }

  fileAndLineOf(number: number): { path: string; line: number } {
    const { file: path, line } = this.sequence!.placeOf(number);
    return { path, line };
  }
}

/** UTF-8 bytes per token: 4 to 5 in English, 3 to 4 in code, 3 or somewhat less in Chinese. */
const BYTES_PER_TOKEN = 4;
/** Tokens for the role of a message and for delimiters. */
const TOKENS_PER_MESSAGE = 4;
/** An image of a megapixel has 765 tokens at OpenAI, and about 1,300 at Qwen and Anthropic. */
const TOKENS_PER_IMAGE = 1_000;

/** Estimates the tokens of a prompt with the row's tools. Accurate to about 25 %. */
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

interface BadLine {
  /** The number of the line, from 1. */
  readonly line: number;
  readonly problem: string;
}

export interface BadLineGroup {
  readonly kind: string;
  /** How to fix the problem, often a flag; "" if unknown. */
  readonly hint: string;
  readonly count: number;
  readonly examples: readonly BadLine[];
}

const MAX_EXAMPLES = 5;
/** Maximum number of groups. Further problems share one group. */
const MAX_GROUPS = 20;
const OTHER_PROBLEMS = "other problems";
/** Maximum number of lines whose hints are computed, because a hint takes 10 µs. Further lines get
 * the hint of their group. */
const MAX_HINTED_LINES = 1_000;

const HINTS: readonly (readonly [kind: RegExp, hint: string])[] = [
  [
    /^uid belongs to an earlier row/,
    "add --duplicates keep to send each, as <uid>~2 and so on (with --shard, name fields that " +
    "differ: --uid-field)",
  ],
  [/^invalid UTF-8/, UTF8_ADVICE],
];

interface CountedGroup extends BadLineGroup {
  count: number;
  readonly examples: BadLine[];
}

export class BadLines {
  readonly #groups = new Map<string, CountedGroup>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get groups(): readonly BadLineGroup[] {
    return [...this.#groups.values()];
  }

  add(line: number, problem: string, hint?: () => string): void {
    const kind = kindOf(problem);
    const isHinted = ++this.#count <= MAX_HINTED_LINES;
    const group = this.#groupOf(kind, isHinted ? hint?.() || hintFor(kind) : this.#hintOf(kind));
    if (++group.count <= MAX_EXAMPLES) group.examples.push({ line, problem });
  }

  #groupOf(kind: string, hint: string): CountedGroup {
    const groups = this.#groups;
    const isFull = groups.size >= MAX_GROUPS;
    const key = `${kind}\n${hint}`;
    const existing = groups.get(key) ?? (isFull ? groups.get(OTHER_PROBLEMS) : undefined);
    if (existing !== undefined) return existing;
    const group = isFull ? { kind: OTHER_PROBLEMS, hint: "" } : { kind, hint };
    const counted: CountedGroup = { ...group, count: 0, examples: [] };
    groups.set(isFull ? OTHER_PROBLEMS : key, counted);
    return counted;
  }

  #hintOf(kind: string): string {
    for (const group of this.#groups.values()) if (group.kind === kind) return group.hint;
    return hintFor(kind);
  }
}

/** Returns the problem without values, places and ids, which differ between lines. */
function kindOf(problem: string): string {
  return problem.replace(/: .*$/s, "").replace(/\[\d+\]/g, "[…]")
    .replace(/^uid ".*" (belongs|needs) .*$/s, "uid belongs to an earlier row already");
}

function hintFor(kind: string): string {
  return HINTS.find(([pattern]) => pattern.test(kind))?.[1] ?? "";
}
