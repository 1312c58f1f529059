/** Reads a chat completion. `stream.ts` uses the same code for messages and finish reasons.
 * @module */

import { changedError, type TeacherError } from "../errors.ts";
import { asText, isObject, isTooDeep } from "../json.ts";
import {
  answerBody,
  brokenAnswerError,
  missingChoiceError,
  notAnObjectError,
  type Origin,
  otherAnswer,
  statedError,
} from "./answer_body.ts";
import { type AnswerContext, toCompletion } from "./completion.ts";
import { asObject, firstObject, type JsonObject, type JsonPath } from "./json.ts";
import type { Completion } from "./teacher.ts";
import { toolCallsOf } from "./tool_calls.ts";

/** Passed instead of the JSON text of an answer that was translated from another endpoint's
 * format. */
export const NO_JSON_TEXT = "";

/** @throws {TeacherError} if the body contains no completion or reports an error */
export function readAnswer(text: string, status: number, context: AnswerContext): Completion {
  const origin = { status, redact: context.redact };
  const unwrappedBody = answerBody(text);
  if (unwrappedBody === undefined) throw notAnObjectError(text, origin);
  const body = unwrappedBody.object;
  const translated = context.format?.answer?.(body);
  const answer = translated ?? body;
  const choice = firstObject(answer.choices);
  const error = errorIn(choice, answer);
  const finishReason = choice === undefined ? "" : finishReasonOf(choice, answer);
  const message = choice && messageIn(choice, finishReason);
  if (choice === undefined || message === undefined) {
    if (error !== undefined) throw statedError(error, origin, body);
    if (choice === undefined) throw errorWithoutChoice(body, text, origin, context);
    throw missingChoiceError(body, '"message" in its choice', text, origin);
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
    usage: usageIn(choice, answer),
    model: asText(answer.model),
    id: asText(answer.id),
    kept: context.keep.length === 0 ? undefined : keptOf(choice, answer, context.keep),
  }, context);
  if (error === undefined) return completion;
  const stated = statedError(error, origin, body);
  // A partial answer that comes with an error may have been billed.
  throw holdsOutput(completion) ? changedError(stated, { partial: completion }) : stated;
}

/** Whether a body is a complete answer with its finish reason. An object with a delta or without a
 * finish reason may be the first of several chunks. */
export function isWholeAnswer(text: string, { format }: AnswerContext): boolean {
  const body = answerBody(text)?.object ?? {};
  const answer = format?.answer?.(body) ?? body;
  const choice = firstObject(answer.choices);
  return choice !== undefined && choice.delta === undefined &&
    finishReasonOf(choice, answer) !== "";
}

const MESSAGE_PATH: JsonPath = ["choices", 0, "message"];
const DELTA_PATH: JsonPath = ["choices", 0, "delta"];

function holdsOutput({ response, reasoning, toolCalls }: Completion): boolean {
  return response !== "" || reasoning !== "" || toolCalls !== undefined;
}

/** Returns the error for a body without a choice. An answer of another API also has to be paid for,
 * so the error then carries its text as a partial answer. */
function errorWithoutChoice(
  body: JsonObject,
  text: string,
  origin: Origin,
  context: AnswerContext,
): TeacherError {
  const other = "choices" in body ? undefined : otherAnswer(body);
  if (other === undefined) return missingChoiceError(body, "choice", text, origin);
  const error = brokenAnswerError(other.message, "", origin, "other_api");
  const partial = toCompletion({ content: other.content }, context);
  return other.content === "" ? error : changedError(error, { partial });
}

/** Returns the message of a choice, or the delta of a stream's only chunk. Gemini omits the message
 * if reasoning has used up the token limit. So a missing message counts as empty if a finish reason
 * other than `stop` explains why it is missing. */
function messageIn(choice: JsonObject, finishReason: string): JsonObject | undefined {
  const message = asObject(choice.message) ?? asObject(choice.delta);
  if (message !== undefined) return message;
  const text = choice.message ?? choice.text;
  if (typeof text === "string") return { content: text };
  return finishReason === "" || /^stop$/i.test(finishReason) ? undefined : {};
}

function keptOf(choice: JsonObject, answer: JsonObject, names: readonly string[]): JsonObject {
  const kept: JsonObject = {};
  for (const name of names) {
    if (Object.hasOwn(choice, name)) kept[name] = choice[name];
    else if (Object.hasOwn(answer, name)) kept[name] = answer[name];
  }
  return kept;
}

