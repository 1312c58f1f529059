/**
 * Converts tool calls and their results to the API's form.
 *
 * @module
 */

import { filledList, isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import { holdsNumber, isSet, parsedLossless, withoutNulls } from "./json_values.ts";
import { mustBe, type Reading, RowProblem } from "./parsed_row.ts";

const CALL = '{"name":"f","arguments":{}}';
/** Matches reasoning before the calls of a turn, in the form that `retort export` writes. */
const REASONING = /^\s*(<think>.*<\/think>)\s*/s;

/**
 * Creates the message for a turn whose content consists of tool calls.
 *
 * @param content A call or an array of calls, either parsed or as JSON text. Reasoning may precede
 * the JSON text.
 */
export function callMessage(content: unknown, place: string): Message | RowProblem {
  const text = typeof content === "string" ? content : "";
  const [start, reasoning = null] = REASONING.exec(text) ?? [""];
  const value = typeof content === "string" ? parsedLossless(text.slice(start.length)) : content;
  const calls = Array.isArray(value) ? value : [value];
  if (!areCalls(calls)) {
    return mustBe(place, `a call or a list of calls such as ${CALL}`, content);
  }
  return { role: "assistant", content: reasoning, tool_calls: calls.map(withTextArguments) };
}

/** Returns the call with its arguments as JSON text. Nulls are kept, unlike in `textOfArguments`,
 * because here the model wrote them and no table added them. */
function withTextArguments(call: Record<string, unknown>): Record<string, unknown> {
  const { name, arguments: args, parameters } = isObject(call.function) ? call.function : call;
  const text = textOf(args ?? parameters ?? {});
  return { ...(hasText(call.id) ? { id: call.id } : {}), name, arguments: text };
}

const TAGGED_CALL = /<tool_call>(.*?)<\/tool_call>/gs;
const TAGGED_RESULT = /<tool_response>(.*?)<\/tool_response>/gs;

/** Moves calls from `<tool_call>` tags in the text of a message to `tool_calls`, and removes the
 * tags around results (Hermes datasets). If a message contains several results, they become a JSON
 * array. Text whose calls cannot be parsed is not changed. */
export function withTaggedCalls(message: Message): Message {
  const { role, content } = message;
  if (typeof content !== "string" || isSet(message.tool_calls)) return message;
  if (role === "tool") {
    const results = [...throughLast("</tool_response>", content).matchAll(TAGGED_RESULT)]
      .map(([, result]) => result.trim());
    if (results.length === 0) return message;
    return { ...message, content: results.length === 1 ? results[0] : JSON.stringify(results) };
  }
  if (role !== "assistant" || !content.includes("<tool_call>")) return message;
  const tagged = throughLast("</tool_call>", content);
  const calls = [...tagged.matchAll(TAGGED_CALL)]
    .map(([, call]) => parsedLossless(call) ?? parsedLossless(jsonOfPython(call)));
  if (!areCalls(calls)) return message;
  const text = (tagged.replace(TAGGED_CALL, "") + content.slice(tagged.length)).trim();
  return { ...message, content: text || null, tool_calls: calls.map(withTextArguments) };
}

/** Returns the text up to and including the last closing `tag`. In the rest of the text, a pattern
 * would search to the end from each opening tag. With 20,000 of these tags, that took 5 s. */
function throughLast(tag: string, text: string): string {
  return text.slice(0, text.lastIndexOf(tag) + tag.length);
}

const PYTHON_LITERAL = /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'|\b(?:True|False|None)\b/gs;
const CONSTANTS: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** Converts a call that Python's `str()` wrote, as in Hermes datasets, to JSON. */
function jsonOfPython(text: string): string {
  return text.replace(PYTHON_LITERAL, (literal, quoted) => {
    if (quoted === undefined) return CONSTANTS[literal] ?? literal;
    return `"${quoted.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`;
  });
}

export function addCalls(message: Message, next: Message, { readsCallsOnly }: Reading): void {
  message.tool_calls = [...message.tool_calls as unknown[], ...next.tool_calls as unknown[]];
  for (const field of readsCallsOnly ? [] : ["content", "reasoning", "reasoning_content"]) {
    const texts = [message[field], next[field]].filter(hasText);
    if (texts.length > 0) message[field] = texts.join("\n\n");
  }
}

/** Converts calls to the API's form, adds missing ids, and gives results the ids of their calls.
 * New ids have nine letters and digits, because Mistral accepts no other ids. */
export function linkToolCalls(
  messages: readonly Message[],
  name: string,
  reading: Reading,
): Message[] | RowProblem {
  const linked: Message[] = [];
  let openCalls: Record<string, unknown>[] = [];
  let newIdCount = 0;
  for (const [index, message] of messages.entries()) {
    if (message.role === "tool") {
      const isLast = messages[index + 1]?.role !== "tool";
      const results = resultsOf(message, openCalls, isLast);
      if (results.length === 0 && reading.isLog) {
        return new RowProblem(
          `"${name}" has the result of a tool call, but no call before it`,
          () => plainCallsHint(name),
        );
      }
      linked.push(...(results.length === 0 ? [message] : results));
      openCalls = openCalls.filter(({ id }) =>
        !results.some(({ tool_call_id }) => id === tool_call_id)
      );
      continue;
    }
    openCalls = [];
    if (message.tool_calls === undefined) {
      linked.push(message);
      continue;
    }
    const calls = callsOf(message.tool_calls, `${name}[].tool_calls`, reading);
    if (calls instanceof RowProblem) return calls;
    openCalls = calls.map((call) => hasText(call.id) ? call : withId(call, ++newIdCount));
    linked.push(withCalls(message, openCalls));
  }
  return linked;
}

/** Returns advice for datasets in which calls are plain text, such as `[f(x=1)]` (ToolACE). */
function plainCallsHint(name: string): string {
  return "if calls are plain text, send their results as user turns: " +
    `jq -c '.${name} |= map(if .from == "tool" or .from == "observation" then .from = "human" ` +
    `elif .role == "tool" then .role = "user" else . end)'`;
}

/**
 * Returns the messages for a result, one for each call that it answers, with the id of that call.
 * Returns an empty array if the result has no id and no call is open. A result that names no call
 * answers the first open call. If it is the last result, it answers all open calls: each call gets
 * one element if the content is an array with as many elements as there are calls, and otherwise
 * gets the entire content.
 *
 * @param openCalls The calls that have no result yet.
 * @param isLast Whether no other result follows.
 */
function resultsOf(
  message: Message,
  openCalls: readonly Record<string, unknown>[],
  isLast: boolean,
): Message[] {
  if (hasText(message.tool_call_id)) return [message];
  if (openCalls.length === 0) return [];
  const byName = openCalls.find((call) => nameOf(call) === message.name);
  if (openCalls.length === 1 || byName !== undefined || !isLast) {
    return [{ ...message, tool_call_id: (byName ?? openCalls[0]).id }];
  }
  const { content } = message;
  const list = typeof content === "string" ? parsedLossless(content) : undefined;
  const contents = Array.isArray(list) && list.length === openCalls.length ? list : undefined;
  return openCalls.map((call, i) => ({
    ...message,
    content: contents === undefined ? content : textOf(contents[i]),
    tool_call_id: call.id,
  }));
}

/** Whether a text is an empty cell, in any of the forms that pandas writes. The text is trimmed
 * first, because a pattern that includes white space takes 4 s for a text that begins with 80,000
 * spaces. */
export function isEmptyCell(text: string): boolean {
  return /^(?:None|nan|NaN|<NA>)?$/.test(text.trim());
}

/** Whether the `tool_calls` of a message or an answer, which may be JSON text, hold a call. */
export function holdsCalls(calls: unknown): boolean {
  if (typeof calls !== "string") return filledList(calls) !== undefined;
  // Most results have `[]`, which need not be searched.
  return calls !== "[]" && !isEmptyCell(calls) && /[^\s[\]]/.test(calls);
}

/**
 * Reads the calls of a message.
 *
 * @param value The calls, possibly as JSON text. An empty value contains no calls, nor does an
 * object of empty lists, which Hugging Face creates for an empty sequence.
 */
function callsOf(value: unknown, place: string, reading: Reading) {
  const list = typeof value !== "string"
    ? value || null
    : isEmptyCell(value)
    ? null
    : parsedLossless(value.trim());
  if (list === null || isObject(list) && Object.values(list).flat().length === 0) return [];
  // The row fails, because a different prompt would be sent without its calls.
  if (!Array.isArray(list)) return mustBe(place, `a list of calls such as ${CALL}`, value);
  const calls: Record<string, unknown>[] = [];
  for (const [index, call] of list.entries()) {
    if (!isObject(call)) return mustBe(`${place}[${index}]`, `a call such as ${CALL}`, call);
    calls.push(inApiForm(call, reading));
  }
  return calls;
}

/** Converts a call to the API's form. A call that already has that form, or an unknown form, is
 * returned unchanged. */
function inApiForm(call: Record<string, unknown>, reading: Reading): Record<string, unknown> {
  if (call.function === undefined && typeof call.name === "string") {
    const { name, arguments: args, parameters, ...rest } = call;
    const callee = { name, arguments: textOfArguments(args ?? parameters, reading) };
    return { ...rest, type: "function", function: callee };
  }
  const callee = call.function;
  if (!isObject(callee)) return call;
  if (typeof callee.arguments === "string" && hasText(call.type)) return call;
  const text = textOfArguments(callee.arguments, reading);
  return { ...call, type: call.type ?? "function", function: { ...callee, arguments: text } };
}

function textOfArguments(args: unknown, reading: Reading): string {
  if (typeof args === "string") return args;
  if (holdsNumber(args)) reading.hasNumber = true;
  // In files created from tables, every call also contains the arguments of all other calls, as
  // null.
  return JSON.stringify(withoutNulls(args ?? {}));
}

function withId(call: Record<string, unknown>, number: number): Record<string, unknown> {
  const { id: _id, ...rest } = call;
  return { id: `call${String(number).padStart(5, "0")}`, ...rest };
}

function withCalls(message: Message, calls: readonly Record<string, unknown>[]): Message {
  if (calls.length > 0) return { ...message, tool_calls: calls };
  const { tool_calls: _none, ...rest } = message;
  return rest as Message;
}

function areCalls(values: readonly unknown[]): boolean {
  return values.length > 0 && values.every((value) => hasText(nameOf(value)));
}

function nameOf(call: unknown): unknown {
  if (!isObject(call)) return undefined;
  return isObject(call.function) ? call.function.name : call.name;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function hasText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}
