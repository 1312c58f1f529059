/**
 * How one endpoint of the OpenAI API formats its requests and answers.
 *
 * The rest of this folder knows chat completions only. Another endpoint is a translation: the
 * prompt and parameters into its format, its answers and the events of its streams into those of a
 * chat completion. So all rules for endings, reasoning and errors apply to every endpoint.
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
  /** The `response_format` of the run, as in chat completions; undefined where the parameters allow
   * none. */
  readonly responseFormat: JsonObject | undefined;
  /** Whether a field may be added: false once the teacher has rejected it. Records the field as
   * added, so call it only right before adding. */
  readonly add: (field: Addition) => boolean;
}

/** An endpoint and the translation to and from chat completions. */
export interface ApiFormat {
  /** Appended to the path of the base URL. */
  readonly path: string;
  /** For messages: the parameter that requests log probabilities. */
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
  // Left to the teacher: it rejects null or a number if it has to.
  if (typeof options !== "object" || options === null) return { stream_options: options };
  return { stream_options: { include_usage: true, ...options } };
}

/** Continues one text: for base models, which know no roles. */
export const COMPLETIONS: ApiFormat = {
  path: "/completions",
  logprobsExample: "logprobs=1",
  prompt: ([message]) => ({ prompt: promptText(message?.content) }),
  params(params, { stream, responseFormat, add }) {
    const { stream_options: streamOptions, ...fields } = withOwnNames(params);
    return {
      ...(stream ? { stream, ...withUsage(streamOptions, add) } : {}),
      ...fields,
      ...(responseFormat !== undefined && add("response_format")
        ? { response_format: responseFormat }
        : {}),
    };
  },
  problem,
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

function problem(messages: readonly Message[], params: Params): string | undefined {
  const wayOut = "the endpoint completions sends one text";
  if ("prompt" in params) return 'sets "prompt": it comes from the rows';
  if ("tools" in params || "functions" in params) return `holds tools: ${wayOut}`;
  if (messages.length !== 1) return `has ${messages.length} messages: ${wayOut}`;
  const [{ role, content, ...rest }] = messages;
  if (role !== "user") return `has a message of the role ${JSON.stringify(role)}: ${wayOut}`;
  const others = Object.keys(rest).filter((name) => rest[name] !== null);
  if (others.length > 0) return `has ${JSON.stringify(others[0])} in its message: ${wayOut}`;
  if (typeof content === "string") return undefined;
  const part = Array.isArray(content)
    ? content.find((one) => typeof one !== "string" && asObject(one)?.type !== "text")
    : content ?? null;
  if (part === undefined) return undefined;
  const type = asObject(part)?.type;
  return `has content that is no text${
    typeof type === "string" ? ` (${JSON.stringify(type)})` : ""
  }: ${wayOut}`;
}

/** Translates the parameters of chat completions that `/completions` names differently. */
function withOwnNames(params: Params): Params {
  const {
    max_completion_tokens: limit,
    logprobs,
    top_logprobs: top,
    ...fields
  } = params;
  const own: Record<string, unknown> = { ...fields };
  if (limit !== undefined) own.max_tokens = fields.max_tokens ?? limit;
  // `/completions` takes a number for `logprobs`: how many alternatives to report per token.
  if (logprobs === true) own.logprobs = top ?? 1;
  else if (logprobs !== undefined) own.logprobs = logprobs;
  return own;
}

function withChoice(
  body: JsonObject,
  content: (text: string) => JsonObject,
): JsonObject {
  const choice = Array.isArray(body.choices) ? asObject(body.choices[0]) : undefined;
  if (choice === undefined || typeof choice.text !== "string") return body;
  const { text, ...rest } = choice;
  return { ...body, choices: [{ ...rest, ...content(text as string) }] };
}

const FORMATS: Readonly<Record<EndpointName, ApiFormat>> = {
  chat: CHAT,
  completions: COMPLETIONS,
  responses: RESPONSES,
};
