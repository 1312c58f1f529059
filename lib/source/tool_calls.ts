/**
 * Tools, their calls and the answers to the calls, in the form of the API.
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
/** The reasoning that our own export writes before the calls of a turn. */
const THOUGHT = /^\s*(<think>.*<\/think>)\s*/s;

/** The message of a turn whose text is one call, or a JSON array of calls. */
export function callMessage(text: unknown, place: string): Message | RowProblem {
  const [start, thought = null] = (typeof text === "string" && THOUGHT.exec(text)) || [""];
  const value = typeof text === "string" ? parsed(text.slice(start.length)) : text;
  const calls = Array.isArray(value) ? value : [value];
  if (calls.length === 0 || !calls.every(isNamed)) return mustBe(place, A_CALL, text);
  return { role: "assistant", content: thought, tool_calls: calls.map(asStated) };
}

/** A call with its arguments as text. Nulls in them were written on purpose, and stay. */
function asStated(call: Record<string, unknown>): Record<string, unknown> {
  const { name, arguments: args, parameters } = isObject(call.function) ? call.function : call;
  const text = textOf(args ?? parameters ?? {});
  return { ...(hasText(call.id) ? { id: call.id } : {}), name, arguments: text };
}

const CALL_IN_TEXT = /<tool_call>(.*?)<\/tool_call>/gs;
const ANSWER_IN_TEXT = /<tool_response>(.*?)<\/tool_response>/gs;

/**
 * Moves the calls out of a message's text, or strips the tags from answers to calls: Hermes
 * datasets put both between tags. A text whose calls cannot be parsed stays as it is.
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

/** A Python literal as JSON: Hermes' datasets hold calls as `str()` wrote them. */
function jsonOfPython(text: string): string {
  return text.replace(PYTHON, (literal, quoted) => {
    if (quoted === undefined) return CONSTANTS[literal] ?? literal;
    return `"${quoted.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`;
  });
}

/** Adds the calls of a message to those of another one. */
export function addCalls(message: Message, more: Message): void {
  message.tool_calls = [...message.tool_calls as unknown[], ...more.tool_calls as unknown[]];
}

/**
 * Gives calls the form of the API, an id where they have none, and that id to the answers that
 * follow. Mistral accepts only ids of nine letters and digits; other servers accept these, too.
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

/** For logs with calls as plain text, as in ToolACE: `[f(x=1)]`. */
const AS_USER_TURN = "if the call is plain text, send the answer as a turn of the user: use " +
  `jq -c '.conversations |= map(if .from == "tool" or .from == "observation" then .from = "human" else . end)'`;

/** Assigns an answer to its call; a single answer after several calls belongs to all of them. */
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

/** The calls of a message, whose list may be JSON text; undefined where there are none. */
function callsOf(value: unknown, reading: Reading): Record<string, unknown>[] | undefined {
  const calls = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(calls) || calls.length === 0) return undefined;
  return calls.map((call) => inForm(call, reading));
}

/** A call in the form of the API; one that has it already stays the same object. */
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
  // In a table, every call has the arguments of all others, with null for those that it lacks.
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
 * The tools of a row: a list, or a list as JSON text. Bare functions, as in LLaMA-Factory's files,
 * are wrapped. Undefined for an empty list, which the API refuses.
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

/** Python's names of types. */
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

/** Makes a JSON schema of parameters that are listed by name with Python types, as xLAM and APIGen have them:
 * `{"x":{"type":"int, optional","description":…}}`. */
function withSchema(tool: Record<string, unknown>): Record<string, unknown> {
  // Anthropic's name for it.
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

/** A schema with JSON's names of types in place of Python's, which BFCL has. */
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

/** JSON with its numbers as written, or undefined for invalid JSON. */
// deno-lint-ignore no-explicit-any -- each caller checks what it got
export function parsed(text: string): any {
  try {
    return parseLossless(text);
  } catch {
    return undefined;
  }
}
