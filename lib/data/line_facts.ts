/**
 * Parses results and failures lines of every version into one shape, and reads their run file.
 *
 * @module
 */

import { realPathOf } from "../files.ts";
import { withoutCompression } from "../formats/mod.ts";
import { asText, exactJson, isObject, parsedJson } from "../json.ts";
import { foreignLineProblem } from "../line_blocks.ts";
import { RESERVED_FIELDS } from "../row.ts";
import { holdsCalls, isSet } from "../source/mod.ts";

/** Pending rows have a failures line with `final: false`: the next run sends them again. */
export const STATUSES = ["answered", "failed", "pending"] as const;

export type Status = typeof STATUSES[number];

export type JsonObject = Readonly<Record<string, unknown>>;

/** What the run file says about lines. Options that the run did not set are undefined. */
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

/** Reads the run file of a results or failures file, or of the file that a link leads to; `{}` if it
 * is missing or damaged. */
export function readHints(path: string): RunHints {
  const file = readRunFile(runFileOf(path)) ?? readRunFile(runFileOf(realPathOf(path)));
  if (file === undefined) return {};
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

function readRunFile(path: string): JsonObject | undefined {
  try {
    // Opening a pipe would wait forever.
    return Deno.statSync(path).isFile
      ? objectOf(JSON.parse(Deno.readTextFileSync(path)))
      : undefined;
  } catch {
    return undefined;
  }
}

export function runFileOf(path: string): string {
  return `${withoutCompression(path).replace(/(?:_error)?(?:\.(?:jsonl|ndjson))?$/, "")}.run.json`;
}

/** What a results or failures line says. Missing counts are 0, missing texts "". A fact and its
 * column have the same name. */
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
  /** The type of the failure; "" for an answer. */
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
  readonly mayBeFromRetort: boolean;

  constructor(problem: string, mayBeFromRetort = false) {
    this.problem = problem;
    this.mayBeFromRetort = mayBeFromRetort;
  }
}

/**
 * Returns what a results or failures line says, or why it is damaged.
 *
 * @param parse Returns undefined if the text is not JSON. @default parsedJson
 */
export function factsOf(
  text: string,
  hints: RunHints,
  parse: (text: string) => unknown = parsedJson,
): LineFacts | DamagedLine {
  const line = parse(text) as JsonObject | undefined;
  if (line === undefined) return new DamagedLine("it is not JSON", true);
  const isFailure = isObject(line) && isSet(line.error) && !isSet(line.response);
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

/** Returns a positive number of at most 32 bits as it is, and 0 for anything else. */
function countOf(value: unknown): number {
  return typeof value === "number" && value > 0 && value <= 0xffff_ffff ? value : 0;
}

function costOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : -1;
}

function sourceFile(source: string): string {
  return source.replace(/(?::\d+|\[\d+\])$/, "");
}

/**
 * Matches whole numbers that may be beyond 2^53. Longer ones stay `Infinity`, as `JSON.parse` reads
 * them, because `BigInt` would take too long.
 */
const LONG_INTEGER = /^-?\d{16,309}$/;

/** Returns `parsed`, the value of `text`, with whole numbers beyond 2^53 as `bigint`. */
export function withBigInts<T>(text: string, parsed: T): T {
  try {
    return holdsLargeInteger(parsed) ? exactJson.parse(text, keepInteger) as T : parsed;
  } catch {
    // The value is nested too deeply.
    return parsed;
  }
}

/** Takes 0.2 µs for a line. A regular expression would take ten times as long for 2 KB of text. */
function holdsLargeInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsLargeInteger);
  for (const name in value) {
    if (holdsLargeInteger((value as Record<string, unknown>)[name])) return true;
  }
  return false;
}

function keepInteger(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return source !== undefined && LONG_INTEGER.test(source) ? BigInt(source) : value;
}

/** Like `JSON.stringify`, but writes each `bigint` as a number. */
export function jsonWithBigInts(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, inner) => typeof inner === "bigint" ? exactJson.rawJSON(String(inner)) : inner,
    indent,
  );
}
