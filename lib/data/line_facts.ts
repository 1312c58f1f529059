/**
 * Parses results and failures lines of every version into one shape, reads their run file, and
 * finds the final answer in a text.
 *
 * @module
 */

import { asText, filledList, parsedJson } from "../json.ts";
import { foreignLineProblem } from "../line_blocks.ts";
import { RESERVED_FIELDS } from "../row.ts";
import { withBigInts } from "./line_text.ts";

/** Pending rows have a failures line with `final: false`: the next run sends them again. */
export const STATUSES = ["answered", "failed", "pending"] as const;

export type Status = typeof STATUSES[number];

export type JsonObject = Readonly<Record<string, unknown>>;

/** What the run file says about lines. A field that the run did not set is undefined. */
export interface RunHints {
  readonly promptField?: string;
  readonly template?: string;
  readonly system?: string;
  /** The parameters of runs, by the id in `distill.params`. */
  readonly params?: Readonly<Record<string, JsonObject>>;
  readonly uidFields?: readonly string[];
  /** The model, for lines without a model name, such as failures. */
  readonly model?: string;
  /** The teacher's address, for lines without one. */
  readonly teacher?: string;
  readonly input?: string;
}

/** Reads the run file of a results or failures file; `{}` if it is missing or damaged. */
export function readHints(path: string): RunHints {
  let file: JsonObject;
  try {
    const runFile = runFileOf(path);
    // Opening a pipe would wait forever.
    if (!Deno.statSync(runFile).isFile) return {};
    file = objectOf(JSON.parse(Deno.readTextFileSync(runFile)));
  } catch {
    return {};
  }
  const identity = objectOf(file.identity);
  const text = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  return {
    promptField: text(identity.prompt_field),
    template: text(identity.template),
    system: text(identity.system),
    uidFields: Array.isArray(identity.uid_field) ? identity.uid_field : undefined,
    model: text(identity.model),
    teacher: text(file.teacher),
    input: text(file.input),
    params: objectOf(file.params) as RunHints["params"],
  };
}

export function runFileOf(path: string): string {
  return path.replace(/(?:_error)?(?:\.(?:jsonl|ndjson))?(?:\.gz|\.zstd?)?$/, "") + ".run.json";
}

/** Missing counts are 0, missing texts "". A column that stores a fact has the name of that
 * fact. */
export interface LineFacts {
  readonly line: JsonObject;
  /** The line, but with whole numbers beyond 2^53 as `bigint`. */
  readonly fields: JsonObject;
  readonly status: Status;
  /** The uid with the number of the sample, as in `x#2`. */
  readonly uid: string;
  readonly promptHash: string;
  /** The answer; in a failures line the rejected or partial one, if any. */
  readonly response: string;
  readonly reasoning: string;
  readonly hasToolCalls: boolean;
  readonly finishReason: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  readonly attempts: number;
  readonly latencyMs: number;
  /** The cost in US dollars; -1 if unknown. */
  readonly costUsd: number;
  readonly model: string;
  readonly teacher: string;
  readonly failure: string;
  readonly httpStatus: number;
  /** The path of the input file, without the line number. */
  readonly source: string;
  readonly isRefusal: boolean;
  /** The parameters of the run, and the row's own `response_format`. */
  readonly params: JsonObject;
}

export class DamagedLine {
  readonly problem: string;
  /** Whether Retort may have begun the line: a crash may have truncated it. */
  readonly mayBeRetorts: boolean;

  constructor(problem: string, mayBeRetorts = false) {
    this.problem = problem;
    this.mayBeRetorts = mayBeRetorts;
  }
}

/** @param parse Returns undefined if the text is not JSON. @default parsedJson */
export function factsOf(
  text: string,
  hints: RunHints,
  parse: (text: string) => unknown = parsedJson,
): LineFacts | DamagedLine {
  const line = parse(text) as JsonObject | undefined;
  if (line === undefined) return new DamagedLine("it is not JSON", true);
  const isFailure = typeof line === "object" && line !== null && line.error !== undefined &&
    line.response === undefined;
  const problem = foreignLineProblem(line, isFailure ? "failures" : "results");
  return problem === undefined
    ? { ...factsIn(line, isFailure, hints), fields: withBigInts(text, line) }
    : new DamagedLine(problem);
}

