/**
 * The chat completions API of a simulated teacher: parses requests, and builds answers (JSON or
 * server-sent events) and errors.
 *
 * Unless it is aborted, an answer depends only on the options and on the prompt, the token limit
 * and the seed of the request. A run can therefore be repeated, and each result can be matched with
 * its row.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { CHARS_PER_TOKEN, draw, type Plan } from "./options.ts";

/** The fields of a request that determine its answer. */
interface ChatRequest {
  readonly model: string;
  /** All messages with their roles, as one text. */
  readonly prompt: string;
  readonly lastUserText: string;
  readonly maxTokens: number;
  /** The text of the seed; "" if there is no seed. */
  readonly seed: string;
  readonly stream: boolean;
  /** Whether a stream ends with the token counts. */
  readonly includeUsage: boolean;
}

/** Parses a request. Returns an error message if the request is invalid. */
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
  const limitField = (body.max_completion_tokens ?? null) === null
    ? "max_tokens"
    : "max_completion_tokens";
  const maxTokens = body[limitField] ?? Infinity;
  if (typeof maxTokens !== "number" || maxTokens < 1) {
    return `"${limitField}" must be 1 or more: current value is ${show(maxTokens)}`;
  }
  const includeUsage = isObject(streamOptions) && streamOptions.include_usage === true;
  const prompt = promptKey(messages);
  const lastUserText = lastUserTextOf(messages);
  const seed = String(body.seed ?? "");
  return { model, prompt, lastUserText, maxTokens, seed, stream, includeUsage };
}

function promptKey(messages: readonly Record<string, unknown>[]): string {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n\n`;
  }
  return text;
}

function lastUserTextOf(messages: readonly Record<string, unknown>[]): string {
  const lastUserMessage = messages.findLast(({ role }) => role === "user") ?? messages.at(-1);
  const content = lastUserMessage?.content;
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

/** The maximum number of tokens in an event of a stream, unless the text would then need more than
 * `MAX_PIECES` events. */
const TOKENS_PER_PIECE = 20;
const MAX_PIECES = 32;

export function jsonResponse(request: ChatRequest, plan: Plan): Response {
  const { reasoningTokens } = plan;
  const content = answerText(plan, request.lastUserText);
  const message = reasoningTokens > 0
    ? { role: "assistant", content, reasoning_content: reasoningText(plan) }
    : { role: "assistant", content };
  return Response.json({
    ...head(request, plan, "chat.completion"),
    choices: [{ index: 0, message, logprobs: null, finish_reason: plan.finishReason }],
    usage: usageOf(plan),
  });
}

/** Returns the events of a stream. Each event includes the blank line that ends it. */
export function eventsOf(request: ChatRequest, plan: Plan): string[] {
  const start = head(request, plan, "chat.completion.chunk");
  const event = (fields: object) => `data: ${JSON.stringify({ ...start, ...fields })}\n\n`;
  const delta = (fields: object, reason: string | null = null) =>
    event({ choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: reason }] });
  const events = [delta({ role: "assistant", content: "" })];
  for (const piece of splitText(reasoningText(plan), plan.reasoningTokens)) {
    events.push(delta({ reasoning_content: piece }));
  }
  for (const piece of splitText(answerText(plan, request.lastUserText), plan.answerTokens)) {
    events.push(delta({ content: piece }));
  }
  events.push(delta({}, plan.finishReason));
  if (request.includeUsage) events.push(event({ choices: [], usage: usageOf(plan) }));
  events.push("data: [DONE]\n\n");
  return events;
}

export function eventsResponse(body: string | ReadableStream<Uint8Array<ArrayBuffer>>): Response {
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
  return new Response(body, { headers });
}

/** Returns a response with status 200 but without an answer. Some gateways respond like this when
 * the server behind them fails. */
export function emptyResponse(): Response {
  return Response.json({ object: "chat.completion", choices: [] });
}

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

function splitText(text: string, tokenCount: number): string[] {
  const count = Math.min(MAX_PIECES, Math.ceil(tokenCount / TOKENS_PER_PIECE));
  const length = Math.ceil(text.length / count);
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    // Surrogate pairs stay together, because half of a pair cannot be encoded as UTF-8.
    const splitsPair = (text.codePointAt(start + length - 1) ?? 0) > 0xffff;
    const end = start + length + (splitsPair ? 1 : 0);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

const QUOTED_CHARS = 60;

/** Returns 14 hex digits for an answer, which identify its prompt and seed. */
export function digestOf(hash: number): string {
  return hash.toString(16).padStart(14, "0");
}

/** Returns the text of an answer, which has exactly `answerTokens` tokens. */
export function answerText(plan: Plan, lastUserText: string): string {
  const quoted = lastUserText.slice(0, QUOTED_CHARS).toWellFormed();
  const start = `[${digestOf(plan.hash)}] You asked: "${quoted}". `;
  return fitTo(start, plan.answerTokens, plan.hash, plan.finishReason === "stop" ? "." : "");
}

function reasoningText({ hash, reasoningTokens }: Plan): string {
  return fitTo(`Thinking about [${digestOf(hash)}]. `, reasoningTokens, hash + 1);
}

/** Each sentence of an answer consists of one word group from each of these lines. */
const SENTENCE_PARTS = [
  "This answer/A simulated teacher/The next line/A made-up text/Each paragraph/Every measured run",
  "describes/repeats/adds/mentions/explains/compares/invents/collects",
  "a plain fact/two examples/the usual steps/a small detail/the same idea/several numbers",
  "to fill its tokens/for a trial/without any cost/in a few words/as it was asked to/at its pace",
].map((part) => part.split("/"));
/** The padding of an answer begins at one of the first `START_COUNT` sentences of `filler`. */
const START_COUNT = 512;
/** The offsets of these sentences in `filler`. */
const startOffsets: number[] = [];
/** The text with which answers are padded. It grows as needed. */
let filler = "";
let sentenceCount = 0;

/** Returns a text of exactly `tokenCount` tokens. If `start` is longer, it is truncated; otherwise,
 * it is padded with sentences that `hash` selects, and the padding ends with `end`. */
function fitTo(start: string, tokenCount: number, hash: number, end = ""): string {
  const chars = tokenCount * CHARS_PER_TOKEN - start.length;
  if (chars <= 0) return start.slice(0, start.length + chars).toWellFormed();
  while (startOffsets.length < START_COUNT) addSentence();
  const from = startOffsets[hash % START_COUNT];
  while (filler.length < from + chars) addSentence();
  return start + filler.slice(from, from + chars - end.length) + end;
}

function addSentence(): void {
  if (startOffsets.length < START_COUNT) startOffsets.push(filler.length);
  const number = sentenceCount++;
  const words = SENTENCE_PARTS.map((part, salt) =>
    part[Math.floor(draw(number, salt) * part.length)]
  );
  filler += `${words.join(" ")}. `;
}
