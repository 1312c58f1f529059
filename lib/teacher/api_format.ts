/**
 * How one endpoint of the OpenAI API formats its requests and answers.
 *
 * The rest of this folder knows chat completions only. Another endpoint is a translation: the prompt and
 * parameters into its format, its answers and the events of its streams into those of a chat completion.
 * So all rules for endings, reasoning and errors apply to every endpoint.
 *
 * @module
 */

import { CHAT, COMPLETIONS } from "./chat_format.ts";
import type { JsonObject } from "./json.ts";
import { RESPONSES } from "./responses_format.ts";
import type { Message, Params } from "./teacher.ts";

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
  /** The `response_format` of the run, as in chat completions. */
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

const FORMATS: Readonly<Record<EndpointName, ApiFormat>> = {
  chat: CHAT,
  completions: COMPLETIONS,
  responses: RESPONSES,
};
