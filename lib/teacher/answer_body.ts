/** Finds the completion in the body of a 2xx response. If there is none, determines what the body
 * is: an error, a web page, or an answer of another API. @module */

import { TeacherError } from "../errors.ts";
import { leadingObject } from "../json.ts";
import { isPage, pageText } from "./content_coding.ts";
import {
  errorJson,
  errorMessage,
  MAX_MESSAGE_CHARS,
  MAX_QUOTED_CHARS,
  readError,
  shownMessage,
} from "./error_response.ts";
import { asObject, firstObject, type JsonObject, parseJson, textAt } from "./json.ts";
import type { Redact } from "./secrets.ts";

export interface AnswerBody {
  /** The completion, or the object that the server sent instead of one. */
  readonly object: JsonObject;
  /** The JSON text of the object that contains `choices`, without the envelope around it. */
  readonly text: string;
}

export function answerBody(text: string): AnswerBody | undefined {
  const value = parseJson(text);
  const object = asObject(value);
  if (object !== undefined) return unwrapped({ object, text });
  if (typeof value === "string") return answerBody(value);
  const element = Array.isArray(value) && value.length === 1 ? asObject(value[0]) : undefined;
  if (element !== undefined) return { object: element, text: textAt({ text, path: [0] }) ?? "" };
  const leading = leadingObject(text);
  return leading === undefined ? undefined : leadingAnswer(leading);
}

/** Unwraps a completion, or a chunk of one, from the object around it. Fields of the outer object
 * are kept unless the completion has the same field. Known forms are
 * `{"code":0,"data":{"choices":[…]}}` (corporate gateways), `{"result":{…},"success":true}`
 * (Cloudflare), `{"output":{…},"usage":{…}}` (DashScope), and `{"statusCode":200,"body":"…"}` (AWS
 * Lambda behind API Gateway). */
export function unwrapped(body: AnswerBody): AnswerBody {
  const { object: envelope, text } = body;
  if ("choices" in envelope) return body;
  for (const name in envelope) {
    const inner = completionIn(envelope[name], { text, name });
    if (inner !== undefined) return { object: { ...envelope, ...inner.object }, text: inner.text };
  }
  return body;
}

function completionIn(
  value: unknown,
  { text, name }: { text: string; name: string },
): AnswerBody | undefined {
  if (typeof value === "string") {
    const object = value.includes('"choices"') ? asObject(parseJson(value)) : undefined;
    return object !== undefined && holdsChoices(object) ? { object, text: value } : undefined;
  }
  const isList = Array.isArray(value) && value.length === 1;
  const object = asObject(isList ? value[0] : value);
  if (object === undefined || !holdsChoices(object)) return undefined;
  return { object, text: textAt({ text, path: isList ? [name, 0] : [name] }) ?? "" };
}

/** Whether the object has the choices of a completion, which may be null or empty. A JSON answer or
 * a quoted request may have a member `choices` of its own. */
function holdsChoices({ choices }: JsonObject): boolean {
  if (choices === null) return true;
  if (!Array.isArray(choices)) return false;
  const first = firstObject(choices);
  return choices.length === 0 ||
    (first !== undefined && ("message" in first || "delta" in first || "finish_reason" in first));
}

/** Reads the answer at the start of a body. Gateways that fail late append an error to the answer,
 * and other gateways repeat the answer. */
function leadingAnswer(text: string): AnswerBody | undefined {
  const object = asObject(parseJson(text));
  const isAnswer = object !== undefined && "message" in (firstObject(object.choices) ?? {});
  return isAnswer ? { object, text } : undefined;
}

const LINE_END = 0x0a;
const SPACE = 0x20;
const decoder = new TextDecoder();

/** Whether a body consists of the chunks of a stream as bare JSON lines, without `data:`, as in
 * Ollama's own API. The first line decides. */
