/**
 * The chat completions API of a simulated teacher: how it reads a request, and its answer on the wire, whole, as
 * server-sent events, or as an error.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { answerText, digestOf, type Plan, reasoningText } from "./answer.ts";

/** The parts of a request that an answer depends on. */
interface ChatRequest {
  /** The model that is asked for, given back in the answer. */
  readonly model: string;
  /** The text of all messages. */
  readonly prompt: string;
  /** The text of the last user message. */
  readonly lastUserText: string;
  /** The most tokens that the answer may have, or `Infinity`. */
  readonly maxTokens: number;
  /** Whether the answer is sent as server-sent events. */
  readonly stream: boolean;
  /** Whether such a stream tells the usage. */
  readonly includeUsage: boolean;
}

/** Reads a request body; a text instead of a request says what is wrong with it. */
export function readChatRequest(text: string): ChatRequest | string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return "Cannot parse the body of the request: it must be JSON";
  }
  if (!isObject(body)) return "Cannot read the body of the request: it must be an object";
  const { model = "simulated", messages, stream = false, stream_options: streamOptions, n = 1 } =
    body;
  if (typeof model !== "string") return `"model" must be a string: current value is ${show(model)}`;
  if (typeof stream !== "boolean") {
    return `"stream" must be a boolean: current value is ${show(stream)}`;
  }
  if (n !== 1) return `"n" must be 1 for a simulated teacher: current value is ${show(n)}`;
  if (!isMessages(messages)) {
    return '"messages" must be an array of one or more messages with a role';
  }
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? Infinity;
  if (typeof maxTokens !== "number" || maxTokens < 1) {
    return `"max_tokens" must be 1 or more: current value is ${show(maxTokens)}`;
  }
  const includeUsage = isObject(streamOptions) && streamOptions.include_usage === true;
  const lastUserText = lastUserTextOf(messages);
  return { model, prompt: promptText(messages), lastUserText, maxTokens, stream, includeUsage };
}

/** The text of all messages with their roles, by which a prompt is known. */
export function promptText(messages: readonly Record<string, unknown>[]): string {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n\n`;
  }
  return text;
}

function lastUserTextOf(messages: readonly Record<string, unknown>[]): string {
  const last = messages.findLast((message) => message.role === "user") ?? messages.at(-1);
  const content = last?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => isObject(part) && typeof part.text === "string" ? part.text : "")
    .join("");
}

function isMessages(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((message) => isObject(message) && typeof message.role === "string");
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}

const JSON_INIT = { headers: { "content-type": "application/json" } };
const EVENTS_INIT = {
  headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
};

/** Tokens that one event of a stream carries, while that makes no more than `MAX_PIECES`. */
const TOKENS_PER_PIECE = 20;
const MAX_PIECES = 32;

/** The whole answer. */
export function wholeResponse(request: ChatRequest, plan: Plan): Response {
  const { reasoningTokens } = plan;
  const content = answerText(plan, request.lastUserText);
  const message = reasoningTokens > 0
    ? { role: "assistant", content, reasoning_content: reasoningText(plan) }
    : { role: "assistant", content };
  const body = {
    ...head(request, plan, "chat.completion"),
    choices: [{ index: 0, message, logprobs: null, finish_reason: plan.finishReason }],
    usage: usageOf(plan),
  };
  return new Response(JSON.stringify(body), JSON_INIT);
}

/** The answer as events, each a text that ends in an empty line. */
export function eventsOf(request: ChatRequest, plan: Plan): string[] {
  const start = head(request, plan, "chat.completion.chunk");
  const event = (fields: object) => `data: ${JSON.stringify({ ...start, ...fields })}\n\n`;
  const delta = (fields: object, reason: string | null = null) =>
    event({ choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: reason }] });
  const events = [delta({ role: "assistant", content: "" })];
  for (const piece of pieces(reasoningText(plan), plan.reasoningTokens)) {
    events.push(delta({ reasoning_content: piece }));
  }
  for (const piece of pieces(answerText(plan, request.lastUserText), plan.answerTokens)) {
    events.push(delta({ content: piece }));
  }
  events.push(delta({}, plan.finishReason));
  if (request.includeUsage) events.push(event({ choices: [], usage: usageOf(plan) }));
  events.push("data: [DONE]\n\n");
  return events;
}

/** A response of server-sent events. */
export function eventsResponse(body: string | ReadableStream<Uint8Array<ArrayBuffer>>): Response {
  return new Response(body, EVENTS_INIT);
}

/** Status 200 without an answer, as gateways send it whose upstream has failed. */
export function emptyResponse(): Response {
  return Response.json({ object: "chat.completion", choices: [] });
}

/** An error in the OpenAI form. */
export function errorResponse(
  status: number,
  message: string,
  headers?: Record<string, string>,
): Response {
  const code = status === 404 ? "not_found" : status === 429 ? "rate_limit_exceeded" : null;
  const type = status >= 500
    ? "server_error"
    : status === 429
    ? "requests"
    : "invalid_request_error";
  return Response.json({ error: { message, type, param: null, code } }, { status, headers });
}

/** The one model that there is. */
export function modelsResponse(): Response {
  const model = { id: "simulated", object: "model", created: 0, owned_by: "retort" };
  return Response.json({ object: "list", data: [model] });
}

function head(request: ChatRequest, plan: Plan, object: string) {
  const created = Math.floor(Date.now() / 1000);
  return { id: `chatcmpl-${digestOf(plan.hash)}`, object, created, model: request.model };
}

function usageOf({ promptTokens, reasoningTokens, answerTokens }: Plan) {
  const completionTokens = reasoningTokens + answerTokens;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

function pieces(text: string, tokens: number): string[] {
  const count = Math.min(MAX_PIECES, Math.ceil(tokens / TOKENS_PER_PIECE));
  const length = Math.ceil(text.length / count);
  const result: string[] = [];
  for (let at = 0; at < text.length;) {
    // Not through the middle of a surrogate pair: neither half would survive UTF-8.
    const wide = (text.codePointAt(at + length - 1) ?? 0) > 0xffff;
    const end = at + length + (wide ? 1 : 0);
    result.push(text.slice(at, end));
    at = end;
  }
  return result;
}
