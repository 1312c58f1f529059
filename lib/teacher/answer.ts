/**
 * Reads the JSON answer of a chat completion: texts, finish reason, token counts and stated cost.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import { changedError, type TeacherError } from "../errors.ts";
import { answerBody, otherAnswer } from "./answer_body.ts";
import { errorIn } from "./error_body.ts";
import { brokenAnswer, notAnObject, statedError, withoutChoice } from "./broken_answer.ts";
import { asCount, asObject, asText, type JsonObject, type JsonPath } from "./json.ts";
import { MessageReader, refusalOf } from "./message_text.ts";
import type { Redact } from "./secrets.ts";
import type { Completion, Usage } from "./teacher.ts";
import { separateThoughts, type ThinkTags } from "./think_tags.ts";
import { toolCallsOf } from "./tool_calls.ts";

/** What reading an answer needs to know of its request and of the teacher's settings. */
export interface AnswerContext {
  readonly model: string;
  /** The model that the row named; undefined if it named none. */
  readonly modelAsked: string | undefined;
  /** The service tier of the request; undefined if it set none. */
  readonly tierAsked?: string;
  /** The raw fields to copy from the answer (`--keep`). */
  readonly keep: readonly string[];
  /** The user's tags around reasoning, in addition to the known ones. */
  readonly thinkTags?: ThinkTags;
  readonly redact: Redact;
  /** The API of the answer. @default chat completions */
  readonly format?: ApiFormat;
}

/** Stands for the JSON text of an answer that was translated from another endpoint's format and so
 * has none. */
export const TRANSLATED = "";

/** The parts of an answer, streamed or not, as the server sent them. Absent texts are "". */
export interface AnswerParts {
  /** The answer, including reasoning between tags. */
  content: string;
  /** Reasoning from a field of its own. */
  reasoning: string;
  /** The model's words for why it does not answer. */
  refusal: string;
  /** Tool calls in OpenAI's form. */
  toolCalls: readonly unknown[] | undefined;
  finishReason: string;
  /** The service tier that the answer names. */
  serviceTier: string;
  /** The raw `usage` object. */
  usage: unknown;
  /** The model that the answer names. */
  model: string;
  /** The server's id of the answer. */
  id: string;
  /** The raw fields named by `keep`. */
  kept: Record<string, unknown> | undefined;
  /** Milliseconds from the request to the first token; undefined without a stream. */
  ttftMs: number | undefined;
}

export const NO_PARTS: AnswerParts = {
  content: "",
  reasoning: "",
  refusal: "",
  toolCalls: undefined,
  finishReason: "",
  serviceTier: "",
  usage: undefined,
  model: "",
  id: "",
  kept: undefined,
  ttftMs: undefined,
};

/**
 * Reads the completion from the body of a 2xx response.
 *
 * @throws {TeacherError} If the body holds no completion, or reports an error.
 */
export function readAnswer(text: string, status: number, context: AnswerContext): Completion {
  const { redact } = context;
  const found = answerBody(text);
  if (found === undefined) throw notAnObject(text, status, redact);
  const body = found.object;
  const translated = context.format?.answer?.(body);
  const answer = translated ?? body;
  const choice = Array.isArray(answer.choices) ? asObject(answer.choices[0]) : undefined;
  const error = errorIn(choice, answer);
  const finishReason = choice === undefined ? "" : finishReasonOf(choice, answer);
  const message = choice && messageIn(choice, finishReason);
  if (choice === undefined || message === undefined) {
    if (error !== undefined) throw statedError(error, status, redact, body);
    if (choice === undefined) throw anotherAnswer(body, text, status, context);
    throw withoutChoice(body, '"message" in its choice', text, status, redact);
  }
  const { content, reasoning } = new MessageReader().read(message);
  const completion = toCompletion({
    content,
    reasoning,
    refusal: refusalOf(message),
    toolCalls: toolCallsOf(
      message,
      translated === undefined ? found.text : TRANSLATED,
      MESSAGE_PATH,
    ),
    finishReason,
    serviceTier: asText(answer.service_tier),
    usage: answer.usage,
    model: asText(answer.model),
    id: asText(answer.id),
    kept: context.keep.length === 0 ? undefined : keptOf(choice, answer, context.keep),
    ttftMs: undefined,
  }, context);
  if (error === undefined) return completion;
  const stated = statedError(error, status, redact, body);
  // The part of an answer that came with an error may have been billed.
  throw holdsOutput(completion) ? changedError(stated, { partial: completion }) : stated;
}

