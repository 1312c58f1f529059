/** Translates requests for `/responses`, OpenAI's newer endpoint, which takes instructions and
 * items instead of messages and can return summaries of the reasoning. @module */

import { asText, exactJson, isObject } from "../json.ts";
import type { Additions, ApiFormat } from "./api_format.ts";
import { asObject, type JsonObject } from "./json.ts";
import { asChatCompletion, ResponsesEvents } from "./responses_answer.ts";
import type { Message, Params } from "./teacher.ts";

export const RESPONSES: ApiFormat = {
  path: "/responses",
  logprobsExample: "logprobs=true",
  prompt: promptOf,
  params(params, additions) {
    const fields: Record<string, unknown> = additions.stream ? { stream: true } : {};
    for (const [name, value] of Object.entries(params)) {
      // A parameter may be called "constructor", and every object inherits a member with that name.
      const isTranslated = Object.hasOwn(TRANSLATIONS, name);
      merge(fields, isTranslated ? TRANSLATIONS[name](value) : { [name]: value });
    }
    addFields(fields, additions);
    return fields;
  },
  problem: promptProblem,
  answer: asChatCompletion,
  events: () => new ResponsesEvents(),
};

/** Parameters of chat completions that have another name or place in `/responses`. */
const TRANSLATIONS: Readonly<Record<string, (value: unknown) => JsonObject>> = {
  max_tokens: (value) => ({ max_output_tokens: value }),
  max_completion_tokens: (value) => ({ max_output_tokens: value }),
  reasoning_effort: (value) => ({ reasoning: { effort: value } }),
  verbosity: (value) => ({ text: { verbosity: value } }),
  response_format: (value) => ({ text: { format: textFormatOf(value) } }),
  tools: (value) => ({ tools: Array.isArray(value) ? value.map(toolOf) : value }),
  tool_choice: (value) => ({ tool_choice: toolChoiceOf(value) }),
  logprobs: (value) => value === true ? { include: [LOGPROBS] } : {},
  // `/responses` always sends token counts. Its own `stream_options` are about padding.
  stream_options: () => ({}),
};

const LOGPROBS = "message.output_text.logprobs";

function addFields(fields: Record<string, unknown>, additions: Additions): void {
  const { responseFormat, add } = additions;
  const hasFormat = asObject(fields.text)?.format !== undefined;
  if (!hasFormat && responseFormat !== undefined && add("response_format")) {
    merge(fields, { text: { format: textFormatOf(responseFormat) } });
  }
  const reasoning = fields.reasoning === undefined ? {} : asObject(fields.reasoning);
  // By default, OpenAI sends no reasoning.
  if (reasoning !== undefined && reasoning.summary === undefined && add("reasoning.summary")) {
    fields.reasoning = { ...reasoning, summary: "auto" };
  }
  // OpenAI would store the answers for 30 days. It does not store chat completions by default.
  if (fields.store === undefined && add("store")) fields.store = false;
}

/** Merges objects and lists, and replaces other values. */
function merge(fields: Record<string, unknown>, more: JsonObject): void {
  for (const [name, value] of Object.entries(more)) {
    const before = fields[name];
    if (Array.isArray(before) && Array.isArray(value)) fields[name] = [...before, ...value];
    // A number such as `1e3` is an object made by `JSON.rawJSON`, which must not be merged.
    else if (asObject(before) !== undefined && isObject(value) && !exactJson.isRawJSON(value)) {
      fields[name] = { ...asObject(before), ...value };
    } else fields[name] = value;
  }
}

/** Removes the inner level of `{"type":"json_schema","json_schema":{…}}`. */
function textFormatOf(format: unknown): unknown {
  const { json_schema: schema, ...rest } = asObject(format) ?? {};
  return asObject(schema) === undefined ? format : { ...rest, ...asObject(schema) };
}

/** Removes the inner level of `{"type":"function","function":{…}}`. Sets `strict` to false unless
 * it is given: that is the default of chat completions, while the default of `/responses` is
 * true. */
function toolOf(tool: unknown): unknown {
  const { function: callee, ...rest } = asObject(tool) ?? {};
  if (asObject(callee) === undefined) return tool;
  return { ...rest, strict: false, ...asObject(callee) };
}

/** Removes the inner level of a `tool_choice`, or of a tool in its `allowed_tools`. */
function toolChoiceOf(choice: unknown): unknown {
  const { type, function: callee, allowed_tools: allowed } = asObject(choice) ?? {};
  if (type === "function" && callee !== undefined) {
    return { type, name: asText(asObject(callee)?.name) };
  }
  if (type !== "allowed_tools" || asObject(allowed) === undefined) return choice;
  const { tools, ...rest } = asObject(allowed)!;
  return { type, ...rest, tools: Array.isArray(tools) ? tools.map(toolChoiceOf) : tools };
}

/** Returns the prompt. Leading system messages become `instructions`, and the other messages become
 * `input`. */
function promptOf(messages: readonly Message[]): JsonObject {
  const inputStart = messages.findIndex((message) => !isInstruction(message));
  // There is no leading system message, or there are no other messages for `input`.
  if (inputStart < 1) return { input: messages.flatMap(itemsOf) };
  const instructions = messages.slice(0, inputStart).map(({ content }) => promptText(content));
  const input = messages.slice(inputStart).flatMap(itemsOf);
  return { instructions: instructions.join("\n\n"), input };
}

function promptProblem(messages: readonly Message[], params: Params): string | undefined {
  for (const name of ["input", "instructions"]) {
    if (name in params) return `sets "${name}": it comes from the messages`;
  }
  if (params.background === true) return 'sets "background": Retort waits for each answer';
  for (const { role, tool_call_id: id } of messages) {
    if (role === "function") {
      return 'has a message with the role "function": the responses endpoint takes results of calls ' +
        'only with the role "tool"';
    }
    if (role === "tool" && typeof id !== "string") {
      return 'has a message with the role "tool" without "tool_call_id": the responses endpoint ' +
        "needs it";
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

/** Returns the items of a message: the message and its tool calls, or the output of a call. */
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
  const { id, function: callee } = asObject(call) ?? {};
  const { name, arguments: args } = asObject(callee) ?? {};
  return { type: "function_call", call_id: id, name, arguments: args };
}

/** Returns the text of a message's content. If the content is a list, its text parts are joined. */
export function promptText(content: unknown): string {
  if (!Array.isArray(content)) return asText(content);
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
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
