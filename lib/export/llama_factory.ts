/**
 * Alpaca and ShareGPT as LLaMA-Factory reads them: turns are text. In Alpaca, there are no tool
 * calls; in ShareGPT, they are turns of their own.
 *
 * @module
 */

import { filledList, isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import {
  argumentsOf,
  reasoningFieldOf,
  type RowStyle,
  textOf,
  THOUGHT,
  type TrainingRow,
  Unrepresentable,
  withThinkStyle,
} from "./turns.ts";

const SYSTEM_ROLES = ["system", "developer"];

/**
 * Makes `{"instruction","input","output","system","history"}`.
 *
 * @throws {Unrepresentable} If Alpaca has no place for a part of the conversation.
 */
export function toAlpaca(
  { prompt, answer }: { readonly prompt: readonly Message[]; readonly answer: Message },
  { think }: RowStyle,
): TrainingRow {
  if ([...prompt, answer].some((message) => filledList(message.tool_calls) !== undefined)) {
    throw new Unrepresentable("a tool call");
  }
  const system: string[] = [];
  const turns: { role: string; text: string }[] = [];
  for (const message of prompt) {
    const text = onlyTextOf(
      message.role === "assistant" ? withThinkStyle(message, think) : message,
    );
    if (!SYSTEM_ROLES.includes(message.role)) turns.push({ role: message.role, text });
    else if (turns.length === 0) system.push(text);
    else throw new Unrepresentable("a system message after the start");
  }
  const history: [string, string][] = [];
  for (let i = 0; i < turns.length; i++) {
    const expectedRole = i % 2 === 0 ? "user" : "assistant";
    if (turns[i].role !== expectedRole) {
      throw new Unrepresentable("turns other than user and assistant");
    }
    if (i % 2 === 1) history.push([turns[i - 1].text, turns[i].text]);
  }
  if (turns.length % 2 === 0) {
    throw new Unrepresentable("a conversation that does not end with the user");
  }
  const row: TrainingRow = {
    instruction: turns.at(-1)!.text,
    input: "",
    output: onlyTextOf(answer),
  };
  if (system.length > 0) row.system = system.join("\n\n");
  if (history.length > 0) row.history = history;
  return row;
}

const SPEAKERS: Readonly<Record<string, string>> = {
  system: "system",
  developer: "system",
  user: "human",
  assistant: "gpt",
  tool: "observation",
};

/**
 * Makes the turns of ShareGPT: `[{"from","value"}]`.
 *
 * @throws {Unrepresentable} If ShareGPT has no place for a part of the conversation.
 */
export function shareGptTurns(
  messages: readonly Message[],
  { reasoningField }: RowStyle,
): TrainingRow[] {
  const turns: TrainingRow[] = [];
  let observations: string[] = [];
  for (const message of messages) {
    const from = Object.hasOwn(SPEAKERS, message.role) ? SPEAKERS[message.role] : undefined;
    if (from === undefined) throw new Unrepresentable(`a message with the role "${message.role}"`);
    const text = onlyTextOf(message);
    if (from === "observation") {
      // LLaMA-Factory allows one observation per turn, so further results join it as a JSON array.
      observations.push(text);
      if (observations.length === 1) turns.push({ from, value: text });
      else turns.at(-1)!.value = JSON.stringify(observations);
      continue;
    }
    observations = [];
    const calls = filledList(message.tool_calls);
    // OpenAI's custom tools have a text input instead of a function.
    if (calls?.every((call) => isObject(call) && isObject(call.function)) === false) {
      throw new Unrepresentable("a tool call without a function");
    }
    const turn: TrainingRow = calls !== undefined
      ? { from: "function_call", value: functionCall(text, calls) }
      : { from, value: text };
    const reasoning = reasoningFieldOf(message) ?? message.reasoning_content;
    if (reasoning !== undefined) turn[reasoningField] = reasoning;
    turns.push(turn);
  }
  return turns;
}

function onlyTextOf(message: Message): string {
  const text = textOf(message);
  if (text === undefined) throw new Unrepresentable("content that is not text");
  return text;
}

/**
 * Writes tool calls as a JSON array, after any reasoning in its tags. Other text is left out,
 * because ShareGPT has no place for it beside calls; `TrainerNotes` counts these cases.
 */
function functionCall(text: string, calls: readonly unknown[]): string {
  const functions = calls.map((call) => {
    const { name, arguments: args } = (call as { function: Record<string, unknown> }).function;
    return { name, arguments: argumentsOf(call) ?? args };
  });
  const [thought = ""] = THOUGHT.exec(text) ?? [];
  return thought + JSON.stringify(functions);
}
