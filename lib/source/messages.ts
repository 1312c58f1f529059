/**
 * Conversations: what may be sent, and what of an old one is sent again.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { BadRow, mustBe } from "./problem.ts";

/** How a conversation is read. */
export interface ConversationOptions {
  /** The field that it stands in, for messages about it. */
  readonly name: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer, not dropped. */
  readonly keepsPrefill: boolean;
}

/** The part of a conversation that is sent: everything before its trailing assistant turns. */
export function conversationOf(value: unknown, options: ConversationOptions): Message[] | BadRow {
  const { name, keepsPrefill } = options;
  if (!Array.isArray(value)) return mustBe(name, "an array of messages", value);
  if (value.length === 0) return new BadRow(`"${name}" must not be empty`);
  for (let i = 0; i < value.length; i++) {
    const problem = roleProblem(value[i], name, i);
    if (problem !== undefined) return problem;
  }
  const turns = value as Message[];
  let end = turns.length;
  while (!keepsPrefill && end > 0 && turns[end - 1].role === "assistant") end--;
  if (end === 0) return new BadRow(`"${name}" must hold more than assistant turns`);
  let isEmpty = true;
  for (let i = 0; i < end; i++) {
    const problem = contentProblem(turns[i], name, i);
    if (problem !== undefined) return problem;
    isEmpty &&= isEmptyContent(turns[i].content);
  }
  if (isEmpty) return new BadRow(`"${name}" must hold some text`);
  return end === turns.length ? turns : turns.slice(0, end);
}

/** Puts a system message in front, unless there is one. */
export function withSystem(messages: Message[], system: string | undefined): Message[] {
  if (system === undefined || messages.some(isSystem)) return messages;
  return [{ role: "system", content: system }, ...messages];
}

/** The names that ShareGPT files give to speakers. `function_call` is a turn of the assistant, whose
 * answer stands under `observation` (LLaMA-Factory) or `function_response` (Glaive). */
const SPEAKERS = new Map([
  ["system", "system"],
  ["human", "user"],
  ["user", "user"],
  ["gpt", "assistant"],
  ["assistant", "assistant"],
  ["chatgpt", "assistant"],
  ["bing", "assistant"],
  ["model", "assistant"],
  ["function_call", "assistant"],
  ["function-call", "assistant"],
  ["tool", "tool"],
  ["observation", "tool"],
  ["function", "tool"],
  ["function_response", "tool"],
  ["function-response", "tool"],
]);

/** ShareGPT turns as messages. Turns that have `role` and `content` are messages already. */
export function shareGptTurns(value: unknown, name: string): unknown[] | BadRow {
  if (!Array.isArray(value)) return mustBe(name, "an array of turns", value);
  const messages: unknown[] = [];
  for (let i = 0; i < value.length; i++) {
    const turn = value[i];
    if (!isObject(turn)) {
      return mustBe(`${name}[${i}]`, 'an object with "from" and "value"', turn);
    }
    if (turn.from === undefined || turn.from === null) {
      messages.push(turn);
      continue;
    }
    const role = typeof turn.from === "string" && SPEAKERS.get(turn.from.toLowerCase());
    if (!role) {
      return mustBe(
        `${name}[${i}].from`,
        "a speaker such as system, human, gpt or tool",
        turn.from,
      );
    }
    if (typeof turn.value !== "string" && !Array.isArray(turn.value)) {
      return mustBe(`${name}[${i}].value`, "a string", turn.value);
    }
    messages.push({ role, content: turn.value });
  }
  return messages;
}

/** Whether this is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether there is nothing but white space. */
export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

function isSystem({ role }: Message): boolean {
  return role === "system" || role === "developer";
}

function roleProblem(turn: unknown, name: string, index: number): BadRow | undefined {
  if (!isObject(turn)) {
    return mustBe(`${name}[${index}]`, 'an object with "role" and "content"', turn);
  }
  if (typeof turn.role === "string" && turn.role !== "") return undefined;
  return mustBe(`${name}[${index}].role`, "a role such as user", turn.role);
}

function contentProblem(turn: Message, name: string, index: number): BadRow | undefined {
  const { content } = turn;
  if (typeof content === "string") return undefined;
  if (content === undefined || content === null) {
    if (Array.isArray(turn.tool_calls) && turn.tool_calls.length > 0) return undefined;
    if (isObject(turn.function_call)) return undefined;
  }
  if (!Array.isArray(content)) {
    return mustBe(`${name}[${index}].content`, "a string or an array of parts", content);
  }
  for (let part = 0; part < content.length; part++) {
    if (isObject(content[part]) && typeof content[part].type === "string") continue;
    const place = `${name}[${index}].content[${part}]`;
    return mustBe(place, 'an object with "type"', content[part]);
  }
  return undefined;
}

function isEmptyContent(content: unknown): boolean {
  if (typeof content === "string") return isBlank(content);
  return !Array.isArray(content) || content.length === 0;
}
