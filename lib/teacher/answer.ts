/**
 * Reads a chat completion that is not streamed: its texts, finish reason, usage and raw fields.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import { changedError, type TeacherError } from "../errors.ts";
import { answerBody, otherAnswer } from "./answer_body.ts";
import { errorIn } from "./error_body.ts";
import {
  brokenAnswerError,
  missingChoiceError,
  notAnObjectError,
  statedError,
} from "./broken_answer.ts";
import { asText } from "../json.ts";
import { asObject, type JsonObject, type JsonPath } from "./json.ts";
import { MessageReader, refusalOf } from "./message_text.ts";
import type { Redact } from "./secrets.ts";
import type { Completion } from "./teacher.ts";
import { separateReasoning, type ThinkTags } from "./think_tags.ts";
import { toolCallsOf } from "./tool_calls.ts";
import { readUsage } from "./usage.ts";

/** What reading an answer needs to know of its request and of the teacher's settings. */
export interface AnswerContext {
  readonly model: string;
  /** The model that the row named; undefined if it named none. */
  readonly modelAsked: string | undefined;
  /** The service tier of the request; undefined if it set none. */
  readonly tierAsked?: string;
  /** The raw fields to copy from the answer (`--keep`). */
  readonly keep: readonly string[];
  /** The user's tags around reasoning, in addition to the known ones. */
  readonly thinkTags?: ThinkTags;
  readonly redact: Redact;
  /** The API of the answer. @default chat completions */
  readonly format?: ApiFormat;
}

/** Stands for the JSON text of an answer that was translated from another endpoint's format, and so
 * has none. */
export const NO_JSON_TEXT = "";

/** The parts of an answer, streamed or not, as the server sent them. Missing texts are "". */
export interface AnswerParts {
  /** The answer, including reasoning between tags. */
  content: string;
  /** Reasoning from a separate field. */
  reasoning: string;
  /** The text with which the model refuses to answer. */
  refusal: string;
  /** Tool calls in OpenAI's form. */
  toolCalls: readonly unknown[] | undefined;
  finishReason: string;
  /** The service tier that the answer names. */
  serviceTier: string;
  /** The raw `usage` object. */
  usage: unknown;
  /** The model that the answer names. */
  model: string;
  /** The server's id of the answer. */
  id: string;
  /** The raw fields named by `keep`. */
  kept: Record<string, unknown> | undefined;
  /** Milliseconds from the request to the first token; undefined without a stream. */
  ttftMs: number | undefined;
}

export const NO_PARTS: AnswerParts = {
  content: "",
  reasoning: "",
  refusal: "",
  toolCalls: undefined,
  finishReason: "",
  serviceTier: "",
  usage: undefined,
  model: "",
  id: "",
  kept: undefined,
  ttftMs: undefined,
};

/**
 * Reads the completion from the body of a 2xx response.
 *
 * @throws {TeacherError} If the body holds no completion, or reports an error.
 */
export function readAnswer(text: string, status: number, context: AnswerContext): Completion {
  const { redact } = context;
  const unwrappedBody = answerBody(text);
  if (unwrappedBody === undefined) throw notAnObjectError(text, status, redact);
  const body = unwrappedBody.object;
  const translated = context.format?.answer?.(body);
  const answer = translated ?? body;
  const choice = Array.isArray(answer.choices) ? asObject(answer.choices[0]) : undefined;
  const error = errorIn(choice, answer);
  const finishReason = choice === undefined ? "" : finishReasonOf(choice, answer);
  const message = choice && messageIn(choice, finishReason);
  if (choice === undefined || message === undefined) {
    if (error !== undefined) throw statedError(error, status, redact, body);
    if (choice === undefined) throw errorWithoutChoice(body, text, status, context);
    throw missingChoiceError(body, '"message" in its choice', text, status, redact);
  }
  const { content, reasoning } = new MessageReader().read(message);
  const completion = toCompletion({
    content,
    reasoning,
    refusal: refusalOf(message),
    toolCalls: toolCallsOf(
      message,
      translated === undefined ? unwrappedBody.text : NO_JSON_TEXT,
      asObject(choice.message) === undefined ? DELTA_PATH : MESSAGE_PATH,
    ),
    finishReason,
    serviceTier: asText(answer.service_tier),
    usage: answer.usage,
    model: asText(answer.model),
    id: asText(answer.id),
    kept: context.keep.length === 0 ? undefined : keptOf(choice, answer, context.keep),
    ttftMs: undefined,
  }, context);
  if (error === undefined) return completion;
  const stated = statedError(error, status, redact, body);
  // A partial answer beside an error may have been billed.
  throw holdsOutput(completion) ? changedError(stated, { partial: completion }) : stated;
}

