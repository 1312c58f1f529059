/**
 * Requests to `/chat/completions`, which every server has, and to `/completions`, which continues one text:
 * for base models, which know no roles.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import { asObject, asText, type JsonObject } from "./json.ts";
import type { Message, Params } from "./teacher.ts";

/** `/chat/completions`. */
export const CHAT: ApiFormat = {
  path: "/chat/completions",
  logprobsExample: "logprobs=true",
  prompt: (messages) => ({ messages }),
  params({ stream_options: streamOptions, ...params }, { stream, responseFormat, add }) {
    return {
      ...(stream ? { stream, ...withUsage(streamOptions, add) } : {}),
      ...params,
      ...(wantsFormat(params) && responseFormat !== undefined && add("response_format")
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

/** Whether the parameters allow a `response_format`. Many servers refuse one with tools. */
export function wantsFormat(params: Params): boolean {
  return !("response_format" in params) && !("tools" in params) && !("functions" in params);
}

/** `/completions`. */
export const COMPLETIONS: ApiFormat = {
  path: "/completions",
  logprobsExample: "logprobs=1",
  prompt: ([message]) => ({ prompt: promptText(message?.content) }),
  params(params, { stream, responseFormat, add }) {
    const { stream_options: streamOptions, ...fields } = withOwnNames(params);
    return {
      ...(stream ? { stream, ...withUsage(streamOptions, add) } : {}),
      ...fields,
      ...(wantsFormat(params) && responseFormat !== undefined && add("response_format")
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

/** The text of a message; the text parts of a list are joined. */
export function promptText(content: unknown): string {
  if (!Array.isArray(content)) return asText(content);
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
}
