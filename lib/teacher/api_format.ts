/**
 * How one endpoint of the OpenAI API formats its requests and answers.
 *
 * The rest of this folder knows chat completions only. Another endpoint is a translation: the prompt and
 * parameters into its format, its answers and the events of its streams into those of a chat completion.
 * So all rules for endings, reasoning and errors apply to every endpoint.
 *
 * @module
 */

import { asObject, type JsonObject } from "./json.ts";
import { RESPONSES } from "./responses_format.ts";
import type { Message, Params } from "./teacher.ts";
import { promptText } from "./message_text.ts";

/** An endpoint: `/chat/completions`, `/completions` or `/responses`. */
export type EndpointName = "chat" | "completions" | "responses";

/** All endpoints. */
export const ENDPOINTS: readonly EndpointName[] = ["chat", "completions", "responses"];

/** A field that Retort adds to a request unless the parameters set it. */
export type Addition = "stream_options" | "response_format" | "reasoning.summary" | "store";

/** What Retort adds to the parameters of a request. */
export interface Additions {
  /** Whether the answer is to be streamed. */
  readonly stream: boolean;
  /** The `response_format` of the run, as in chat completions; undefined where the parameters allow none. */
  readonly responseFormat: JsonObject | undefined;
  /** Whether a field may be added: false once the teacher has refused it. Call it only for fields that will be
   * added, because it notes them. */
  readonly add: (field: Addition) => boolean;
}

/** One endpoint. */
export interface ApiFormat {
  /** Its path, appended to that of the base URL. */
  readonly path: string;
  /** The parameter that asks for log probabilities, as an example: `logprobs=true`. */
  readonly logprobsExample: string;
  /** The fields of a request that hold the prompt. */
  prompt(messages: readonly Message[]): JsonObject;
  /** The fields of a request that hold the parameters, and what is added to them. */
  params(params: Params, additions: Additions): Params;
  /** Why a request cannot be sent here, as it follows `file:line: `. @default each one can */
  problem?(messages: readonly Message[], params: Params): string | undefined;
  /** What the user should know of parameters before a run. @default nothing */
  notices?(params: Params): readonly string[];
  /** Translates an answer into a chat completion. @default it is one */
  answer?(body: JsonObject): JsonObject;
  /** Creates the reader of one stream. @default its events are chunks of a chat completion */
  events?(): EventReader;
}

/** Reads the events of one stream. */
export interface EventReader {
  /** Whether the last event was read. */
  readonly done: boolean;
  /** Translates an event into a chunk of a chat completion; undefined if it holds nothing of interest. */
  read(event: JsonObject): JsonObject | undefined;
}

/** The format of an endpoint. */
export function formatOf(endpoint: EndpointName): ApiFormat {
  return FORMATS[endpoint];
}

/** Why a request cannot be sent to an endpoint, as it follows `file:line: `; undefined if it can. */
export function endpointProblem(
  endpoint: EndpointName,
  messages: readonly Message[],
  params: Params,
): string | undefined {
  return FORMATS[endpoint].problem?.(messages, params);
}

/** `/chat/completions`, which every server has. */
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

/** Requests the token counts of a stream. Without a stream, `stream_options` is an error at OpenAI. */
function withUsage(options: unknown, add: (field: "stream_options") => boolean): Params {
  if (options === undefined) {
    return add("stream_options") ? { stream_options: { include_usage: true } } : {};
  }
  // Not checked here: the teacher will reject null or a number if it has to.
  if (typeof options !== "object" || options === null) return { stream_options: options };
  return { stream_options: { include_usage: true, ...options } };
}

/** `/completions`, which continues one text: for base models, which know no roles. */
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

/** The default of both vLLM and OpenAI. */
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

/** Translates parameters from the names that chat completions use. */
function withOwnNames(params: Params): Params {
  const {
    max_completion_tokens: limit,
    logprobs,
    top_logprobs: top,
    ...fields
  } = params;
  const own: Record<string, unknown> = { ...fields };
  if (limit !== undefined) own.max_tokens = fields.max_tokens ?? limit;
  // Here it is a number: the alternatives to report for each token.
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
