/**
 * Finds the completion in the body of a response: the body itself, an object inside a gateway's
 * envelope, or the start of a body that continues after it. Recognizes answers of other APIs.
 *
 * @module
 */

import { asObject, type JsonObject, leadingObject, parseJson, textAt } from "./json.ts";

/** An object, and the JSON text that holds its `choices`. */
export interface AnswerBody {
  /** The completion, or the object that the server sent instead. */
  readonly object: JsonObject;
  /** The text that `choices` were parsed from; it lacks the fields of an envelope. */
  readonly text: string;
}

/** The object in a body, unwrapped; undefined if the body holds none. */
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

/**
 * Takes a completion, or a chunk of one, out of the object around it:
 * `{"code":0,"data":{"choices":[…]}}` (corporate gateways), `{"result":{…},"success":true}`
 * (Cloudflare), `{"output":{…},"usage":{…}}` (DashScope), `{"statusCode":200,"body":"…"}` (AWS
 * Lambda behind API Gateway). Fields beside the completion fill in those it lacks. Returns `body`
 * unchanged if no completion is inside.
 */
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

/** Whether an object inside another one is a completion, perhaps with null or no choices. A JSON
 * answer or a quoted request may have `choices` of another kind. */
function holdsChoices({ choices }: JsonObject): boolean {
  if (choices === null) return true;
  if (!Array.isArray(choices)) return false;
  const first = asObject(choices[0]);
  return choices.length === 0 ||
    (first !== undefined && ("message" in first || "delta" in first || "finish_reason" in first));
}

/** A complete answer at the start of a body that continues: gateways that fail late append an
 * error, and others repeat the answer. */
function leadingAnswer(text: string): AnswerBody | undefined {
  const object = asObject(parseJson(text));
  const choice = Array.isArray(object?.choices) ? asObject(object.choices[0]) : undefined;
  return object !== undefined && choice !== undefined && "message" in choice
    ? { object, text }
    : undefined;
}

const LINE_END = 0x0a;
const SPACE = 0x20;
const decoder = new TextDecoder();

/** Whether a body is a stream's chunks as JSON lines, without the framing of server-sent events,
 * judged by the first line. Ollama's own API sends such lines too. */
export function areChunkLines(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(LINE_END);
  if (end < 0 || bytes.subarray(end).every((byte) => byte <= SPACE)) return false;
  const first = asObject(parseJson(decoder.decode(bytes.subarray(0, end))));
  if (first === undefined) return false;
  const { object } = unwrapped({ object: first, text: "" });
  if (!Array.isArray(object.choices)) return otherAnswer(object) !== undefined;
  return object.choices.length === 0 || asObject(object.choices[0])?.delta !== undefined;
}

/** An answer in the format of another API. */
export interface OtherAnswer {
  /** A message that names the API and says where that server has the OpenAI-compatible one. */
  readonly message: string;
  /** The text of the answer; "" if it is not read, as for the responses API. */
  readonly content: string;
}

/** An API, the path or address of its OpenAI-compatible version, and a function that returns the
 * text of an answer or chunk, or its parts; undefined if the object is not one of that API. */
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
  [
    "TGI",
    "/v1",
    ({ generated_text: text, token }) => valueAt(token, "text") ?? text,
  ],
  ["Triton", "/v1 of its OpenAI frontend", ({ text_output: text }) => text],
  [
    "llama.cpp",
    "/v1",
    ({ stop, content }) => typeof stop === "boolean" ? content : undefined,
  ],
  ["KoboldCpp", "/v1", ({ results }) => valueAt(results, 0, "text")],
];

/** Recognizes an answer or chunk of another API; undefined if it is none of the known ones. */
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

/** The value at a path of names and indexes; undefined if there is none. */
function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    current = typeof step === "number"
      ? Array.isArray(current) ? current[step] : undefined
      : asObject(current)?.[step];
  }
  return current;
}
