/**
 * Requests to `/responses`, OpenAI's newer endpoint, which can return summaries of the reasoning.
 * It takes instructions and items in place of messages.
 *
 * @module
 */

import type { Additions, ApiFormat } from "./api_format.ts";
import { promptText } from "./message_text.ts";
import { asObject, asText, type JsonObject } from "./json.ts";
import { asChatCompletion, ResponsesEvents } from "./responses_answer.ts";
import type { Message, Params } from "./teacher.ts";

export const RESPONSES: ApiFormat = {
  path: "/responses",
  logprobsExample: "logprobs=true",
  prompt: promptOf,
  params(params, additions) {
    const own: Record<string, unknown> = additions.stream ? { stream: true } : {};
    for (const [name, value] of Object.entries(params)) {
      const translate = TRANSLATED[name];
      if (translate === undefined) own[name] = value;
      else merge(own, translate(value));
    }
    add(own, additions);
    return own;
  },
  problem: promptProblem,
  answer: asChatCompletion,
  events: () => new ResponsesEvents(),
};

/** Parameters of chat completions with another name or place in `/responses`. */
const TRANSLATED: Readonly<Record<string, (value: unknown) => JsonObject>> = {
  max_tokens: (value) => ({ max_output_tokens: value }),
  max_completion_tokens: (value) => ({ max_output_tokens: value }),
  reasoning_effort: (value) => ({ reasoning: { effort: value } }),
  verbosity: (value) => ({ text: { verbosity: value } }),
  response_format: (value) => ({ text: { format: textFormatOf(value) } }),
  tools: (value) => ({ tools: Array.isArray(value) ? value.map(toolOf) : value }),
  tool_choice: (value) => ({ tool_choice: choiceOf(value) }),
  logprobs: (value) => value === true ? { include: [LOGPROBS] } : {},
  text: (value) => ({ text: value }),
  reasoning: (value) => ({ reasoning: value }),
  include: (value) => ({ include: value }),
  // `/responses` always sends token counts; its `stream_options` are about padding.
  stream_options: () => ({}),
};

const LOGPROBS = "message.output_text.logprobs";

function add(own: Record<string, unknown>, additions: Additions): void {
  const { responseFormat, add } = additions;
  const isFormatOpen = asObject(own.text)?.format === undefined;
  if (isFormatOpen && responseFormat !== undefined && add("response_format")) {
    merge(own, { text: { format: textFormatOf(responseFormat) } });
  }
  const reasoning = own.reasoning === undefined ? {} : asObject(own.reasoning);
  // OpenAI sends no reasoning by default.
  if (reasoning !== undefined && reasoning.summary === undefined && add("reasoning.summary")) {
    own.reasoning = { ...reasoning, summary: "auto" };
  }
  // OpenAI would store answers for 30 days; chat completions are not stored by default.
  if (own.store === undefined && add("store")) own.store = false;
}

/** Adds fields to `own`. Merges objects and lists, and replaces other values. */
function merge(own: Record<string, unknown>, more: JsonObject): void {
  for (const [name, value] of Object.entries(more)) {
    const before = own[name];
    if (Array.isArray(before) && Array.isArray(value)) own[name] = [...before, ...value];
    else if (asObject(before) !== undefined && asObject(value) !== undefined) {
      own[name] = { ...asObject(before), ...asObject(value) };
    } else own[name] = value;
  }
}

/** `{"type":"json_schema","json_schema":{…}}` without its inner level. */
function textFormatOf(format: unknown): unknown {
  const { json_schema: schema, ...rest } = asObject(format) ?? {};
  return asObject(schema) === undefined ? format : { ...rest, ...asObject(schema) };
}

/** `{"type":"function","function":{…}}` without its inner level. `strict` is set because
 * `/responses` has another default: true. */
function toolOf(tool: unknown): unknown {
  const { function: called, ...rest } = asObject(tool) ?? {};
  if (asObject(called) === undefined) return tool;
  return { ...rest, strict: false, ...asObject(called) };
}

function choiceOf(choice: unknown): unknown {
  const { type, function: called, allowed_tools: allowed } = asObject(choice) ?? {};
  if (type === "function" && called !== undefined) {
    return { type, name: asText(asObject(called)?.name) };
  }
  if (type !== "allowed_tools" || asObject(allowed) === undefined) return choice;
  const { tools, ...rest } = asObject(allowed)!;
  return { type, ...rest, tools: Array.isArray(tools) ? tools.map(choiceOf) : tools };
}

/** Translates messages: leading system messages become `instructions`, the others `input`. */
function promptOf(messages: readonly Message[]): JsonObject {
  const first = messages.findIndex((message) => !isInstruction(message));
  // No leading system message, or only such: `input` must not be empty.
  if (first < 1) return { input: messages.flatMap(itemsOf) };
  const instructions = messages.slice(0, first).map(({ content }) => promptText(content));
  return { instructions: instructions.join("\n\n"), input: messages.slice(first).flatMap(itemsOf) };
}

/** Why a request cannot be sent to `/responses`. */
function promptProblem(messages: readonly Message[], params: Params): string | undefined {
  for (const name of ["input", "instructions"]) {
    if (name in params) return `sets "${name}": it comes from the messages`;
  }
  if (params.background === true) return 'sets "background": answers are waited for';
  for (const { role, tool_call_id: id } of messages) {
    if (role === "function" || (role === "tool" && typeof id !== "string")) {
      return `has a message of the role "${role}" without "tool_call_id": ` +
        "the endpoint responses needs it";
    }
  }
  return undefined;
}

function isInstruction({ role, content, ...rest }: Message): boolean {
  const isPlain = typeof content === "string" || isAllText(content);
  return (role === "system" || role === "developer") && isPlain && Object.keys(rest).length === 0;
}

function isAllText(content: unknown): boolean {
  return Array.isArray(content) && content.every((part) => asObject(part)?.type === "text");
}

/** The input items of a message: the message and its calls, or the output of a call. */
function itemsOf(message: Message): JsonObject[] {
  const { role, content, tool_calls: calls, tool_call_id: id, ...rest } = message;
  if (role === "tool") {
    return [{
      type: "function_call_output",
      call_id: id,
      output: contentOf(content, "input"),
      ...rest,
    }];
  }
  const isEmpty = content === null || content === undefined || content === "";
  const items = isEmpty && Array.isArray(calls) && calls.length > 0
    ? []
    : [{ role, content: contentOf(content, role === "assistant" ? "output" : "input"), ...rest }];
  return Array.isArray(calls) ? [...items, ...calls.map(callOf)] : items;
}

function callOf(call: unknown): JsonObject {
  const { id, function: called } = asObject(call) ?? {};
  const { name, arguments: args } = asObject(called) ?? {};
  return { type: "function_call", call_id: id, name, arguments: args };
}

function contentOf(content: unknown, side: "input" | "output"): unknown {
  return Array.isArray(content) ? content.map((part) => partOf(part, side)) : content ?? "";
}

function partOf(part: unknown, side: "input" | "output"): unknown {
  if (typeof part === "string") return { type: `${side}_text`, text: part };
  const { type, image_url: image, file, ...rest } = asObject(part) ?? {};
  if (type === "text") return { type: `${side}_text`, ...rest };
  if (type === "image_url") {
    const { url, ...options } = asObject(image) ?? { url: image };
    return { type: "input_image", image_url: url, ...options, ...rest };
  }
  if (type === "file" && asObject(file) !== undefined) {
    return { type: "input_file", ...asObject(file), ...rest };
  }
  return part;
}
