/**
 * Converts the turns of a conversation to messages, without the answers at its end.
 *
 * @module
 */

import { langchainFilter } from "../jq_filters.ts";
import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import { isBlank, isSet, parsedLossless, setField } from "./json_values.ts";
import { mustBe, type Reading, RowProblem } from "./parsed_row.ts";
import { turnsOfTranscript } from "./prompt_texts.ts";
import { addCalls, callMessage, holdsCalls, linkToolCalls, withTaggedCalls } from "./tool_calls.ts";

type Turn = Readonly<Record<string, unknown>>;

/** The role of a turn whose text consists of tool calls. */
const CALLS = "calls";

/** Roles by the names that datasets use. `human`, `gpt` and similar names come from ShareGPT,
 * `function_call` (answered by `observation`) from LLaMA-Factory, `function_response` from Glaive,
 * `tool_call` and `tool_response` from ms-swift, `prompter` from OpenAssistant, `ipython` from
 * Llama 3's template, and `model` from Gemini. */
const ROLES = new Map([
  ...["system", "developer", "user", "assistant", "tool"].map((role) => [role, role] as const),
  ...["human", "prompter"].map((role) => [role, "user"] as const),
  ...["gpt", "chatgpt", "bot", "chatbot", "model", "ai", "bing", "bard", "claude"]
    .map((role) => [role, "assistant"] as const),
  ...["function_call", "function-call", "tool_call", "tool-call"]
    .map((role) => [role, CALLS] as const),
  ...["function", "function_response", "function-response", "tool_response"]
    .map((role) => [role, "tool"] as const),
  ...["observation", "ipython"].map((role) => [role, "tool"] as const),
]);

/**
 * Returns the messages before the trailing assistant turns, or all messages if `keepsPrefill` is
 * set. Turns that are already messages are not copied.
 *
 * @param name The field with the conversation.
 */
export function conversationOf(
  value: unknown,
  name: string,
  reading: Reading,
  keepsPrefill = reading.keepsPrefill,
): Message[] | RowProblem {
  const list = turnsIn(value, reading);
  if (list === undefined) return notTurnsProblem(name, value);
  if (list.length === 0) return new RowProblem(`"${name}" must not be empty`);
  // If the row itself is an array of pairs, it is not a conversation but an entire dataset on one
  // line.
  const holdsPairs = reading.shape !== "message-array" && isPair(list[0]);
  const allTurns = holdsPairs
    ? list.flatMap(turnsOfPair)
    : typeof list[0] === "string" && ALTERNATING_FIELDS.test(name)
    ? list.map(turnOfText)
    : list;
  let end = allTurns.length;
  while (!keepsPrefill && end > 0 && isAnswer(allTurns[end - 1])) end--;
  if (end === 0) return new RowProblem(`"${name}" must contain more than assistant turns`);
  const turns = end === allTurns.length ? allTurns : allTurns.slice(0, end);
  let isEmpty = true;
  for (let i = 0; i < end; i++) {
    const turn = turns[i];
    if (reading.isLog || !isPlainMessage(turn)) return convertedTurns(turns, name, reading);
    isEmpty &&= isBlank(turn.content);
  }
  return isEmpty ? new RowProblem(`"${name}" must contain some text`) : turns as Message[];
}

/** Returns the turns of a list, of columns (`{"role":[…],"content":[…]}`, Hugging Face), or of the
 * JSON text of either (CSV files). In `TRANSCRIPT_SHAPES`, also returns those of a transcript.
 * Returns undefined for other values. */
