/** Writes request bodies in the format of an endpoint of the OpenAI API. Answers and events of
 * `/responses` are translated into chat completions, so that finish reasons, reasoning and errors
 * are handled in one place. @module */

import { asObject, type JsonObject } from "./json.ts";
import { promptText, RESPONSES } from "./responses_format.ts";
import type { AskedSchema, Message, Params, TeacherRequest } from "./teacher.ts";
import type { ResolvedTeacherOptions } from "./teacher_options.ts";

/** The name of an endpoint: `/chat/completions`, `/completions` or `/responses`. */
export type EndpointName = "chat" | "completions" | "responses";

export const ENDPOINTS: readonly EndpointName[] = ["chat", "completions", "responses"];

/** A field that Retort adds to a request unless the parameters set it. */
export type Addition = "stream_options" | "response_format" | "reasoning.summary" | "store";

export interface Additions {
  readonly stream: boolean;
  /** The `response_format` of chat completions. Undefined if no schema is requested, or if the
   * parameters contain `response_format` or tools. */
  readonly responseFormat: JsonObject | undefined;
  /** Records that the field is added. Returns false if it must not be added because the teacher has
   * rejected it. */
  readonly add: (field: Addition) => boolean;
}

export interface ApiFormat {
  readonly path: string;
  /** An example of the parameter that requests log probabilities, as written after `-p`. */
  readonly logprobsExample: string;
  prompt(messages: readonly Message[]): JsonObject;
  /** Returns the other fields of a request: the parameters in the endpoint's format, and
   * additions. */
  params(params: Params, additions: Additions): Params;
  /** See {@linkcode Teacher.problem}. @default every request can be sent */
  problem?(messages: readonly Message[], params: Params): string | undefined;
  /** See {@linkcode Teacher.notices}. @default nothing */
  notices?(params: Params): readonly string[];
  /** Translates an answer into a chat completion. @default answers are chat completions */
  answer?(body: JsonObject): JsonObject;
  /** Translates the events of one stream. @default events are chunks of chat completions */
  events?(): EventReader;
}

export interface EventReader {
  /** Whether the stream's final event was read. Later events are ignored. */
  readonly done: boolean;
  /** Returns the chunk for an event; undefined if the event contains no part of the answer. */
  read(event: JsonObject): JsonObject | undefined;
}

/** Returns why a request cannot be sent to the endpoint, as {@linkcode Teacher.problem} does. */
export function endpointProblem(
  endpoint: EndpointName,
  messages: readonly Message[],
  params: Params,
): string | undefined {
  return FORMATS[endpoint].problem?.(messages, params);
}

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

function withUsage(options: unknown, add: (field: "stream_options") => boolean): Params {
  if (options === undefined) {
    return add("stream_options") ? { stream_options: { include_usage: true } } : {};
  }
  // The value is sent unchanged, so that the teacher decides whether null or a number is valid.
  if (typeof options !== "object" || options === null) return { stream_options: options };
  return { stream_options: { include_usage: true, ...options } };
}

/** The endpoint for base models, which continue a text and have no roles. The choices of its
 * answers contain a `text`, as those of old chat servers do. */
export const COMPLETIONS: ApiFormat = {
  path: "/completions",
  logprobsExample: "logprobs=1",
  prompt: ([message]) => ({ prompt: promptText(message?.content) }),
  params: (params, additions) => CHAT.params(completionsParams(params), additions),
  problem: completionsProblem,
  notices: (params) =>
    "max_tokens" in params || "max_completion_tokens" in params ? [] : [SHORT_ANSWERS],
};

/** vLLM and OpenAI default to a `max_tokens` of 16. */
const SHORT_ANSWERS = "Most servers end a completion after 16 tokens by default: " +
  "add --max-tokens N";

