/**
 * How one endpoint of the OpenAI API words its requests and answers.
 *
 * The rest of this folder speaks chat completions. Another endpoint is a translation: prompt and
 * parameters into its words, its answers and the events of its streams into those of a chat completion.
 * So whatever is known of endings, reasoning and errors holds for all of them.
 *
 * @module
 */

import { CHAT, COMPLETIONS } from "./chat_format.ts";
import type { JsonObject } from "./json.ts";
import { RESPONSES } from "./responses_format.ts";
import type { Message, Params } from "./teacher.ts";

/** An endpoint: `/chat/completions`, `/completions` or `/responses`. */
export type EndpointName = "chat" | "completions" | "responses";

/** All of them. */
export const ENDPOINTS: readonly EndpointName[] = ["chat", "completions", "responses"];

/** A field that Retort adds to a request unless the parameters set it. */
export type Addition = "stream_options" | "response_format" | "reasoning.summary" | "store";

/** What a request is asked with beside its parameters. */
export interface Additions {
  /** Whether the answer is to be streamed. */
  readonly stream: boolean;
  /** The `response_format` that the run would like, in the words of chat completions. */
  readonly responseFormat: JsonObject | undefined;
  /** Whether a field may be added: not where the teacher has refused it. Call it for fields that will be
   * added only; it notes them. */
  readonly add: (field: Addition) => boolean;
}

/** One endpoint. */
export interface ApiFormat {
  /** Where it is, added to the path of the base URL. */
  readonly path: string;
  /** The parameter that asks for log probabilities, as an example: `logprobs=true`. */
  readonly logprobsExample: string;
  /** The fields of a request that hold the prompt. */
  prompt(messages: readonly Message[]): JsonObject;
  /** The fields of a request that hold the parameters, and what is added to them. */
  params(params: Params, additions: Additions): Params;
  /** Why a request cannot be sent here, fit to stand after `file:line: `. @default each one can */
  problem?(messages: readonly Message[], params: Params): string | undefined;
  /** What the user should know of parameters before a run. @default nothing */
  notices?(params: Params): readonly string[];
  /** A whole answer as a chat completion. @default it is one */
  answer?(body: JsonObject): JsonObject;
  /** Makes what reads one stream. @default its events are chunks of a chat completion */
  events?(): EventReader;
}

/** Reads the events of one stream. */
export interface EventReader {
  /** Whether the last event was read. */
  readonly done: boolean;
  /** An event as a chunk of a chat completion, or undefined where it says nothing that counts. */
  read(event: JsonObject): JsonObject | undefined;
}

/** The format of an endpoint. */
export function formatOf(endpoint: EndpointName): ApiFormat {
  return FORMATS[endpoint];
}

/** Why a request cannot be sent to an endpoint, fit to stand after `file:line: `; undefined where it can. */
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