function factsIn(
  line: JsonObject,
  isFailure: boolean,
  hints: RunHints,
): Omit<LineFacts, "fields"> {
  const distill = objectOf(line.distill);
  const error = isFailure ? objectOf(line.error) : NO_FIELDS;
  // A failures line has the rejected answer and its figures in `partial`.
  const answer = isFailure ? objectOf(line.partial) : line;
  const figures = isFailure ? answer : distill;
  return {
    line,
    status: !isFailure ? "answered" : error.final === false ? "pending" : "failed",
    uid: line.uid as string,
    promptHash: line.prompt_hash as string,
    response: asText(answer.response),
    reasoning: asText(answer.reasoning),
    hasToolCalls: holdsCalls(answer.tool_calls),
    finishReason: asText(figures.finish_reason),
    promptTokens: countOf(figures.prompt_tokens),
    completionTokens: countOf(figures.completion_tokens),
    reasoningTokens: countOf(figures.reasoning_tokens),
    cachedTokens: countOf(figures.cached_tokens),
    attempts: countOf((isFailure ? error : distill).attempts),
    latencyMs: countOf(distill.latency_ms),
    costUsd: costOf(distill.cost_usd),
    model: asText(distill.model) || hints.model || "",
    teacher: asText(distill.teacher) || hints.teacher || "",
    failure: isFailure ? asText(error.type) || "unknown" : "",
    httpStatus: countOf(error.status),
    source: sourceFile(asText(distill.source)),
    isRefusal: !isFailure && distill.refusal === true,
    params: paramsOf(line, distill, hints),
  };
}

/** Whether there are tool calls, which earlier versions wrote as a list and later ones as JSON
 * text. */
function holdsCalls(calls: unknown): boolean {
  return typeof calls === "string"
    ? calls !== "[]" && calls !== ""
    : filledList(calls) !== undefined;
}

export function ownFields(line: JsonObject): string[] {
  return Object.keys(line).filter((name) => !RESERVED.has(name));
}

const RESERVED: ReadonlySet<string> = new Set(RESERVED_FIELDS);

export function requestsJson({ response_format: format }: JsonObject): boolean {
  const { type } = objectOf(format);
  return type === "json_object" || type === "json_schema";
}

function paramsOf(line: JsonObject, distill: JsonObject, { params }: RunHints): JsonObject {
  const runParams = params?.[asText(distill.params)] ?? NO_FIELDS;
  const { response_format: format = objectOf(line.body).response_format } = line;
  return format === undefined ? runParams : { ...runParams, response_format: format };
}

const NO_FIELDS: JsonObject = Object.freeze({});

/** Returns an object or array itself, and an empty object for other values. */
export function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? value as JsonObject : NO_FIELDS;
}

/** Returns 0 for anything but a positive number of at most 32 bits. */
function countOf(value: unknown): number {
  return typeof value === "number" && value > 0 && value <= 0xffff_ffff ? value : 0;
}

function costOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : -1;
}

function sourceFile(source: string): string {
  return source.replace(/(?::\d+|\[\d+\])$/, "");
}

const BOX = "\\boxed{";
const OPEN_BRACE = 123, CLOSE_BRACE = 125;

/** The last `\boxed{…}`, else the last number, normalized for comparison; "" if there is none. */
export function finalAnswerOf(text: string): string {
  const content = lastBoxContent(text) ?? "";
  return content === "" ? lastNumber(text) : normalizeBoxed(content);
}

/** Whether the last `\boxed{` is not closed, as in a truncated text. */
export function hasOpenBox(text: string): boolean {
  return lastBoxContent(text) === undefined;
}

/** The content of the last box: "" without a box, undefined if it is not closed. */
function lastBoxContent(text: string): string | undefined {
  const box = text.lastIndexOf(BOX);
  if (box === -1) return "";
  const start = box + BOX.length;
  let depth = 1;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACE && --depth === 0) return text.slice(start, i);
  }
  return undefined;
}

/**
 * Replaces LaTeX text commands with their content, removes LaTeX spacing, `$`, `%` and white space,
 * and normalizes a number: `\text{5 cm}` equals `5\,cm`, and `50\%` equals `50`.
 */
function normalizeBoxed(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}/g, "$1")
    .replaceAll(/\\[,;!% $]|[$%\s]/g, "");
  return /^[-+−]?[\d.,]*\d[\d.,]*$/.test(bare) ? normalizeNumber(bare) : bare;
}

function lastNumber(text: string): string {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  if (end === 0) return "";
  let start = end - 1;
  // Commas and points between digits are part of the number.
  while (
    start > 0 && (isDigit(text.charCodeAt(start - 1)) ||
      (",.".includes(text[start - 1]) && start > 1 && isDigit(text.charCodeAt(start - 2))))
  ) {
    start--;
  }
  const sign = start > 0 ? text[start - 1] : "";
  // After a letter, digit or bracket, a minus is a hyphen or an operator, as in `x-5`.
  const isNegative = (sign === "-" || sign === "−") &&
    !(start > 1 && /[\p{L}\d)\]]/u.test(text[start - 2]));
  return normalizeNumber((isNegative ? "-" : "") + text.slice(start, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** `1,234.50` becomes `1234.5`. */
function normalizeNumber(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // Longer numbers lose digits as floats.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