/** Returns the error in a choice or in the answer around it. Some servers send `error` with every
 * answer. Null, false, 0, 200, "", `{}`, words such as "none" or "ok", and objects that contain
 * only such values mean that there is no error. */
export function errorIn(choice: JsonObject | undefined, answer: JsonObject): unknown {
  if (isStated(choice?.error)) return choice?.error;
  if (isStated(answer.error)) return answer.error;
  // Groq states in this field why it stopped a stream early.
  const groqError = asObject(answer.x_groq)?.error;
  return isStated(groqError) ? groqError : undefined;
}

const NO_ERROR = /^(?:none|null|nil|false|ok|success)?$/i;

function isStated(value: unknown, levels = 3): boolean {
  if (typeof value === "string") return !NO_ERROR.test(value.trim());
  if (value === 200) return false;
  if (typeof value !== "object" || value === null) return Boolean(value);
  return levels === 0 || Object.values(value).some((member) => isStated(member, levels - 1));
}

/** Returns the usage. Moonshot puts the usage of a stream into the choice, and Groq puts it into a
 * field of its own. */
export function usageIn(choice: JsonObject | undefined, answer: JsonObject): unknown {
  return answer.usage ?? choice?.usage ?? asObject(answer.x_groq)?.usage;
}

/** Returns the finish reason of the choice, or else of the answer around it; "" if there is
 * none. */
export function finishReasonOf(choice: JsonObject, answer?: JsonObject): string {
  return reasonIn(choice) || (answer === undefined ? "" : reasonIn(answer));
}

/** Returns the finish reason of a stream after another chunk. The later reason counts, because some
 * servers put a different word or a number into every chunk except the last. However, `stop` does
 * not replace a more specific reason: gateways append it after the `length` of the server behind
 * them. */
export function lastReason(earlier: string, later: string): string {
  return later === "" || (/^stop$/i.test(later) && SPECIFIC_REASON.test(earlier)) ? earlier : later;
}

const SPECIFIC_REASON =
  /length|max_|limit|context|filter|safety|refus|recitation|sensitive|block|moderation|tool|function|error|abort|cancel|timeout/i;

/** Reads the finish reason in the fields of OpenAI, Gemini (next to `finish_reason: null`),
 * Anthropic, OpenRouter (the provider's reason) and Ollama. This runs for each chunk of a stream,
 * and a loop over the names would take ten times as long. */
function reasonIn(object: JsonObject): string {
  const { finish_reason, finishReason, stop_reason, native_finish_reason, done_reason } = object;
  return reasonOf(finish_reason) || reasonOf(finishReason) || reasonOf(stop_reason) ||
    reasonOf(native_finish_reason) || reasonOf(done_reason) ||
    // Only the server knows what a number means. As text, the number is an unknown reason, which
    // `acceptEndings: none` does not accept.
    (typeof finish_reason === "number" ? String(finish_reason) : "");
}

/** Returns a finish reason as text; "" if there is none, which some servers call `"null"` or
 * `"none"`. SGLang sends an object, `{"type": "stop", "matched": 2}`. */
function reasonOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const reason = typeof value === "string" ? value : asObject(value)?.type;
  if (typeof reason !== "string") return "";
  return /^(?:\s*|null|none)$/i.test(reason) ? "" : reason;
}

export interface ContentTexts {
  /** The text, including any reasoning between tags. */
  readonly content: string;
  /** Reasoning from separate fields or parts. */
  readonly reasoning: string;
}

/** Matches the types of parts with reasoning: `thinking` (Mistral, Anthropic), `reasoning`,
 * `reasoning_text`, `reasoning.text`, `thought`, and `redacted_thinking`, which has no text. */
const REASONING_PART = /^(?:redacted_)?(?:thinking|thought|reasoning)/;

/** Maximum depth of lists and fields in which text is searched. */
const MAX_PART_LEVELS = 4;

/** Reads one message, or all deltas of one stream. Reasoning may be in a separate field or in parts
 * of the content. Once the field has contained text, parts with reasoning are ignored, because some
 * servers send both. Reasoning between tags stays in the content. */
export class MessageReader {
  // Kept for the whole stream, because its last chunk may repeat the reasoning of earlier fields as
  // parts of the content.
  #hasReasoningField = false;

