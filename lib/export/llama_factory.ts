/**
 * LLaMA-Factory's formats ShareGPT and Alpaca. Turns are text, and tool calls are separate turns.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import type { RowContext } from "./formats.ts";
import {
  argumentsOf,
  textOf,
  type TrainingRow,
  type Turns,
  Unrepresentable,
  withTools,
} from "./turns.ts";

const SPEAKERS: Readonly<Record<string, string>> = {
  system: "system",
  developer: "system",
  user: "human",
  assistant: "gpt",
  tool: "observation",
};

type ShareGptContext = Pick<RowContext, "tools" | "reasoningField">;

/** Makes `{"conversations":[{"from","value"}]}`. */
export function toShareGpt(
  messages: readonly Message[],
  { tools, reasoningField }: ShareGptContext,
): TrainingRow | Unrepresentable {
  const conversations: Record<string, unknown>[] = [];
  let observations: string[] = [];
  for (const message of messages) {
    const text = textOf(message);
    const from = Object.hasOwn(SPEAKERS, message.role) ? SPEAKERS[message.role] : undefined;
    if (from === undefined) return new Unrepresentable(`a message with the role "${message.role}"`);
    if (text === undefined) return new Unrepresentable("content that is not text");
    if (from === "observation") {
      // LLaMA-Factory allows one observation per turn.
      observations.push(text);
      if (observations.length === 1) conversations.push({ from, value: text });
      else conversations.at(-1)!.value = JSON.stringify(observations);
      continue;
    }
    observations = [];
    const calls = message.tool_calls;
    if (Array.isArray(calls) && !calls.every(hasFunction)) {
      return new Unrepresentable("a tool call without a function");
    }
    const turn: Record<string, unknown> = Array.isArray(calls) && calls.length > 0
      ? { from: "function_call", value: functionCall(text, calls) }
      : { from, value: text };
    const { reasoning_content: reasoning } = message;
    if (reasoning !== undefined) turn[reasoningField] = reasoning;
    conversations.push(turn);
  }
  return withTools({ conversations }, tools);
}

/** `conversations` is the prompt, and each answer is one turn. A single answer is `completion`. */
export function toShareGptPair(
  { prompt, answer, rejected }: Turns & { readonly answer: Message },
  context: ShareGptContext,
): TrainingRow | Unrepresentable {
  const row = toShareGpt(prompt, context);
  const answerTurn = shareGptTurn(answer, context);
  const rejectedTurn = rejected === undefined ? undefined : shareGptTurn(rejected, context);
  for (const part of [row, answerTurn, rejectedTurn]) {
    if (part instanceof Unrepresentable) return part;
  }
  const { conversations, ...rest } = row as TrainingRow;
  const answers = rejectedTurn === undefined
    ? { completion: answerTurn }
    : { chosen: answerTurn, rejected: rejectedTurn };
  return { conversations, ...answers, ...rest };
}

function shareGptTurn(message: Message, context: ShareGptContext): unknown {
  const row = toShareGpt([message], context);
  return row instanceof Unrepresentable ? row : (row.conversations as unknown[])[0];
}

/** Writes tool calls as a JSON array, after any reasoning in its tags. */
function functionCall(text: string, calls: readonly unknown[]): string {
  const functions = calls.map((call) => {
    const { name, arguments: args } = (call as { function: Record<string, unknown> }).function;
    return { name, arguments: typeof args === "string" ? argumentsOf(call) ?? args : args };
  });
  const [thought = ""] = THOUGHT.exec(text) ?? [];
  return thought + JSON.stringify(functions);
}

/** Whether a tool call has a function. OpenAI's custom tools have a text as input instead. */
function hasFunction(call: unknown): boolean {
  return isObject(call) && isObject(call.function);
}

const THOUGHT = /^<think>\n.*<\/think>\n\n/s;

/** Whether a message with tool calls has text beside them, for which ShareGPT has no place. */
export function hasTextBesideCalls(message: Message): boolean {
  return (textOf(message) ?? "").replace(THOUGHT, "").trim() !== "";
}

/** Whether the turns alternate. LLaMA-Factory drops other conversations. */
export function isAlternating(row: TrainingRow): boolean {
  const turns = row.conversations as readonly { from: string }[];
  const dialogue = turns[0]?.from === "system" ? turns.slice(1) : turns;
  const isPair = row.chosen !== undefined || row.completion !== undefined;
  return dialogue.length % 2 === (isPair ? 1 : 0) &&
    dialogue.every(({ from }, index) =>
      (index % 2 === 0 ? ["human", "observation"] : ["gpt", "function_call"]).includes(from)
    );
}

/** Makes `{"instruction","input","output","system","history"}`. */
export function toAlpaca(
  prompt: readonly Message[],
  answer: Message,
  tools: readonly unknown[] | undefined,
): TrainingRow | Unrepresentable {
  if (answer.tool_calls !== undefined) return new Unrepresentable("a tool call");
  const system: string[] = [];
  const turns: { role: string; text: string }[] = [];
  for (const message of prompt) {
    const text = textOf(message);
    if (text === undefined) return new Unrepresentable("content that is not text");
    if (SPEAKERS[message.role] !== "system") turns.push({ role: message.role, text });
    else if (turns.length === 0) system.push(text);
    else return new Unrepresentable("a system message after the start");
  }
  const history: [string, string][] = [];
  for (let i = 0; i < turns.length; i++) {
    const expectedRole = i % 2 === 0 ? "user" : "assistant";
    if (turns[i].role !== expectedRole) {
      return new Unrepresentable("turns other than user and assistant");
    }
    if (i % 2 === 1) history.push([turns[i - 1].text, turns[i].text]);
  }
  if (turns.length % 2 === 0) {
    return new Unrepresentable("a conversation that does not end with the user");
  }
  const row: TrainingRow = {
    instruction: turns.at(-1)!.text,
    input: "",
    output: answer.content,
  };
  if (system.length > 0) row.system = system.join("\n\n");
  if (history.length > 0) row.history = history;
  return withTools(row, tools);
}
