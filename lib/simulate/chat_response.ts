/**
 * How a simulated teacher's answer looks on the wire: whole, as server-sent events, or as an error.
 *
 * @module
 */

import { answerText, digestOf, type Plan, reasoningText } from "./answer.ts";
import type { ChatRequest } from "./chat_request.ts";

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