  read(message: JsonObject): ContentTexts {
    const { content } = message;
    const field = this.#reasoningField(message);
    if (typeof content === "string") return { content, reasoning: field };
    if (content === null || content === undefined) {
      // A spoken answer consists of audio and its transcript.
      return { content: asText(asObject(message.audio)?.transcript), reasoning: field };
    }
    const parts: unknown[] = Array.isArray(content) ? content : [content];
    if (parts.length > 0 && !parts.some(isPart)) {
      // Some servers parse an answer if it has a schema, so the content is the parsed answer
      // itself.
      return { content: isTooDeep(content) ? "" : JSON.stringify(content), reasoning: field };
    }
    return {
      content: parts.map((part) => isReasoningPart(part) ? "" : textOf(part)).join(""),
      reasoning: field !== "" || this.#hasReasoningField
        ? field
        : parts.map((part) => isReasoningPart(part) ? textOf(part) : "").join(""),
    };
  }

  #reasoningField(message: JsonObject): string {
    // `reasoning_content`: DeepSeek, Qwen, older vLLM. `reasoning`: OpenRouter, Ollama, newer vLLM.
    // `thinking`: Ollama's own API. `reasoning_text`: GitHub. `thinking_content`, `thought`:
    // CLIProxyAPI.
    const { reasoning_content, reasoning, thinking, reasoning_text } = message;
    const field = textOf(reasoning_content) || textOf(reasoning) || textOf(thinking) ||
      textOf(reasoning_text) || textOf(message.thinking_content) || textOf(message.thought);
    if (field !== "") this.#hasReasoningField = true;
    if (this.#hasReasoningField) return field;
    // The following fields repeat one of the fields above or replace it. `reasoning_details`:
    // OpenRouter, MiniMax. `thinking_blocks`, `provider_specific_fields`: LiteLLM.
    return textOf(message.reasoning_details) || textOf(message.thinking_blocks) ||
      providerFieldOf(message.provider_specific_fields);
  }
}

/** Returns the words with which the model refuses to answer; "" if it does not refuse. */
export function refusalOf({ refusal, content }: JsonObject): string {
  const field = asText(refusal);
  if (field !== "" || !Array.isArray(content)) return field;
  return content.map((part) => asText(asObject(part)?.refusal)).join("");
}

/** Whether the content of a message, or an element of its list, is a part. A part is text, null, a
 * list, or an object that has the type of a part or only members of parts. Any other object, or a
 * list without parts, is the answer itself, which may have members such as `reasoning`. */
function isPart(content: unknown): boolean {
  if (typeof content === "string" || content === null || Array.isArray(content)) return true;
  if (!isObject(content)) return false;
  const { type } = content;
  return typeof type === "string"
    ? PART_TYPE.test(type) || REASONING_PART.test(type)
    : typeof content.thought !== "string" &&
      Object.keys(content).every((name) => PART_MEMBER.test(name));
}

const PART_TYPE =
  /^(?:(?:in|out)put_)?(?:text|image|audio|video|file|refusal)(?:_url|_delta)?$|(?:^|_)tool_|^(?:reference|container_upload)$/;
/** Matches members of parts whose type is missing or is not text. Most of these are Gemini's parts,
 * whose `thought` is true or false. */
const PART_MEMBER =
  /^(?:type|text|annotations|cache_control|thought|thought(?:_s|S)ignature|functionCall|inlineData|fileData|executableCode|codeExecutionResult)$/;

function providerFieldOf(fields: unknown): string {
  const { reasoning_content, reasoning } = asObject(fields) ?? {};
  return textOf(reasoning_content) || textOf(reasoning);
}

function isReasoningPart(part: unknown): boolean {
  return REASONING_PART.test(asText(asObject(part)?.type));
}

/** Returns the text of a part or a list of parts, under the names that servers use. Returns "" for
 * encrypted parts, which contain only `data`. */
function textOf(part: unknown, levels = MAX_PART_LEVELS): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null || levels === 0) return "";
  if (Array.isArray(part)) return part.map((element) => textOf(element, levels - 1)).join("");
  const { text, thinking, reasoning, summary, content, effort } = part as JsonObject;
  // If there is an `effort`, `summary` is a setting instead: `{"effort":"high","summary":"auto"}`.
  const summaryText = effort === undefined ? summary : "";
  // `text.value` comes from Azure's agents. Any other `value` may be a member of the answer itself.
  return asText(asObject(text)?.value) || textOf(text, levels - 1) ||
    textOf(thinking, levels - 1) ||
    textOf(reasoning, levels - 1) || textOf(summaryText, levels - 1) ||
    textOf(content, levels - 1);
}
