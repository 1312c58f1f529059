/**
 * ShareGPT as LLaMA-Factory reads it: turns are text, and tool calls are turns of their own.
 *
 * @module
 */

import { filledList, isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import {
  argumentsOf,
  reasoningFieldOf,
  textOf,
  THOUGHT,
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

interface ShareGptContext {
  readonly tools: readonly unknown[] | undefined;
  readonly reasoningField: string;
}

/** Makes `{"conversations":[{"from","value"}]}`, or says what has no place in it. */
export function toShareGpt(
  messages: readonly Message[],
  { tools, reasoningField }: ShareGptContext,
): TrainingRow | Unrepresentable {
  const conversations: TrainingRow[] = [];
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
    const calls = filledList(message.tool_calls);
    // OpenAI's custom tools have a text as input instead.
    if (calls?.every((call) => isObject(call) && isObject(call.function)) === false) {
      return new Unrepresentable("a tool call without a function");
    }
    const turn: TrainingRow = calls !== undefined
      ? { from: "function_call", value: functionCall(text, calls) }
      : { from, value: text };
    const reasoning = reasoningFieldOf(message) ?? message.reasoning_content;
    if (reasoning !== undefined) turn[reasoningField] = reasoning;
    conversations.push(turn);
  }
  return withTools({ conversations }, tools);
}

/** `conversations` is the prompt, and each answer is one turn: `chosen` and `rejected`, or
 * `completion` for a single answer. */
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

/** Writes tool calls as a JSON array, after any reasoning in its tags. ShareGPT has no place for
 * other text beside them: it is left out, and `TrainerNotes` counts it. */
function functionCall(text: string, calls: readonly unknown[]): string {
  const functions = calls.map((call) => {
    const { name, arguments: args } = (call as { function: Record<string, unknown> }).function;
    return { name, arguments: argumentsOf(call) ?? args };
  });
  const [thought = ""] = THOUGHT.exec(text) ?? [];
  return thought + JSON.stringify(functions);
}

/** Whether any turn of a row has a value in the field. */
export function isFieldOfTurns(name: string, row: TrainingRow): boolean {
  const turns = [row.conversations, row.completion, row.chosen, row.rejected].flat();
  return turns.some((turn) => Boolean((turn as TrainingRow | undefined)?.[name]));
}
