/**
 * Alpaca as LLaMA-Factory reads it: all turns are text, without tool calls.
 *
 * @module
 */

import type { ThinkStyle } from "../answer.ts";
import { filledList } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import { textOf, type TrainingRow, Unrepresentable, withThinkStyle, withTools } from "./turns.ts";

const SYSTEM_ROLES = ["system", "developer"];

interface AlpacaContext {
  readonly tools: readonly unknown[] | undefined;
  /** How the reasoning of earlier turns is written; that of the answer is written already. */
  readonly think: ThinkStyle | undefined;
}

/** Makes `{"instruction","input","output","system","history"}`, or says what has no place in it. */
export function toAlpaca(
  { prompt, answer }: { readonly prompt: readonly Message[]; readonly answer: Message },
  { tools, think }: AlpacaContext,
): TrainingRow | Unrepresentable {
  if ([...prompt, answer].some((message) => filledList(message.tool_calls) !== undefined)) {
    return new Unrepresentable("a tool call");
  }
  const system: string[] = [];
  const turns: { role: string; text: string }[] = [];
  for (const message of prompt) {
    const text = textOf(message.role === "assistant" ? withThinkStyle(message, think) : message);
    if (text === undefined) return new Unrepresentable("content that is not text");
    if (!SYSTEM_ROLES.includes(message.role)) turns.push({ role: message.role, text });
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
  const instruction = turns.at(-1)!.text, output = textOf(answer);
  if (output === undefined) return new Unrepresentable("content that is not text");
  const row: TrainingRow = { instruction, input: "", output };
  if (system.length > 0) row.system = system.join("\n\n");
  if (history.length > 0) row.history = history;
  return withTools(row, tools);
}
