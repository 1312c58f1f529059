/**
 * Tools, tool calls and their results, as datasets hold them, in the form of the API.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import {
  has,
  holdsNumber,
  isBlank,
  isRawJson,
  parseLossless,
  withoutNulls,
} from "./json_values.ts";
import { mustBe, type Reading, RowProblem } from "./problem.ts";

const A_CALL = 'a call or a list of calls such as {"name":"f","arguments":{}}';
/** The reasoning that `retort export` writes before the calls of a turn. */
const THOUGHT = /^\s*(<think>.*<\/think>)\s*/s;

/** The message for a turn whose text is a JSON call or array of calls, perhaps after reasoning. */
export function callMessage(text: unknown, place: string): Message | RowProblem {
  const [start, thought = null] = (typeof text === "string" && THOUGHT.exec(text)) || [""];
  const value = typeof text === "string" ? parsed(text.slice(start.length)) : text;
  const calls = Array.isArray(value) ? value : [value];
  if (calls.length === 0 || !calls.every(isNamed)) return mustBe(place, A_CALL, text);
  return { role: "assistant", content: thought, tool_calls: calls.map(asStated) };
}

/** A call with its arguments as text, which keeps nulls in them: here, nulls are on purpose. */
function asStated(call: Record<string, unknown>): Record<string, unknown> {
  const { name, arguments: args, parameters } = isObject(call.function) ? call.function : call;
  const text = textOf(args ?? parameters ?? {});
  return { ...(hasText(call.id) ? { id: call.id } : {}), name, arguments: text };
}

const CALL_IN_TEXT = /<tool_call>(.*?)<\/tool_call>/gs;
const ANSWER_IN_TEXT = /<tool_response>(.*?)<\/tool_response>/gs;

/**
 * Moves tagged calls from the text of an assistant message to `tool_calls`, and strips the tags in
 * tool messages; Hermes datasets have both. Text whose calls cannot be parsed stays as it is.
 */
export function withCallsInText(message: Message): Message {
  const { role, content } = message;
  if (typeof content !== "string" || has(message.tool_calls)) return message;
  if (role === "tool") {
    const answers = [...content.matchAll(ANSWER_IN_TEXT)].map(([, answer]) => answer.trim());
    if (answers.length === 0) return message;
    return { ...message, content: answers.length === 1 ? answers[0] : JSON.stringify(answers) };
  }
  if (role !== "assistant" || !content.includes("<tool_call>")) return message;
  const calls = [...content.matchAll(CALL_IN_TEXT)]
    .map(([, call]) => parsed(call) ?? parsed(jsonOfPython(call)));
  if (calls.length === 0 || !calls.every(isNamed)) return message;
  const text = content.replace(CALL_IN_TEXT, "").trim();
  return { ...message, content: text === "" ? null : text, tool_calls: calls.map(asStated) };
}

const PYTHON = /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'|\b(?:True|False|None)\b/gs;
const CONSTANTS: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** A Python literal as JSON: Hermes datasets hold calls as `str()` wrote them. */
function jsonOfPython(text: string): string {
  return text.replace(PYTHON, (literal, quoted) => {
    if (quoted === undefined) return CONSTANTS[literal] ?? literal;
    return `"${quoted.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`;
  });
}

export function addCalls(message: Message, more: Message, { readsCallsOnly }: Reading): void {
  message.tool_calls = [...message.tool_calls as unknown[], ...more.tool_calls as unknown[]];
  for (const field of readsCallsOnly ? [] : ["content", "reasoning", "reasoning_content"]) {
    const texts = [message[field], more[field]].filter(hasText);
    if (texts.length > 0) message[field] = texts.join("\n\n");
  }
}

/**
 * Gives calls the form of the API and an id if they have none, and the tool messages that follow
 * the ids of their calls. Ids have nine letters and digits, which is all that Mistral accepts.
 */