const MESSAGE_PATH: JsonPath = ["choices", 0, "message"];

function holdsOutput({ response, reasoning, toolCalls }: Completion): boolean {
  return response !== "" || reasoning !== "" || toolCalls !== undefined;
}

/** The error for an object without a choice. If another API's answer is in it, it was paid for too
 * and becomes the partial answer. */
function anotherAnswer(
  body: JsonObject,
  text: string,
  status: number,
  context: AnswerContext,
): TeacherError {
  const other = "choices" in body ? undefined : otherAnswer(body);
  if (other === undefined) return withoutChoice(body, "choice", text, status, context.redact);
  const error = brokenAnswer(other.words, "", status, context.redact, "other_api");
  const partial = toCompletion({ ...NO_PARTS, content: other.content }, context);
  return other.content === "" ? error : changedError(error, { partial });
}

/**
 * The message of a choice, which may also hold a stream's only chunk. Gemini omits the message if
 * reasoning has used up the token limit. After the reasons `stop` and "", a missing message is an
 * error: undefined.
 */
function messageIn(choice: JsonObject, finishReason: string): JsonObject | undefined {
  const message = asObject(choice.message) ?? asObject(choice.delta);
  if (message !== undefined) return message;
  const text = choice.message ?? choice.text;
  if (typeof text === "string") return { content: text };
  return finishReason === "" || /^stop$/i.test(finishReason) ? undefined : {};
}

/** Makes a completion from the parts of an answer. A refusal becomes the response if there is no
 * other text. */
export function toCompletion(parts: AnswerParts, context: AnswerContext): Completion {
  const { response, reasoning, toolCalls = [] } = separateThoughts(
    parts.content,
    parts.reasoning,
    context.thinkTags,
  );
  return {
    response: response === "" ? parts.refusal : response,
    isRefusal: parts.refusal !== "",
    reasoning,
    finishReason: parts.finishReason,
    usage: readUsage(parts.usage, parts.model || context.model),
    model: parts.model || context.model,
    modelAsked: context.modelAsked,
    serviceTier: parts.serviceTier || context.tierAsked,
    id: parts.id,
    toolCalls: parts.toolCalls ?? (toolCalls.length > 0 ? toolCalls : undefined),
    ttftMs: parts.ttftMs,
    kept: parts.kept,
  };
}

function keptOf(
  choice: JsonObject,
  answer: JsonObject,
  names: readonly string[],
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of names) {
    if (Object.hasOwn(choice, name)) kept[name] = choice[name];
    else if (Object.hasOwn(answer, name)) kept[name] = answer[name];
  }
  return kept;
}

/** The finish reason as the server sent it, of the choice or else of the object around it; "" if
 * neither has one. */
export function finishReasonOf(choice: JsonObject, around?: JsonObject): string {
  return reasonIn(choice) || (around === undefined ? "" : reasonIn(around));
}

/**
 * The finish reason to keep of an earlier and a later one: the later, because some servers put a
 * word of their own, or a number, into every chunk but the last. But gateways append `stop` to the
 * `length` of their upstream: then the earlier.
 */
export function laterReason(earlier: string, later: string): string {
  return later === "" || (/^stop$/i.test(later) && SAYS_MORE.test(earlier)) ? earlier : later;
}

const SAYS_MORE =
  /length|max_|limit|context|filter|safety|refus|recitation|sensitive|block|moderation|tool|function|error|abort|cancel|timeout/i;

/**
 * The finish reason under any of its names: OpenAI's, Gemini's (its OpenAI-compatible server has
 * sent `finish_reason: null` beside it), Anthropic's, OpenRouter's for the provider's own word,
 * Ollama's. Runs for each chunk of a stream: reading the fields by literal names is ten times as
 * fast as by a list of names.
 */
function reasonIn(object: JsonObject): string {
  const { finish_reason, finishReason, stop_reason, native_finish_reason, done_reason } = object;
  return reasonOf(finish_reason) || reasonOf(finishReason) || reasonOf(stop_reason) ||
    reasonOf(native_finish_reason) || reasonOf(done_reason) || numberOf(finish_reason);
}