function turnsIn(value: unknown, reading: Reading): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (typeof value !== "string") return isColumns(value) ? turnsOfColumns(value) : undefined;
  if (/^\s*[[{]/.test(value)) return turnsIn(parsedLossless(value), reading);
  return TRANSCRIPT_SHAPES.has(reading.shape) ? turnsOfTranscript(value) : undefined;
}

const TRANSCRIPT_SHAPES: ReadonlySet<string> = new Set(["chosen", "prompt-field"]);

/** Matches fields in which texts alternate between user and assistant (LIMA, UltraChat). In other
 * fields, a list of texts may consist of the user's turns only (MT-Bench) or of several prompts. */
export const ALTERNATING_FIELDS = /^(?:conversations?|data|dialog(?:ue)?s?)$/;

function turnOfText(turn: unknown, index: number): unknown {
  return typeof turn === "string"
    ? { role: index % 2 === 0 ? "user" : "assistant", content: turn }
    : turn;
}

/** Whether an object contains only arrays of the same length, including `role` or `from`. */
export function isColumns(value: unknown): value is Readonly<Record<string, unknown[]>> {
  if (!isObject(value)) return false;
  const columns = Object.values(value);
  return ("role" in value || "from" in value) && columns.every(Array.isArray) &&
    columns.every((column) => (column as unknown[]).length === (columns[0] as unknown[]).length);
}

function turnsOfColumns(columns: Readonly<Record<string, unknown[]>>): unknown[] {
  const entries = Object.entries(columns);
  return entries[0][1].map((_, i) => {
    const turn: Record<string, unknown> = {};
    for (const [name, column] of entries) if (isSet(column[i])) setField(turn, name, column[i]);
    return turn;
  });
}

function notTurnsProblem(name: string, value: unknown): RowProblem {
  const isPython = typeof value === "string" && /^\s*\[\s*\{\s*'/.test(value);
  const hint = "it is the text of a Python list: write it with json.dumps() instead of str()";
  return mustBe(name, "an array of messages", value, isPython ? () => hint : undefined);
}

const QUESTIONS = ["human", "user", "input", "query", "question", "instruction", "prompt"];
const ANSWERS = ["assistant", "gpt", "bot", "output", "response", "answer"];

/** Whether an object contains a question, usually with its answer (XTuner, ms-swift). */
function isPair(turn: unknown): turn is Turn {
  return isObject(turn) && turn.role === undefined && turn.from === undefined &&
    textIn(turn, QUESTIONS) !== undefined;
}

function turnsOfPair(pair: unknown): unknown[] {
  if (!isPair(pair)) return [pair];
  const system = textIn(pair, ["system"]), answer = textIn(pair, ANSWERS);
  return [
    ...(system === undefined || isBlank(system) ? [] : [{ role: "system", content: system }]),
    { role: "user", content: textIn(pair, QUESTIONS) },
    ...(answer === undefined ? [] : [{ role: "assistant", content: answer }]),
  ];
}

function textIn(turn: Turn, names: readonly string[]): string | undefined {
  const name = names.find((name) => typeof turn[name] === "string");
  return name === undefined ? undefined : turn[name] as string;
}

/** Whether a turn is a message that needs no conversion. This is true of nearly all turns. */
function isPlainMessage(turn: unknown): turn is { content: string } {
  if (!isObject(turn) || typeof turn.content !== "string") return false;
  const { role } = turn;
  if (role !== "user" && role !== "assistant" && role !== "system") return false;
  return turn.from === undefined && turn.tool_calls === undefined;
}

function convertedTurns(
  turns: readonly unknown[],
  name: string,
  reading: Reading,
): Message[] | RowProblem {
  const messages: Message[] = [];
  let isEmpty = true, hasTools = false, wasCall = false;
  for (let i = 0; i < turns.length; i++) {
    const role = roleOf(turns[i], name, i);
    if (role instanceof RowProblem) return role;
    const message = messageOf(turns[i] as Turn, role, `${name}[${i}]`, reading);
    if (message instanceof RowProblem) return message;
    // Consecutive turns of calls are parallel calls. They become one message, and their results
    // follow.
    if (role === CALLS && wasCall) addCalls(messages.at(-1)!, message, reading);
    else messages.push(reading.isLog ? withTaggedCalls(message) : message);
    wasCall = role === CALLS;
    isEmpty &&= isEmptyContent(message.content);
    hasTools ||= message.role === "tool" || messages.at(-1)!.tool_calls !== undefined;
  }
  if (isEmpty) return new RowProblem(`"${name}" must contain some text`);
  return hasTools ? linkToolCalls(messages, name, reading) : messages;
}

function messageOf(
  turn: Turn,
  role: string,
  place: string,
  reading: Reading,
): Message | RowProblem {
  if (role === CALLS) {
    const calls = callMessage(contentOf(turn), place);
    if (calls instanceof RowProblem || reading.readsCallsOnly) return calls;
    // A turn of calls is not an API message, so only the fields of API messages are copied.
    return { ...messageFromTurn(turn, "assistant", place, reading), ...calls };
  }
  const isMessage = role === turn.role && contentName(turn) === "content" && !isSet(turn.from) &&
    !reading.isLog;
  const message = isMessage
    ? turn as Message
    : messageFromTurn(turn, role, place, reading, reading.isLog);
  return contentProblem(message, `${place}.${contentName(turn)}`) ?? message;
}

/** The fields of an API message. The turns of conversation logs also contain metadata, which is not
 * sent. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set(
  "role content name tool_calls tool_call_id function_call refusal reasoning reasoning_content"
    .split(" "),
);

/** Converts a turn to a message with the API's names for role and text. If `dropsOtherFields` is
 * set, fields that are not in `MESSAGE_FIELDS` are omitted and recorded in `reading`. */
function messageFromTurn(
  turn: Turn,
  role: string,
  place: string,
  reading: Reading,
  dropsOtherFields = true,
): Message {
  const name = contentName(turn);
  const hasOtherNames = isSet(turn.from) || name !== "content";
  const message: Message = hasOtherNames ? { role, content: contentOf(turn) } : { role };
  for (const key of Object.keys(turn)) {
    if (hasOtherNames && (key === "from" || key === name)) continue;
    if (dropsOtherFields && !MESSAGE_FIELDS.has(key)) {
      if (isSet(turn[key])) reading.leaveOut(`${place.slice(0, place.lastIndexOf("["))}[].${key}`);
    } else if (key !== "role") setField(message, key, turn[key]);
  }
  return message;
}

/** Puts a system message in front, unless `system` is undefined or there already is a system
 * message. */
export function withSystem(messages: Message[], system: unknown): Message[] {
  if (system === undefined || messages.some(isSystem)) return messages;
  return [{ role: "system", content: system }, ...messages];
}

export function isSystem({ role }: Message): boolean {
  return role === "system" || role === "developer";
}

/** Returns the role of a turn, from `role` or `from`. A `role` that is not known is kept. */
function roleOf(turn: unknown, name: string, index: number): string | RowProblem {
  if (!isObject(turn)) {
    const fields = name === "conversations" ? '"from" and "value"' : '"role" and "content"';
    return mustBe(`${name}[${index}]`, `an object with ${fields}`, turn);
  }
  const { role } = turn;
  if (typeof role === "string" && role !== "") {
    // Before it had tools, OpenAI's API had the role "function", which requires a name.
    if (role === "function" && typeof turn.name === "string") return role;
    return ROLES.get(role) ?? ROLES.get(role.trim().toLowerCase()) ?? role;
  }
  const { from } = turn;
  if (isSet(role) || !isSet(from)) {
    const hint = typeof turn.type === "string"
      ? () => `for messages of LangChain, use jq -c ${langchainFilter(name)}`
      : undefined;
    return mustBe(`${name}[${index}].role`, "a role such as user", role, hint);
  }
  const speaker = typeof from === "string" ? ROLES.get(from.toLowerCase()) : undefined;
  return speaker ??
    mustBe(`${name}[${index}].from`, "a speaker such as system, human, gpt or tool", from);
}

function isAnswer(turn: unknown): boolean {
  const role = roleOf(turn, "", 0);
  return role === "assistant" || role === CALLS;
}

/** Returns the name of the field with a turn's text. OpenAssistant calls it `text`. */
function contentName(turn: Turn): "content" | "value" | "text" {
  if (isSet(turn.content)) return "content";
  if (isSet(turn.value)) return "value";
  if (typeof turn.text === "string") return "text";
  return isSet(turn.from) ? "value" : "content";
}

function contentOf(turn: Turn): unknown {
  return turn[contentName(turn)];
}

function contentProblem(message: Message, place: string): RowProblem | undefined {
  const { content } = message;
  if (typeof content === "string") return undefined;
  if (!isSet(content) && hasCalls(message)) return undefined;
  if (!Array.isArray(content)) return mustBe(place, "a string or an array of parts", content);
  return partsProblem(content, place);
}

export function partsProblem(list: readonly unknown[], place: string): RowProblem | undefined {
  const index = list.findIndex((part) => !isObject(part) || typeof part.type !== "string");
  return index < 0 ? undefined : mustBe(`${place}[${index}]`, 'an object with "type"', list[index]);
}

function hasCalls({ tool_calls: calls, function_call: call }: Message): boolean {
  return isObject(call) || holdsCalls(calls);
}

function isEmptyContent(content: unknown): boolean {
  if (typeof content === "string") return isBlank(content);
  return !Array.isArray(content) || content.length === 0;
}