export function linkToolCalls(
  messages: readonly Message[],
  name: string,
  reading: Reading,
): Message[] | RowProblem {
  const linked: Message[] = [];
  let unanswered: Record<string, unknown>[] = [];
  let made = 0;
  for (const [index, message] of messages.entries()) {
    if (message.role === "tool") {
      const isAlone = messages[index + 1]?.role !== "tool";
      const answers = answersOf(message, unanswered, isAlone);
      if (answers.length === 0 && reading.isLog) {
        return new RowProblem(
          `"${name}" holds the answer to a call without the call before it`,
          () => AS_USER_TURN,
        );
      }
      linked.push(...(answers.length === 0 ? [message] : answers));
      unanswered = unanswered.filter(({ id }) =>
        !answers.some(({ tool_call_id }) => id === tool_call_id)
      );
      continue;
    }
    unanswered = [];
    if (message.tool_calls === undefined) {
      linked.push(message);
      continue;
    }
    const calls = callsOf(message.tool_calls, reading)
      ?.map((call) => hasText(call.id) ? call : withId(call, ++made));
    linked.push(withCalls(message, calls));
    unanswered = calls ?? [];
  }
  return linked;
}

/** Advice for logs in which calls are plain text such as `[f(x=1)]` (ToolACE). */
const AS_USER_TURN = "if the call is plain text, send the answer as a turn of the user: use " +
  `jq -c '.conversations |= map(if .from == "tool" or .from == "observation" then .from = "human" else . end)'`;

/**
 * A tool message with the id of its call; empty if no call is left. The only tool message after
 * several calls, if it names none, becomes one for each call: a JSON array of as many elements is
 * divided.
 *
 * @param unanswered The calls before it that no tool message has answered.
 * @param isAlone Whether no tool message follows.
 */
function answersOf(
  message: Message,
  unanswered: readonly Record<string, unknown>[],
  isAlone: boolean,
): Message[] {
  if (hasText(message.tool_call_id)) return [message];
  if (unanswered.length === 0) return [];
  const named = unanswered.find((call) => nameOf(call) === message.name);
  if (unanswered.length === 1 || named !== undefined || !isAlone) {
    return [{ ...message, tool_call_id: (named ?? unanswered[0]).id }];
  }
  const { content } = message;
  const list = typeof content === "string" ? parsed(content) : undefined;
  const each = Array.isArray(list) && list.length === unanswered.length ? list : undefined;
  return unanswered.map((call, i) => ({
    ...message,
    content: each === undefined ? content : textOf(each[i]),
    tool_call_id: call.id,
  }));
}

/** The calls in `tool_calls`, which may be JSON text, in the form of the API; undefined if none. */
function callsOf(value: unknown, reading: Reading): Record<string, unknown>[] | undefined {
  const calls = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(calls) || calls.length === 0) return undefined;
  return calls.map((call) => inForm(call, reading));
}

/** A call in the form of the API; the same object if it has that form already. */
function inForm(call: Record<string, unknown>, reading: Reading): Record<string, unknown> {
  if (!isObject(call)) return call;
  if (call.function === undefined && typeof call.name === "string") {
    const { name, arguments: args, parameters, ...rest } = call;
    const given = { name, arguments: textOfArguments(args ?? parameters, reading) };
    return { ...rest, type: "function", function: given };
  }
  const called = call.function;
  if (!isObject(called)) return call;
  if (typeof called.arguments === "string" && hasText(call.type)) return call;
  const text = textOfArguments(called.arguments, reading);
  return { ...call, type: call.type ?? "function", function: { ...called, arguments: text } };
}

function textOfArguments(args: unknown, reading: Reading): string {
  if (typeof args === "string") return args;
  if (holdsNumber(args)) reading.hasNumber = true;
  // In files made from tables, every call has the arguments of all others, null if it lacks them.
  return JSON.stringify(withoutNulls(args ?? {}));
}

function withId(call: Record<string, unknown>, number: number): Record<string, unknown> {
  const { id: _id, ...rest } = call;
  return { id: `call${String(number).padStart(5, "0")}`, ...rest };
}