/** A number as a text. Only its server knows the meaning, but it is a reason, which `acceptEndings:
 * none` must not accept. */
function numberOf(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}

/** A string, or the type of an object (SGLang's own form: `{"type": "stop", "matched": 2}`). "" for
 * null, and for texts that some servers write instead of it. */
function reasonOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const reason = typeof value === "string" ? value : asObject(value)?.type;
  if (typeof reason !== "string") return "";
  return /^(?:\s*|null|none)$/i.test(reason) ? "" : reason;
}

/** The unit of xAI's `cost_in_usd_ticks`. */
const TICKS_PER_USD = 1e10;

/**
 * The token counts of an answer under uniform names; null if the teacher reports none.
 *
 * @param model The model that answered, because Gemini counts differently.
 */
export function readUsage(value: unknown, model = ""): Usage | null {
  const usage = asObject(value);
  if (usage === undefined) return null;
  // `input_tokens`: mlx-vlm, and gateways to APIs that count in these. `inputTokens`: Bedrock.
  const promptTokens = countOf(usage.prompt_tokens) ?? countOf(usage.input_tokens) ??
    countOf(usage.inputTokens) ?? countOf(usage.promptTokens);
  const completionTokens = countOf(usage.completion_tokens) ?? countOf(usage.output_tokens) ??
    countOf(usage.outputTokens) ?? countOf(usage.completionTokens);
  if (promptTokens === undefined && completionTokens === undefined) return null;
  const completion = asObject(usage.completion_tokens_details) ??
    asObject(usage.output_tokens_details);
  const prompt = asObject(usage.prompt_tokens_details);
  // Anthropic and Bedrock do not include these in the prompt tokens. Gateways that write them
  // beside OpenAI's names do.
  const read = asCount(usage.cache_read_input_tokens) ?? asCount(usage.cacheReadInputTokens);
  const made = asCount(usage.cache_creation_input_tokens) ?? asCount(usage.cacheWriteInputTokens);
  const isApart = countOf(usage.prompt_tokens) === undefined &&
    (countOf(usage.input_tokens) ?? countOf(usage.inputTokens)) !== undefined;
  const cachedTokens = asCount(prompt?.cached_tokens) ?? asCount(usage.prompt_cache_hit_tokens) ??
    asCount(usage.cached_tokens) ?? read ?? 0;
  const reasoning = asCount(completion?.reasoning_tokens) ?? asCount(usage.reasoning_tokens);
  const rest = (asCount(usage.total_tokens) ?? 0) - (promptTokens ?? 0) - (completionTokens ?? 0);
  // Gemini, also behind gateways, counts thoughts only in the total, and bills them as completion
  // tokens.
  const isUncounted = rest > 0 && (rest === reasoning || /gemini/i.test(model));
  const thoughts = isUncounted ? rest : 0;
  const written = asCount(prompt?.cache_write_tokens) ?? asCount(prompt?.cache_creation_tokens) ??
    made;
  const costUsd = statedCost(usage);
  const counts = {
    promptTokens: (promptTokens ?? 0) + (isApart ? (read ?? 0) + (made ?? 0) : 0),
    completionTokens: (completionTokens ?? 0) + thoughts,
    reasoningTokens: reasoning ?? thoughts,
    cachedTokens,
  };
  if (!written && costUsd === undefined) return counts;
  return { ...counts, cacheWriteTokens: written ?? 0, costUsd };
}

/** A count, given as a number or, by some gateways, as text. */
function countOf(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^\d+$/.test(value);
  return asCount(isText ? Number(value) : value);
}

/** The cost in US dollars that the usage states (OpenRouter, Perplexity, DeepInfra, xAI). */
function statedCost(usage: JsonObject): number | undefined {
  const { cost, estimated_cost: estimated, cost_in_usd_ticks: ticks } = usage;
  const stated = asAmount(cost) ?? asAmount(asObject(cost)?.total_cost) ?? asAmount(estimated);
  if (stated === undefined) {
    const amount = asAmount(ticks);
    return amount === undefined ? undefined : amount / TICKS_PER_USD;
  }
  // With the user's own upstream key, `cost` is only OpenRouter's fee.
  const upstream = asAmount(asObject(usage.cost_details)?.upstream_inference_cost);
  return usage.is_byok === true ? stated + (upstream ?? 0) : stated;
}

function asAmount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value < Infinity ? value : undefined;
}