export function areChunkLines(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(LINE_END);
  if (end < 0 || bytes.subarray(end).every((byte) => byte <= SPACE)) return false;
  const first = asObject(parseJson(decoder.decode(bytes.subarray(0, end))));
  if (first === undefined) return false;
  const { object } = unwrapped({ object: first, text: "" });
  if (!Array.isArray(object.choices)) return otherAnswer(object) !== undefined;
  return object.choices.length === 0 || firstObject(object.choices)?.delta !== undefined;
}

export interface OtherAnswer {
  /** Names the API, and says where the same server has its OpenAI-compatible API. */
  readonly message: string;
  /** The text of the answer. Empty if the answer is not read, as for `/responses`. */
  readonly content: string;
}

/** An API that is not OpenAI-compatible. `place` is the path or URL of the OpenAI-compatible API of
 * the same server. `textOf` returns the text or parts of an answer or chunk; undefined for other
 * APIs. */
type OtherApi = readonly [name: string, place: string, textOf: (body: JsonObject) => unknown];

const OTHER_APIS: readonly OtherApi[] = [
  [
    "Ollama",
    "/v1",
    ({ done, message, response }) =>
      typeof done === "boolean" ? valueAt(message, "content") ?? response : undefined,
  ],
  [
    "Anthropic",
    "https://api.anthropic.com/v1",
    ({ type, content, delta }) =>
      type === "message"
        ? content
        : /^message_|^content_block/.test(String(type))
        ? valueAt(delta, "text") ?? ""
        : undefined,
  ],
  [
    "Gemini",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    ({ candidates }) => valueAt(candidates, 0, "content", "parts"),
  ],
  [
    "Bedrock",
    "https://bedrock-runtime.REGION.amazonaws.com/openai/v1",
    ({ output, stopReason }) =>
      stopReason === undefined ? undefined : valueAt(output, "message", "content"),
  ],
  [
    "Cohere",
    "https://api.cohere.ai/compatibility/v1",
    ({ type, message, delta }) =>
      type === "content-delta"
        ? valueAt(delta, "message", "content", "text")
        : type === "message-end"
        ? ""
        : valueAt(message, "content"),
  ],
  [
    "DashScope",
    "https://dashscope.aliyuncs.com/compatible-mode/v1",
    ({ output }) => valueAt(output, "text"),
  ],
  [
    "Cloudflare",
    "https://api.cloudflare.com/client/v4/accounts/ID/ai/v1",
    ({ result }) => valueAt(result, "response"),
  ],
  ["TGI", "/v1", ({ generated_text: text, token }) => valueAt(token, "text") ?? text],
  ["Triton", "/v1 of its OpenAI frontend", ({ text_output: text }) => text],
  ["llama.cpp", "/v1", ({ stop, content }) => typeof stop === "boolean" ? content : undefined],
  ["KoboldCpp", "/v1", ({ results }) => valueAt(results, 0, "text")],
];

export function otherAnswer(body: JsonObject): OtherAnswer | undefined {
  for (const [name, place, textOf] of OTHER_APIS) {
    const value = textOf(body);
    const content = Array.isArray(value)
      ? value.map((part) => valueAt(part, "text") ?? "").join("")
      : value;
    if (typeof content !== "string") continue;
    const message =
      `This is an answer of ${name}'s own API: its OpenAI-compatible API is at ${place}`;
    return { message, content };
  }
  if (body.object !== "response" || !Array.isArray(body.output)) return undefined;
  return {
    message: "This is an answer of the responses API: add --endpoint responses",
    content: "",
  };
}

function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    current = typeof step === "number"
      ? Array.isArray(current) ? current[step] : undefined
      : asObject(current)?.[step];
  }
  return current;
}

/** What a 2xx response without a completion is: damaged, a web page, or the response of another
 * kind of server. */
export type BrokenCode = "broken_answer" | "web_page" | "other_api";

/** The 2xx response that an error is about. */
export interface Origin {
  readonly status: number;
  readonly redact: Redact;
}

/** Returns the error that a 2xx response states. Also reads the fields of `envelope`, the object
 * around `error` (TGI: `"error_type": "overloaded"`). */
export function statedError(error: unknown, origin: Origin, envelope?: JsonObject): TeacherError {
  return errorFrom({ ...envelope, error }, statedStatus(error), origin);
}