function withCalls(message: Message, calls: Record<string, unknown>[] | undefined): Message {
  if (calls !== undefined) return { ...message, tool_calls: calls };
  const { tool_calls: _none, ...rest } = message;
  return rest as Message;
}

/**
 * The tools of a row, which are a list or the JSON text of one. Bare functions (LLaMA-Factory) are
 * wrapped. Undefined for an empty list, which the API rejects.
 */
export function toolsOf(value: unknown, name: string): unknown[] | undefined | RowProblem {
  if (typeof value === "string" && isBlank(value)) return undefined;
  const tools = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(tools)) return mustBe(name, "an array of tools, or that as JSON text", value);
  if (tools.length === 0) return undefined;
  const formed: unknown[] = [];
  for (let i = 0; i < tools.length; i++) {
    const tool = typeof tools[i] === "string" ? parsed(tools[i]) : tools[i];
    if (!isObject(tool)) {
      return mustBe(
        `${name}[${i}]`,
        'an object such as {"type":"function","function":{…}}',
        tools[i],
      );
    }
    const isBare = typeof tool.name === "string" && !hasText(tool.type) && !tool.function;
    formed.push(isBare ? { type: "function", function: withSchema(tool) } : tool);
  }
  return formed.every((tool, i) => tool === tools[i]) && tools === value ? tools : formed;
}

/** JSON schema's types by Python's names for them. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ["str", "string"],
  ["int", "integer"],
  ["float", "number"],
  ["bool", "boolean"],
  ["list", "array"],
  ["set", "array"],
  ["tuple", "array"],
  ["dict", "object"],
]);

/**
 * A function whose `parameters` are a JSON schema. xLAM and APIGen list them by name with Python
 * types: `{"x":{"type":"int, optional","description":…}}`.
 */
function withSchema(tool: Record<string, unknown>): Record<string, unknown> {
  // Anthropic calls the schema `input_schema`.
  if (isObject(tool.input_schema) && !has(tool.parameters)) {
    const { input_schema: parameters, ...rest } = tool;
    return { ...rest, parameters };
  }
  const { parameters } = tool;
  if (!isObject(parameters)) return tool;
  if (parameters.type === "dict") return { ...tool, parameters: withJsonTypes(parameters) };
  if (typeof parameters.type === "string") return tool;
  const entries = Object.entries(parameters);
  const isByName = entries.length > 0 &&
    entries.every(([, one]) => isObject(one) && typeof one.type === "string");
  if (!isByName) return tool;
  const required: string[] = [];
  const properties = entries.map(([name, one]) => {
    const { type, ...rest } = one as Record<string, unknown> & { type: string };
    const [, word] = /^\s*(\w*)/.exec(type)!;
    if (!/\boptional\b/i.test(type) && !has(rest.default)) required.push(name);
    return [name, { type: TYPES.get(word.toLowerCase()) ?? type, ...rest }];
  });
  const schema = { type: "object", properties: Object.fromEntries(properties) };
  return { ...tool, parameters: required.length === 0 ? schema : { ...schema, required } };
}

/** Replaces Python's names of types in a schema, which BFCL has, at any level. */
function withJsonTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withJsonTypes);
  if (!isObject(schema) || isRawJson(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "type" && typeof value === "string"
        ? TYPES.get(value) ?? value
        : withJsonTypes(value),
    ]),
  );
}

function isNamed(call: unknown): boolean {
  return isObject(call) && typeof nameOf(call) === "string";
}

function nameOf(call: Record<string, unknown>): unknown {
  return isObject(call.function) ? call.function.name : call.name;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function hasText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** The value of a JSON text, numbers as they were written; undefined if it is not JSON. */
// deno-lint-ignore no-explicit-any -- each caller checks what it got
export function parsed(text: string): any {
  try {
    return parseLossless(text);
  } catch {
    return undefined;
  }
}