const MESSAGE_PATH: JsonPath = ["choices", 0, "message"];
const DELTA_PATH: JsonPath = ["choices", 0, "delta"];

function holdsOutput({ response, reasoning, toolCalls }: Completion): boolean {
  return response !== "" || reasoning !== "" || toolCalls !== undefined;
}

/** The error for an object without a choice. If it is the answer of another API, which is paid for
 * too, the error carries its text as a partial answer. */
function errorWithoutChoice(
  body: JsonObject,
  text: string,
  status: number,
  context: AnswerContext,
): TeacherError {
  const other = "choices" in body ? undefined : otherAnswer(body);
  if (other === undefined) return missingChoiceError(body, "choice", text, status, context.redact);
  const error = brokenAnswerError(other.message, "", status, context.redact, "other_api");
  const partial = toCompletion({ ...NO_PARTS, content: other.content }, context);
  return other.content === "" ? error : changedError(error, { partial });
}

/**
 * The message of a choice, or the delta if the whole body is the only chunk of a stream. Gemini
 * omits the message if reasoning has used up the token limit: then it is empty. Undefined if it is
 * missing although the finish reason is `stop` or "", which is an error.
 */
function messageIn(choice: JsonObject, finishReason: string): JsonObject | undefined {
  const message = asObject(choice.message) ?? asObject(choice.delta);
  if (message !== undefined) return message;
  const text = choice.message ?? choice.text;
  if (typeof text === "string") return { content: text };
  return finishReason === "" || /^stop$/i.test(finishReason) ? undefined : {};
}

/** Makes a completion from the parts of an answer. The text of a refusal becomes the response if
 * there is no other text. */
export function toCompletion(parts: AnswerParts, context: AnswerContext): Completion {
  const { response, reasoning, toolCalls = [] } = separateReasoning(
    parts.content,
    parts.reasoning,
    context.thinkTags,
  );
  return {
    response: response === "" ? parts.refusal : response,
    isRefusal: parts.refusal !== "",
    reasoning,
    finishReason: parts.finishReason,
    usage: readUsage(parts.usage, parts.model || context.model),
    model: parts.model || context.model,
    modelAsked: context.modelAsked,
    serviceTier: parts.serviceTier || context.tierAsked,
    id: parts.id,
    toolCalls: parts.toolCalls ?? (toolCalls.length > 0 ? toolCalls : undefined),
    ttftMs: parts.ttftMs,
    kept: parts.kept,
  };
}

function keptOf(
  choice: JsonObject,
  answer: JsonObject,
  names: readonly string[],
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of names) {
    if (Object.hasOwn(choice, name)) kept[name] = choice[name];
    else if (Object.hasOwn(answer, name)) kept[name] = answer[name];
  }
  return kept;
}

/** The finish reason as the server sent it, from the choice or else from the answer that holds the
 * choice; "" if neither has one. */
export function finishReasonOf(choice: JsonObject, answer?: JsonObject): string {
  return reasonIn(choice) || (answer === undefined ? "" : reasonIn(answer));
}

/**
 * Chooses between the finish reasons of two chunks. The later one counts, because some servers put
 * a word of their own, or a number, into every chunk but the last. The exception is `stop` after a
 * reason that says more: gateways append it to the `length` of their upstream.
 */
export function lastReason(earlier: string, later: string): string {
  return later === "" || (/^stop$/i.test(later) && SPECIFIC.test(earlier)) ? earlier : later;
}

/** Finish reasons that say more than `stop`. */
const SPECIFIC =
  /length|max_|limit|context|filter|safety|refus|recitation|sensitive|block|moderation|tool|function|error|abort|cancel|timeout/i;

/**
 * The finish reason under the names of OpenAI, Gemini (whose OpenAI-compatible server has sent
 * `finish_reason: null` beside it), Anthropic, OpenRouter (for the provider's own reason) and
 * Ollama. Runs for each chunk of a stream, and is ten times as fast as with a list of names.
 */
function reasonIn(object: JsonObject): string {
  const { finish_reason, finishReason, stop_reason, native_finish_reason, done_reason } = object;
  return reasonOf(finish_reason) || reasonOf(finishReason) || reasonOf(stop_reason) ||
    reasonOf(native_finish_reason) || reasonOf(done_reason) || numberOf(finish_reason);
}

/** A number as text. Only the server knows its meaning, but it is a reason: `acceptEndings: none`
 * must not accept such an answer. */
function numberOf(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}

/** A string, or the type of an object (SGLang's own form: `{"type": "stop", "matched": 2}`). "" for
 * null, and for the texts that some servers write instead of null. */
function reasonOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const reason = typeof value === "string" ? value : asObject(value)?.type;
  if (typeof reason !== "string") return "";
  return /^(?:\s*|null|none)$/i.test(reason) ? "" : reason;
}
