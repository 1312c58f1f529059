/**
 * The content of a results or failures line, in one shape for lines of every version.
 *
 * @module
 */

import { foreignLineProblem } from "../line_blocks.ts";
import { RESERVED_FIELDS } from "../row.ts";

/**
 * The states of a row: it has a result, has failed, or has an answer that was not accepted and is
 * to be sent again.
 */
export const STATUSES = ["answered", "failed", "pending"] as const;

/** One of them. */
export type Status = typeof STATUSES[number];

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The options of the run that wrote a file, as far as they are needed to read its lines. */
export interface RunHints {
  /** The field that holds the prompt. */
  readonly promptField?: string;
  /** The template of prompts. */
  readonly template?: string;
  /** The system message of rows that have none. */
  readonly system?: string;
  /** The parameter sets, by the ids in lines. */
  readonly params?: Readonly<Record<string, JsonObject>>;
  /** The model, for failures, whose lines do not name it. */
  readonly model?: string;
  /** The teacher's address. */
  readonly teacher?: string;
  /** The input of the run. */
  readonly input?: string;
}

/**
 * The options of the run that wrote a results or failures file, which are needed to read its lines;
 * none if the run file is missing or damaged.
 */
export function readHints(results: string): RunHints {
  let file: JsonObject;
  try {
    file = objectOf(JSON.parse(Deno.readTextFileSync(runFileOf(results))));
  } catch {
    return {};
  }
  const identity = objectOf(file.identity);
  const text = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  return {
    promptField: text(identity.prompt_field),
    template: text(identity.template),
    system: text(identity.system),
    model: text(identity.model),
    teacher: text(file.teacher),
    input: text(file.input),
    params: objectOf(file.params) as RunHints["params"],
  };
}

/** The path of the run file of a results or failures file. */
export function runFileOf(path: string): string {
  return path.replace(/(?:_error)?(?:\.(?:jsonl|ndjson))?(?:\.gz|\.zst)?$/, "") + ".run.json";
}

/** The content of a line. Missing numbers are 0. */
export interface LineFacts {
  /** The whole line. */
  readonly line: JsonObject;
  /** The state of the row. */
  readonly status: Status;
  /** The id of the answer. */
  readonly uid: string;
  /** The hash of what was sent. */
  readonly promptHash: string;
  /** The answer; for a failure the partial answer, or "". */
  readonly response: string;
  /** The reasoning, or "". */
  readonly reasoning: string;
  /** Whether it holds tool calls. */
  readonly hasToolCalls: boolean;
  /** The finish reason, or "". */
  readonly finishReason: string;
  /** Tokens, attempts, milliseconds. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  readonly attempts: number;
  readonly latencyMs: number;
  /** US dollars; -1 where they are not known. */
  readonly costUsd: number;
  readonly model: string;
  readonly teacher: string;
  /** The type of the failure, or "". */
  readonly failure: string;
  /** The HTTP status of the failure, or 0. */
  readonly httpStatus: number;
  /** The input file, without the line. */
  readonly source: string;
  /** Whether the teacher calls it a refusal. */
  readonly isRefusal: boolean;
  /** The parameters that the row was sent with, its own before those of the run. */
  readonly params: JsonObject;
}

/** A line that is foreign or damaged. */
export class DamagedLine {
  /** What is wrong with it. */
  readonly problem: string;

  /** A problem with its text. */
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** Reads a line. */
export function factsOf(text: string, hints: RunHints): LineFacts | DamagedLine {
  let line: JsonObject;
  try {
    line = JSON.parse(text);
  } catch {
    return new DamagedLine("it is not JSON");
  }
  const isFailure = typeof line === "object" && line !== null && line.error !== undefined &&
    line.response === undefined;
  const problem = foreignLineProblem(line, isFailure ? "failures" : "results");
  if (problem !== undefined) return new DamagedLine(problem);
  return isFailure ? failureFacts(line, hints) : resultFacts(line, hints);
}

function resultFacts(line: JsonObject, hints: RunHints): LineFacts {
  const distill = objectOf(line.distill);
  const calls = line.tool_calls;
  return {
    line,
    status: "answered",
    uid: line.uid as string,
    promptHash: line.prompt_hash as string,
    response: textOf(line.response),
    reasoning: textOf(line.reasoning),
    hasToolCalls: typeof calls === "string" ? calls !== "[]" && calls !== "" : isFilled(calls),
    finishReason: textOf(distill.finish_reason),
    promptTokens: countOf(distill.prompt_tokens),
    completionTokens: countOf(distill.completion_tokens),
    reasoningTokens: countOf(distill.reasoning_tokens),
    cachedTokens: countOf(distill.cached_tokens),
    attempts: countOf(distill.attempts),
    latencyMs: countOf(distill.latency_ms),
    costUsd: costOf(distill.cost_usd),
    model: textOf(distill.model) || hints.model || "",
    teacher: textOf(distill.teacher) || hints.teacher || "",
    failure: "",
    httpStatus: 0,
    source: sourceFile(textOf(distill.source)),
    isRefusal: distill.refusal === true,
    params: paramsOf(line, distill, hints),
  };
}

function failureFacts(line: JsonObject, hints: RunHints): LineFacts {
  const distill = objectOf(line.distill);
  const error = objectOf(line.error);
  const partial = objectOf(line.partial);
  return {
    line,
    status: error.final === false ? "pending" : "failed",
    uid: line.uid as string,
    promptHash: line.prompt_hash as string,
    response: textOf(partial.response),
    reasoning: textOf(partial.reasoning),
    hasToolCalls: isFilled(partial.tool_calls),
    finishReason: textOf(partial.finish_reason),
    promptTokens: countOf(partial.prompt_tokens),
    completionTokens: countOf(partial.completion_tokens),
    reasoningTokens: countOf(partial.reasoning_tokens),
    cachedTokens: 0,
    attempts: countOf(error.attempts),
    latencyMs: countOf(distill.latency_ms),
    costUsd: costOf(distill.cost_usd),
    model: textOf(distill.model) || hints.model || "",
    teacher: textOf(distill.teacher) || hints.teacher || "",
    failure: textOf(error.type) || "unknown",
    httpStatus: countOf(error.status),
    source: sourceFile(textOf(distill.source)),
    isRefusal: false,
    params: paramsOf(line, distill, hints),
  };
}

/** The names of the user's own fields. */
export function ownFields(line: JsonObject): string[] {
  return Object.keys(line).filter((name) => !RESERVED.has(name));
}

const RESERVED: ReadonlySet<string> = new Set(RESERVED_FIELDS);

/** Whether a request with these parameters asks for JSON. */
export function requestsJson({ response_format: format }: JsonObject): boolean {
  const { type } = objectOf(format);
  return type === "json_object" || type === "json_schema";
}

function paramsOf(line: JsonObject, distill: JsonObject, { params }: RunHints): JsonObject {
  const ofRun = params?.[textOf(distill.params)] ?? NOTHING;
  const own = line.response_format === undefined ? objectOf(line.body) : line;
  return own.response_format === undefined
    ? ofRun
    : { ...ofRun, response_format: own.response_format };
}

const NOTHING: JsonObject = Object.freeze({});

/** The value if it is an object, else an empty object. */
export function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? value as JsonObject : NOTHING;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function countOf(value: unknown): number {
  return typeof value === "number" && value > 0 && value <= 0xffff_ffff ? value : 0;
}

function costOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : -1;
}

function sourceFile(source: string): string {
  return source.replace(/(?::\d+|\[\d+\])$/, "");
}
