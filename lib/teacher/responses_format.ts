/**
 * `/responses`: OpenAI's newer endpoint, where reasoning models tell summaries of their reasoning.
 *
 * @module
 */

import type { Additions, ApiFormat } from "./api_format.ts";
import { wantsFormat } from "./chat_format.ts";
import { asObject, asText, type JsonObject } from "./json.ts";
import { asChatCompletion } from "./responses_answer.ts";
import { ResponsesEvents } from "./responses_events.ts";
import { promptOf, promptProblem } from "./responses_prompt.ts";
import type { Params } from "./teacher.ts";

/** `/responses`. */
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
    add(own, params, additions);
    return own;
  },
  problem: promptProblem,
  answer: asChatCompletion,
  events: () => new ResponsesEvents(),
};

/** Parameters of chat completions that have another name or place here. */
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
  // Its only option here is about padding; token counts come unasked.
  stream_options: () => ({}),
};

const LOGPROBS = "message.output_text.logprobs";

function add(own: Record<string, unknown>, params: Params, additions: Additions): void {
  const { responseFormat, add } = additions;
  const isFormatOpen = wantsFormat(params) && asObject(own.text)?.format === undefined;
  if (isFormatOpen && responseFormat !== undefined && add("response_format")) {
    merge(own, { text: { format: textFormatOf(responseFormat) } });
  }
  const reasoning = own.reasoning === undefined ? {} : asObject(own.reasoning);
  // Without being asked, OpenAI tells nothing of the reasoning.
  if (reasoning !== undefined && reasoning.summary === undefined && add("reasoning.summary")) {
    own.reasoning = { ...reasoning, summary: "auto" };
  }
  // As with chat completions: what is not asked for is not kept on the server (30 days at OpenAI).
  if (own.store === undefined && add("store")) own.store = false;
}

/** Objects and lists grow, anything else is replaced. */
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

/** `{"type":"function","function":{…}}` without its inner level. Here strict is the default. */
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
