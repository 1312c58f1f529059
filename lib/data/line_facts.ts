/**
 * What a line of a results or failures file says, in one shape for lines of every version.
 *
 * @module
 */

import { foreignLineProblem } from "../line_blocks.ts";
import { RESERVED_FIELDS } from "../row.ts";

/** Whether a row has a result, has failed, or has an answer that was not accepted and is asked again. */
export const STATUSES = ["answered", "failed", "pending"] as const;

/** One of them. */
export type Status = typeof STATUSES[number];

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What the run of a file was told, as far as its lines are read by it. */
export interface RunHints {
  /** The field that holds the prompt. */
  readonly promptField?: string;
  /** The template of prompts. */
  readonly template?: string;
  /** The system message of rows that have none. */
  readonly system?: string;
  /** The parameter sets that lines name. */
  readonly params?: Readonly<Record<string, JsonObject>>;
  /** The model and the teacher, for failures, whose lines name neither. */
  readonly model?: string;
  /** The teacher's address. */
  readonly teacher?: string;
  /** The input of the run. */
  readonly input?: string;
}

/** What a line says. A number that it does not say is 0. */
export interface LineFacts {
  /** The whole line. */
  readonly line: JsonObject;
  /** What became of the row. */
  readonly status: Status;
  /** The id of the answer. */
  readonly uid: string;
  /** The hash of what was sent. */
  readonly promptHash: string;
  /** The answer; of a failure what was paid for, or "". */
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

/** A line that is none of Retort's, or damaged. */
export class DamagedLine {
  /** What is wrong with it. */
  readonly problem: string;

  /** Makes it of the words. */
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

/** Fields that are the user's own. */
export function ownFields(line: JsonObject): string[] {
  return Object.keys(line).filter((name) => !RESERVED.has(name));
}

const RESERVED: ReadonlySet<string> = new Set(RESERVED_FIELDS);

/** One turn of a conversation. */
export interface Turn {
  /** `system`, `user`, `assistant`, `tool` or whatever the row says. */
  readonly role: string;
  /** Its text; parts that are none are named in brackets. */
  readonly text: string;
  /** Its tool calls, as JSON, where it has some. */
  readonly toolCalls?: string;
}

/** What was asked, as turns: by the row's shape, and by what the run was told. */
export function turnsOf(line: JsonObject, hints: RunHints): Turn[] {
  if (Array.isArray(line.final_messages)) return turns(line.final_messages.slice(0, -1));
  const own = ownTurns(line, hints);
  const system = line.system ?? line.system_prompt ?? line.system_message ?? hints.system;
  if (system === undefined || system === null || system === "") return own;
  return own.some(({ role }) => role === "system" || role === "developer")
    ? own
    : [{ role: "system", text: contentText(system) }, ...own];
}

function ownTurns(line: JsonObject, { template, promptField }: RunHints): Turn[] {
  if (template !== undefined) return [user(filled(template, line))];
  for (const name of promptField === undefined ? PROMPTS : [promptField, ...PROMPTS]) {
    const value = line[name];
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) return turns(value);
    if (name === "instruction") {
      const input = textOf(line.input) || textOf(line.context);
      return [
        ...history(line),
        user(input === "" ? textOf(value) : `${textOf(value)}\n\n${input}`),
      ];
    }
    if (name === "body") {
      const { messages } = objectOf(value);
      if (Array.isArray(messages)) return turns(messages);
      continue;
    }
    return [...history(line), user(contentText(value))];
  }
  return typeof line.raw === "string" ? [user(line.raw)] : [];
}

/** In the order in which a row is looked through. */
const PROMPTS = [
  "body",
  "messages",
  "conversations",
  "prompt",
  "question",
  "instruction",
  "conversation",
];

function history({ history }: JsonObject): Turn[] {
  if (!Array.isArray(history)) return [];
  return history.flatMap((one) =>
    Array.isArray(one)
      ? [user(contentText(one[0])), { role: "assistant", text: contentText(one[1]) }]
      : turns([one])
  );
}

function user(text: string): Turn {
  return { role: "user", text };
}

/** Roles of ShareGPT. */
const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  gpt: "assistant",
  function_call: "assistant",
  observation: "tool",
};

function turns(messages: readonly unknown[]): Turn[] {
  return messages.map((message) => {
    const { role, from, content, value, tool_calls: calls } = objectOf(message);
    const name = textOf(role ?? from) || "user";
    const text = contentText(content ?? value);
    const turn = { role: ROLES[name] ?? name, text };
    return isFilled(calls) ? { ...turn, toolCalls: JSON.stringify(calls, null, 2) } : turn;
  });
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) return "";
  if (!Array.isArray(content)) return JSON.stringify(content);
  return content.map((part) => {
    if (typeof part === "string") return part;
    const { type, text } = objectOf(part);
    return typeof text === "string" ? text : `[${textOf(type) || "part"}]`;
  }).join("\n");
}

function filled(template: string, line: JsonObject): string {
  return template.replaceAll(/\{\{([^}]*)\}\}/g, (_, slot: string) => {
    const name = slot.trim();
    const value = line[name] ??
      name.split(".").reduce<unknown>((at, key) => objectOf(at)[key], line);
    return typeof value === "string" ? value : JSON.stringify(value ?? null);
  });
}

/** What was asked, as one text: everything but what a model has said. */
export function promptOf(line: JsonObject, hints: RunHints): string {
  const { prompt, question } = line;
  // The shapes of most rows, without a detour.
  if (hints.template === undefined && hints.promptField === undefined) {
    if (typeof prompt === "string" && line.messages === undefined && line.body === undefined) {
      return prompt;
    }
    if (typeof question === "string" && prompt === undefined && line.messages === undefined) {
      return question;
    }
  }
  return turnsOf(line, hints).filter(({ role }) => role === "user" || role === "tool")
    .map(({ text }) => text).join("\n");
}

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

/** The value where it is an object, else one without members. */
export function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? value as JsonObject : NOTHING;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isFilled(value: unknown): boolean {
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