export function notAnObjectError(text: string, origin: Origin): TeacherError {
  const start = text.trimStart();
  if (start === "") return brokenAnswerError("The answer has no body", "", origin);
  if (isPage(start)) return brokenAnswerError("The answer is a web page", text, origin, "web_page");
  const [firstLine] = start.split("\n", 1);
  const first = firstLine.length < start.trimEnd().length
    ? asObject(parseJson(firstLine))
    : undefined;
  if (first !== undefined && !("choices" in first)) {
    // The body consists of JSON objects, one per line.
    return missingChoiceError(first, "choice", text, origin);
  }
  const isJson = /^[[{"]/.test(start);
  // Some gateways report errors in plain text.
  if (!isJson && start.length <= MAX_MESSAGE_CHARS) {
    // LiteLLM answers `null` when its provider sends 422.
    const what = parseJson(start) === undefined ? "" : "The answer is not a JSON object: ";
    return errorFrom({ error: what + start.trimEnd() }, undefined, origin, true);
  }
  const code = isJson ? "broken_answer" : "other_api";
  const problem = start.startsWith("{") ? "damaged or incomplete JSON" : "not a JSON object";
  return brokenAnswerError(`The answer is ${problem}`, text, origin, code);
}

/** Matches the messages with which gateways report success, and empty messages. */
const SAYS_SUCCESS = /^(?:ok|(?:request )?succe(?:ss|eded|ssful|ssfully))?[.!]?$/i;

export function statesProblem(body: JsonObject): boolean {
  return !SAYS_SUCCESS.test(errorMessage(body)?.trim() ?? "");
}

/** Returns the error of a response without a choice, or with a choice without a message. Many
 * servers report errors in this form. Unless the error states a status, the row may be sent again
 * and the error does not count as a rejection of the row.
 *
 * @param missing What the object lacks, in words that follow "no". */
export function missingChoiceError(
  answer: JsonObject,
  missing: string,
  text: string,
  origin: Origin,
): TeacherError {
  if (statesProblem(answer)) return errorFrom(answer, statedStatus(answer), origin, true);
  const isKnownApi = "choices" in answer || "output" in answer;
  const code = isKnownApi ? "broken_answer" : "other_api";
  return brokenAnswerError(`The answer has no ${missing}`, text, origin, code);
}

export function brokenAnswerError(
  what: string,
  text: string,
  { status, redact }: Origin,
  code: BrokenCode = "broken_answer",
): TeacherError {
  // The text is redacted before it is shortened, because half of a key would not be found.
  const start = pageText(redact(text)).slice(0, MAX_QUOTED_CHARS);
  const message = start === "" ? what : `${what}: it starts with ${start}`;
  return new TeacherError(message, { type: "response", status, code });
}

/**
 * @param reportedStatus The status in the body. It overrides the status of the response.
 * @param isRetryable Whether an error without a reported status may be retried.
 */
function errorFrom(
  body: JsonObject,
  reportedStatus: number | undefined,
  { status, redact }: Origin,
  isRetryable = false,
): TeacherError {
  const stated = readError(body, reportedStatus, redact);
  const message = stated.message ?? errorJson(body.error ?? body);
  return new TeacherError(shownMessage(message, redact), {
    isRelayed: stated.isRelayed,
    code: stated.code,
    ...(reportedStatus === undefined
      ? { type: "response", status, retryable: isRetryable || undefined }
      : { status: reportedStatus, retryAfterMs: stated.retryAfterMs }),
  });
}

/** Returns the status, from 400 to 599, that an error states in one of its fields. OpenRouter and
 * MiniMax (`http_code`), for example, state a status. */
function statedStatus(error: unknown): number | undefined {
  const { code, status, status_code: statusCode, http_code: httpCode } = asObject(error) ?? {};
  for (const value of [code, status, statusCode, httpCode]) {
    const number = typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
    if (Number.isInteger(number) && number >= 400 && number <= 599) return number;
  }
  return undefined;
}