function completionsProblem(messages: readonly Message[], params: Params): string | undefined {
  const reason = "the completions endpoint takes one text";
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

function completionsParams(params: Params): Params {
  const { max_completion_tokens: limit, logprobs, top_logprobs: top, ...fields } = params;
  const result: Record<string, unknown> = { ...fields };
  if (limit !== undefined) result.max_tokens = fields.max_tokens ?? limit;
  // In `/completions`, `logprobs` is the number of alternatives to report for each token.
  if (logprobs === true) result.logprobs = top ?? 1;
  else if (logprobs !== undefined) result.logprobs = logprobs;
  return result;
}

export const FORMATS: Readonly<Record<EndpointName, ApiFormat>> = {
  chat: CHAT,
  completions: COMPLETIONS,
  responses: RESPONSES,
};

/** The parts of a request that depend only on its parameters. */
export interface WrittenParams {
  readonly modelAsked: string | undefined;
  readonly tierAsked: string | undefined;
  readonly added: readonly Addition[];
  readonly schema: AskedSchema | undefined;
  /** The text before the prompt: `{"model":"…"` */
  readonly head: string;
  /** The text after the prompt: `,"temperature":1.0}` */
  readonly tail: string;
}

export class BodyWriter {
  readonly #options: Pick<ResolvedTeacherOptions, "model" | "stream">;
  readonly #format: ApiFormat;
  readonly #omittedFields = new Set<Addition>();
  // Rows without parameters of their own share one object, so its text is written only once.
  #written = new WeakMap<Params, WrittenParams>();

  constructor(options: ResolvedTeacherOptions) {
    this.#options = options;
    this.#format = FORMATS[options.endpoint];
  }

  /** Writes everything except the prompt, once for each object of parameters. Numbers keep their
   * original text. */
  params({ params, jsonSchema }: TeacherRequest): WrittenParams {
    let written = this.#written.get(params);
    if (written === undefined || written.schema !== jsonSchema) {
      written = this.#writeParams(params, jsonSchema);
      this.#written.set(params, written);
    }
    return written;
  }

  body({ head, tail }: WrittenParams, messages: readonly Message[]): string {
    const prompt = this.#format.prompt(messages);
    let text = head;
    // The text is written field by field. Stringifying an object and slicing its text would copy
    // every prompt again.
    for (const name in prompt) text += `,"${name}":${JSON.stringify(prompt[name])}`;
    return text + tail;
  }

  /** Returns the fields of a request's body, for previews. */
  fields({ messages, params, jsonSchema }: TeacherRequest): Record<string, unknown> {
    return {
      model: this.#modelAsked(params) ?? this.#options.model,
      ...this.#format.prompt(messages),
      ...this.#sentFields(params, jsonSchema).fields,
    };
  }

  /** Omits a field from later requests. Returns false if the field was omitted already. */
  omit(field: Addition): boolean {
    if (this.#omittedFields.has(field)) return false;
    this.#omittedFields.add(field);
    this.#written = new WeakMap();
    return true;
  }

  #modelAsked({ model }: Params): string | undefined {
    return typeof model === "string" && model !== this.#options.model ? model : undefined;
  }

  #sentFields(
    params: Params,
    schema: AskedSchema | undefined,
  ): { fields: Params; added: Addition[] } {
    const { model: _, messages: __, stream: ___, ...rest } = params;
    const added: Addition[] = [];
    const fields = this.#format.params(rest, {
      stream: this.#options.stream,
      responseFormat: schema && mayAddFormat(rest) ? responseFormatOf(schema) : undefined,
      add: (field) => !this.#omittedFields.has(field) && added.push(field) > 0,
    });
    return { fields, added };
  }

  #writeParams(params: Params, schema: AskedSchema | undefined): WrittenParams {
    const modelAsked = this.#modelAsked(params);
    const { fields, added } = this.#sentFields(params, schema);
    const tail = JSON.stringify(fields).slice(1);
    return {
      schema,
      head: `{"model":${JSON.stringify(modelAsked ?? this.#options.model)}`,
      tail: tail === "}" ? tail : `,${tail}`,
      modelAsked,
      tierAsked: typeof params.service_tier === "string" ? params.service_tier : undefined,
      added,
    };
  }
}

/** Whether `response_format` may be added. Many servers reject it together with tools. */
function mayAddFormat(params: Params): boolean {
  return !("response_format" in params) && !("tools" in params) && !("functions" in params);
}

function responseFormatOf({ name, schema, strict, description }: AskedSchema): JsonObject {
  return { type: "json_schema", json_schema: { name, description, schema, strict } };
}
