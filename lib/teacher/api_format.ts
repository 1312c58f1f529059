/**
 * The formats of requests and answers of each endpoint of the OpenAI API.
 *
 * The rest of this folder handles chat completions only. For another endpoint, prompt and
 * parameters are translated into its format, and its answers and stream events into those of chat
 * completions. So all rules for endings, reasoning and errors apply to every endpoint.
 *
 * @module
 */

import { asObject, type JsonObject } from "./json.ts";
import { RESPONSES } from "./responses_format.ts";
import type { Message, Params } from "./teacher.ts";
import { promptText } from "./message_text.ts";

/** An endpoint by name: `/chat/completions`, `/completions` or `/responses`. */
export type EndpointName = "chat" | "completions" | "responses";

export const ENDPOINTS: readonly EndpointName[] = ["chat", "completions", "responses"];

/** A field that Retort adds to a request unless the parameters set it. */
export type Addition = "stream_options" | "response_format" | "reasoning.summary" | "store";

/** What Retort may add to the parameters of a request. */
export interface Additions {
  readonly stream: boolean;
  /** The run's `response_format`, as in chat completions; undefined if the parameters forbid it. */
  readonly responseFormat: JsonObject | undefined;
  /** Called right before a field is added. Returns false if the teacher has rejected the field,
   * which must not be added then; otherwise records it as added. */
  readonly add: (field: Addition) => boolean;
}

/** An endpoint and the translation to and from chat completions. */
export interface ApiFormat {
  /** Appended to the path of the base URL. */
  readonly path: string;
  /** The parameter that requests log probabilities, as in `-p`, for messages to users. */
  readonly logprobsExample: string;
  /** The fields of a request that hold these messages. */
  prompt(messages: readonly Message[]): JsonObject;
  /** The other fields of a request: the parameters in the endpoint's format, and additions. */
  params(params: Params, additions: Additions): Params;
  /** Why a request cannot be sent to this endpoint, in words that follow `file:line: `; undefined
   * if it can. @default every request can */
  problem?(messages: readonly Message[], params: Params): string | undefined;
  /** What the user should know before a run with these parameters, one sentence each. @default
   * nothing */
  notices?(params: Params): readonly string[];
  /** Translates an answer into a chat completion. @default answers are chat completions */
  answer?(body: JsonObject): JsonObject;
  /** Creates the translator of a stream's events. @default events are chunks of chat completions */
  events?(): EventReader;
}

/** Translates the events of one stream into chunks of a chat completion. */
export interface EventReader {
  /** Whether the last event was read; later ones are ignored. */
  readonly done: boolean;
  /** The chunk for an event; undefined if the event holds no part of the answer. */
  read(event: JsonObject): JsonObject | undefined;
}

export function formatOf(endpoint: EndpointName): ApiFormat {
  return FORMATS[endpoint];
}

/** Why a request cannot be sent to an endpoint, in words that follow `file:line: `; undefined if it
 * can. */
export function endpointProblem(
  endpoint: EndpointName,
  messages: readonly Message[],
  params: Params,
): string | undefined {
  return FORMATS[endpoint].problem?.(messages, params);
}

/** Every server has this endpoint. */
const CHAT: ApiFormat = {
  path: "/chat/completions",
  logprobsExample: "logprobs=true",
  prompt: (messages) => ({ messages }),
  params({ stream_options: streamOptions, ...params }, { stream, responseFormat, add }) {
    return {
      ...(stream ? { stream, ...withUsage(streamOptions, add) } : {}),
      ...params,
      ...(responseFormat !== undefined && add("response_format")
        ? { response_format: responseFormat }
        : {}),
    };
  },
};

/** Requests the token counts of a stream. OpenAI rejects `stream_options` without `stream`. */
function withUsage(options: unknown, add: (field: "stream_options") => boolean): Params {
  if (options === undefined) {
    return add("stream_options") ? { stream_options: { include_usage: true } } : {};
  }
  // Sent unchanged: whether null or a number is valid is for the teacher to decide.
  if (typeof options !== "object" || options === null) return { stream_options: options };
  return { stream_options: { include_usage: true, ...options } };
}

/** Continues one text, for base models, which do not know roles. */
export const COMPLETIONS: ApiFormat = {
  path: "/completions",
  logprobsExample: "logprobs=1",
  prompt: ([message]) => ({ prompt: promptText(message?.content) }),
  params: (params, additions) => CHAT.params(renamed(params), additions),
  problem: completionsProblem,
  notices: (params) =>
    "max_tokens" in params || "max_completion_tokens" in params ? [] : [SHORT_ANSWERS],
  answer: (body) => withChoice(body, (text) => ({ message: { content: text } })),
  events: () => ({
    done: false,
    read: (event) => withChoice(event, (text) => ({ delta: { content: text } })),
  }),
};

/** `max_tokens` is 16 by default at vLLM and OpenAI. */
const SHORT_ANSWERS = "Most servers end a completion after 16 tokens by default: " +
  "add --max-tokens N";

function completionsProblem(messages: readonly Message[], params: Params): string | undefined {
  const reason = "the endpoint completions sends one text";
  if ("prompt" in params) return 'sets "prompt": it comes from the rows';
  if ("tools" in params || "functions" in params) return `holds tools: ${reason}`;
  if (messages.length !== 1) return `has ${messages.length} messages: ${reason}`;
  const [{ role, content, ...rest }] = messages;
  if (role !== "user") return `has a message with the role ${JSON.stringify(role)}: ${reason}`;
  const others = Object.keys(rest).filter((name) => rest[name] !== null);
  if (others.length > 0) return `has ${JSON.stringify(others[0])} in its message: ${reason}`;
  if (typeof content === "string") return undefined;
  const part = Array.isArray(content)
    ? content.find((part) => typeof part !== "string" && asObject(part)?.type !== "text")
    : content ?? null;
  if (part === undefined) return undefined;
  const type = asObject(part)?.type;
  const shownType = typeof type === "string" ? ` (${JSON.stringify(type)})` : "";
  return `has content that is not text${shownType}: ${reason}`;
}

/** Renames the parameters of chat completions that `/completions` names differently. */
function renamed(params: Params): Params {
  const { max_completion_tokens: limit, logprobs, top_logprobs: top, ...fields } = params;
  const result: Record<string, unknown> = { ...fields };
  if (limit !== undefined) result.max_tokens = fields.max_tokens ?? limit;
  // `logprobs` of `/completions` is a number: how many alternatives to report per token.
  if (logprobs === true) result.logprobs = top ?? 1;
  else if (logprobs !== undefined) result.logprobs = logprobs;
  return result;
}

/** Replaces the text of the first choice by fields of a chat completion's choice. */
function withChoice(
  body: JsonObject,
  fieldsOf: (text: string) => JsonObject,
): JsonObject {
  const choice = Array.isArray(body.choices) ? asObject(body.choices[0]) : undefined;
  if (choice === undefined || typeof choice.text !== "string") return body;
  const { text, ...rest } = choice;
  return { ...body, choices: [{ ...rest, ...fieldsOf(text as string) }] };
}

const FORMATS: Readonly<Record<EndpointName, ApiFormat>> = {
  chat: CHAT,
  completions: COMPLETIONS,
  responses: RESPONSES,
};
